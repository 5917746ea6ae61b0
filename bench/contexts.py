"""The notebook's fit in programs of several kinds, each built with the flags that people use.

Usage: contexts.py COMPILER EIGEN_FLAGS [RUNS] [OUTPUT]   such as g++ -I/usr/include/eigen3

Builds contexts.cpp with each of three sets of flags, from samples, from moments and from a file
that main reads first, called in main and in a lambda, and runs each RUNS times in turn (default 5).
Prints the ratios of CPU times to the loop by hand in the same process, and their median and
largest; OUTPUT gets every run in the form of Google Benchmark, for report.py.
"""

import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-O2", "-O3", "-O3 -march=native"]
PLACES = [("samples", "SAMPLES", "main", "MAIN"), ("samples", "SAMPLES", "lambda", "LAMBDA"),
          ("moments", "MOMENTS", "main", "MAIN"), ("moments", "MOMENTS", "lambda", "LAMBDA"),
          ("a file", "FILE_OF_SAMPLES", "main", "MAIN")]


def write_samples(path):
    """The notebook's samples, as a table of two columns."""
    text = (ROOT / "examples/data/notebook.hpp").read_text()
    values = re.findall(r"(-?\d[\d.e-]*)F", text.split("values[50 * 2] = {")[1].split("}")[0])
    path.write_text("".join(f"{x},{y}\n" for x, y in zip(values[::2], values[1::2])))


def main():
    compiler, eigen = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    output = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
    with tempfile.TemporaryDirectory() as directory:
        table = pathlib.Path(directory) / "samples.csv"
        write_samples(table)
        programs = {}
        for flags in FLAGS:
            for source, source_macro, place, place_macro in PLACES:
                program = f"{directory}/{len(programs)}"
                subprocess.run([compiler, "-std=c++20", *flags.split(), "-DNDEBUG",
                                f"-DFROM={source_macro}", f"-DCALL={place_macro}",
                                f"-I{ROOT / 'include'}", *eigen.split(), "-o", program,
                                ROOT / "bench/contexts.cpp"], check=True)
                programs[f"{flags}, from {source}, in {place}"] = program
        times = {name: [] for name in programs}
        for _ in range(runs):
            for name, program in programs.items():
                answer = subprocess.run([program, table], check=True, capture_output=True, text=True)
                times[name].append([float(word) for word in answer.stdout.split()])
    ratios = {name: statistics.median(ours / theirs for ours, theirs in pairs)
              for name, pairs in times.items()}
    for name, ratio in ratios.items():
        print(f"{compiler} {name}: {ratio:.2f}")
    print(f"{compiler}: median {statistics.median(ratios.values()):.2f}, "
          f"largest {max(ratios.values()):.2f}")
    if output:
        benchmarks = [{"name": f"context/{name}/{who}", "cpu_time": pair[k], "time_unit": "s"}
                      for name, pairs in times.items() for pair in pairs
                      for k, who in enumerate(("library", "hand-written"))]
        output.write_text(json.dumps({"context": {}, "benchmarks": benchmarks}))


if __name__ == "__main__":
    main()
