#!/bin/bash
# Installs the compilers and emulators that the tests use, where any is missing and apt-get may be
# used; otherwise says what to install. Does nothing when all are there.
set -euo pipefail

# command (or file) that must be there : package of Debian and Ubuntu that has it
needed=(
    gcc:gcc
    g++:g++
    make:make
    cmake:cmake
    clang:clang
    clang-format:clang-format
    arm-none-eabi-gcc:gcc-arm-none-eabi
    riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf
    qemu-system-arm:qemu-system-arm
    qemu-system-riscv32:qemu-system-misc
    /usr/lib/arm-none-eabi/newlib/libc.a:libnewlib-arm-none-eabi
    /usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs:picolibc-riscv64-unknown-elf
    /usr/include/stdio.h:libc6-dev
)

present() {
    case $1 in
        /*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing=()
for entry in "${needed[@]}"; do
    present "${entry%%:*}" || missing+=("${entry##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "make tools: please install: ${missing[*]} (names of Debian and Ubuntu packages," \
        "e.g. sudo apt-get install ${missing[*]})" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# make-venv.sh may be at it at the same time.
exec 9>/tmp/tinycc-apt-get.lock
flock 9
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
