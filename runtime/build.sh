#!/usr/bin/env bash
# Builds the runtime: every C file in a folder here, for both byte orders of BPF, into two archives, which the translator
# has in it (src/parse/runtime.rs). Members are named by folder and file: maps/hash.c is maps_hash.o.
#
#   runtime/build.sh                  builds runtime.le.a, runtime.be.a and COMPILER again
#   runtime/build.sh --check          builds into a temporary folder and compares with those
#   runtime/build.sh --output DIR     builds into a folder, to be given to the translator as an archive
#
# The same compiler must give the same objects (fixtures/same-object.sh says what that is); another one (COMPILER says
# which made the committed archives) is named, and that they differ is then only reported. A compiler that is missing is
# an error where CI is set, and is named elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

compiler=clang-22 archiver=llvm-ar-22 strip=llvm-strip-22
flags=(-O2 -g -mcpu=v4 -fno-builtin -fdata-sections -mllvm -bpf-stack-size=32768 -fno-crash-diagnostics
    -fdebug-compilation-dir=. -Wall -Wextra -Werror -Wno-unused-parameter -Iruntime -Iinclude)
archives=(runtime.le.a runtime.be.a)

check=no output=runtime
case ${1-} in
    '') ;;
    --check) check=yes ;;
    --output) output=${2:?--output wants a folder}; mkdir -p "$output" ;;
    *) echo "usage: build.sh [--check | --output DIR]" >&2; exit 2 ;;
esac

for tool in $compiler $archiver $strip; do
    if ! command -v "$tool" >/dev/null; then
        echo "runtime: $tool is not installed" >&2
        [[ -z ${CI-} && $check == yes ]] && exit 0
        exit 1
    fi
done

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
mkdir "$temp/le" "$temp/be"

compile() { # SOURCE
    local member=${1#runtime/} order target
    member=${member//\//_}
    for order in le be; do
        target=bpfel
        [[ $order == le ]] || target=bpfeb
        $compiler -target $target "${flags[@]}" -c "$1" -o "$temp/$order/${member%.c}.o"
        # DWARF goes; BTF, which says the types, stays.
        $strip --strip-debug "$temp/$order/${member%.c}.o"
    done
}
export -f compile
export compiler strip temp
export flags_text="${flags[*]}"

compile_all() { # SOURCE...
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" bash -c 'set -e; flags=($flags_text); compile "$1"' compile
}

archive_all() {
    local order
    for order in le be; do
        rm -f "$temp/runtime.$order.a"
        (cd "$temp/$order" && LC_ALL=C $archiver rcsD "../runtime.$order.a" -- *.o)
    done
}

# The sources whose objects in the committed archives are others, or are not there.
differing() {
    local order source member
    for order in le be; do
        for source in "${sources[@]}"; do
            member=${source#runtime/}
            member=${member//\//_}
            member=${member%.c}.o
            $archiver p "runtime/runtime.$order.a" "$member" >"$temp/committed.o" 2>/dev/null &&
                fixtures/same-object.sh "$temp/committed.o" "$temp/$order/$member" || echo "$source"
        done
    done | LC_ALL=C sort -u
}

members_of() { # ARCHIVE...
    for archive; do $archiver t "$archive"; done
}

mapfile -t sources < <(LC_ALL=C find runtime/*/ -name '*.c' | LC_ALL=C sort)
compile_all "${sources[@]}"
archive_all
$compiler --version | head -n 1 >"$temp/COMPILER"

if [[ $check == no ]]; then
    for file in "${archives[@]}"; do
        fixtures/same-object.sh "$output/$file" "$temp/$file" || cp "$temp/$file" "$output/$file"
    done
    cmp -s "$temp/COMPILER" "$output/COMPILER" || cp "$temp/COMPILER" "$output/COMPILER"
    echo "runtime: ${#sources[@]} files in $output/{runtime.le.a,runtime.be.a}"
    exit 0
fi
mapfile -t different < <(differing)
if ((${#different[@]} == 0)) &&
    [[ $(members_of runtime/runtime.{le,be}.a) == $(members_of "$temp"/runtime.{le,be}.a) ]]; then
    echo "runtime: the archives are what their ${#sources[@]} sources make"
    exit 0
fi
if ! cmp -s "$temp/COMPILER" runtime/COMPILER; then
    echo "note: ${#different[@]} of ${#sources[@]} sources make other objects: the archives were made with" \
        "'$(cat runtime/COMPILER)', and here is '$(cat "$temp/COMPILER")'"
    exit 0
fi
echo "error: the archives are not what their sources make (${different[*]:-members were removed});" \
    "run runtime/build.sh" >&2
exit 1
