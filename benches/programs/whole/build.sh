#!/bin/sh
# Makes the objects of the whole programs: benches/programs/whole/build.sh [NAME.c...]
# Wants clang 22.
set -eu
cd "$(dirname "$0")"
for source in ${*:-*.c}; do
    clang-22 -target bpf -O2 -g -mcpu=v4 -fno-builtin -fstack-size-section -mllvm -bpf-stack-size=32768 \
        -fdebug-compilation-dir=. -I../c -Wno-incompatible-library-redeclaration -c "$source" -o "${source%.c}.o"
done
