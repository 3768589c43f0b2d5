/* Functions of libc that the driver calls, and constants of Linux: those that are the same on x86-64, aarch64, riscv64 and
   s390x, by <asm-generic/...>, which all four take for these. Structures have only members of fixed width. */
#ifndef BPF2NATIVE_RUNTIME_SCRIPT_LINUX_H
#define BPF2NATIVE_RUNTIME_SCRIPT_LINUX_H

#include "runtime.h"

enum { EINTR = 4, EBADF = 9, EACCES = 13, ENOTDIR = 20, ELOOP = 40, ENOTSUP = 95 };
enum { SIGINT = 2, SIGPIPE = 13, SIGTERM = 15, SIGCHLD = 17 };
enum { O_NONBLOCK = 04000, O_CLOEXEC = 02000000 };
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, MAP_FIXED = 0x10 };
enum { CLOCK_MONOTONIC = 1, WNOHANG = 1, POLLIN = 1, F_OK = 0 };
/* System calls have one number on all of them from 424 on. */
enum { NR_PIDFD_OPEN = 434 };

/* What mmap(2) returns where it fails. */
#define NOT_MAPPED ((void *)-1l)
#define SIG_DFL ((void *)0)

struct pollfd {
    int fd;
    short events, revents;
};

struct timespec64 {
    s64 seconds, nanoseconds;
};

struct timer_setting {
    struct timespec64 interval, first;
};

/* capget(2), version 3. */
struct capability_header {
    u32 version;
    int pid;
};
struct capability_data {
    u32 effective, permitted, inheritable;
};

extern int optind;

int *__errno_location(void);
#define errno (*__errno_location())

int dprintf(int fd, const char *format, ...);
int fflush(void *stream);
/* The last parameter is a va_list, which is one word as an argument on all of these machines. */
int vsnprintf(char *to, u64 size, const char *format, void *arguments);
char *strerror(int error);
u64 strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, u64 size);
char *strchr(const char *text, int character);
char *strstr(const char *text, const char *part);
char *strrchr(const char *text, int character);
u64 strtoul(const char *text, char **end, int base);
void *malloc(u64 size);
void *calloc(u64 count, u64 size);
void *realloc(void *memory, u64 size);
void free(void *memory);
void *memcpy(void *to, const void *from, u64 size);
void *memmove(void *to, const void *from, u64 size);
void *memset(void *to, int byte, u64 size);

int fork(void);
int execvp(const char *file, char *const words[]);
void _exit(int status);
int waitpid(int pid, int *status, int options);
int kill(int pid, int signal);
int raise(int signal);
void *signal(int number, void *handler);
int pipe2(int *ends, int flags);
long read(int fd, void *to, u64 size);
long write(int fd, const void *from, u64 size);
int close(int fd);
int poll(struct pollfd *files, u64 count, int milliseconds);
int access(const char *path, int mode);
int getpagesize(void);
void *mmap(void *start, u64 size, int protection, int flags, int fd, long offset);
int munmap(void *start, u64 size);
int timerfd_create(int clock, int flags);
int timerfd_settime(int fd, int flags, const struct timer_setting *setting, struct timer_setting *old);
int capget(struct capability_header *header, struct capability_data *data);
long syscall(long number, ...);
unsigned int if_nametoindex(const char *name);

#endif
