#!/usr/bin/env bash
# Makes the Opus stream next to this script from two sines of FFmpeg's: 3.123 s of stereo in packets of 20 ms, whose end is within
# the last packet, on pages of 0.5 s. The result is committed; run this only to change it. Same bytes again with Debian 12's FFmpeg 5.1 and
# libopus 1.3.1 on one kind of processor: libopus has code of its own for each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact \
  -f lavfi -i "aevalsrc=0.2*sin(880*PI*t)|0.2*sin(660*PI*t):s=48000:d=3.123:c=stereo" \
  -c:a libopus -b:a 16k -vbr on -frame_duration 20 -page_duration 500000 opus.opus
ls -l opus.opus
