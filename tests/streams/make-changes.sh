#!/usr/bin/env bash
# Makes the streams next to this script that change in the middle, from FFmpeg's own test source: parts of two seconds, 25 frames per
# second, a key frame every second, encoded apart and put behind each other, as an encoder does that is started again. The
# results are committed; run this only to change them. Same bytes again with Debian 12's FFmpeg 5.1, libx264 core 164, libx265 3.5.
#
#   changes.h264          160x90 Main, 160x90 High (other parameter sets under the same ids), 128x72 High
#   changes-not.h264      96x54 all the time, for a rendition beside it
#   changes.h265          160x90, 128x72
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ffmpeg=(ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact)

# part NAME SIZE SECOND ENCODER_OPTIONS…: two seconds of the source from there on
part() {
  local picture="testsrc2=size=$2:rate=25:duration=$(($3 + 2)),trim=start=$3,setpts=PTS-STARTPTS,format=yuv420p"
  "${ffmpeg[@]}" -f lavfi -i "$picture" "${@:4}" -threads 1 -g 25 -keyint_min 25 \
    -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv "$scratch/$1"
}

x264=(-c:v libx264 -preset veryfast -crf 51 -x264-params threads=1:scenecut=0:open-gop=0 -bsf:v filter_units=remove_types=6)
x265=(-c:v libx265 -preset fast -crf 45 -bsf:v filter_units=remove_types=39)
x265+=(-x265-params pools=none:frame-threads=1:scenecut=0:open-gop=0:info=0:repeat-headers=1:keyint=25:log-level=error)

part a.h264 160x90 0 "${x264[@]}" -profile:v main -refs 2
part b.h264 160x90 2 "${x264[@]}" -profile:v high -refs 3 -bf 2
part c.h264 128x72 4 "${x264[@]}" -profile:v high -refs 3 -bf 2
cat "$scratch"/{a,b,c}.h264 > changes.h264
for second in 0 2 4; do part "n$second.h264" 96x54 "$second" "${x264[@]}" -profile:v main; done
cat "$scratch"/n{0,2,4}.h264 > changes-not.h264
part a.h265 160x90 0 "${x265[@]}"
part b.h265 128x72 2 "${x265[@]}"
cat "$scratch"/{a,b}.h265 > changes.h265
ls -l -- changes*
