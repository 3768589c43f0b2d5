#!/usr/bin/env bash
# Makes src/abi/libc/libc.txt, the prototypes of libc's and libm's functions, and src/abi/long_double.txt, the functions
# that take or return a `long double` with their forms for `double`, from the system's headers.
#
# clang names the functions that the headers declare, under the symbols that calls of them have, in each of the modes
# that give a function another symbol (C's own scanf, fortified calls). Then it compiles a pointer to each, and the
# translator's own reader of BTF says what they point to. BTF has no complex numbers: functions of these are read off
# their declarations. Functions with `long double` are left out of the first file: BPF has none.
# The last column, of facts that no header says, is written by hand and kept. What has a form with a `va_list` is there
# a second time with the symbol that s390x's headers give it.
#
# With --check, only says whether the files are what these headers make.
set -euo pipefail
cd "$(dirname "$0")/.."

headers=(aio.h argp.h arpa/inet.h assert.h complex.h ctype.h dirent.h dlfcn.h err.h errno.h error.h fcntl.h fenv.h fmtmsg.h
    fnmatch.h ftw.h getopt.h glob.h grp.h iconv.h ifaddrs.h inttypes.h langinfo.h libgen.h libintl.h locale.h malloc.h
    math.h mntent.h monetary.h mqueue.h ndbm.h net/if.h netdb.h netinet/in.h nl_types.h poll.h pthread.h pty.h pwd.h
    regex.h sched.h search.h semaphore.h setjmp.h signal.h spawn.h stdio.h stdlib.h string.h strings.h sys/auxv.h
    sys/epoll.h sys/eventfd.h sys/file.h sys/inotify.h sys/ioctl.h sys/ipc.h sys/mman.h sys/mount.h sys/msg.h
    sys/prctl.h sys/ptrace.h sys/random.h sys/resource.h sys/select.h sys/sem.h sys/sendfile.h sys/shm.h
    sys/signalfd.h sys/socket.h sys/stat.h sys/statvfs.h sys/syscall.h sys/sysinfo.h sys/time.h sys/timerfd.h
    sys/times.h sys/uio.h sys/un.h sys/utsname.h sys/wait.h sys/xattr.h syslog.h tar.h termios.h threads.h time.h
    uchar.h ucontext.h ulimit.h unistd.h utime.h utmpx.h wchar.h wctype.h wordexp.h)
modes=('-D_GNU_SOURCE' '-std=c17 -D_XOPEN_SOURCE=700' '-D_GNU_SOURCE -D_FORTIFY_SOURCE=2')

clang=${CLANG:-clang-22}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for header in "${headers[@]}"; do
    printf '#if __has_include(<%s>)\n#include <%s>\n#endif\n' "$header" "$header"
done >"$work/headers.h"
# Functions of libc and of compilers' runtimes that these headers do not declare.
cat >>"$work/headers.h" <<'EOF'
struct _Unwind_Exception;
#undef sigsetjmp
extern int sigsetjmp(struct __jmp_buf_tag *, int), __setjmp(struct __jmp_buf_tag *), savectx(struct __jmp_buf_tag *);
extern int __vfork(void), __isoc23_sscanf(const char *, const char *, ...);
extern void __stack_chk_fail(void), __chk_fail(void), __fortify_fail(const char *);
extern void _Unwind_Resume(struct _Unwind_Exception *);
EOF
# For bpftool: without the header of builtins, which declares what is not libc's.
read -ra flags <<<"$(cargo run --quiet -- cflags --bpftool)"
long_double='long double|_Float128|_Float64x'

# The functions that the headers declare, with the symbols that calls of them have, whose types match $1 and not $2.
functions() {
    jq -r --arg with "$1" --arg without "$2" '.inner[]
        | select(.kind == "FunctionDecl" and .storageClass == "extern")
        | select(.name | startswith("__builtin_") | not)
        | select(.type.qualType | test($with) and (test($without) | not))
        | "\(.name)\t\(.mangledName)\t\(.type.qualType)"' "$work/ast.json"
}

# Lines of the first file for functions whose types are all floating-point numbers.
complex() {
    functions _Complex "$long_double" | sed -E -e 's/^[^\t]*\t//' -e 's/ \(/\t/' -e 's/, /\t/g' -e 's/\).*//' \
        -e 's/_Float32x|_Float64/double/g' -e 's/_Float32/float/g' \
        -e 's/_Complex double/_Complex double=16;0 f8;8 f8/g' -e 's/_Complex float/_Complex float=8;0 f4;4 f4/g' \
        -e 's/\tdouble/\tf8/g' -e 's/\tfloat/\tf4/g'
}

# Of a function with `long double` ($1), the names that its form for `double` may have.
forms() {
    sed -E -e 's/f64x|f128/f64/;t' -e 's/^(_*)nexttowardl?$/\1nextafter/;t' -e 's/^q(.cvt(_r)?)$/\1/;t' \
        -e 's/told/tod/;t' -e 's/^strfroml$/strfromd/;t' -e 's/l_r$/_r/;t' -e 's/l$//;t' -e 's/.*//' <<<"$1"
}

for mode in "${modes[@]}"; do
    read -ra own <<<"$mode"
    all=("${flags[@]}" "${own[@]}" -w -x c)
    "$clang" "${all[@]}" -fsyntax-only -Xclang -ast-dump=json "$work/headers.h" >"$work/ast.json"
    {
        echo '#include "headers.h"'
        functions . "_Complex|$long_double" |
            sort -u -t "$(printf '\t')" -k2,2 |
            while read -r name symbol _; do
                echo "__typeof__(&$name) prototype_of_$symbol;"
            done
    } >"$work/pointers.c"
    "$clang" "${all[@]}" -I"$work" -c "$work/pointers.c" -o "$work/pointers.o"
    cargo run --quiet --example prototypes "$work/pointers.o"
    complex
    functions "$long_double" '^$' | cut -f2 >>"$work/long_double"
done | LC_ALL=C sort -u -t "$(printf '\t')" -k1,1 |
    awk -F'\t' 'NR == FNR { if ($NF ~ /^:/) facts[$1] = "\t" $NF; next }
        { line = $0 facts[$1]; print line; if (sub(/v=/, "v=__nldbl_", line)) print "__nldbl_" line }' \
        src/abi/libc/libc.txt - | LC_ALL=C sort -t "$(printf '\t')" -k1,1 >"$work/libc.txt"
sort -u "$work/long_double" | while read -r name; do
    form=$(forms "$name")
    # What the libraries have as `float` and `double` alone (daddl) has no form.
    if [[ -n $form ]] && grep -q "^$form$(printf '\t')" "$work/libc.txt"; then
        printf '%s\t%s\n' "$name" "$form"
    fi
done | LC_ALL=C sort >"$work/long_double.txt"
for file in libc/libc.txt long_double.txt; do
    if [[ ${1-} == --check ]]; then
        diff -u "src/abi/$file" "$work/${file##*/}"
    else
        cp "$work/${file##*/}" "src/abi/$file"
    fi
    echo "src/abi/$file: $(wc -l <"src/abi/$file") functions"
done
