#!/usr/bin/env bash
# What this tree changes in the code that is generated: builds the commit BASE (default: main) in a temporary work tree,
# has both make reports of OBJECTS (default: those of the fixtures that clang 22 made), and compares them. Options of
# `bpf2native diff` may follow `--`.
set -euo pipefail
cd "$(dirname "$0")/.."

base=main objects=() options=()
[[ $# -eq 0 || $1 == -- ]] || { base=$1; shift; }
while (($# > 0)); do
    [[ $1 != -- ]] || { shift; options=("$@"); break; }
    objects+=("$1")
    shift
done
((${#objects[@]} > 0)) || objects=(fixtures/obj/clang22-v4)

temp=$(mktemp -d)
trap 'git worktree remove --force "$temp/tree" 2>/dev/null; rm -rf "$temp"' EXIT
git worktree add --quiet --detach "$temp/tree" "$base"
cargo build --release
cargo build --release --manifest-path "$temp/tree/Cargo.toml" --target-dir "${CARGO_TARGET_DIR:-target}/base"
"${CARGO_TARGET_DIR:-target}/base/release/bpf2native" report --texts "${objects[@]}" -o "$temp/base.json"
"${CARGO_TARGET_DIR:-target}/release/bpf2native" report --texts "${objects[@]}" -o "$temp/new.json"
CI='' "${CARGO_TARGET_DIR:-target}/release/bpf2native" diff "$temp/base.json" "$temp/new.json" ${options[@]+"${options[@]}"}
