"""What the peers share: the library's answer to compare with, and the form of a result."""

import json
import sys
import time

import numpy

answer = json.load(open(sys.argv[1], encoding="utf-8"))
samples = numpy.array(answer["samples"]).reshape(-1, 2)


def require(name, values, expected, tolerance=1e-9):
    """A peer that computes something else is no peer."""
    difference = numpy.max(numpy.abs(numpy.asarray(values) - numpy.asarray(answer[expected])))
    if not difference <= tolerance:
        sys.exit(f"{name}: {expected} differ from the library's by {difference:.3g}")


def cpu_seconds(work):
    """What `work()` returns, and the CPU time it took."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def report(name, library, seconds):
    """`library` is the name of the library's time that `seconds` compares with."""
    print(json.dumps({"name": name, "library": library, "seconds": seconds}))
