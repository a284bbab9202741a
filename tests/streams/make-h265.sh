#!/usr/bin/env bash
# Makes the H.265 streams next to this script from FFmpeg's own test source: 3 s clips, 25 frames per second, a random access
# point every second with its parameter sets. The results are committed; run this only to change them. Same bytes again with Debian 12's FFmpeg 5.1 and
# x265 3.5.
#
#   h265-closed.h265     IDR pictures with RADL pictures behind each but the first
#   h265-open.h265       CRA pictures with RASL pictures behind each but the first
#   h265-mixed.h265      4 s: an IDR picture every 2 s, in the middle of those a CRA picture with RASL pictures
#   h265-slices.h265     four slices a picture
#   h265-aud.h265        access unit delimiters
#   h265-main10.h265     10 bits a sample
#   h265-hdr10.h265      PQ, BT.2020, mastering display and content light level
#   h265-fields.h265     each picture one field of 320x90: 50 a second, top first
#   h265-422.h265        4:2:2, 10 bits a sample
#   h265-cropped.h265    318x178, which is no multiple of the coding block
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly fps=25
# One thread and no assembly: the output must not depend on the machine.
ffmpeg=(ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact)
readonly always="pools=none:frame-threads=1:no-asm=1:no-wpp=1:scenecut=0:bframes=3:b-adapt=0:rc-lookahead=10:range=limited"
readonly sdr="colorprim=bt709:transfer=bt709:colormatrix=bt709"

# video NAME PICTURES GOP X265_PARAMS, of PICTURES that end in their pixel format
video() {
  "${ffmpeg[@]}" -f lavfi -i "$2" -c:v libx265 -preset medium -crf 38 \
    -x265-params "$always:keyint=$3:min-keyint=$3:log-level=error:$4" -f hevc "h265-$1.h265"
}

readonly source="testsrc2=size=320x180:rate=$fps:duration"
readonly hdr10="colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:chromaloc=2:hdr10=1:max-cll=1000,400:\
master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"

video closed "$source=3,format=yuv420p" 25 "$sdr:open-gop=0:radl=2"
# A group of 25 pictures is five times four B pictures and one that is not: those in front of a CRA picture refer to it.
video open "$source=3,format=yuv420p" 25 "$sdr:open-gop=1:bframes=4"
# x265 makes CRA pictures or IDR pictures, not both; each stream starts with an IDR picture, though.
for start in 0 2; do
  video "part$start" "$source=4,format=yuv420p,trim=start=$start:duration=2,setpts=PTS-STARTPTS" 25 "$sdr:open-gop=1:bframes=4"
done
cat h265-part0.h265 h265-part2.h265 >h265-mixed.h265
rm h265-part0.h265 h265-part2.h265
# Slices want wavefronts, and those a pool of threads; with one thread in it the bytes are the same each time.
video slices "$source=3,format=yuv420p" 25 "$sdr:open-gop=0:pools=1:wpp=1:slices=4"
video aud "$source=3,format=yuv420p" 25 "$sdr:open-gop=0:aud=1"
video main10 "$source=3,format=yuv420p10le" 25 "$sdr:open-gop=0"
video hdr10 "$source=3,format=yuv420p10le" 25 "$hdr10:open-gop=0"
video fields "$source=3,format=yuv420p,separatefields" 50 "$sdr:open-gop=0:interlace=tff"
video 422 "$source=3,format=yuv422p10le" 25 "$sdr:open-gop=0"
video cropped "${source/320x180/318x178}=3,format=yuv420p" 25 "$sdr:open-gop=0"
ls -l -- *.h265
