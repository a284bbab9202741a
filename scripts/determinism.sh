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

different=0
package() {
  local expected=
  for profile in debug release; do
    for io in mapped gather; do
      for threads in 1 2 3 8; do
        "$target/$profile/fragmint" package "${@:2}" -o "$work/out" --force --quiet --io $io --threads $threads
        hash=$(hashes "$work/out" | sha256sum | cut -d' ' -f1)
        printf '%s\t%s\t%s\t%s\t%s\n' $profile "$1" $io $threads "$hash" >> "$work/table"
        [ "${expected:=$hash}" = "$hash" ] || different=1
      done
    done
  done
  rm -rf "$work/out"
}

printf 'profile\tinputs\tio\tthreads\thash of all files\n' > "$work/table"
package ladder examples/ladder/*.h264 examples/ladder/*.h265 examples/ladder/*.aac
package AV1 tests/streams/*.ivf
cat "$work/table"
[ -z "$record" ] || cp "$work/table" "$record"
if [ $different -ne 0 ]; then
  echo 'determinism: the files differ' >&2
  exit 1
fi
# The same test with either binary; the debug one is its own.
cargo test --locked --quiet --test determinism
FRAGMINT=$(realpath "$target/release/fragmint") cargo test --locked --quiet --test determinism
