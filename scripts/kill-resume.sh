#!/usr/bin/env bash
# Kills runs of the release binary at instants drawn at random and goes on with them by --resume: the package must be that of a run
# that nobody disturbed, and segments that were whole must stay the files that they are.
#   scripts/kill-resume.sh [--quick] [--count N] [--seed N] [--directory DIR] [--record FILE]
# 200 kills unless --count says otherwise, in memory unless --directory names a directory on another file system.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec cargo test --locked --quiet --release --test machine -- kills "$@"
