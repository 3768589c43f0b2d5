/* Workloads that are the same each time: `workload WHAT NUMBER` does NUMBER times what WHAT says. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };

static void calls(long number)
{
    while (number-- > 0)
        syscall(SYS_getppid);
}

static void *calls_of_thread(void *number)
{
    calls((long)number);
    return NULL;
}

/* NUMBER calls by each of 4 threads, all at the same time. */
static void threads(long number)
{
    pthread_t threads[THREADS];

    for (int n = 0; n < THREADS; n++)
        pthread_create(&threads[n], NULL, calls_of_thread, (void *)number);
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static void opens(long number)
{
    while (number-- > 0) {
        close(open("/dev/null", O_RDONLY));
        open("/there/is/no/such/file", O_RDONLY);
        open("/dev/null/is no folder", O_RDONLY);
    }
}

static void execs(long number)
{
    char *words[] = {"true", "an argument", "", "-x", NULL}, *none[] = {NULL};
    pid_t pid;

    while (number-- > 0) {
        if (posix_spawn(&pid, "/bin/true", NULL, NULL, words, none))
            exit(1);
        waitpid(pid, NULL, 0);
    }
}

/* 1000 bytes through TCP and 10 back, and 7 through a pair of local sockets. */
static void sockets(long number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), server, pair[2];
    char bytes[1000] = {};

    if (bind(listener, (void *)&address, size) || listen(listener, 1) || getsockname(listener, (void *)&address, &size)
        || connect(client, (void *)&address, size) || (server = accept(listener, NULL, NULL)) < 0
        || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        exit(1);
    while (number-- > 0) {
        send(client, bytes, 1000, 0);
        recv(server, bytes, 1000, MSG_WAITALL);
        send(server, bytes, 10, 0);
        recv(client, bytes, 10, MSG_WAITALL);
        send(pair[0], bytes, 7, 0);
        recv(pair[1], bytes, 7, MSG_WAITALL);
    }
}

static void sleeps(long number)
{
    struct timespec moment = {.tv_nsec = 1000000};

    while (number-- > 0)
        nanosleep(&moment, NULL);
}

/* Leaks 24 bytes, 5 times 8 bytes, and 1000 bytes that were 10 before; frees what else it gets. */
static void allocates(long number)
{
    while (number-- > 0) {
        void *volatile kept = malloc(24);
        kept = calloc(5, 8);
        kept = malloc(10);
        kept = realloc(kept, 1000);
        kept = malloc(50);
        free(kept);
    }
}

static int compare(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

static void sorts(long number)
{
    while (number-- > 0) {
        char letters[] = "the quick brown fox";
        qsort(letters, strlen(letters), 1, compare);
    }
}

/* Packets of UDP with 100 bytes to port 7777 of this machine, where nobody listens. */
static void packets(long number)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char bytes[100] = {};

    while (number-- > 0) {
        /* A new one each time: an ICMP error fails the next call of a socket. */
        int sender = socket(AF_INET, SOCK_DGRAM, 0);
        if (sendto(sender, bytes, sizeof(bytes), 0, (void *)&address, sizeof(address)) != sizeof(bytes))
            exit(1);
        close(sender);
    }
}

/* Says that it runs, and waits for a signal. */
static void waits(long number)
{
    printf("waiting\n");
    fflush(stdout);
    for (;;)
        pause();
}

static void dies(long number)
{
    kill(getpid(), number);
}

static void ends(long number)
{
    exit(number);
}

/* Says what the clock says. */
static void now(long number)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("now %ld\n", now.tv_sec * 1000000000 + now.tv_nsec);
}

static const struct {
    const char *name;
    void (*run)(long number);
} WORK[] = {
    {"calls", calls}, {"threads", threads}, {"opens", opens}, {"execs", execs}, {"sockets", sockets}, {"sleeps", sleeps},
    {"allocates", allocates}, {"sorts", sorts}, {"packets", packets}, {"waits", waits}, {"dies", dies}, {"ends", ends},
    {"now", now},
};

int main(int argc, char **argv)
{
    for (size_t n = 0; argc > 2 && n < sizeof(WORK) / sizeof(*WORK); n++) {
        if (strcmp(argv[1], WORK[n].name) == 0) {
            WORK[n].run(atol(argv[2]));
            return 0;
        }
    }
    fprintf(stderr, "usage: workload WHAT NUMBER\n");
    return 2;
}
