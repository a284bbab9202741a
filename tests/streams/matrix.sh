#!/usr/bin/env bash
# Makes streams of every encoder that FFmpeg has for what fragmint takes, three seconds each, from synthetic sources, for
# tests/matrix.rs: one file a row there. They are made anew for each run of it, since they would be bulk in the repository.
#
#   tests/streams/matrix.sh DIRECTORY
set -euo pipefail
readonly directory=$1 seconds=3 rate=25 group=25
mkdir -p "$directory"
cd "$directory"

ffmpeg=(ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact)

# video FILE SIZE FFMPEG_WORDS…
video() {
  "${ffmpeg[@]}" -f lavfi -i "testsrc2=size=$2:rate=$rate:duration=$seconds" -pix_fmt yuv420p -g $group "${@:3}" "$1"
}

# sound FILE RATE LAYOUT FFMPEG_WORDS…: noise and a tone, other ones in each channel
sound() {
  "${ffmpeg[@]}" -f lavfi -i "aevalsrc=0.3*sin(440*2*PI*t)+0.1*random(0)|0.3*sin(550*2*PI*t):s=$2:d=$seconds" \
    -af "aformat=channel_layouts=$3" "${@:4}" "$1"
}

x264=(-c:v libx264 -threads 1 -keyint_min $group)
x265=(-c:v libx265 -preset ultrafast)
p265=log-level=error:pools=1:frame-threads=1:keyint=$group:min-keyint=$group:open-gop=0:scenecut=0

video h264-pyramid.h264 128x96 "${x264[@]}" -bf 3 -x264-params b-pyramid=normal:open-gop=0
video h264-slices.h264 128x96 "${x264[@]}" -x264-params slices=4:aud=1:nal-hrd=cbr:force-cfr=1 -b:v 100k -maxrate 100k -bufsize 100k
video h264-interlaced.h264 128x96 "${x264[@]}" -flags +ildct+ilme -x264-params tff=1
video h264-baseline.h264 128x96 "${x264[@]}" -profile:v baseline -tune zerolatency
video h264-high10.h264 128x96 "${x264[@]}" -pix_fmt yuv420p10le
video h264-other.h264 128x96 "${x264[@]}" -profile:v main -refs 1 -bf 0
video h264-larger.h264 160x128 "${x264[@]}"
cat h264-pyramid.h264 h264-other.h264 h264-pyramid.h264 >h264-sets.h264
cat h264-pyramid.h264 h264-larger.h264 >h264-sizes.h264
rm h264-other.h264 h264-larger.h264

video h265-pyramid.h265 128x96 "${x265[@]}" -x265-params "$p265:bframes=4:b-pyramid=1"
video h265-main10.h265 128x96 "${x265[@]}" -pix_fmt yuv420p10le -x265-params "$p265"
video h265-other.h265 128x96 "${x265[@]}" -x265-params "$p265:ref=1:bframes=0:no-sao=1:ctu=16"
video h265-larger.h265 160x128 "${x265[@]}" -x265-params "$p265"
cat h265-pyramid.h265 h265-other.h265 h265-pyramid.h265 >h265-sets.h265
cat h265-pyramid.h265 h265-larger.h265 >h265-sizes.h265
rm h265-other.h265 h265-larger.h265

aom=(-c:v libaom-av1 -cpu-used 8 -threads 1 -row-mt 0 -keyint_min $group -b:v 60k)
video av1-aom.ivf 128x96 "${aom[@]}" -lag-in-frames 19
video av1-aom-10bit.ivf 128x96 "${aom[@]}" -pix_fmt yuv420p10le
video av1-aom-444.ivf 128x96 "${aom[@]}" -pix_fmt yuv444p
"${ffmpeg[@]}" -i av1-aom.ivf -c copy -f obu av1-aom.obu
video av1-svt.ivf 128x96 -c:v libsvtav1 -preset 10 -svtav1-params lp=1:irefresh-type=2:scd=0 -crf 50

vpx=(-c:v libvpx-vp9 -threads 1 -keyint_min $group -deadline good -cpu-used 5 -b:v 60k)
video vp9-altref.ivf 128x96 "${vpx[@]}" -auto-alt-ref 1 -lag-in-frames 16
video vp9-realtime.ivf 128x96 "${vpx[@]}" -deadline realtime -error-resilient 1 -lag-in-frames 0
video vp9-profile1.ivf 128x96 "${vpx[@]}" -pix_fmt yuv444p
video vp9-profile2.ivf 128x96 "${vpx[@]}" -pix_fmt yuv420p10le
video vp9-profile3.ivf 128x96 "${vpx[@]}" -pix_fmt yuv422p12le

sound aac.aac 48000 stereo -c:a aac
sound aac-51.aac 44100 5.1 -c:a aac
sound ac3.ac3 48000 stereo -c:a ac3
sound ac3-51.ac3 44100 5.1 -c:a ac3
sound ac3-fixed.ac3 32000 mono -c:a ac3_fixed
sound eac3.eac3 48000 5.1 -c:a eac3
sound eac3-mono.eac3 44100 mono -c:a eac3
sound flac.flac 44100 stereo -c:a flac
sound flac-24.flac 96000 5.1 -c:a flac -sample_fmt s32 -bits_per_raw_sample 24
sound opus.ogg 48000 stereo -c:a libopus -b:a 48k
sound opus-51.ogg 48000 5.1 -c:a libopus -b:a 96k
sound opus-short.ogg 48000 mono -c:a libopus -b:a 48k -frame_duration 2.5
sound opus-long.ogg 48000 stereo -c:a libopus -b:a 48k -frame_duration 60
sound opus-native.ogg 48000 stereo -c:a opus -strict -2 -b:a 64k
