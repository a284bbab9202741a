#!/usr/bin/env python3
"""What perf/gate answers: on real counts of two small workloads, and on baselines that are wrong in some way.

  perf/test_gate.py             takes half a minute once perf/gate has built its program
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

GATE = Path(__file__).resolve().parent / "gate"
# Of 100 repetitions, so that a percent is one of them. The second has system calls, page faults and moved bytes.
WORKLOADS = ("fragment", "segmenter_sound")
COLUMNS = ("workload", "repetitions", "payload", "instructions", "faults", "system_calls", "moved")
# FAULT_SLACK of perf/gate: so many faults more are no failure.
SLACK = {"faults": 8}
PASSED, DEARER, NOT_CHECKED = 0, 1, 2


class GateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="gate-test-")
        cls.base = Path(cls.directory.name)
        cls.key = cls.run_gate("--key").stdout.strip()
        cls.counted = cls.base / "counted" / f"{cls.key}.tsv"
        done = cls.run_gate("--record", cls.counted, "--only", *WORKLOADS)
        assert done.returncode == PASSED, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    @staticmethod
    def run_gate(*arguments, **environment):
        command = [sys.executable, str(GATE), *map(str, arguments)]
        return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)

    def table(self) -> list[list[str]]:
        """The lines of workloads in what was counted."""
        lines = self.counted.read_text().splitlines()
        return [line.split("\t") for line in lines if line.startswith(WORKLOADS)]

    def baselines(self, table: list[list[str]], key: str | None = None) -> Path:
        """A directory with `table` as the baseline of `key`."""
        directory = Path(tempfile.mkdtemp(dir=self.base))
        head = [line for line in self.counted.read_text().splitlines() if not line.startswith(WORKLOADS)]
        lines = head + ["\t".join(cells) for cells in table]
        Path(directory, f"{key or self.key}.tsv").write_text("\n".join(lines) + "\n")
        return directory

    def compare(self, baselines: Path) -> subprocess.CompletedProcess:
        """What was counted, with other baselines."""
        return self.run_gate("--measured", self.counted, "--baselines", baselines)

    def scaled(self, column: str, percent: float) -> Path:
        """A baseline whose `column` is so much above what was counted, less what is no failure."""
        at = COLUMNS.index(column)
        table = self.table()
        for cells in table:
            cells[at] = str(max(round(int(cells[at]) * (1 + percent / 100)) - SLACK.get(column, 0), 0))
        return self.baselines(table)

    def assert_told(self, done: subprocess.CompletedProcess, code: int, *words: str):
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, said)
        for word in words:
            self.assertIn(word, said)

    def test_counts_repeat(self):
        done = self.run_gate("--only", *WORKLOADS, "--baselines", self.counted.parent)
        self.assert_told(done, PASSED, "8 figures of 2 workloads, none more than 2 % above")

    def test_three_percent_more_work_fails_in_every_metric(self):
        done = self.run_gate("--only", *WORKLOADS, "--baselines", self.counted.parent, "--extra", "3")
        self.assert_told(done, DEARER, "gate: FAILED")
        dearer = {tuple(line.split()[:2]) for line in done.stdout.splitlines() if line.endswith("DEARER")}
        words = {"instructions": "instructions", "faults": "page", "system_calls": "system", "moved": "bytes"}
        # A percent of a hundred times the slack is as much as the slack.
        enough = {column: 120 * SLACK.get(column, 0) for column in words}
        counted = [dict(zip(COLUMNS, cells)) for cells in self.table()]
        expected = {
            (cells["workload"], word)
            for cells in counted for column, word in words.items() if int(cells[column]) > enough[column]
        }
        self.assertEqual(dearer, expected, done.stdout)
        self.assertLessEqual({"instructions", "system", "bytes"}, {word for _, word in expected})

    def test_one_percent_more_work_passes(self):
        done = self.run_gate("--only", *WORKLOADS, "--baselines", self.counted.parent, "--extra", "1")
        self.assert_told(done, PASSED, "+1.0")

    def test_a_baseline_three_percent_lower_fails_in_each_metric_alone(self):
        for column in ("instructions", "faults", "system_calls", "moved"):
            with self.subTest(column):
                done = self.compare(self.scaled(column, -3))
                self.assert_told(done, DEARER, "DEARER", "gate: FAILED", "perf/renew-baselines")

    def test_a_baseline_one_percent_lower_passes(self):
        for column in ("instructions", "faults", "system_calls", "moved"):
            with self.subTest(column):
                self.assert_told(self.compare(self.scaled(column, -1)), PASSED)

    def test_three_percent_less_is_told_and_passes(self):
        done = self.compare(self.scaled("instructions", 4))
        self.assert_told(done, PASSED, "cheaper", "below the baseline; perf/renew-baselines keeps them there")

    def test_a_cost_where_there_was_none_fails(self):
        table = self.table()
        for cells in table:
            cells[5] = "0"
        self.assert_told(self.compare(self.baselines(table)), DEARER, "new  DEARER")

    def test_a_workload_on_one_side_alone_is_not_checked(self):
        done = self.compare(self.baselines(self.table()[:1]))
        self.assert_told(done, NOT_CHECKED, "NOT CHECKED: segmenter_sound: was counted, and is not in the baseline")
        done = self.compare(self.baselines([*self.table(), ["gone", *self.table()[0][1:]]]))
        self.assert_told(done, NOT_CHECKED, "NOT CHECKED: gone: in the baseline, and was not counted")

    def test_another_payload_is_another_workload(self):
        table = self.table()
        table[0][2] = str(2 * int(table[0][2]))
        self.assert_told(self.compare(self.baselines(table)), NOT_CHECKED, "NOT CHECKED: fragment: has another payload")

    def test_a_baseline_that_lacks_a_metric_is_not_checked(self):
        for broken in (self.table()[0][:-1], [*self.table()[0][:-1], "-"], [*self.table()[0][:3], "0", "0", "0", "0"]):
            with self.subTest(broken):
                done = self.compare(self.baselines([broken, self.table()[1]]))
                self.assert_told(done, NOT_CHECKED, "NOT CHECKED:", "perf/renew-baselines")

    def test_an_unknown_compiler_is_not_checked(self):
        done = self.compare(self.baselines(self.table(), "rustc-1.0.0-z80"))
        self.assert_told(done, NOT_CHECKED, f"no baseline {self.key}", "rustc-1.0.0-z80", "Run perf/renew-baselines")

    def test_a_tool_that_is_missing_is_not_checked(self):
        for missing in ("valgrind", "strace"):
            with self.subTest(missing):
                tools = Path(tempfile.mkdtemp(dir=self.base))
                for tool in {"rustc", "cargo", "valgrind", "strace"} - {missing}:
                    (tools / tool).symlink_to(shutil.which(tool))
                done = self.run_gate("--only", *WORKLOADS, "--baselines", self.counted.parent, PATH=str(tools))
                self.assert_told(done, NOT_CHECKED, f"NOT CHECKED: {missing} is not installed", "setup-tests.sh --gate")

    def test_a_workload_that_there_is_not_is_an_error(self):
        done = self.run_gate("--only", "nothing", "--baselines", self.counted.parent)
        self.assert_told(done, NOT_CHECKED, "NOT CHECKED: nothing is no workload")

    def test_another_machine_is_told(self):
        directory = self.scaled("instructions", -3)
        baseline = directory / f"{self.key}.tsv"
        baseline.write_text(baseline.read_text().replace("# valgrind: ", "# valgrind: other-"))
        self.assert_told(self.compare(directory), DEARER, "gate: valgrind is ", "that may be the cause")


class RenewTest(unittest.TestCase):
    """What perf/renew-baselines commits, with a gate in its place that counts at once."""

    STAND_IN = """#!/bin/sh
case "$1" in
  --key) echo rustc-1.0.0-z80 ;;
  --record) date +%N > "$2" ;;
  --measured) if [ -z "$SAME" ]; then echo 'fragment: instructions a byte 1.0000, now 1.1000 (+10.0 %)'; fi ;;
esac
"""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="gate-test-")
        self.addCleanup(directory.cleanup)
        self.tree = Path(directory.name)
        (self.tree / "perf").mkdir()
        (self.tree / "perf/gate").write_text(self.STAND_IN)
        (self.tree / "perf/gate").chmod(0o755)
        shutil.copy(GATE.parent / "renew-baselines", self.tree / "perf")
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "first")

    def git(self, *arguments) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.tree, check=True, capture_output=True, text=True).stdout

    def renew(self, *arguments) -> subprocess.CompletedProcess:
        names = {f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = [self.tree / "perf/renew-baselines", *arguments]
        return subprocess.run(command, env={**os.environ, **names}, capture_output=True, text=True)

    def test_a_baseline_is_a_commit_of_its_own(self):
        for reason in ("a first one", "a second one"):
            done = self.renew(reason)
            self.assertEqual(done.returncode, 0, done.stderr)
            changed = self.git("show", "--format=", "--name-only", "HEAD").split()
            self.assertEqual(changed, ["perf/baselines/rustc-1.0.0-z80.tsv"])
            self.assertIn(reason, self.git("log", "-1", "--format=%B"))
        self.assertIn("(+10.0 %)", self.git("log", "-1", "--format=%B"))
        self.assertEqual(self.git("status", "--porcelain"), "")

    def test_a_baseline_that_holds_is_not_renewed(self):
        self.renew()
        before = self.git("rev-parse", "HEAD")
        with unittest.mock.patch.dict(os.environ, SAME="yes"):
            done = self.renew()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("nothing to commit", done.stdout)
        self.assertEqual(self.git("rev-parse", "HEAD"), before)
        self.assertEqual(self.git("status", "--porcelain"), "")

    def test_a_dirty_tree_is_refused(self):
        for path in ("untracked", "perf/gate"):
            with self.subTest(path):
                (self.tree / path).write_text(self.STAND_IN + "\n")
                done = self.renew()
                self.assertEqual(done.returncode, 1)
                self.assertIn("the working tree has changes", done.stderr)
                self.assertEqual(self.git("log", "--format=%s").split(), ["first"])
                self.git("checkout", "--quiet", ".")
                self.git("clean", "--quiet", "--force")


if __name__ == "__main__":
    unittest.main()
