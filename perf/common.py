"""What the tools in perf/ share: run a command and measure it, run several in turn, print a table, write a record.

Measure with `in_turn`: jobs take turns in each round, so that what the machine does meanwhile meets them all, and a ratio is
taken within a round. What spoils such figures, and what is done against it, is in perf/README.md. Python's standard library only.
"""

import argparse
import dataclasses
import datetime
import functools
import math
import os
import pathlib
import re
import select
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
MIB = 1 << 20
GIB = 1 << 30


# One run ------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Run:
    """What one run of a command took. Times in seconds; they include processes that the command started and waited for."""

    wall: float
    user: float
    system: float
    peak: float  # MiB resident at most, of the largest process; mapped files count. Never below `peak_floor()`.
    faults: int  # minor page faults
    code: int  # exit code; the negative of a signal's number if one ended it
    errors: str  # the last 2,000 characters of standard error

    @property
    def cpu(self):
        return self.user + self.system

    @property
    def peak_text(self):
        return peak_text(self.peak)


@functools.cache
def peak_floor():
    """MiB below which a peak cannot be told: a process counts what it had before it became the command."""
    return run(["true"]).peak


def peak_text(peak):
    return f"{peak:.0f}" if peak > peak_floor() + 0.5 else f"<{math.ceil(peak)}"


def run(command, out="", stdout=None, cwd=None, environment=None, timeout=900):
    """Runs `command`, a list of words in which `{out}` stands for the directory `out`; standard output goes to the file
    `stdout`, or nowhere. What is still running after `timeout` seconds is killed, and told in `errors`."""
    words = [str(word).replace("{out}", str(out)) for word in command]
    told, tell = os.pipe()
    # A file: a pipe that nobody reads meanwhile would fill up and stop the command.
    with tempfile.TemporaryFile() as errors, open(told, encoding="ascii") as told:
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", REPOSITORY / "perf" / "launch.py", str(tell), *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=errors,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            start_new_session=True,
            pass_fds=[tell],
        )
        os.close(tell)
        late = True
        try:
            # Sleeps until there is a result, where waiting for a process with a limit would wake up again and again.
            late = not select.select([told], [], [], timeout)[0]
        finally:
            if late:
                os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()
        result = [float(number) for number in told.read().split()]
        size = errors.seek(0, os.SEEK_END)
        errors.seek(max(0, size - 2000))
        tail = errors.read().decode(errors="replace").strip()
    if late:
        return Run(timeout, 0, 0, 0, 0, -signal.SIGKILL, f"{tail}\nkilled after {timeout} s".strip())
    wall, user, system, peak, faults, code = result
    return Run(wall, user, system, peak / 1024, int(faults), int(code), tail)


# Jobs in turn -------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Job:
    """One thing to measure. `check(out, run)` looks at what was written and returns what is wrong with it, or None."""

    name: str
    command: list
    inputs: list = dataclasses.field(default_factory=list)  # read into the page cache before each run
    check: object = None
    cwd: object = None
    environment: object = None
    rounds: object = None  # takes part in so many rounds at most; in all if None


@dataclasses.dataclass
class Row:
    """One run of one job in a round; `place` is its turn in it. Round 0 warms up and does not count."""

    job: str
    round: int
    place: int
    run: Run
    wrong: object  # what check or exit code told, or None


def touch_memory(most=5 * GIB):
    """Takes and gives back free memory, so that a virtual machine's balloon hands it over now and not within a measurement.
    In a process of its own: the peak of what this one starts is never below this one's."""
    size = min(most, available_memory() // 2)
    take = "import mmap, sys; mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)"
    subprocess.run([sys.executable, "-S", "-c", take, str(size)], check=True)


def available_memory():
    """Bytes that can be had without swapping."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def read_files(paths):
    """Reads files to their end, which leaves them in the page cache."""
    buffer = bytearray(4 * MIB)
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def in_turn(jobs, rounds, base, memory=5 * GIB, timeout=900, tell=True):
    """Runs the jobs in turn: one round to warm up, then `rounds`, each beginning with another job. Before a run, and not
    timed: what the last one wrote is put away, everything is flushed, free memory touched (up to `memory` bytes), the inputs
    read; each run gets an empty directory within `base`. A job that fails or whose output is wrong is not run again. Returns the
    rows in the order of the runs."""
    rows, failed = [], set()
    with tempfile.TemporaryDirectory(prefix="perf-", dir=base) as directory:
        out = pathlib.Path(directory, "out")
        for number in range(rounds + 1):
            start = number % len(jobs)
            order = [job for job in jobs[start:] + jobs[:start] if job.name not in failed and number <= (job.rounds or rounds)]
            for place, job in enumerate(order):
                if out.exists():
                    put_away(out, pathlib.Path(directory, f"old-{len(rows)}"))
                out.mkdir()
                os.sync()
                if memory:
                    touch_memory(memory)
                read_files(job.inputs)
                done = run(job.command, out, cwd=job.cwd, environment=job.environment, timeout=timeout)
                wrong = what_is_wrong(job, out, done)
                rows.append(Row(job.name, number, place, done, wrong))
                if wrong:
                    failed.add(job.name)
                if tell:
                    print_progress(rows[-1], rounds)
    return rows


def put_away(directory, elsewhere):
    """Empties the files of `directory` and gives it another name. They are removed when all is measured: ext4 without a journal
    walks over every inode that was removed within the last minute when it makes a file, so each run would pay for those before."""
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)
    directory.rename(elsewhere)


def what_is_wrong(job, out, done):
    if done.code:
        return f"exit code {done.code}: {done.errors.splitlines()[-1] if done.errors else 'no message'}"
    return job.check(out, done) if job.check else None


def print_progress(row, rounds):
    done = row.run
    text = row.wrong or f"{done.wall:.3f} s, cpu {done.cpu:.3f} s, {done.peak_text} MiB"
    print(f"round {row.round}/{rounds}  {row.job}: {text}", file=sys.stderr, flush=True)


@dataclasses.dataclass
class Summary:
    """The counted runs of a job. A ratio is the median of those of each round: this job's to the first job's."""

    name: str
    runs: list
    wrong: object
    wall_ratio: float
    cpu_ratio: float
    wall_ratio_range: tuple

    def median(self, what):
        return statistics.median(getattr(one, what) for one in self.runs)

    def least(self, what):
        return min(getattr(one, what) for one in self.runs)

    def most(self, what):
        return max(getattr(one, what) for one in self.runs)


def summarize(jobs, rows, base=None):
    """A summary for each job, in the order of jobs; ratios are to the job named `base`, else to the first one."""
    counted = {}
    for row in rows:
        if row.round:
            counted.setdefault(row.job, {})[row.round] = row.run
    first = counted.get(base or jobs[0].name, {})
    summaries = []
    for job in jobs:
        runs = counted.get(job.name, {})
        wrong = next((row.wrong for row in rows if row.job == job.name and row.wrong), None)
        pairs = [(runs[number], first[number]) for number in sorted(runs) if number in first]
        wall = [one.wall / other.wall for one, other in pairs]
        cpu = [one.cpu / max(other.cpu, 1e-6) for one, other in pairs]
        ratios = (statistics.median(wall), statistics.median(cpu)) if pairs else (None, None)
        summaries.append(Summary(job.name, list(runs.values()), wrong, *ratios, (min(wall), max(wall)) if pairs else None))
    return summaries


RAW_COLUMNS = ["round", "place", "wall_s", "user_s", "system_s", "peak_mib", "minor_faults", "exit_code", "wrong"]


def raw_rows(rows, **labels):
    """The rows as lists of text, for `Record.tsv` (columns: the labels' names, "job", then RAW_COLUMNS)."""
    return [
        [*labels.values(), row.job, row.round, row.place]
        + [f"{row.run.wall:.4f}", f"{row.run.user:.4f}", f"{row.run.system:.4f}"]
        + [f"{row.run.peak:.1f}", row.run.faults, row.run.code, row.wrong or ""]
        for row in rows
    ]


# Text ---------------------------------------------------------------------------------------------------------------------


def table(columns, rows):
    """Aligned text. Columns whose cells are all numbers, or "-" or empty, stand at the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(text) for text in texts) for texts in zip(columns, *cells)]
    right = [all(is_number(row[index]) for row in cells) for index in range(len(columns))]

    def line(row):
        parts = [text.rjust(width) if left else text.ljust(width) for text, width, left in zip(row, widths, right)]
        return "  ".join(parts).rstrip()

    return "\n".join(line(row) for row in [list(columns), *cells]) + "\n"


def is_number(text):
    text = text.replace(",", "").lstrip("<").rstrip("%×").strip()
    try:
        return text in ("", "-", "–") or float(text) is not None
    except ValueError:
        return False


def printed_by(command):
    """What a command prints, to standard output and then to standard error; nothing where it cannot be run."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=30, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"{done.stdout}\n{done.stderr}"


def first_line(command):
    """The first line that a command prints, for its version; None where it cannot be run."""
    return next((line.strip() for line in printed_by(command).splitlines() if line.strip()), None)


# Machine and record -------------------------------------------------------------------------------------------------------


def machine_text(directories=(), tools=()):
    """What is to be known of the machine, without its name or paths on it: system, processor, memory, the file systems of
    `directories`, versions of rustc and `tools` (text, one a line), load and priority."""
    system = os.uname()
    processor = [line for line in output_of("lscpu").splitlines() if "vulnerab" not in line.lower()]
    lines = [f"{system.sysname} {system.release} {system.machine}", output_of("rustc", "--version").strip()]
    lines += [f"Python {sys.version.split()[0]}", *tools, *processor]
    with open("/proc/meminfo", encoding="ascii") as memory:
        lines += [line.strip() for line in memory if line.split(":")[0] in ("MemTotal", "MemFree", "MemAvailable", "SwapTotal")]
    with open("/proc/loadavg", encoding="ascii") as load:
        lines.append("load average: " + " ".join(load.read().split()[:3]) + f", nice {os.nice(0)}")
    for directory in directories:
        lines.append("file system: " + file_system(directory))
    return "\n".join(line for line in lines if line) + "\n"


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def file_system(directory, options=True):
    """The type of a directory's file system, with its mount options unless they name directories."""
    text = output_of("findmnt", "-n", "-o", "FSTYPE,OPTIONS" if options else "FSTYPE", "-T", str(directory)).strip()
    words = (text.splitlines() or ["unknown"])[-1].split()
    if len(words) > 1:
        words[1] = ",".join(option for option in words[1].split(",") if "/" not in option)
    return " ".join(words)


def neutral(command, names=()):
    """A command as text that can be published: `names` are pairs of a path and what to call it; of other absolute paths only
    the last part is kept."""
    words = []
    for word in command:
        word = str(word)
        for path, name in sorted(names, key=lambda pair: -len(str(pair[0]))):
            word = word.replace(str(path), name)
        words.append(os.path.basename(word.rstrip("/")) if word.startswith("/") else word)
    return " ".join(word if re.fullmatch(r"[\w{}@%+=:,./…-]+", word) else shlex.quote(word) for word in words)


def record_options(parser):
    """Adds the options that all tools share."""
    group = parser.add_argument_group("record")
    group.add_argument("--record", action="store_true", help="keep machine, commands, raw numbers, table and chart in perf/record/")
    group.add_argument("--machine", help="a neutral name of this machine, such as epyc-2core; needed by --record")
    group.add_argument("--date", type=datetime.date.fromisoformat, help="date of the record (today)")
    return parser


class Record:
    """A directory of perf/record/ to write to; nothing is written unless `--record` was given."""

    def __init__(self, options, what):
        self.directory = None
        if options.record:
            if not options.machine or not options.machine.replace("-", "").replace("_", "").isalnum():
                raise SystemExit("--record needs --machine NAME, of letters, digits and hyphens")
            date = options.date or datetime.date.today()
            self.directory = REPOSITORY / "perf" / "record" / options.machine / f"{date}-{what}"
            self.directory.mkdir(parents=True, exist_ok=True)

    def text(self, name, text):
        if self.directory:
            (self.directory / name).write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")

    def tsv(self, name, columns, rows):
        lines = ["\t".join(str(cell).replace("\t", " ").replace("\n", " ") for cell in row) for row in [columns, *rows]]
        self.text(name, "\n".join(lines))

    def machine(self, command, directories=(), tools=()):
        """machine.txt: the command and what `machine_text` tells. Call it before measuring: it has the load average."""
        self.text("machine.txt", f"{command}\n{machine_text(directories, tools)}")

    def tell(self):
        if self.directory:
            print(f"record: {self.directory.relative_to(REPOSITORY)}", file=sys.stderr)


def parser(description, **settings):
    """A parser of options that shows a tool's description as it is written."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)
    return record_options(made)
