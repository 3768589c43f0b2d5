#!/usr/bin/env bash
# Runs a fuzz target over its corpus, which starts with the fixtures: fuzz/run.sh object|instructions|differential
# [libFuzzer's arguments]. Wants cargo-fuzz (`cargo install cargo-fuzz`); any Rust compiler will do.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:?"one of object, instructions, differential"}
shift
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz/run.sh: cargo-fuzz is not installed: cargo install cargo-fuzz" >&2
    exit 1
fi

case $target in
    object) length=16384 ;;
    instructions) length=2048 ;;
    differential) length=600 ;;
    *)
        echo "fuzz/run.sh: there is no target '$target'" >&2
        exit 1
        ;;
esac

corpus=fuzz/corpus/$target
mkdir -p "$corpus"
if [[ $target == object ]]; then
    find fixtures/obj/clang22-v4 fixtures/obj/clang19-v1 fixtures/obj/gcc-xbpf fixtures/parse fixtures/llvm23 \
        -name '*.o' -size -16k | while read -r object; do cp "$object" "$corpus/${object//\//_}"; done
fi

# The features for coverage are those of nightly compilers; without a sanitizer they are in stable ones too.
RUSTC_BOOTSTRAP=1 exec cargo fuzz run --sanitizer none "$target" "$corpus" -- \
    -rss_limit_mb=4096 -timeout=20 -max_len=$length "$@"
