#!/usr/bin/env bash
# Packs the crate as it would be published, and runs what is tested there: the documentation's examples and the examples.
# They read objects of fixtures/, most of which are not published (`exclude` in Cargo.toml).
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo package --locked --no-verify --allow-dirty --quiet
version=$(sed -n '/^version = "\(.*\)"$/ { s//\1/p; q }' Cargo.toml)
tar -xzf "$CARGO_TARGET_DIR/package/bpf2native-$version.crate" -C "$folder"
cd "$folder/bpf2native-$version"
cargo test --locked --doc
for example in embed plugin_host test_xdp; do
    cargo run --locked --quiet --example "$example"
done
