"""Tests of what the measuring tools share: python3 -m unittest discover -s perf"""

import io
import pathlib
import struct
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import chart
import common
import segments


def box(kind, *bodies):
    body = b"".join(bodies)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def segment(samples, payload):
    run = box(b"trun", struct.pack(">II", 0, samples))
    return box(b"styp", b"cmfc\0\0\0\0") + box(b"moof", box(b"mfhd", bytes(8)), box(b"traf", run)) + box(b"mdat", bytes(payload))


class InTurn(unittest.TestCase):
    def measure(self, jobs, rounds):
        with tempfile.TemporaryDirectory() as base:
            return common.in_turn(jobs, rounds, base, memory=0, tell=False)

    def test_each_round_begins_with_another_job_and_the_first_does_not_count(self):
        jobs = [common.Job(name, ["true"]) for name in "abc"]
        rows = self.measure(jobs, 2)
        self.assertEqual(["".join(row.job for row in rows if row.round == number) for number in range(3)], ["abc", "bca", "cab"])
        self.assertEqual([len(one.runs) for one in common.summarize(jobs, rows)], [2, 2, 2])

    def test_each_run_gets_an_empty_directory(self):
        jobs = [common.Job("a", ["sh", "-c", 'test -z "$(ls -A "$0")" && touch "$0/left"', "{out}"])]
        self.assertEqual([row.wrong for row in self.measure(jobs, 2)], [None] * 3)

    def test_what_failed_is_told_and_not_run_again(self):
        jobs = [common.Job("good", ["true"]), common.Job("bad", ["sh", "-c", "echo broken >&2; exit 3"])]
        rows = self.measure(jobs, 2)
        self.assertEqual([row.wrong for row in rows if row.job == "bad"], ["exit code 3: broken"])
        self.assertEqual(common.summarize(jobs, rows)[1].wrong, "exit code 3: broken")

    def test_wrong_output_is_a_failure_though_the_exit_code_is_0(self):
        jobs = [common.Job("empty", ["true"], check=lambda out, run: None if list(out.iterdir()) else "nothing was written")]
        self.assertEqual([row.wrong for row in self.measure(jobs, 1)], ["nothing was written"])

    def test_a_job_may_take_part_in_fewer_rounds(self):
        jobs = [common.Job("often", ["true"]), common.Job("seldom", ["true"], rounds=1)]
        self.assertEqual([len(one.runs) for one in common.summarize(jobs, self.measure(jobs, 3))], [3, 1])

    def test_ratios_are_taken_within_a_round(self):
        jobs = [common.Job("first", []), common.Job("other", [])]
        walls = {"first": [9, 1, 2, 4], "other": [9, 2, 2, 40]}
        rows = [
            common.Row(name, number, 0, common.Run(wall, wall, 0, 1, 0, 0, ""), None)
            for name, times in walls.items()
            for number, wall in enumerate(times)
        ]
        other = common.summarize(jobs, rows)[1]
        self.assertEqual((other.wall_ratio, other.wall_ratio_range, other.median("wall")), (2, (1, 10), 2))


class Commands(unittest.TestCase):
    def test_times_of_children_count(self):
        run = common.run(["sh", "-c", f"{sys.executable} -c 'sum(range(3_000_000))'; true"])
        self.assertGreater(run.user, 0.01)

    def test_what_hangs_is_killed_and_told(self):
        run = common.run(["sleep", "60"], timeout=0.2)
        self.assertLess(run.wall, 30)
        self.assertEqual((run.code, run.errors), (-9, "killed after 0.2 s"))

    def test_nothing_goes_on_behind_what_was_killed(self):
        with tempfile.TemporaryDirectory() as directory:
            common.run(["sh", "-c", 'sleep 1; touch "$0/left"', "{out}"], directory, timeout=0.1)
            time.sleep(1.3)
            self.assertEqual(list(pathlib.Path(directory).iterdir()), [])

    def test_what_is_missing_is_told(self):
        run = common.run(["no-such-program"])
        self.assertEqual((run.code, run.errors), (127, "no-such-program: No such file or directory"))

    def test_what_a_signal_ended_has_its_number(self):
        self.assertEqual(common.run(["sh", "-c", "kill -15 $$"]).code, -15)

    def test_little_memory_can_be_told_though_this_process_has_more(self):
        ballast = bytes(range(256)) * (40 << 12)
        self.assertLess(common.run(["true"]).peak, 16)
        self.assertGreater(common.run(["sh", "-c", f"{sys.executable} -c 'bytearray(60 << 20)'; true"]).peak, 60)
        del ballast

    def test_a_command_is_told_without_places_of_the_machine(self):
        told = common.neutral(["/usr/local/bin/tool", "in=/a/media/x.mp4,stream=video", "/else/where/y", "two words", "$Number$"], [("/a/media", "MEDIA")])
        self.assertEqual(told, "tool in=MEDIA/x.mp4,stream=video y 'two words' '$Number$'")


class Tables(unittest.TestCase):
    def test_numbers_stand_at_the_right(self):
        self.assertEqual(common.table(["tool", "s"], [["cp", "0.1"], ["other", "12.0"], ["none", "-"]]), "tool      s\ncp      0.1\nother  12.0\nnone      -\n")


class Segments(unittest.TestCase):
    def read(self, data):
        with tempfile.NamedTemporaryFile(suffix=".m4s") as file:
            file.write(data)
            file.flush()
            return segments.content_of([file.name])

    def test_a_segment_is_counted_once_and_its_samples_all(self):
        self.assertEqual(self.read(segment(3, 100) + segment(4, 50)), segments.Content(1, 7, 150))

    def test_an_unfragmented_file_is_no_segment(self):
        sizes = box(b"stsz", struct.pack(">III", 0, 0, 5))
        moov = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", sizes)))))
        self.assertEqual(self.read(moov + box(b"mdat", bytes(9))), segments.Content(0, 5, 9))

    def test_a_large_size_is_read(self):
        self.assertEqual(self.read(struct.pack(">I4sQ", 1, b"mdat", 20) + bytes(4)), segments.Content(0, 0, 4))

    def test_a_segment_that_is_cut_off_is_an_error(self):
        for size in (1, 30, 60):
            with self.assertRaises(ValueError):
                self.read(segment(3, 100)[:-size])


class Charts(unittest.TestCase):
    def test_bars_are_well_formed_and_the_same_each_time(self):
        def draw():
            bars = [chart.Bar("cp <1>", 0.8, 0.7, 1.1, "base"), chart.Bar("a & b", 12.0), chart.Bar("gone", text="not installed")]
            return chart.bars("Time", [chart.Group("job", bars)], "seconds", "words", ["a note"], log=True)

        self.assertEqual(draw(), draw())
        told = " ".join(xml.etree.ElementTree.parse(io.StringIO(draw())).getroot().itertext())
        for words in ("cp <1>", "a & b", "not installed", "logarithmic", "a note"):
            self.assertIn(words, told)

    def test_lines_are_well_formed(self):
        points = [chart.Point(1, 0.1), chart.Point(10, 1.0, 0.9, 1.3)]
        for log in (False, True):
            svg = chart.lines("Growth", [chart.Line("one", points), chart.Line("two", points)], "hours", "s", log_x=log, log_y=log)
            xml.etree.ElementTree.fromstring(svg)

    def test_ticks_are_round_and_reach_the_last_value(self):
        self.assertEqual(chart.linear_ticks(8.2, 7), [0, 2, 4, 6, 8, 10])
        self.assertEqual(chart.linear_ticks(1, 7), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0])
        self.assertEqual(chart.log_ticks(0.03, 11), [0.01, 0.1, 1, 10, 100])
        self.assertEqual(chart.log_ticks(3, 40), [2, 5, 10, 20, 50])

    def test_numbers_have_three_digits(self):
        self.assertEqual([chart.number(value) for value in (0, 0.01234, 1.0, 99.96, 123.4, 12345)], ["0", "0.0123", "1.00", "100", "123", "12,300"])


if __name__ == "__main__":
    unittest.main()
