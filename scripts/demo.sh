#!/usr/bin/env bash
# Shows the program at work on a clip made on the spot: what the model will see of it, as a picture, and an answer
# from the small random checkpoint of the test fixtures. Its words are noise; its path from file to text is real.
set -euo pipefail
cd "$(dirname "$0")/.."
firsthand=target/release/firsthand
out=target/demo
mkdir -p "$out"

step() { printf '\n$ %s\n' "$*"; "$@"; }

if [ ! -e "$out/clip.mp4" ]; then
    ffmpeg -v error -f lavfi -i "testsrc2=size=640x360:rate=25:duration=6" -c:v libx264 -pix_fmt yuv420p "$out/clip.mp4"
fi
step "$firsthand" doctor
step "$firsthand" inspect "$out/clip.mp4" --frames 8 --contact-sheet "$out/contact-sheet.png"
step "$firsthand" ask "$out/clip.mp4" "What moves?" --frames 8 --model golden/tiny/qwen2_5_vl --max-tokens 24
printf '\nThe frames the model saw: %s\nA checkpoint that knows words: %s fetch Qwen/Qwen2.5-VL-3B-Instruct\n' \
    "$out/contact-sheet.png" "$firsthand"
