#!/usr/bin/env bash
# Installs the system libraries the build needs, and only those that are missing: FFmpeg (decoding), libclang
# (to read FFmpeg's headers), CMake and NASM (to build libjpeg-turbo). Debian, Ubuntu and macOS; elsewhere it
# names them. It never touches Rust: install that from your distribution or rustup. SETUP_BROWSER=1 adds a Chromium, with
# which the page of `serve` is tested (Debian and Ubuntu).
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }

command -v cargo >/dev/null || {
    say "cargo is missing: install a stable Rust toolchain (1.95 or later) first"
    exit 1
}

have_libs() { pkg-config --exists libavcodec libavformat libavutil libswscale libswresample 2>/dev/null; }
have_clang() {
    ls "${LIBCLANG_PATH:-/nowhere}"/libclang* /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* \
        /usr/local/opt/llvm/lib/libclang.dylib /opt/homebrew/opt/llvm/lib/libclang.dylib \
        /Library/Developer/CommandLineTools/usr/lib/libclang.dylib 2>/dev/null | grep -q .
}

missing=()
command -v ffmpeg >/dev/null || missing+=(ffmpeg)
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v cmake >/dev/null || missing+=(cmake)
command -v nasm >/dev/null || missing+=(nasm)
command -v cc >/dev/null || missing+=(compiler)
have_libs || missing+=(ffmpeg-libraries)
have_clang || missing+=(libclang)
# Only a test wants a browser: it is installed where CI asks for it, and the test is skipped without.
if [ -n "${SETUP_BROWSER:-}" ] && command -v apt-get >/dev/null && ! command -v chromium >/dev/null; then
    missing+=(chromium)
fi
[ ${#missing[@]} -eq 0 ] && exit 0
say "missing: ${missing[*]}"

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

if command -v apt-get >/dev/null; then
    packages=(ffmpeg libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libswresample-dev
        libclang-dev clang build-essential pkg-config cmake nasm)
    [ -n "${SETUP_BROWSER:-}" ] && packages+=(chromium)
    say "apt-get install ${packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null
elif command -v brew >/dev/null; then
    say "brew install ffmpeg pkg-config llvm cmake nasm"
    brew install ffmpeg pkg-config llvm cmake nasm
else
    say "install by hand: FFmpeg 5.1 or later with development headers, libclang, CMake, NASM, pkg-config, a C compiler"
    exit 1
fi
have_libs || { say "FFmpeg's libraries are still not visible to pkg-config: set PKG_CONFIG_PATH"; exit 1; }
