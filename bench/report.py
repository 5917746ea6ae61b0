"""Turns the JSON of bench/run.sh into the tables and plots of docs/benchmarks.md.

Usage: report.py RESULTS [--docs DOCS] [--check]

RESULTS holds <preset>/<program>.json, as Google Benchmark writes it. The tables are printed; with
--docs they also replace what stands between `<!-- table: NAME -->` and `<!-- end -->` in
DOCS/benchmarks.md, and the plots are written to DOCS/images. With --check the exit status is 1 where
a target is missed, or none was measured. A benchmark is named
<what>/<case>/<who>, where the case may have slashes of its own. A ratio is that of two medians, over
repetitions in random order, of CPU time.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import statistics
import subprocess
import sys


@dataclasses.dataclass
class Target:
    """`library` beside `reference` in benchmarks <what>/<case>/..., one table of the page."""

    table: str  # the name of the marker
    what: str
    reference: str
    limits: dict  # case -> limit of the ratio; "*" is any case without one of its own
    program: str = ""  # only in this program
    faster: bool = False  # the ratio is reference / library and has to reach the limit
    counter: str = ""  # compare this counter, summed over the cases, instead of time
    label: str = ""


# The table of targets. A new pair of benchmarks needs a line here and, for a new table, a pair of
# markers in docs/benchmarks.md.
TARGETS = [
    Target("fixed", "fixed", "hand-written", {"2": 1.10, "3": 1.15, "4": 1.15, "6": 1.15, "8": 1.15},
           label="fit, Dim = {}"),
    Target("contexts", "context", "hand-written", {"*": 1.25}, label="{}"),
    Target("dynamic", "dynamic", "eigen-product",
           {d + scalar: limit for scalar in ("", "-float")
            for d, limit in (("64", 4.5), ("256", 3.5), ("512", 3.0), ("1024", 3.0))},
           label="value and gradient, d = {}"),
    Target("dynamic", "closed-form", "eigen-llt", {"*": 1.2}, label="closed form, score matching, d = {}"),
    Target("dynamic", "closed-form-likelihood", "eigen-llt", {"*": 1.2},
           label="closed form, likelihood, d = {}"),
    Target("moments", "moments", "sum", {d: 1 / 0.7 for d in ("1", "2", "4", "8")},
           label="`add(samples)`, d = {}"),
    Target("moments", "moments-in-cache", "sum", {}, label="`add(samples)` in the cache, d = {}"),
    Target("moments", "moments", "rank-update", {d: 1 / 0.8 for d in ("64", "256")},
           label="`add(samples)`, d = {}"),
    Target("moments", "add-one", "hand-written", {"*": 1.5}, label="`add(x)`, d = {}"),
    Target("exponential", "exponential", "hand-written", {"*": 1 / 0.6}, label="{}"),
    Target("batch", "batch", "one-by-one", {"*": 10}, program="batch_bench_avx512", faster=True,
           label="AVX-512, {}"),
    Target("batch", "batch", "one-by-one", {"*": 4}, program="batch_bench_avx2", faster=True,
           label="AVX2, {}"),
    Target("batch", "batch", "one-by-one", {"*": 1.7}, program="batch_bench_baseline", faster=True,
           label="x86-64 baseline, {}"),
    Target("lbfgs", "lbfgs", "ceres", {"*": 1.2}, counter="evaluations"),
    Target("energy", "energy", "hand-written", {"*": 3}, label="score and Laplacian, Dim = {}"),
    Target("energy", "energy", "nested-duals", {}, label="score and Laplacian, Dim = {}"),
    Target("energy", "energy", "ceres-jets", {}, label="score and Laplacian, Dim = {}"),
] + [
    target for name, label in (("avx512", "AVX-512"), ("avx2", "AVX2"), ("baseline", "x86-64 baseline"))
    for target in (
        Target("energy-loss", "energy-loss", "hand-written",
               {"2x12": 1.8, "2x64": 1.8, "10x12": 1.8, "10x64": 1.5, "10x256": 1.5},
               program=f"energy_loss_bench_{name}", label=label + ", network {}"),
        Target("energy-loss", "energy-loss", "dual-numbers", {"*": 0.25},
               program=f"energy_loss_bench_{name}", label=label + ", {}"),
        Target("energy-loss", "energy-layers", "one-layer", {"*": 3.2},
               program=f"energy_loss_bench_{name}", label=label + ", {} beside 10x64"))
] + [
    Target("graphs", "graph", "eigen", {"50": 3, "200": 20, "500": 50}, faster=True,
           label="one penalty, p = {}"),
    Target("graphs", "graph-path", "eigen", {"200": 3}, faster=True, label="path of 30, p = {}"),
] + [
    Target("compile", "compile", "eigen-dense", {"umbrella": 1.35, "notebook": 3, "fit of one energy": 6},
           label="compile the {}"),
    Target("peers", "peers", "peer",
           {"PyTorch, vectorized": 5000, "PyTorch, loop over the samples": 50000,
            "PyTorch, exact loss of energy 2x12": 20, "PyTorch, exact loss of energy 10x12": 20,
            "PyTorch, exact loss of energy 10x64": 40, "PyTorch, exact loss of energy 10x32x32": 20,
            "PyTorch, denoising loss of energy 2x12": 5, "PyTorch, denoising loss of energy 10x12": 5,
            "PyTorch, denoising loss of energy 10x64": 5, "PyTorch, denoising loss of energy 10x32x32": 4},
           faster=True, label="{}"),
]

LIBRARY_SUFFIX = r"(iterations|repeats|min_time|threads):|(real|process|manual)_time$"  # Google Benchmark's
PAGE_END = "<!-- end -->"


def natural(text):
    """Sorts "64" before "256"."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in re.split(r"(\d+)", text) if part]


def duration(nanoseconds):
    if nanoseconds >= 1e11:
        return f"{nanoseconds / 1e9:.0f} s"
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= scale:
            return f"{nanoseconds / scale:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


class Results:
    """One compiler's figures: by (program, what, case, who), medians over repetitions."""

    def __init__(self, directory):
        self.compiler = self.eigen = ""
        samples = {}
        for path in sorted(directory.glob("*.json")):
            content = json.loads(path.read_text())
            self.compiler = content["context"].get("compiler", self.compiler)
            self.eigen = content["context"].get("eigen", self.eigen)
            for run in content["benchmarks"]:
                name = [part for part in run.get("run_name", run["name"]).split("/")
                        if not re.match(LIBRARY_SUFFIX, part)]
                if run.get("run_type") == "aggregate" or len(name) < 3:
                    continue
                name = (name[0], "/".join(name[1:-1]), name[-1])
                if run.get("error_occurred"):
                    sys.exit(f"{path}: {run['name']}: {run['error_message']}")
                samples.setdefault((path.stem, *name), []).append(run)
        self.figures = {key: self.median(runs) for key, runs in samples.items()}

    @staticmethod
    def median(runs):
        to_ns = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
        result = {key: statistics.median(run[key] for run in runs)
                  for key, value in runs[0].items() if isinstance(value, float)}
        result["time"] = statistics.median(
            run["cpu_time"] * to_ns[run["time_unit"]] for run in runs)
        return result

    def find(self, what, case, who, program=""):
        for (its_program, *name), figures in self.figures.items():
            if name == [what, case, who] and program in ("", its_program):
                return figures
        return None

    def cases(self, what, who, program=""):
        found = {name[1] for its_program, *name in self.figures
                 if name[0] == what and name[2] == who and program in ("", its_program)}
        return sorted(found, key=natural)


def number(ratio):
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"


def verdict(target, ratio, limit):
    good = ratio >= limit if target.faster else ratio <= limit
    return f"{number(ratio)}, {'met' if good else '**missed**'}"


def time_rows(target, compilers):
    cases = sorted({case for c in compilers for case in c.cases(target.what, target.reference, target.program)},
                   key=natural)
    for case in cases:
        limit = target.limits.get(case, target.limits.get("*"))
        sign = "≥" if target.faster else "≤"
        cells = [target.label.format(case), target.reference,
                 "none" if limit is None else f"{sign} {number(limit)}"]
        for compiler in compilers:
            ours = compiler.find(target.what, case, "library", target.program)
            theirs = compiler.find(target.what, case, target.reference, target.program)
            if ours is None or theirs is None:
                cells += ["not measured", ""]
                continue
            ratio = theirs["time"] / ours["time"] if target.faster else ours["time"] / theirs["time"]
            cells += [number(ratio) if limit is None else verdict(target, ratio, limit),
                      f"{duration(ours['time'])} / {duration(theirs['time'])}"]
        yield cells


def counter_table(target, compilers):
    """One row a problem, with the counter and the time of both. The target is for the sum over the problems
    that both solve, where a counter `solved` says so; a group is what the case names before a slash."""
    lines = ["| problem | " + " | ".join(
        f"{c.compiler}: {target.counter}, library | {target.reference} | time, library | {target.reference}"
        for c in compilers) + " |", "|---" + "|---:" * (4 * len(compilers)) + "|"]
    sums = [{} for _ in compilers]  # group -> both counts
    cases = sorted({case for c in compilers for case in c.cases(target.what, "library", target.program)}, key=natural)
    for case in cases:
        cells = [case]
        for groups, compiler in zip(sums, compilers):
            both = [compiler.find(target.what, case, who, target.program)
                    for who in ("library", target.reference)]
            if None in both:
                cells += ["not measured"] * 4
                continue
            solved = [figures.get("solved", 1) > 0 for figures in both]
            cells += [f"{figures[target.counter]:.0f}" if good else "not solved"
                      for figures, good in zip(both, solved)]
            cells += [duration(figures["time"]) for figures in both]
            if all(solved):
                for group in {case.rpartition("/")[0], "all"}:
                    total = groups.setdefault(group, [0.0, 0.0])
                    for k in (0, 1):
                        total[k] += both[k][target.counter]
        lines.append("| " + " | ".join(cells) + " |")
    limit = target.limits["*"]
    lines += ["", f"In sum, over the problems that both solve (target ≤ {limit:.2f}):", "",
              "| problems | " + " | ".join(f"{c.compiler}: {target.counter}, library | {target.reference} | ratio"
                                           for c in compilers) + " |", "|---" + "|---:" * (3 * len(compilers)) + "|"]
    for group in sorted({group for groups in sums for group in groups}):
        cells = [group or "others"]
        for groups in sums:
            ours, theirs = groups.get(group, (0, 0))
            cells += [f"{ours:.0f}", f"{theirs:.0f}", verdict(target, ours / theirs, limit) if theirs else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def table(name, compilers):
    targets = [t for t in TARGETS if t.table == name]
    lines = []
    rows = [row for t in targets if not t.counter for row in time_rows(t, compilers)]
    if rows:
        heads = [head for c in compilers for head in (f"{c.compiler}: ratio", "times")]
        lines += ["| the library's | beside | target | " + " | ".join(heads) + " |",
                  "|---|---|---:" + "|---:|---:" * len(compilers) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    for target in targets:
        if target.counter and any(c.cases(target.what, target.reference) for c in compilers):
            lines += counter_table(target, compilers)
    return lines or ["Not measured."]


def machine():
    model, flags = "unknown processor", ""
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() == "flags":
                flags = value.split()
    except OSError:
        pass
    widest = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "no AVX2")
    return f"{model} ({widest})"


def gnuplot(script, data):
    """`data` becomes named data blocks, which need no files."""
    blocks = "".join(f"${name} << EOD\n" + "".join(f"{' '.join(map(str, row))}\n" for row in rows) + "EOD\n"
                     for name, rows in data.items())
    subprocess.run(["gnuplot"], input=blocks + script, text=True, check=True)


HEAD = """set terminal svg size 640,400 font "sans-serif,12" background "white"
set output '{}'
set grid lc rgb '#dddddd'
set key {}
"""
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]


def plot_dimension(compilers, path):
    """The ratio of a value and gradient to one Eigen product, and its limit, against d."""
    target = next(t for t in TARGETS if t.what == "dynamic")
    data, curves = {"limit": [(d, limit) for d, limit in target.limits.items() if d.isdigit()]}, []
    for k, compiler in enumerate(compilers):
        rows = []
        for case in compiler.cases(target.what, target.reference):
            ours = compiler.find(target.what, case, "library")
            if ours and case.isdigit():
                rows.append((case, ours["time"] / compiler.find(target.what, case, target.reference)["time"]))
        if rows:
            data[f"c{k}"] = rows
            curves.append(f"$c{k} with linespoints pt 7 lw 2 lc rgb '{COLORS[k]}' title '{compiler.compiler}'")
    if not curves:
        return
    curves.append("$limit with linespoints pt 2 lw 2 dt 2 lc rgb '#000000' title 'limit'")
    gnuplot(HEAD.format(path, "top right") + "set logscale x 2\nset xlabel 'd'\nset yrange [0:*]\n"
            "set ylabel 'value and gradient / one d x d product'\nplot " + ", ".join(curves) + "\n", data)


def plot_count(compilers, path):
    """What of a fit's cost grows with the number of samples, and what does not."""
    data, curves = {}, []
    for k, compiler in enumerate(compilers):
        for j, (who, dash) in enumerate((("first-pass", 1), ("iterations", 2))):
            rows = [(case, compiler.find("fit-cost", case, who)["time"] * 1e-3)
                    for case in compiler.cases("fit-cost", who)]
            if rows:
                data[f"c{k}{j}"] = rows
                title = "first pass over the samples" if j == 0 else "all iterations after it"
                curves.append(f"$c{k}{j} with linespoints pt 7 lw 2 dt {dash} lc rgb '{COLORS[k]}' "
                              f"title '{compiler.compiler}, {title}'")
    if curves:
        gnuplot(HEAD.format(path, "below maxcols 2") + "set logscale xy\nset xlabel 'samples'\n"
                "set format x '10^{%L}'\nset ylabel 'time, microseconds'\nplot " + ", ".join(curves) + "\n", data)


def replace_tables(page, tables):
    text = page.read_text()
    for name, lines in tables.items():
        marker = f"<!-- table: {name} -->"
        if text.count(marker) != 1:
            sys.exit(f"{page} has {marker} {text.count(marker)} times; expected once")
        before, after = text.split(marker)
        text = before + marker + "\n" + "\n".join(lines) + "\n" + PAGE_END + after.split(PAGE_END, 1)[1]
    page.write_text(text)


def check(tables):
    """Says which rows miss their target; false where some do, or where there was nothing to miss."""
    rows = [(name, line) for name, lines in tables.items() for line in lines if line.startswith("|")]
    missed = [f"missed, {name}: {line}" for name, line in rows if "**missed**" in line]
    met = sum(", met" in line for _, line in rows)
    print("\n" + "\n".join(missed + [f"{met} rows of targets met, {len(missed)} missed"]))
    return met > 0 and not missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--docs", type=pathlib.Path, help="where benchmarks.md is rewritten")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    options = parser.parse_args()
    directory, docs = options.results, options.docs
    compilers = [Results(d) for d in sorted(directory.iterdir(), reverse=True) if any(d.glob("*.json"))]
    if not compilers:
        sys.exit(f"{directory} holds no results")
    tables = {"machine": [f"{machine()}; {', '.join(c.compiler for c in compilers)}; Eigen {compilers[0].eigen}."]}
    for target in TARGETS:
        tables.setdefault(target.table, table(target.table, compilers))
    for name, lines in tables.items():
        print(f"\n{name}\n\n" + "\n".join(lines))
    if docs:
        replace_tables(docs / "benchmarks.md", tables)
        (docs / "images").mkdir(exist_ok=True)
        plot_dimension(compilers, docs / "images/cost-d.svg")
        plot_count(compilers, docs / "images/cost-n.svg")
    if options.check and not check(tables):
        sys.exit(1)


if __name__ == "__main__":
    main()
