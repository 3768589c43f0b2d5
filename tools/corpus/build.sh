#!/usr/bin/env bash
# Builds the corpus: BPF objects of the Linux kernel's own BPF sources.
#
#   tools/corpus/build.sh          prepare and compile what is not there yet
#
# Everything lands in ${BPF2NATIVE_CORPUS:-~/.cache/bpf2native-corpus}, never in the repository:
#
#   linux-source-*/        the kernel's sources, from Debian's package (apt; no root needed)
#   include/               vmlinux.h of the running kernel, libbpf's headers, the helpers' declarations
#   objects/BUILD/*.o      one object for each source that this compiler takes
#   objects/BUILD/*.err    the compiler's words, for each that it refuses
#   given/                 what results.py gives to programs: tools/corpus/given, compiled, as objects and an archive
#
# A BUILD is compiler:cpu:target[:1/n], where 1/n takes every n-th source. BPF2NATIVE_CORPUS_BUILDS lists others.
set -euo pipefail

corpus=${BPF2NATIVE_CORPUS:-$HOME/.cache/bpf2native-corpus}
jobs=${JOBS:-$(nproc)}
builds=${BPF2NATIVE_CORPUS_BUILDS:-"clang-22:v3:bpf clang-22:v4:bpf clang-19:v2:bpf:1/4 clang-22:v3:bpfeb:1/4"}

# What of the kernel's tree has BPF programs, or headers that they include.
parts=(tools samples/bpf scripts include/uapi include/linux kernel/bpf drivers/hid/bpf)
programs=(
    'tools/testing/selftests/bpf/progs/*.c'
    'tools/testing/selftests/*/progs/*.bpf.c' 'tools/testing/selftests/*/*.bpf.c'
    'tools/sched_ext/*.bpf.c' 'tools/bpf/*/*.bpf.c' 'tools/bpf/bpftool/skeleton/*.bpf.c'
    'tools/perf/util/bpf_skel/*.bpf.c' 'tools/perf/util/bpf_skel/*/*.bpf.c'
    'samples/bpf/*.bpf.c' 'samples/bpf/*_kern.c'
    'drivers/hid/bpf/progs/*.bpf.c' 'kernel/bpf/preload/iterators/*.bpf.c'
)

die() {
    echo "corpus: $*" >&2
    exit 1
}

# The kernel's sources: 6.12 where the package exists, otherwise what there is.
fetch_sources() {
    local package archive
    for package in linux-source-6.12 linux-source; do
        [[ -n $(apt-cache policy "$package" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)"') ]] && break
        package=
    done
    [[ -n $package ]] || die "no package \`linux-source-6.12\`: run apt-get update, on Debian"
    if [[ $package = linux-source ]]; then
        package=$(apt-cache depends linux-source | awk '/Depends:/ {print $2; exit}')
        echo "corpus: no \`linux-source-6.12\`, taking \`$package\`" >&2
    fi
    (cd "$corpus" && apt-get download -qq "$package" && dpkg-deb -x "$package"_*.deb package)
    archive=("$corpus"/package/usr/src/linux-source-*.tar.xz)
    tar -C "$corpus" -xJf "${archive[0]}" --wildcards "${parts[@]/#/linux-source-*/}"
    rm -rf "$corpus/package" "$corpus"/"$package"_*.deb
}

# What the sources include and the tree has not ready-made.
make_headers() {
    local include=$corpus/include libbpf=$tree/tools/lib/bpf
    [[ -s $include/vmlinux.h ]] && return
    mkdir -p "$include/bpf"
    python3 "$tree/scripts/bpf_doc.py" --header --file "$tree/tools/include/uapi/linux/bpf.h" \
        > "$include/bpf/bpf_helper_defs.h" 2> /dev/null
    cp "$libbpf"/*.h "$include/bpf/"
    bpftool btf dump file /sys/kernel/btf/vmlinux format c > "$include/vmlinux.h.new"
    mv "$include/vmlinux.h.new" "$include/vmlinux.h"
}

# Compiles one source, unless that was done or tried before.
compile() {
    local source=$1 build=$2 compiler cpu target folder name system
    IFS=: read -r compiler cpu target _ <<< "$build"
    folder=$corpus/objects/$compiler-$cpu-$target
    name=${source#"$tree"/}
    name=$folder/$(tr / - <<< "${name%.c}")
    [[ -e $name.o || -e $name.err ]] && return
    system=$(cc -print-multiarch)
    local flags=(
        -target "$target" -mcpu="$cpu" -O2 -g -w -std=gnu11 -fno-strict-aliasing -fdebug-compilation-dir=.
        -D__TARGET_ARCH_x86 -D__x86_64__ -DENABLE_ATOMICS_TESTS
        -I"$(dirname "$source")" -I"$corpus/include" -I"$tree/tools/testing/selftests/bpf"
        -I"$tree/tools/sched_ext/include" -I"$tree/tools/testing/selftests/sched_ext/include"
        -I"$tree/tools/include/uapi" -I"$tree/tools/include" -I"$tree/tools/lib"
        -idirafter "$("$compiler" -print-resource-dir)/include"
        -idirafter /usr/local/include -idirafter "/usr/include/$system" -idirafter /usr/include
    )
    # Beside it first: an object that is there is whole.
    if (cd "$folder" && timeout 120 "$compiler" "${flags[@]}" -c "$source" -o "$name.part") 2> "$name.err.part"; then
        mv "$name.part" "$name.o"
        rm "$name.err.part"
    else
        rm -f "$name.part"
        mv "$name.err.part" "$name.err"
    fi
}

# The sources of a build.
sources() {
    local share=${1##*1/} pattern
    [[ $share =~ ^[0-9]+$ ]] || share=1
    for pattern in "${programs[@]}"; do
        # shellcheck disable=SC2086
        find "$tree" -path "$tree/$pattern"
    done | sort -u | awk -v share="$share" 'NR % share == 0'
}

# Compiles what is given to programs beside the runtime, with the same types as they are. All but what fills maps is an archive.
make_given() {
    local source here=$1 compiler=clang-22 archiver=llvm-ar-22 name
    command -v "$compiler" > /dev/null && command -v "$archiver" > /dev/null || return 0
    rm -rf "$corpus/given"
    mkdir -p "$corpus/given"
    for source in "$here"/given/*.bpf.c; do
        name=$(basename "$source" .bpf.c)
        "$compiler" -target bpf -mcpu=v3 -O2 -g -Wall -Werror -fdebug-compilation-dir=. -I"$corpus/include" \
            -c "$source" -o "$corpus/given/$name.o"
        [[ $name = map_values ]] || "$archiver" rcsD "$corpus/given/given.a" "$corpus/given/$name.o"
    done
}

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$corpus"
find_tree() {
    tree=$(find "$corpus" -maxdepth 1 -name 'linux-source-*' -type d | sort | tail -1)
}
find_tree
if [[ -z $tree ]]; then
    fetch_sources
    find_tree
fi
make_headers
export corpus tree
export -f compile
for build in $builds; do
    IFS=: read -r compiler cpu target _ <<< "$build"
    if ! command -v "$compiler" > /dev/null; then
        echo "corpus: $build: no \`$compiler\` here, left out" >&2
        continue
    fi
    folder=$corpus/objects/$compiler-$cpu-$target
    mkdir -p "$folder"
    sources "$build" | xargs -P "$jobs" -I{} bash -c 'compile "$1" "$2"' compile {} "$build"
    refused=$(find "$folder" -name '*.err' | wc -l)
    # One line for each source that the compiler refuses: its name and the first error.
    for words in "$folder"/*.err; do
        [[ -e $words ]] || continue
        printf '%s: %s\n' "$(basename "$words" .err)" "$(grep -m1 -E 'error|fatal' "$words" || head -1 "$words")"
    done > "$folder/refused.txt"
    echo "$build: $(find "$folder" -name '*.o' | wc -l) objects; the compiler refuses $refused ($folder/refused.txt)"
done
make_given "$here"
