#!/bin/sh
# Makes the audio files that the command line's tests decode: one sweep, encoded in every supported format.
#
# The sweep is synthetic and under the project's licence. Made with Debian 12's sox 14.4.2, flac 1.4.2, lame 3.100,
# vorbis-tools 1.4.2 and ffmpeg 5.1.9:
#
#     apt-get install --no-install-recommends sox flac lame vorbis-tools ffmpeg
#     cd tests/data/audio && ./make.sh
set -eu

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# 22111 samples (no multiple of any codec's frame) of a rising sine that fades in and out, 44.1 kHz, mono, 16 bits.
sox -D -R -r 44100 -n -b 16 -c 1 "$work/sweep.wav" synth 22111s sine 200-6000 vol 0.5 fade t 4000s 22111s 4000s

flac --silent --force --best --no-padding -o sweep.flac "$work/sweep.wav"
lame --quiet --abr 64 "$work/sweep.wav" sweep.mp3
# Without the header that states delay and length.
lame --quiet --cbr -b 64 -t "$work/sweep.wav" headerless.mp3
oggenc --quiet --serial 1 -q 3 -o sweep.ogg "$work/sweep.wav"
quiet_ffmpeg() { ffmpeg -hide_banner -loglevel error -y -bitexact -i "$work/sweep.wav" "$@"; }
quiet_ffmpeg -c:a aac -b:a 64k -flags +bitexact sweep.m4a
quiet_ffmpeg -c:a aac -b:a 64k -flags +bitexact -movflags +faststart faststart.m4a
quiet_ffmpeg -c:a aac -b:a 64k -flags +bitexact sweep.aac
quiet_ffmpeg -c:a libopus -b:a 32k -fflags +bitexact -flags +bitexact opus.ogg
quiet_ffmpeg -c:a libopus -b:a 32k -fflags +bitexact -flags +bitexact voice.webm
quiet_ffmpeg -c:a alac -fflags +bitexact -flags +bitexact alac.m4a
# 24 bits and three channels.
sox -D -R -r 48000 -n -b 24 -c 3 "$work/three.wav" synth 4801s sine 300 sine 500 sine 700 vol 0.5
flac --totally-silent --force --best --no-padding --channel-map=none -o three24.flac "$work/three.wav"
