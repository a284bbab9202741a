#!/usr/bin/env bash
# Makes the AC-3 and E-AC-3 streams next to this script from tones of FFmpeg's own: a third of a second each. The results are
# committed; run this only to change them. Same bytes again with Debian 12's FFmpeg 5.1.
#
#   stereo.ac3     44.1 kHz: syncframes of two sizes
#   surround.ac3   5.1 at 48 kHz
#   mono.eac3      32 kHz
#   surround.eac3  5.1 at 48 kHz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

ffmpeg=(ffmpeg -hide_banner -loglevel error -nostdin -y -bitexact)

# tones FILE CHANNEL_LAYOUT RATE BIT_RATE EXPRESSIONS
tones() {
  "${ffmpeg[@]}" -f lavfi -i "aevalsrc=$5:c=$2:s=$3:d=0.32" -c:a "${1##*.}" -b:a "$4" -f "${1##*.}" "$1"
}

readonly left='0.3*sin(440*2*PI*t)' right='0.3*sin(660*2*PI*t)' centre='0.2*sin(330*2*PI*t)'
readonly surround="$left|$right|$centre|0.1*sin(60*2*PI*t)|0.1*sin(550*2*PI*t)|0.1*sin(770*2*PI*t)"
tones stereo.ac3 stereo 44100 96k "$left|$right"
tones surround.ac3 5.1 48000 224k "$surround"
tones mono.eac3 mono 32000 48k "$centre"
tones surround.eac3 5.1 48000 160k "$surround"
ls -l -- *.ac3 *.eac3
