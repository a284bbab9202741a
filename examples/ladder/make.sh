#!/usr/bin/env bash
# Makes the example ladder next to this script, from FFmpeg's own synthetic sources: three sizes of one 24 s clip that
# counts seconds and frames, and two languages of sound that change pitch every two seconds. The results are committed;
# run this only to change them. Same bytes again with Debian 12's FFmpeg 5.1 and x264 164 and x265 3.5, fonts-dejavu-core installed.
#
#   720p.h264 360p.h264 234p.h264   25 fps, High profile, B pictures with a pyramid, an IDR picture every 2 s (closed GOPs)
#   360p.h265 234p.h265             the same pictures, Main profile, IDR pictures at the same places
#   en.aac de.aac                   AAC LC, 48 kHz stereo, ADTS
#
# The renditions differ on purpose in what a packager must look through: 720p has access unit delimiters, 360p four
# slices a picture, 234p neither.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly seconds=24 fps=25 gop=50
# One encoder thread and bit-exact code paths: the output must not depend on how many cores this machine has.
ffmpeg=(ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact)

# picture HEIGHT WIDTH: FFmpeg's description of the pictures of that size.
picture() {
  local counter="%{eif\\:n/$fps\\:d\\:2}.%{eif\\:mod(n\\,$fps)\\:d\\:2}"
  local text="font=DejaVu Sans Mono:fontcolor=white:shadowcolor=black@0.5:shadowx=$(($1 / 180)):shadowy=$(($1 / 180))"
  local picture="gradients=size=1280x720:rate=$fps:duration=$seconds:speed=0.03:seed=11"
  # Colours and end points that are not given are random, whatever the seed.
  picture+=":nb_colors=4:c0=0x12263f:c1=0x2a628f:c2=0xf2a65a:c3=0xc8553d:x0=0:y0=0:x1=1279:y1=719"
  picture+=",scale=$2:$1:flags=bicubic+accurate_rnd+bitexact"
  picture+=",drawtext=$text:text='$counter':fontsize=h/4:x=(w-tw)/2:y=(h-th)/2"
  echo "$picture,drawtext=$text:text='${1}p':fontsize=h/10:x=w-tw-h/20:y=h-th-h/20,format=yuv420p"
}

readonly colours=(-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv)

# h264 HEIGHT WIDTH BITRATE EXTRA_X264_PARAMS
h264() {
  "${ffmpeg[@]}" -f lavfi -i "$(picture "$1" "$2")" -c:v libx264 -preset slow -profile:v high -threads 1 \
    -b:v "$3" -maxrate "$3" -bufsize "$3" "${colours[@]}" \
    -x264-params "keyint=$gop:min-keyint=$((gop / 2 + 1)):scenecut=0:open-gop=0:bframes=3:b-pyramid=normal$4" \
    -f h264 "${1}p.h264"
}

# h265 HEIGHT WIDTH BITRATE
h265() {
  # No assembly: the output must not depend on the processor either.
  "${ffmpeg[@]}" -f lavfi -i "$(picture "$1" "$2")" -c:v libx265 -preset medium \
    -b:v "$3" -maxrate "$3" -bufsize "$3" "${colours[@]}" \
    -x265-params "keyint=$gop:min-keyint=$gop:scenecut=0:open-gop=0:bframes=3:pools=none:frame-threads=1:no-wpp=1:no-asm=1:log-level=error" \
    -f hevc "${1}p.h265"
}

# audio NAME BITRATE LEFT_HZ RIGHT_HZ: each two seconds a semitone higher, with a short fade so that steps do not click.
audio() {
  local step="pow(2\\,floor(t/2)/12)" fade="min(1\\,20*min(mod(t\\,2)\\,2-mod(t\\,2)))"
  local sound="aevalsrc=0.2*sin(2*PI*$3*$step*t)*$fade|0.2*sin(2*PI*$4*$step*t)*$fade:sample_rate=48000:duration=$seconds"
  "${ffmpeg[@]}" -f lavfi -i "$sound" -c:a aac -profile:a aac_low -b:a "$2" -f adts "$1.aac"
}

h264 720 1280 500k :aud=1
h264 360 640 240k :slices=4
h264 234 416 110k ""
h265 360 640 70k
h265 234 416 55k
audio en 96k 220 330
audio de 64k 440 277
ls -l -- *.h264 *.h265 *.aac
