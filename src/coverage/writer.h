/* What writers of counts share (writer.c, profile.c): the C library's functions, the counts, the path. */
typedef unsigned int u32;
typedef unsigned long u64;

#define NULL ((void *)0)

typedef struct file FILE;
FILE *fopen(const char *path, const char *mode);
int fclose(FILE *file);
int fprintf(FILE *file, const char *format, ...);
u64 fwrite(const void *bytes, u64 size, u64 count, FILE *file);
void perror(const char *what);
char *getenv(const char *name);
int getpid(void);
int snprintf(char *text, u64 size, const char *format, ...);

/* What the words say; src/coverage/template.rs writes them. */
enum { END, TEXT, SUM, BRANCH, HITS, VALUES, NUMBER };

/* What the translator fills in. */
struct table {
    u64 *counters;
    const u32 *words;
    const char *path;
};

/* The process that the program started as. */
static int process;

static __attribute__((constructor, used)) void start(void) { process = getpid(); }

/* Threads that count at once may lose some, and then a difference may be below zero. */
static u64 count(const u64 *values, u32 index) { return (long)values[index] < 0 ? 0 : values[index]; }

/* Computes the values that follow from counters; what comes after them. */
static const u32 *derive(u64 *values, const u32 *words) {
    u32 first = words[0], many = words[1];
    words += 2;
    for (u32 value = first; value < first + many; value++) {
        u64 sum = 0;
        for (u32 terms = *words++; terms; terms--) {
            u32 term = *words++;
            sum += term & 1 ? -values[term >> 1] : values[term >> 1];
        }
        values[value] = sum;
    }
    return words;
}

static u64 add(u64 sum, u64 count) { return sum + count < sum ? ~0ul : sum + count; }

/* The path with the process in place of %p; 0 if it does not fit. Whether there is a %p goes to `own`. */
static int expand(const char *path, char *to, u32 size, int *own) {
    u32 at = 0;
    *own = 0;
    while (*path) {
        if (path[0] == '%' && path[1] == 'p') {
            int length = snprintf(to + at, size - at, "%d", getpid());
            if (length < 0 || (u32)length >= size - at) return 0;
            at += length;
            path += 2;
            *own = 1;
        } else {
            if (at + 1 >= size) return 0;
            to[at++] = *path++;
        }
    }
    to[at] = 0;
    return 1;
}

/* Whether this process writes, and where: the file that the variable of the environment names, or else this one. */
static int place(const char *variable, const char *path, char *to, u32 size) {
    int own;
    const char *named = getenv(variable);
    if (!named || !*named) named = path;
    if (!named || !*named || !expand(named, to, size, &own)) return 0;
    return own || getpid() == process;
}
