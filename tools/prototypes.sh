#!/usr/bin/env bash
# Makes src/abi/libc/libc.txt, the prototypes of libc's and libm's functions, from the system's headers.
#
# clang names the functions that the headers declare, under the symbols that calls of them have, in each of the modes
# that give a function another symbol (C's own scanf, fortified calls). Then it compiles a pointer to each, and the
# translator's own reader of BTF says what they point to. Functions with `long double` are left out: BPF has none.
# The last column, of facts that no header says, is written by hand and kept.
#
# With --check, only says whether the file is what these headers make.
set -euo pipefail
cd "$(dirname "$0")/.."

headers=(aio.h argp.h arpa/inet.h assert.h ctype.h dirent.h dlfcn.h err.h errno.h error.h fcntl.h fenv.h fmtmsg.h
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
read -ra flags <<<"$(cargo run --quiet -- cflags)"

for mode in "${modes[@]}"; do
    read -ra own <<<"$mode"
    all=("${flags[@]}" "${own[@]}" -w -x c)
    "$clang" "${all[@]}" -fsyntax-only -Xclang -ast-dump=json "$work/headers.h" >"$work/ast.json"
    {
        echo '#include "headers.h"'
        jq -r '.inner[] | select(.kind == "FunctionDecl" and .storageClass == "extern")
            | select(.name | startswith("__builtin_") | not)
            | select(.type.qualType | test("long double|_Complex|_Float128|_Float64x") | not)
            | "\(.name) \(.mangledName)"' "$work/ast.json" |
            sort -u -k2,2 |
            while read -r name symbol; do
                echo "__typeof__(&$name) prototype_of_$symbol;"
            done
    } >"$work/pointers.c"
    "$clang" "${all[@]}" -I"$work" -c "$work/pointers.c" -o "$work/pointers.o"
    cargo run --quiet --example prototypes "$work/pointers.o"
done | LC_ALL=C sort -u -t "$(printf '\t')" -k1,1 |
    awk -F'\t' 'NR == FNR { if ($NF ~ /^:/) facts[$1] = "\t" $NF; next } { print $0 facts[$1] }' \
        src/abi/libc/libc.txt - >"$work/libc.txt"
if [[ ${1-} == --check ]]; then
    diff -u src/abi/libc/libc.txt "$work/libc.txt"
else
    cp "$work/libc.txt" src/abi/libc/libc.txt
fi
echo "src/abi/libc/libc.txt: $(wc -l <src/abi/libc/libc.txt) functions"
