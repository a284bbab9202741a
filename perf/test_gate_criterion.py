#!/usr/bin/env python3
"""Tests perf/gate-criterion: what it says of figures, and that a slowed benchmark fails it from end to end.

    python3 perf/test_gate_criterion.py

From end to end means a repository with two commits, a `cargo` in the PATH that "builds" a benchmark by naming a script of the
tree, and scripts that leave figures as criterion does. All else is the gate's own: git, worktree, running, reading, deciding.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.dont_write_bytecode = True
GATE = Path(__file__).with_name("gate-criterion")


def load():
    loader = importlib.machinery.SourceFileLoader("gate_criterion", str(GATE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


gate = load()


def judged(*rounds: list[float], limit: float = 1.10):
    """The verdict on one benchmark whose BASE takes 100 ns, and whose HEAD takes so much when measured first, and again."""
    asked = []

    def measure(names, count):
        figures = rounds[len(asked)]
        asked.append((names, count))
        return {name: gate.Series([100.0] * len(figures), list(figures)) for name in names or ["bench"]}

    with contextlib.redirect_stdout(io.StringIO()):
        [verdict] = gate.judge(measure, len(rounds[0]), limit)
    return verdict, asked


class Decision(unittest.TestCase):
    def test_equal_figures_pass_and_are_not_measured_again(self):
        verdict, asked = judged([100, 101, 99])
        self.assertFalse(verdict.slower)
        self.assertEqual((verdict.words(), len(asked)), ("as fast", 1))

    def test_what_is_slower_is_measured_again_in_twice_as_many_rounds(self):
        verdict, asked = judged([120, 121, 119], [120] * 6)
        self.assertEqual(asked, [(None, 3), (["bench"], 6)])
        self.assertTrue(verdict.slower)
        self.assertEqual(verdict.words(), "SLOWER")

    def test_a_suspicion_that_does_not_repeat_passes(self):
        verdict, _ = judged([120, 121, 119], [102] * 6)
        self.assertFalse(verdict.slower)
        self.assertEqual(verdict.words(), "not so when repeated")

    def test_the_limit_itself_passes_and_a_little_more_does_not(self):
        self.assertFalse(judged([110.0], [110.0])[0].slower)
        self.assertTrue(judged([110.2], [110.2])[0].slower)

    def test_one_disturbed_round_does_not_decide(self):
        self.assertFalse(judged([100, 300, 101])[0].slower)
        self.assertTrue(judged([120, 60, 121], [120] * 6)[0].slower)

    def test_ratios_are_of_pairs_and_not_of_medians(self):
        # A machine that gets slower from round to round: each pair says 1.2, the medians of the sides would say 1.0.
        series = gate.Series([100, 200, 400], [120, 240, 480])
        self.assertAlmostEqual(series.ratio(), 1.2)
        drifting = gate.Series([100, 200, 300], [200, 100, 330])
        self.assertAlmostEqual(drifting.ratio(), 1.1)

    def test_rounds_that_scatter_by_more_than_the_limit_are_told(self):
        self.assertTrue(judged([80, 90, 100, 105, 118, 70, 119])[0].noisy)
        self.assertFalse(judged([99, 100, 101, 100, 99, 60, 150])[0].noisy)

    def test_only_the_suspicious_are_measured_again(self):
        asked = []

        def measure(names, count):
            asked.append(names)
            times = {"fast": 100.0, "slow": 130.0}
            return {name: gate.Series([100.0] * count, [times[name]] * count) for name in names or times}

        with contextlib.redirect_stdout(io.StringIO()):
            verdicts = gate.judge(measure, 3, 1.10)
        self.assertEqual(asked, [None, ["slow"]])
        self.assertEqual([verdict.slower for verdict in verdicts], [False, True])

    def test_who_is_first_alternates(self):
        ran = []
        with unittest.mock.patch.object(gate, "run", lambda side, *_: ran.append(side) or {side: 1.0}):
            rounds = list(gate.in_turn({"base": "A", "head": "B"}, "bench", None, None, 3))
        self.assertEqual("".join(ran), "ABBAAB")
        self.assertEqual(rounds, [({"A": 1.0}, {"B": 1.0})] * 3)

    def test_names_are_matched_literally(self):
        self.assertEqual(gate.exactly(["a/1 (x+y)", "b.c"]), r"^(?:a/1 \(x\+y\)|b\.c)$")


# Leaves what criterion leaves, for each line `NAME NANOSECONDS…` of the file beside it: at each run the next figure, then the last.
BENCH = f"#!{sys.executable} -S" + """
import json, os, pathlib, re, sys
figures = pathlib.Path(__file__).with_suffix(".figures")
runs = pathlib.Path(__file__).with_suffix(".runs")
pattern = sys.argv[-1] if sys.argv[-2] == "--noplot" else ""
lines = [line.split() for line in figures.read_text().splitlines()]
run = len(runs.read_text()) if runs.exists() else 0
runs.write_text("x" * (run + 1))
for name, *nanoseconds in lines:
    if re.search(pattern, name):
        new = pathlib.Path(os.environ["CRITERION_HOME"]) / name / "new"
        new.mkdir(parents=True)
        (new / "benchmark.json").write_text(json.dumps({"full_id": name, "directory_name": name}))
        figure = float(nanoseconds[min(run, len(nanoseconds) - 1)])
        estimate = lambda value: {"point_estimate": value, "standard_error": 0.1}
        # A busy machine makes samples slow, and a median that says nothing.
        samples = {"sampling_mode": "Linear", "iters": [1.0, 2.0, 3.0], "times": [7 * figure, 2 * figure, 5 * figure]}
        (new / "sample.json").write_text(json.dumps(samples))
        (new / "estimates.json").write_text(json.dumps({"median": estimate(500.0), "mean": estimate(figure)}))
"""

# Takes every `NAME.bench` of the directory for a bench.
CARGO = f"#!{sys.executable} -S" + """
import json, os, pathlib, shutil, sys
benches = sorted(pathlib.Path.cwd().glob("*.bench"))
target = os.environ.get("CARGO_TARGET_DIR", str(pathlib.Path.cwd() / "target"))
if sys.argv[1] == "metadata":
    targets = [{"name": bench.stem, "kind": ["bench"]} for bench in benches]
    print(json.dumps({"packages": [{"targets": targets}], "target_directory": target}))
else:
    for bench in benches:
        if bench.stem in sys.argv:
            target_of = {"name": bench.stem, "kind": ["bench"]}
            print(json.dumps({"reason": "compiler-artifact", "target": target_of, "executable": str(bench)}))
"""


class Repository:
    """A repository of benches whose figures are in their files."""

    def __init__(self, room: Path):
        self.tree = room / "repository"
        self.tree.mkdir()
        self.tools = room / "tools"
        self.tools.mkdir()
        self.script(self.tools / "cargo", CARGO)
        self.git("init", "--quiet", "--initial-branch", "main")

    def script(self, path: Path, text: str):
        path.write_text(text)
        path.chmod(0o755)

    def git(self, *arguments: str) -> str:
        names = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *names, *arguments], cwd=self.tree, text=True, capture_output=True, check=True)
        return done.stdout.strip()

    def commit(self, **benches: str) -> str:
        """Commits benches with these figures."""
        for bench, figures in benches.items():
            # What the figures are read from stands beside the executable, wherever that is copied.
            text = BENCH.replace("figures.read_text()", repr(figures))
            self.script(self.tree / f"{bench}.bench", text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "benches")
        return self.git("rev-parse", "HEAD")

    def gate(self, *arguments: str, cwd: Path | None = None) -> tuple[int, str]:
        environment = {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}"}
        environment = {name: value for name, value in environment.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "CARGO_TARGET_DIR")}
        command = [sys.executable, str(GATE), *arguments, "--rounds", "3"]
        done = subprocess.run(
            command, cwd=cwd or self.tree, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return done.returncode, done.stdout


class EndToEnd(unittest.TestCase):
    def setUp(self):
        room = tempfile.TemporaryDirectory(prefix="test-gate-")
        self.addCleanup(room.cleanup)
        self.room = Path(room.name)
        self.repository = Repository(self.room)

    def test_a_slowed_benchmark_fails(self):
        self.repository.commit(scan="near 100\nfar 900\n")
        self.repository.commit(scan="near 100\nfar 1035\n")
        status, said = self.repository.gate("HEAD~1")
        self.assertEqual(status, 1, said)
        self.assertIn("FAILED: slower than 1.10 times, and again when repeated: far\n", said)
        self.assertRegex(said, r"far +900 ns +1.0[34] µs +1\.150 .* SLOWER")
        self.assertRegex(said, r"near +100 ns +100 ns +1\.000 .* as fast")

    def test_an_unchanged_one_passes_and_leaves_nothing(self):
        self.repository.commit(scan="near 100\n")
        status, said = self.repository.gate("HEAD")
        self.assertEqual(status, 0, said)
        self.assertIn("passed: none of 1 benchmarks", said)
        self.assertEqual(self.repository.git("worktree", "list").count("\n"), 0)

    def test_one_that_is_slow_at_first_only_passes(self):
        self.repository.commit(scan="near 100\n")
        # Three rounds, then as before.
        self.repository.commit(scan="near 150 150 150 100\n")
        status, said = self.repository.gate("HEAD~1")
        self.assertEqual(status, 0, said)
        self.assertIn("suspicious: near takes 1.50 times as long", said)
        self.assertIn("not so when repeated", said)

    def test_criterions_median_counts_when_asked(self):
        self.repository.commit(scan="near 100\n")
        self.repository.commit(scan="near 200\n")
        status, said = self.repository.gate("HEAD~1", "--figure", "median")
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"near +500 ns +500 ns")

    def test_what_one_side_has_alone_is_told_and_not_compared(self):
        self.repository.commit(scan="near 100\nold 1\n", gone="x 1\n")
        self.repository.git("rm", "--quiet", "gone.bench")
        self.repository.commit(scan="near 100\nnew 1\n", added="y 1\n")
        status, said = self.repository.gate("HEAD~1")
        self.assertEqual(status, 0, said)
        for line in ("BASE, not compared: the bench gone", "HEAD, not compared: the bench added"):
            self.assertIn(f"only in {line}\n", said)
        for line in ("BASE, not compared: old", "HEAD, not compared: new"):
            self.assertIn(f"only in {line}\n", said)

    def test_nothing_in_common_is_an_error(self):
        self.repository.commit(scan="old 1\n")
        self.repository.commit(scan="new 1\n")
        self.assertEqual(self.repository.gate("HEAD~1")[0], 2)
        self.repository.git("mv", "scan.bench", "other.bench")
        self.repository.commit()
        status, said = self.repository.gate("HEAD~1")
        self.assertEqual(status, 2, said)
        self.assertIn("no bench in common", said)

    def test_filter_and_bench_choose(self):
        self.repository.commit(scan="near 100\nfar 100\n", other="else 100\n")
        self.repository.commit(scan="near 100\nfar 300\n", other="else 300\n")
        status, said = self.repository.gate("HEAD~1", "--bench", "scan", "--filter", "^near")
        self.assertEqual(status, 0, said)
        self.assertEqual(self.repository.gate("HEAD~1", "--bench", "scan", "--filter", "^neither")[0], 2)
        self.assertEqual(self.repository.gate("HEAD~1", "--bench", "nowhere")[0], 2)

    def test_changes_that_are_not_committed_are_refused_or_told(self):
        self.repository.commit(scan="near 100\n")
        (self.repository.tree / "scan.bench").write_text(BENCH.replace("figures.read_text()", repr("near 130\n")))
        status, said = self.repository.gate("HEAD")
        self.assertEqual(status, 2, said)
        self.assertIn("not committed", said)
        status, said = self.repository.gate("HEAD", "--dirty")
        self.assertEqual(status, 1, said)
        self.assertIn("NOTE: HEAD is measured with changes that are not committed", said)

    def test_auto_takes_the_parent_or_the_fork_from_main(self):
        first = self.repository.commit(scan="near 100\n")
        self.assertIn("NOT CHECKED", self.repository.gate("auto")[1])
        second = self.repository.commit(scan="near 101\n")
        self.assertIn(f"BASE {first}", self.repository.gate("auto")[1])
        self.repository.git("update-ref", "refs/remotes/origin/main", second)
        self.assertIn(f"BASE {first}", self.repository.gate("auto")[1])
        self.repository.commit(scan="near 102\n")
        self.repository.commit(scan="near 103\n")
        self.assertIn(f"BASE {second}", self.repository.gate("auto")[1])

    def test_a_shallow_clone_says_that_it_checks_nothing(self):
        self.repository.commit(scan="near 100\n")
        self.repository.commit(scan="near 900\n")
        clone = self.room / "clone"
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{self.repository.tree}", str(clone)], check=True)
        status, said = self.repository.gate("auto", cwd=clone)
        self.assertEqual(status, 0, said)
        self.assertIn("NOT CHECKED", said)
        self.assertEqual(self.repository.gate("HEAD~1", cwd=clone)[0], 2)

    def test_a_benchmark_that_ends_in_an_error_is_one(self):
        self.repository.commit(scan="near 100\n")
        self.repository.commit(scan="near none\n")
        status, said = self.repository.gate("HEAD~1")
        self.assertEqual(status, 2, said)
        self.assertIn("could not convert string to float", said)

    def test_tree_and_build_are_kept_when_asked_and_record_is_written(self):
        self.repository.commit(scan="near 100\n")
        self.repository.commit(scan="near 100\n")
        kept, records = self.room / "kept", self.room / "records"
        for _ in range(2):
            status, said = self.repository.gate("HEAD~1", "--keep", str(kept), "--record", str(records))
            self.assertEqual(status, 0, said)
        self.assertTrue((kept / "tree/scan.bench").exists())
        content = json.loads((records / "gate-criterion.json").read_text())
        self.assertEqual(content["nanoseconds"]["near"]["first"]["base"], [100.0] * 3)
        self.assertEqual(content["commits"]["head"], self.repository.git("rev-parse", "HEAD"))


if __name__ == "__main__":
    unittest.main()
