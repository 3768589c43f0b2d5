#!/usr/bin/env bash
# Compares code generation of two versions of a project, for continuous integration: builds its BPF objects at a base
# commit and here, reports on both, and writes the comparison as Markdown and as an HTML page.
set -euo pipefail

usage() {
    cat <<'TEXT'
codegen-diff.sh --base REF|PATH [--build COMMAND] [--objects PATH] [--options OPTIONS] [--fail-on CONDITION]
                [--output DIR]

  --base       what to compare with: a commit, or a folder, object or saved report that is there already
  --build      makes the objects; runs in the folder of each version (with a commit as the base)
  --objects    where they are then, from there: a folder, an object, or a saved report [.]
  --options    how to translate: '-O1 --target aarch64'
  --fail-on    exit with 1 if this holds: 'new failure', 'bytes_pct>10' [new failure]
  --output     for base.json, new.json, summary.md and index.html [codegen-diff]

BPF2NATIVE names the command [bpf2native]. Exit status: 0, 1 by --fail-on, 2 trouble.
TEXT
}

fail() {
    printf 'codegen-diff.sh: %s\n' "$1" >&2
    exit 2
}

base='' build='' objects=. options='' fail_on='new failure' output=codegen-diff
while (($# > 0)); do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --base | --build | --objects | --options | --fail-on | --output) (($# > 1)) || fail "$1 wants a value" ;;
        *) fail "what is \`$1\`? See --help" ;;
    esac
    case $1 in
        --base) base=$2 ;;
        --build) build=$2 ;;
        --objects) objects=$2 ;;
        --options) options=$2 ;;
        --fail-on) fail_on=$2 ;;
        --output) output=$2 ;;
    esac
    shift 2
done
[[ -n $base ]] || fail 'what is compared? Give --base'
command=${BPF2NATIVE:-bpf2native}
command -v "$command" >/dev/null || fail "there is no \`$command\`: install it, or set BPF2NATIVE"
command=$(command -v "$command")
command=$(realpath "$command")
read -ra options <<<"$options"

mkdir -p "$output"
output=$(realpath "$output")
work=$(mktemp -d)
tree=$work/base
clean() {
    if [[ -e $tree/.git ]]; then
        git worktree remove --force "$tree" || true
    fi
    rm -rf "$work"
}
trap clean EXIT

# build FOLDER: runs the build command there; what it prints goes to standard error.
build() {
    if [[ -n $build ]]; then
        (cd "$1" && BPF2NATIVE=$command bash -euo pipefail -c "$build") >&2 || fail "the build failed in $1"
    fi
}

# report PATH NAME: a saved report of objects, or a copy of one.
report() {
    if [[ -f $1 && $(head -c 1 "$1") == '{' ]]; then
        cp "$1" "$output/$2.json"
    else
        # Names are those of the folder that was given, wherever the version is.
        "$command" report --texts "${options[@]}" -o "$output/$2.json" "$1" || fail "there is no report of $1"
    fi
}

if [[ -e $base ]]; then
    report "$base" base
else
    git rev-parse --quiet --verify "$base^{commit}" >/dev/null ||
        fail "\`$base\` is neither a file nor a commit that is here (a checkout in CI needs fetch-depth: 0)"
    git worktree add --quiet --detach "$tree" "$base" || fail "cannot check out $base"
    folder=$(git rev-parse --show-prefix)
    build "$tree/$folder"
    report "$tree/$folder$objects" base
fi
build .
report "$objects" new

cd "$output"
status=0
"$command" diff base.json new.json --format md --fail-on "$fail_on" -o summary.md || status=$?
((status < 2)) || fail 'the comparison failed'
"$command" diff base.json new.json --format html --fail-on "$fail_on" -o index.html || (($? < 2)) ||
    fail 'the page cannot be made'
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
    cat summary.md >>"$GITHUB_STEP_SUMMARY"
fi
cat summary.md
if ((status > 0)); then
    printf '\ncodegen-diff.sh: --fail-on holds: %s\n' "$fail_on" >&2
fi
exit "$status"
