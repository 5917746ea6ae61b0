#!/bin/sh
# The notebook's fit, Gaussian fitting, and losses of energies, in what people use today, wherever it is installed; what is
# not is named and left out. PYTHON chooses the interpreter.
#
# Usage: sh bench/peers/run.sh [RESULTS]   RESULTS: where to write peers.json for bench/report.py
set -eu
cd "$(dirname "$0")/../.."
results=${1:-build/bench/peers}
if [ -z "${PYTHON:-}" ]; then
  # Debian's modules belong to Debian's interpreter.
  PYTHON=python3
  [ ! -x /usr/bin/python3 ] || PYTHON=/usr/bin/python3
fi
mkdir -p build/bench/peers
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1

for pair in bench-gcc:g++ bench-clang:clang++; do
  compiler=${pair#*:}
  if ! command -v "$compiler" >/dev/null 2>&1; then
    echo "$compiler is not installed: left out"
    continue
  fi
  program=build/bench/peers/library-${pair%:*}
  # shellcheck disable=SC2046  # flags
  "$compiler" -std=c++20 -O3 -DNDEBUG -march=native -Iinclude \
    $(pkg-config --cflags eigen3 2>/dev/null || echo -I/usr/include/eigen3) \
    bench/peers/library.cpp -o "$program"
  "$program" >"$program.json"
  answer=$program.json
done

: >build/bench/peers/peers.jsonl
run() {
  script=$1 module=$2 package=$3
  if "$PYTHON" -c "import $module" 2>/dev/null; then
    "$PYTHON" "bench/peers/$script.py" "$answer" >>build/bench/peers/peers.jsonl
  else
    echo "$module is not installed for $(basename "$PYTHON") (Debian: $package): $script left out"
  fi
}
run notebook_numpy numpy python3-numpy
run notebook_torch torch python3-torch
run energy_torch torch python3-torch
run gaussian_sklearn sklearn python3-sklearn

"$PYTHON" - "$results" <<'PYTHON'
import json
import pathlib
import sys

directory = pathlib.Path("build/bench/peers")
peers = [json.loads(line) for line in (directory / "peers.jsonl").read_text().splitlines()]
for path in sorted(directory.glob("library-*.json")):
    library = json.loads(path.read_text())
    preset = path.stem.removeprefix("library-")
    benchmarks = []
    for peer in peers:
        ours = library
        for name in [peer["library"]] if isinstance(peer["library"], str) else peer["library"]:
            ours = ours[name]
        print(f"{preset}  {peer['name']}: {peer['seconds']:.3g} s, the library {ours * 1e6:.3g} us, "
              f"{peer['seconds'] / ours:.0f} times")
        for who, seconds in (("library", ours), ("peer", peer["seconds"])):
            benchmarks.append({"name": f"peers/{peer['name']}/{who}", "cpu_time": seconds, "time_unit": "s"})
    (pathlib.Path(sys.argv[1]) / preset).mkdir(parents=True, exist_ok=True)
    (pathlib.Path(sys.argv[1]) / preset / "peers.json").write_text(
        json.dumps({"context": {}, "benchmarks": benchmarks}))
PYTHON
