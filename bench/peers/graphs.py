"""The graphs of graphs.cpp by scikit-learn's graphical_lasso at its default tolerances, on correlations.

Usage: graphs.py FOLDER P N LONGEST WEIGHT   LONGEST: seconds that a path of 30 may take; WEIGHT: where
to look for the penalty whose number of edges is nearest the true one. Prints a line of JSON; times are
CPU time.
"""

import json
import math
import sys
import time
import warnings

import numpy
from sklearn.covariance import graphical_lasso

folder, p, n, longest, weight = sys.argv[1], *map(int, sys.argv[2:4]), *map(float, sys.argv[4:6])
samples = numpy.fromfile(f"{folder}/samples.bin").reshape(n, p)
edges = numpy.fromfile(f"{folder}/edges.bin", dtype=numpy.int32).reshape(-1, 2)
truth = numpy.zeros((p, p), dtype=bool)
truth[edges[:, 0], edges[:, 1]] = True
positives, pairs = len(edges), p * (p - 1) // 2
correlations = numpy.corrcoef(samples.T)
warnings.simplefilter("ignore")


def score(precision):
    found = numpy.triu(precision != 0, 1)
    return int(found.sum()), int((found & truth).sum())


def solve(alpha, start=None):
    begin = time.process_time()
    covariance, precision = graphical_lasso(correlations, alpha, cov_init=start)
    return covariance, score(precision), time.process_time() - begin


def area(scores):
    points = [(0.0, 0.0)] + [((e - h) / (pairs - positives), h / positives) for e, h in scores] + [(1.0, 1.0)]
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(points, points[1:]))


best = None
for _ in range(3):
    _, here, seconds = solve(weight)
    if best is None or abs(here[0] - positives) < abs(best[1][0] - positives):
        best = (weight, here, seconds)
    if abs(here[0] - positives) <= 0.01 * positives:
        break
    weight *= min(1.3, max(0.77, math.sqrt(max(here[0], 1) / positives)))
weight, here, seconds = best

path_seconds = auc = None
if 30 * seconds < longest:
    largest = numpy.max(numpy.abs(numpy.triu(correlations, 1)))
    scores, path_seconds, covariance = [], 0.0, None
    for k in range(30):
        try:
            covariance, at, spent = solve(largest * 0.1 ** (k / 29), covariance)
        except FloatingPointError:  # it says so where it leaves the positive definite
            scores = None
            break
        scores.append(at)
        path_seconds += spent
    auc = area(scores) if scores else None
    path_seconds = path_seconds if scores else None
print(json.dumps({"who": "scikit-learn", "p": p, "n": n, "true_edges": positives, "weight": weight,
                  "edges": here[0], "precision": here[1] / max(here[0], 1), "recall": here[1] / positives,
                  "seconds": seconds, "path_seconds": path_seconds, "auc": auc}))
