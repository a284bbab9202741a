#!/usr/bin/env bash
# Runs every test, after installing what is missing for them. Words behind it go to cargo test: scripts/test.sh players
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup-tests.sh
# One failure must not hide another.
exec cargo test --locked --no-fail-fast "$@"
