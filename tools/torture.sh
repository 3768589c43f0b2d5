#!/usr/bin/env bash
# Runs all tests of random input from seeds that the clock makes: tools/torture.sh [how many each [a crate of tests...]].
# Each test prints its first seed; BPF2NATIVE_RANDOM_SEED, if it is set, is the first one of all.
set -euo pipefail
cd "$(dirname "$0")/.."

export BPF2NATIVE_RANDOM_PROGRAMS=${1:-10000}
export BPF2NATIVE_RANDOM_SEED=${BPF2NATIVE_RANDOM_SEED:-clock}
crates=()
for crate in "${@:2}"; do
    crates+=(--test "$crate")
done
if ((${#crates[@]} == 0)); then
    crates=(--tests)
fi
exec cargo test --locked --no-fail-fast "${crates[@]}" -- random_
