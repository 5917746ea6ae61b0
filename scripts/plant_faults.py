#!/usr/bin/env python3
"""Plants faults in the headers, one at a time, and asks the tests whether they notice.

    scripts/plant_faults.py --check                  every fault still fits the headers; no compiler
    scripts/plant_faults.py --sample 3 --seed today  three of them, drawn at random
    scripts/plant_faults.py --only ^box              those whose name a regular expression finds
    scripts/plant_faults.py --jobs 4                 all of them

The list is scripts/faults.txt; its first lines say how to read it. Exit status 1: a fault that is
not marked equivalent went unnoticed, or the list does not fit the headers or the tests.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "scorematch"
TEST_CASE = re.compile(r'^TEST_CASE\w*\(\s*"([^"]*)"[^{]*\{(?:[^\n]*\}$|.*?^\}$)', re.M | re.S)


def read_list(path):
    """The faults of the list: dictionaries of name, header, test, cases, old, new, equivalent."""
    faults = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, rest = line.partition(" ")
        if kind == "fault":
            faults.append({"name": rest, "cases": [], "old": [], "new": []})
        elif kind in ("-", "+"):
            faults[-1]["old" if kind == "-" else "new"].append(rest)
        elif kind == "case":
            faults[-1]["cases"].append(rest)
        elif kind in ("header", "test", "equivalent"):
            faults[-1][kind] = rest
        else:
            sys.exit(f"{path}:{number}: expected fault, header, test, case, equivalent, - or +")
    return faults


def planted(fault):
    """The header with the fault; how the lines are broken does not matter. Raises ValueError."""
    text = (HEADERS / fault["header"]).read_text()
    words = " ".join(fault["old"]).split()
    found = re.findall(r"\s+".join(map(re.escape, words)), text)
    if len(found) != 1:
        raise ValueError(f"found {len(found)} times in {fault['header']}, expected once")
    return text.replace(found[0], "\n".join(fault["new"]))


def test_source(fault):
    """The test file with the named test cases alone, as most of its cost is in the others."""
    text = (ROOT / "tests" / fault["test"]).read_text()
    names = [case[1] for case in TEST_CASE.finditer(text)]
    for case in fault["cases"]:
        if not any(name.startswith(case) for name in names):
            raise ValueError(f'{fault["test"]} has no test case "{case}..."')
    if not fault["cases"]:
        return text
    keep = tuple(fault["cases"])
    return TEST_CASE.sub(lambda case: case[0] if case[1].startswith(keep) else "", text)


def check(faults):
    """Says what in the list does not fit the headers or the tests."""
    bad = 0
    names = [fault["name"] for fault in faults]
    for fault in faults:
        try:
            if names.count(fault["name"]) > 1:
                raise ValueError("the name stands twice in the list")
            if planted(fault) == (HEADERS / fault["header"]).read_text():
                raise ValueError("the fault changes nothing")
            test_source(fault)
        except (ValueError, KeyError, OSError) as error:
            bad += 1
            print(f"{fault['name']}: {error}")
    return bad


class Bench:
    """A folder with the compiler's flags, doctest's main and what tests share, built once."""

    def __init__(self, folder, compiler, limit):
        self.folder = pathlib.Path(folder)
        self.limit = limit
        self.compile = [
            compiler, "-std=c++20", "-O1", "-isystem", "/usr/include/eigen3",
            "-I", str(ROOT / "tests"), f'-DPROJECT_ROOT="{ROOT}"',
            f'-DMARKS_CSV="{ROOT}/examples/data/marks.csv"']
        common = self.folder / "common.hpp"
        common.write_text("#include <doctest/doctest.h>\n#include <Eigen/Dense>\n"
                          "#include <random>\n#include <sstream>\n")
        self.shared = [str(self.folder / name) for name in ("main.o", "support.o")]
        for command in ([str(ROOT / "tests/main.cpp"), "-c", "-o", self.shared[0]],
                        [str(ROOT / "tests/support.cpp"), "-I", str(ROOT / "include"), "-c", "-o",
                         self.shared[1]],
                        ["-x", "c++-header", str(common), "-o", f"{common}.gch"]):
            subprocess.run(self.compile + command, check=True)

    def ask(self, fault, plant=True):
        """What becomes of the test: passed, failed, timeout, refused or broken, and its output."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            place = pathlib.Path(name)
            shutil.copytree(ROOT / "include", place / "include")
            if plant:
                (place / "include/scorematch" / fault["header"]).write_text(planted(fault))
            source = place / fault["test"]
            source.write_text(test_source(fault))
            program = place / "test"
            build = subprocess.run(
                self.compile + ["-I", str(place / "include"), "-include",
                                str(self.folder / "common.hpp"), str(source), *self.shared,
                                "-o", str(program)], capture_output=True, text=True)
            if build.returncode != 0:
                by_test = "static assertion failed" in build.stderr or "static_assert" in build.stderr
                return ("refused" if by_test else "broken"), build.stderr
            try:
                run = subprocess.run([str(program), "--abort-after=1"], capture_output=True,
                                     text=True, errors="replace", timeout=self.limit)
            except subprocess.TimeoutExpired:
                return "timeout", ""
            return ("passed" if run.returncode == 0 else "failed"), run.stdout + run.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only whether the list fits")
    parser.add_argument("--sample", type=int, help="this many faults, drawn at random")
    parser.add_argument("--seed", default="", help="of the draw, any text")
    parser.add_argument("--only", help="the faults whose name this regular expression finds")
    parser.add_argument("--sound", action="store_true", help="run the tests without the faults")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=float, default=120, help="seconds for a test to run")
    parser.add_argument("--verbose", action="store_true", help="what the tests print")
    options = parser.parse_args()

    faults = read_list(ROOT / "scripts" / "faults.txt")
    bad = check(faults)
    if options.check or bad:
        print(f"{len(faults) - bad} of {len(faults)} faults fit")
        return bad != 0
    chosen = [f for f in faults if re.search(options.only or "", f["name"])]
    if options.sample is not None:
        candidates = [fault for fault in chosen if "equivalent" not in fault]
        chosen = random.Random(options.seed).sample(candidates, min(options.sample, len(candidates)))

    if options.sound:  # each selection of test cases once
        chosen = list({(f["test"], *f["cases"]): f for f in reversed(chosen)}.values())[::-1]
    wanted = ("passed",) if options.sound else ("failed", "refused")
    right = equivalent = 0
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        bench = Bench(folder, os.environ.get("CXX", "g++"), options.limit)
        runs = {pool.submit(bench.ask, fault, not options.sound): fault for fault in chosen}
        for done in concurrent.futures.as_completed(runs):
            fault = runs[done]
            outcome, output = done.result()
            right += outcome in wanted
            excused = outcome == "passed" and not options.sound and "equivalent" in fault
            equivalent += excused
            word = "ok" if outcome in wanted else "equivalent" if excused else "UNNOTICED" \
                if outcome == "passed" else "WRONG"
            print(f"{word:10} {outcome:8} {fault['name']} ({fault['test']})", flush=True)
            if options.verbose or word == "WRONG":
                print(output[-4000:], flush=True)
    what = "pass without a fault" if options.sound else "noticed"
    print(f"{right} of {len(chosen)} {what}, {equivalent} equivalent")
    return right + equivalent != len(chosen)


if __name__ == "__main__":
    sys.exit(main())
