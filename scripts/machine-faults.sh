#!/usr/bin/env bash
# Real faults against the command: disks that are full or read-only (tmpfs; ext4, xfs and btrfs in files) and system calls that
# fail (strace). What this machine does not allow is told and counted, and is no failure.
#   scripts/machine-faults.sh [--quick] [--record FILE]
# --quick tries fewer sizes and places; --record keeps the table. Mounts need root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin:/sbin
exec cargo test --locked --quiet --test machine -- faults "$@"
