"""What the compiler needs for the umbrella header, the notebook and one energy, beside <Eigen/Dense>.

Usage: compile_time.py COMPILER EIGEN_FLAGS [RUNS] [OUTPUT]   such as g++ -I/usr/include/eigen3

Each is compiled to an object RUNS times in turn (default 9) with the flags a user has. Prints the
medians of the compiler's CPU time; OUTPUT gets every run in the form of Google Benchmark, for
report.py.
"""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

FLAGS = ["-std=c++20", "-O2", "-c"]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main():
    compiler, eigen = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    output = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
    seconds = {"eigen-dense": [], "umbrella": [], "notebook": [], "fit of one energy": []}
    with tempfile.TemporaryDirectory() as directory:
        sources = {"notebook": ROOT / "examples/notebook.cpp",
                   "fit of one energy": ROOT / "bench/one_energy.cpp"}
        for name, header in (("eigen-dense", "Eigen/Dense"), ("umbrella", "scorematch/scorematch.hpp")):
            sources[name] = pathlib.Path(directory) / f"{name}.cpp"
            sources[name].write_text(f"#include <{header}>\n")
        command = [compiler, *FLAGS, f"-I{ROOT / 'include'}", *eigen.split(), "-o",
                   f"{directory}/object.o"]
        for source in sources.values():  # bring the files into the cache
            cpu_seconds([*command, source])
        for _ in range(runs):
            for name, values in seconds.items():
                values.append(cpu_seconds([*command, sources[name]]))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{compiler} {' '.join(FLAGS)} {name}: {median:.2f} s, "
              f"{median / medians['eigen-dense']:.2f} times <Eigen/Dense>")
    if output:
        benchmarks = [{"name": f"compile/{case}/{who}", "cpu_time": value, "time_unit": "s"}
                      for case in ("umbrella", "notebook", "fit of one energy")
                      for who, values in (("library", seconds[case]), ("eigen-dense", seconds["eigen-dense"]))
                      for value in values]
        output.write_text(json.dumps({"context": {}, "benchmarks": benchmarks}))


if __name__ == "__main__":
    main()
