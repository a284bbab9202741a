#!/bin/sh
# Measures the search for start codes beside a plain read pass over the same bytes and keeps the raw numbers:
#   perf/scan.sh MACHINE
# MACHINE is a neutral name (epyc-2core). Prints, for each stream and way, the share of the read pass's speed; and where
# valgrind is installed, instructions for a byte of one walk over the NAL units.
# ROUNDS (default 60; the slow ways take part in a fifth of them) and MIB (default 64: more than caches hold) may be set.
set -eu
cd "$(dirname "$0")/.."
machine=$1
rounds=${ROUNDS:-60} mib=${MIB:-64}
record=perf/record/$machine/$(date +%F)-scan
mkdir -p "$record"
cargo build --quiet --release --example scan_shares
program=${CARGO_TARGET_DIR:-target}/release/examples/scan_shares

{
    echo "perf/scan.sh $machine (ROUNDS=$rounds MIB=$mib)"
    uname -srm
    rustc --version
    valgrind --version || true
    lscpu | grep -v -i vulnerab
    free -m
    echo "load average: $(cut -d' ' -f1-3 /proc/loadavg), nice $(nice)"
} > "$record/machine.txt"

"$program" "$rounds" "$mib" > "$record/scan.tsv"

# Instructions of one more walk over 4 MiB: those of two less those of one.
: > "$record/instructions.tsv"
if command -v valgrind > /dev/null; then
    count() {
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" 4 "$2" "$3" 2>&1 > /dev/null |
            sed -n 's/.*Collected : //p'
    }
    for stream in $(cut -f1 "$record/scan.tsv" | sed 1d | uniq); do
        for way in kernel memchr nal_units scan_1_thread; do
            one=$(count 1 "$stream" $way) two=$(count 2 "$stream" $way)
            printf '%s\t%s\t%s\t%s\n' "$stream" $way "$one" "$two" >> "$record/instructions.tsv"
        done
    done
fi

python3 - "$record/scan.tsv" "$record/instructions.tsv" "$mib" <<'PYTHON' | tee "$record/scan.txt"
import statistics, sys

walls, instructions = {}, {}
for line in open(sys.argv[1]):
    stream, _, way, *seconds = line.rstrip("\n").split("\t")
    if stream != "stream":
        walls.setdefault(stream, {}).setdefault(way, []).append([float(number) for number in seconds])
for line in open(sys.argv[2]):
    stream, way, one, two = line.split("\t")
    instructions[stream, way] = (int(two) - int(one)) / (4 << 20)
print("Speed as a share of a plain read pass over the same bytes (the sum of all words) directly before: the median of all")
print("rounds, and the share of the minima. Then gigabytes a second at best, and instructions for a byte.")
print("  kernel            where start codes begin, by scan/simd.rs")
print("  memchr            the same by memchr::memmem alone; memchr_chunks: as machines without a kernel do it")
print("  scalar_twin       the same by what the kernel is compared with; naive: by comparing each three bytes")
print("  nal_units         all units of a buffer, by NalUnits")
print("  copy              a source in memory copied part by part, as reading it does")
print("  scan_…            the same and all its units, by scan_nal_units")
print("stream        way              rounds  median  minima    GB/s  instr./byte")
for stream, ways in walls.items():
    for way, measured in ways.items():
        least, least_read = (min(seconds) for seconds in zip(*measured))
        count = instructions.get((stream, way))
        print(
            f"{stream:<13} {way:<16} {len(measured):6}  {statistics.median(read / wall for wall, read in measured):6.1%}"
            f"  {least_read / least:6.1%}  {int(sys.argv[3]) * 2**20 / least / 1e9:6.2f}"
            f"  {'-' if count is None else f'{count:.2f}':>11}"
        )
PYTHON
