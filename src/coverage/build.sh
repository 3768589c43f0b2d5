#!/bin/sh
# Builds writer.c and profile.c for both byte orders: writer.le.o, profile.be.o and so on, which the translator has in it
# (src/parse/coverage.rs).
# With --check, compares with those instead; another compiler than that of runtime/COMPILER may make others.
set -eu
cd "$(dirname "$0")"
compiler=clang-22
output=.
if [ "${1-}" = --check ]; then
    output=$(mktemp -d)
    trap 'rm -rf "$output"' EXIT
fi
if ! command -v $compiler >/dev/null; then
    echo "coverage: $compiler is not installed" >&2
    [ -z "${CI-}" ] && [ "${1-}" = --check ] && exit 0
    exit 1
fi
for writer in writer profile; do
    for order in le be; do
        # Types stay, for the prototypes of C's functions; lines go, so that it is not counted itself.
        target=bpfel
        [ $order = le ] || target=bpfeb
        $compiler -target $target -O2 -g -mcpu=v4 -fno-builtin -fno-jump-tables -fstack-size-section \
            -mllvm -bpf-stack-size=32768 -fdebug-compilation-dir=. -Wall -Wextra -Werror -Wno-unused-function \
            -c $writer.c -o "$output/$writer.$order.o"
        llvm-objcopy-22 --strip-debug --remove-section .BTF.ext --remove-section .rel.BTF.ext "$output/$writer.$order.o"
    done
done
[ "${1-}" = --check ] || exit 0
for made in writer.le.o writer.be.o profile.le.o profile.be.o; do
    cmp -s "$output/$made" $made && continue
    if [ "$($compiler --version | head -n 1)" = "$(cat ../../runtime/COMPILER)" ]; then
        echo "error: src/coverage/$made is not what its source makes; run src/coverage/build.sh" >&2
        exit 1
    fi
    echo "note: src/coverage/$made differs: it was made by '$(cat ../../runtime/COMPILER)'"
done
