#!/bin/sh
# Measures the ways of a packet into a segment on the file systems of the given directories and keeps the raw numbers:
#   perf/segmenter.sh MACHINE DIRECTORY...
# MACHINE is a neutral name (epyc-2core). Each directory must be empty. Prints, for each file system, kind of packet and
# way, time and page faults a packet; and where valgrind is installed, instructions a packet outside the kernel.
# ROUNDS (default 15) and SEGMENTS (default 100, two seconds each; five times as many of sound) may be set.
set -eu
cd "$(dirname "$0")/.."
machine=$1
shift
record=perf/record/$machine/$(date +%F)-segmenter
mkdir -p "$record"
cargo build --quiet --release --example segmenter_ways
program=${CARGO_TARGET_DIR:-target}/release/examples/segmenter_ways
ways="bufwriter push reserve hashed buffered"

{
    echo "perf/segmenter.sh $machine DIRECTORY... (ROUNDS=${ROUNDS:-15} SEGMENTS=${SEGMENTS:-100})"
    uname -srm
    rustc --version
    valgrind --version || true
    lscpu | grep -v -i vulnerab
    free -m
    echo "load average: $(cut -d' ' -f1-3 /proc/loadavg), nice $(nice)"
    for directory in "$@"; do
        findmnt -n -o FSTYPE,OPTIONS -T "$directory" 2>/dev/null | tail -n 1 | sed "s/dir=[^,]*/dir=…/g"
    done
} > "$record/machine.txt"

: > "$record/segmenter.tsv"
for directory in "$@"; do
    file_system=$(df --output=fstype "$directory" | tail -n 1)
    for kind in pictures pictures3 sound; do
        segments=${SEGMENTS:-100}
        if [ $kind = sound ]; then segments=$((segments * 5)); fi
        # shellcheck disable=SC2086 # ways are words
        "$program" $kind "$directory" "${ROUNDS:-15}" "$segments" $ways |
            sed "s/^/$file_system\t/" >> "$record/segmenter.tsv"
    done
done

# Instructions of one more segment on the first file system: those of 3 segments less those of 2.
: > "$record/instructions.tsv"
if command -v valgrind > /dev/null; then
    count() {
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$2" "$1" 1 "$4" "$3" 2>&1 > /dev/null |
            sed -n 's/.*Collected : //p'
    }
    for kind in pictures pictures3 sound; do
        for way in $ways; do
            two=$(count "$1" $kind "$way" 2) three=$(count "$1" $kind "$way" 3)
            printf '%s\t%s\t%s\t%s\n' $kind "$way" "$two" "$three" >> "$record/instructions.tsv"
        done
    done
fi

python3 - "$record/segmenter.tsv" "$record/instructions.tsv" <<'PYTHON' | tee "$record/segmenter.txt"
import statistics, sys

PACKETS = {"pictures": 50, "pictures3": 50, "sound": 94}
rows = {}
for line in open(sys.argv[1]):
    file_system, kind, _, way, *numbers = line.rstrip("\n").split("\t")
    if kind != "kind":
        packets, _, wall, cpu, faults, *_ = numbers
        one = [float(number) / int(packets) for number in (wall, cpu, faults)]
        rows.setdefault((file_system, kind), {}).setdefault(way, []).append(one)
instructions = {}
for line in open(sys.argv[2]):
    kind, way, two, three = line.split("\t")
    instructions[kind, way] = (int(three) - int(two)) / PACKETS[kind]
print("Microseconds, page faults and instructions outside the kernel for one packet. A packet's share of the cut counts.")
print("Ratios are wall time to bufwriter's: the median of those of each round, and that of the minima.")
print("file system  kind       way        wall median     min  cpu min  faults  instructions  ratio    min")
for (file_system, kind), ways in rows.items():
    base = [row[0] for row in ways["bufwriter"]]
    for way, measured in ways.items():
        wall, cpu, faults = zip(*measured)
        count = instructions.get((kind, way))
        print(
            f"{file_system:<12} {kind:<10} {way:<10} {statistics.median(wall) * 1e6:11.2f} {min(wall) * 1e6:7.2f}"
            f" {min(cpu) * 1e6:8.2f} {statistics.median(faults):7.2f} {'-' if count is None else f'{count:.0f}':>13}"
            f" {statistics.median(a / b for a, b in zip(wall, base)):6.2f} {min(wall) / min(base):6.2f}"
        )
PYTHON
