"""What the peers share: the library's answer to compare with, and the form of a result."""

import json
import sys
import time

import numpy

answer = json.load(open(sys.argv[1], encoding="utf-8"))
samples = numpy.array(answer["samples"]).reshape(-1, 2)


def of_library(name):
    """The library's answer by its name, or by a path of names; several at the end are an array."""
    value = answer
    for part in [name] if isinstance(name, str) else name:
        value = [value[each] for each in part] if isinstance(part, tuple) else value[part]
    return value


def require(name, values, expected, tolerance=1e-9):
    """A peer that computes something else is no peer."""
    difference = numpy.max(numpy.abs(numpy.asarray(values) - numpy.asarray(of_library(expected))))
    if not difference <= tolerance:
        sys.exit(f"{name}: {expected} differ from the library's by {difference:.3g}")


def cpu_seconds(work):
    """What `work()` returns, and the CPU time it took."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def report(name, library, seconds):
    """`library` is the name, or path, of the library's time that `seconds` compares with."""
    print(json.dumps({"name": name, "library": library, "seconds": seconds}))
