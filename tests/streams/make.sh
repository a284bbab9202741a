#!/usr/bin/env bash
# Makes the AV1 and VP9 streams next to this script from FFmpeg's own test source: two sizes of one 8 s clip, 25 frames per second, a key
# frame every 2 s. The results are committed; run this only to change them. Same bytes again with Debian 12's FFmpeg 5.1,
# libaom 3.6, SVT-AV1 1.4 and libvpx 1.12.
#
#   180p.ivf   libaom: hidden pictures and pictures shown again
#   90p.ivf    SVT-AV1: a pyramid
#   hdr10.obu  SVT-AV1: 10 bits, PQ, with light levels and a mastering display in metadata OBUs; eight pictures
#   54p-vp9.ivf   libvpx, 4 s: superframes with hidden pictures
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly seconds=8 fps=25 gop=50
# One encoder thread and bit-exact code paths: the output must not depend on how many cores this machine has.
ffmpeg=(ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact)

# video HEIGHT WIDTH ENCODER_OPTIONS…
video() {
  local picture="testsrc2=size=$2x$1:rate=$fps:duration=$seconds,format=yuv420p"
  "${ffmpeg[@]}" -f lavfi -i "$picture" "${@:3}" -g $gop \
    -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv -f ivf "${1}p.ivf"
}

video 180 320 -c:v libaom-av1 -cpu-used 6 -threads 1 -row-mt 0 -lag-in-frames 19 -keyint_min $gop -b:v 30k
video 90 160 -c:v libsvtav1 -preset 8 -svtav1-params lp=1:irefresh-type=2:scd=0 -crf 60

display='G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000.0,0.0001)'
"${ffmpeg[@]}" -f lavfi -i "testsrc2=size=128x72:rate=$fps,format=yuv420p10le" -frames:v 8 -g 4 -c:v libsvtav1 -preset 8 \
  -svtav1-params "lp=1:irefresh-type=2:scd=0:mastering-display=$display:content-light=1000,400" -crf 60 \
  -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv -f obu hdr10.obu
for pass in 1 2; do
  target=(-f null /dev/null)
  [ $pass = 1 ] || target=(-f ivf 54p-vp9.ivf)
  "${ffmpeg[@]}" -f lavfi -i "testsrc2=size=96x54:rate=$fps:duration=4,format=yuv420p" -c:v libvpx-vp9 -b:v 24k \
    -g $gop -keyint_min $gop -auto-alt-ref 1 -lag-in-frames 16 -threads 1 -row-mt 0 -cpu-used 2 \
    -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv -pass $pass -passlogfile vp9 "${target[@]}"
done
rm -f -- vp9-*.log
ls -l -- *.ivf *.obu
