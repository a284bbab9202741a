#!/usr/bin/env bash
# Installs what the tests need and is not there yet: FFmpeg with the codecs that the tests use, groff, Chromium, Node.js 18 or later, and
# the packages of tests/players. On Debian and its relatives, as root or through sudo. With --fuzz also what cargo-fuzz needs,
# with --machine what scripts/machine-faults.sh needs: strace and the makers of ext4, xfs and btrfs; with --gate what perf/gate
# needs: valgrind and strace.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "setup-tests: $*" >&2
  exit 1
}

with_fuzz=no
with_machine=no
with_gate=no
case "$*" in
  '') ;;
  --fuzz) with_fuzz=yes ;;
  --machine) with_machine=yes ;;
  --gate) with_gate=yes ;;
  *) fail "usage: scripts/setup-tests.sh [--fuzz|--machine|--gate]" ;;
esac

has() { command -v "$1" >/dev/null; }
has_node() { has npm && has node && node --eval 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'; }

missing=()
has ffmpeg || missing+=(ffmpeg)
has groff || missing+=(groff-base)
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
has_node || missing+=(nodejs npm)
if [ "$with_fuzz" = yes ]; then
  # libFuzzer is C++.
  has c++ || missing+=(g++)
fi

if [ "$with_gate" = yes ]; then
  has valgrind || missing+=(valgrind)
  has strace || missing+=(strace)
fi

if [ "$with_machine" = yes ]; then
  # Tools of the administrator are not on everybody's path.
  PATH=$PATH:/usr/sbin:/sbin
  wanted=()
  has strace || wanted+=(strace)
  has mkfs.ext4 || wanted+=(e2fsprogs)
  has mkfs.xfs || wanted+=(xfsprogs)
  has mkfs.btrfs || wanted+=(btrfs-progs)
  # What is missing then is told by the script that needs it, and is no failure.
  if [ ${#wanted[@]} -gt 0 ] && { ! has apt-get || { [ "$(id -u)" -ne 0 ] && ! has sudo; }; }; then
    echo "setup-tests: ${wanted[*]} cannot be installed here"
  else
    missing+=("${wanted[@]}")
  fi
fi

if [ ${#missing[@]} -gt 0 ]; then
  has apt-get || fail "install ${missing[*]} (or what they are called here) and run this again: there is no apt-get"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || fail "installing ${missing[*]} needs root: there is no sudo"
    as_root=(sudo)
  fi
  echo "setup-tests: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  has_node || fail "Node.js here is older than 18, or npm is missing; install a later one"
fi

# Read whole: a reader that stops at the first match would break FFmpeg's pipe.
decoders=$(ffmpeg -hide_banner -decoders)
# Some FFmpegs only know of AV1 what a graphics card decodes.
[[ $decoders =~ \ (libdav1d|libaom-av1)\  ]] ||
  fail "this FFmpeg has neither libdav1d nor libaom to decode AV1 with; install one that has"
[[ $decoders == *' hevc '* ]] || fail "this FFmpeg does not decode H.265; install one that does"
encoders=$(ffmpeg -hide_banner -encoders)
for encoder in libx264 libx265 libaom-av1 libsvtav1 libvpx-vp9 libopus opus aac ac3 ac3_fixed eac3 flac; do
  [[ $encoders == *" $encoder "* ]] || fail "this FFmpeg has no encoder $encoder, which the tests make streams with; install one that has"
done
demuxers=$(ffmpeg -hide_banner -demuxers)
[[ $demuxers == *' dash '* ]] || fail "this FFmpeg does not read MPDs, as it was built without libxml2; install one that does"

# npm leaves a copy of the lock file behind when it is done.
players=tests/players
if [ ! -f $players/node_modules/.package-lock.json ] || [ $players/package-lock.json -nt $players/node_modules/.package-lock.json ]; then
  echo "setup-tests: installing the packages of $players"
  npm ci --prefix $players --no-audit --no-fund
fi

if [ "$with_fuzz" = yes ] && ! has cargo-fuzz; then
  cargo install cargo-fuzz --locked
fi
