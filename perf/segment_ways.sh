#!/bin/sh
# Measures the ways to fill segment files on the file systems of the given directories and keeps the raw numbers:
#   perf/segment_ways.sh MACHINE SOURCE DIRECTORY...
# MACHINE is a neutral name (epyc-2core), SOURCE a file of 512 MiB that is made if it is missing. Each directory must be
# empty. Prints, for each file system, thread count and way, the median of wall time, CPU time and page faults.
# ROUNDS (default 9) and THREADS (default "1 2") may be set.
set -eu
cd "$(dirname "$0")/.."
machine=$1 source=$2
shift 2
record=perf/record/$machine/$(date +%F)
mkdir -p "$record"
cargo build --quiet --release --example segment_ways
program=${CARGO_TARGET_DIR:-target}/release/examples/segment_ways

{
    echo "perf/segment_ways.sh $machine SOURCE DIRECTORY... (ROUNDS=${ROUNDS:-9} THREADS=\"${THREADS:-1 2}\")"
    uname -srm
    rustc --version
    lscpu | grep -v -i vulnerab
    free -m
    echo "load average: $(cut -d' ' -f1-3 /proc/loadavg), nice $(nice)"
    for directory in "$(dirname "$source")" "$@"; do
        findmnt -n -o FSTYPE,OPTIONS -T "$directory" 2>/dev/null | sed "s/dir=[^,]*/dir=…/g"
    done
} > "$record/machine.txt"

: > "$record/segment_ways.tsv"
for directory in "$@"; do
    for threads in ${THREADS:-1 2}; do
        "$program" "$source" "$directory" "${ROUNDS:-9}" "$threads" >> "$record/segment_ways.tsv"
    done
done

python3 - "$record/segment_ways.tsv" <<'EOF' | tee "$record/segment_ways.txt"
import statistics, sys

rows = {}
for line in open(sys.argv[1]):
    file_system, threads, _, what, *numbers = line.split("\t")
    if file_system != "file_system":
        rows.setdefault((file_system, threads), {}).setdefault(what, []).append([float(n) for n in numbers])
print("Seconds for 512 MiB; the ratios are wall time to gather's: of the medians, of the minima")
print("file system  threads  what     wall median     min     max  cpu min   faults  peak MiB  ratio    min")
for (file_system, threads), whats in rows.items():
    gather = [row[0] for row in whats["gather"]]
    for what, measured in whats.items():
        wall, cpu, faults, peak = zip(*measured)
        middle, least = statistics.median(wall), min(wall)
        print(
            f"{file_system:<12} {threads:>7}  {what:<7} {middle:12.3f} {least:7.3f} {max(wall):7.3f} {min(cpu):8.3f}"
            f" {statistics.median(faults):8.0f} {max(peak) / 1024:9.0f}"
            f" {middle / statistics.median(gather):6.2f} {least / min(gather):6.2f}"
        )
EOF
