#!/bin/sh
# Sparse graphs beside glasso, huge and scikit-learn, as far as they are installed (Debian:
# r-cran-glasso r-cran-huge python3-sklearn). Takes the better part of an hour, most of it the
# peers'. PYTHON chooses the interpreter.
#
# Usage: sh bench/peers/graphs.sh [RESULTS [--docs]]
#   RESULTS: where the data and graphs.jsonl go; --docs writes the tables of docs/benchmarks.md
set -eu
cd "$(dirname "$0")/../.."
results=${1:-build/bench/graphs}
if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  [ ! -x /usr/bin/python3 ] || PYTHON=/usr/bin/python3
fi
longest=120  # seconds that a peer's path of 30 may take
mkdir -p "$results"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1

graphs=$results/graphs
# shellcheck disable=SC2046  # flags
"${CXX:-g++}" -std=c++20 -O3 -DNDEBUG -march=native -Iinclude \
  $(pkg-config --cflags eigen3 2>/dev/null || echo -I/usr/include/eigen3) \
  bench/peers/graphs.cpp -o "$graphs"

: >"$results/graphs.jsonl"
named() { sed "s/^{/{\"graph\": \"$1\", /" | tee -a "$results/graphs.jsonl"; }

# data GRAPH P N: where they are
data() {
  folder=$results/$1-$2
  mkdir -p "$folder"
  "$graphs" data "$1" "$2" "$3" "$folder"
}

for p in 500 1000; do
  for graph in chain random hubs; do
    n=$((2 * p))
    data $graph $p $n
    "$graphs" fit "$folder" $p $n 5 | named $graph
    weight=0.15
    if Rscript -e 'library(glasso); library(huge)' >/dev/null 2>&1; then
      Rscript bench/peers/graphs.R "$folder" $p $n $longest >"$folder/peers.jsonl"
      named $graph <"$folder/peers.jsonl"
      weight=$(sed -n 's/.*"glasso".*"weight": \([^,]*\),.*/\1/p' "$folder/peers.jsonl")
    else
      echo "glasso or huge are not installed for Rscript: left out"
    fi
    if "$PYTHON" -c 'import sklearn' 2>/dev/null; then
      "$PYTHON" bench/peers/graphs.py "$folder" $p $n $longest "$weight" | named $graph
    else
      echo "sklearn is not installed for $(basename "$PYTHON"): left out"
    fi
  done
done

data blocks 5000 5500
"$graphs" path "$folder" 5000 5500 30 0.2 | named blocks
data blocks 3772 1313
"$graphs" path "$folder" 3772 1313 20 0.2 | named blocks
data blocks 8383 201
"$graphs" path "$folder" 8383 201 20 0.4 | named blocks

"$PYTHON" bench/peers/graphs_tables.py "$results/graphs.jsonl" ${2:+--docs docs}
