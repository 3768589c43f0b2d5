#!/bin/sh
# Makes the objects that are committed: benches/programs/objects.sh floats|vectors [NAME.c...]
# Wants clang 22, and llc of LLVM 23 (the component llvm-tools of a Rust nightly), named by LLC.
set -eu
cd "$(dirname "$0")/$1"
shift
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
for source in ${*:-*.c}; do
    name=${source%.c}
    clang-22 -target bpf -O2 -g -mcpu=v4 -fno-builtin -ffp-contract=off -fdebug-compilation-dir=. -I../c \
        -Wno-incompatible-library-redeclaration -S -emit-llvm "$name.c" -o "$temp/$name.ll"
    "$LLC" -O2 -march=bpfel -mcpu=v4 -relocation-model=static --bpf-stack-size=32768 --bpf-allows-libcalls \
        -filetype=obj "$temp/$name.ll" -o "$name.o"
done
