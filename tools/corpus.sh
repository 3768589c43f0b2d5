#!/usr/bin/env bash
# Builds the corpus of kernel objects and translates it: all for this machine and s390x, a sample for other targets.
# docs/corpus.md says more. Arguments go to tools/corpus/translate.py.
set -euo pipefail
cd "$(dirname "$0")/.."
corpus=${BPF2NATIVE_CORPUS:-$HOME/.cache/bpf2native-corpus}

tools/corpus/build.sh
cargo build --release --quiet
tools/corpus/translate.py "$@" --target x86_64 --target aarch64:5 --target riscv64:5 \
    "${CARGO_TARGET_DIR:-target}/release/bpf2native" "$corpus"/objects/*
