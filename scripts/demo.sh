#!/usr/bin/env bash
# Shows the program at work with nothing downloaded: films a simulated home, shows the frames the model will see, and
# asks the built-in model about them.
set -euo pipefail
cd "$(dirname "$0")/.."
firsthand=target/release/firsthand
out=target/demo
mkdir -p "$out"

step() { printf '\n$ %s\n' "$*"; "$@"; }

step "$firsthand" doctor
step "$firsthand" world make --seed 7 --minutes 0.067 --at 07:00:25 --out "$out/home"
clip=$(find "$out/home" -name '*.mp4' | sort | head -n 1)
step "$firsthand" inspect "$clip" --frames 8 --contact-sheet "$out/contact-sheet.png"
step "$firsthand" ask "$clip" "what do i do with my hand ?" \
    --options "put down the red toy car|pick up the blue cup|pick up the red toy car|put down the blue cup"
printf '\nThe frames the model saw: %s\nA checkpoint for any video: %s fetch Qwen/Qwen2.5-VL-3B-Instruct\n' \
    "$out/contact-sheet.png" "$firsthand"
