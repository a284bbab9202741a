#!/usr/bin/env bash
# Packages with the debug and with the release binary, and compares every file; both run tests/determinism.rs too.
#   scripts/determinism.sh [--record FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

record=
case "${1-}" in
  '') ;;
  --record) record=${2:?--record needs a file} ;;
  *)
    echo 'usage: scripts/determinism.sh [--record FILE]' >&2
    exit 2
    ;;
esac

target=${CARGO_TARGET_DIR:-target}
cargo build --locked --quiet --bin fragmint
cargo build --locked --quiet --release --bin fragmint
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Hashes of every file, in the order of their paths.
hashes() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum); }

inputs=(examples/ladder/*.h264 examples/ladder/*.h265 tests/streams/*.ivf examples/ladder/*.aac)
status=0
{
  printf 'profile\tinputs\tio\tthreads\thash of all files\n'
  for input in ladder streams; do
    if [ $input = ladder ]; then set -- "${inputs[@]:0:5}" examples/ladder/*.aac; else set -- tests/streams/*.ivf; fi
    expected=
    for profile in debug release; do
      for io in mapped gather; do
        for threads in 1 2 3 8; do
          "$target/$profile/fragmint" package "$@" -o "$work/out" --force --quiet --io $io --threads $threads
          hash=$(hashes "$work/out" | sha256sum | cut -d' ' -f1)
          printf '%s\t%s\t%s\t%s\t%s\n' $profile $input $io $threads "$hash"
          [ "${expected:=$hash}" = "$hash" ] || status=1
        done
      done
    done
    rm -rf "$work/out"
  done
  exit $status
} > "$work/table" || status=$?
cat "$work/table"
[ -z "$record" ] || cp "$work/table" "$record"
FRAGMINT="$PWD/$target/release/fragmint"
[ "${target#/}" = "$target" ] || FRAGMINT=$target/release/fragmint
export FRAGMINT
cargo test --locked --quiet --test determinism
[ $status -eq 0 ] || echo 'determinism: the files differ' >&2
exit $status
