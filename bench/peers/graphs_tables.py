"""Turns what graphs.sh has collected into the tables of docs/benchmarks.md.

Usage: graphs_tables.py GRAPHS.JSONL [--docs DOCS]
"""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from report import duration, replace_tables  # noqa: E402

NAMES = {"chain": "chain", "random": "random, degree 4", "hubs": "hubs", "blocks": "power-law blocks"}
PEERS = ("glasso", "scikit-learn", "huge")
TARGET = 20


def time(seconds):
    return duration(seconds * 1e9)


def figure(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def compared(rows):
    """Two tables of the runs that have peers: times, then what was found."""
    speed = ["| graph | library: one penalty | path of 30 | beside | one penalty | times the library's (target ≥ 20) "
             "| path of 30 | library's path, over one solve of the peer (target < 1) |",
             "|---|---:|---:|---|---:|---:|---:|---:|"]
    found = ["| graph | by | edges (true) | precision | recall | area under the curve |",
             "|---|---|---:|---:|---:|---:|"]
    cases = {(row["p"], row["graph"]): None for row in rows if "seconds" in row}
    for p, graph in sorted(cases, key=lambda case: (list(NAMES).index(case[1]), case[0])):
        by = {row["who"]: row for row in rows if (row["p"], row["graph"]) == (p, graph)}
        ours = by["library"]
        name = f"{NAMES[graph]}, p = {p}"
        for who in PEERS:
            theirs = by.get(who)
            if theirs is None:
                continue
            ratio = theirs["seconds"] / ours["seconds"]
            share = ours["path_seconds"] / theirs["seconds"]
            targeted = who != "huge"
            speed.append(
                f"| {name} | {time(ours['seconds'])} | {time(ours['path_seconds'])} | {who} "
                f"| {time(theirs['seconds'])} | {ratio:.3g}"
                + (", met" if ratio >= TARGET else ", **missed**") * targeted
                + f" | {'too long' if theirs['path_seconds'] is None else time(theirs['path_seconds'])}"
                + f" | {share:.2g}" + (", met" if share < 1 else ", **missed**") * targeted + " |")
        for who in ("library", *PEERS):
            row = by.get(who)
            if row:
                found.append(f"| {name} | {who} | {row['edges']:.0f} ({row['true_edges']:.0f}) "
                             f"| {row['precision']:.3f} | {row['recall']:.3f} | {figure(row['auc'], 4)} |")
    return speed, found


def large(rows):
    lines = ["| graph | p | n | penalties | time | peak memory | above the samples, in p x p matrices "
             "| edges (true) | precision | recall | edges at the end | area under the curve |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for row in rows:
        if "count" not in row:
            continue
        matrices = (row["megabytes"] - row["before_megabytes"]) / row["matrix_megabytes"]
        lines.append(f"| {NAMES[row['graph']]} | {row['p']} | {row['n']} | {row['count']} | {time(row['path_seconds'])} "
                     f"| {row['megabytes']:.0f} MiB | {matrices:.2f} | {row['edges']:.0f} ({row['true_edges']:.0f}) "
                     f"| {row['precision']:.3f} | {row['recall']:.3f} | {row['path_edges']:.0f} | {row['auc']:.3f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--docs", type=pathlib.Path)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.results.read_text().splitlines() if line.startswith("{")]
    speed, found = compared(rows)
    tables = {"graph-speed": speed, "graph-recovery": found, "graph-large": large(rows)}
    for name, lines in tables.items():
        print(f"\n{name}\n\n" + "\n".join(lines))
    if options.docs:
        replace_tables(options.docs / "benchmarks.md", tables)


if __name__ == "__main__":
    main()
