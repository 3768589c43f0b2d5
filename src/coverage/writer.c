/* Writes the coverage of an executable or a shared library when it ends: the lcov text that src/coverage/template.rs has put
   together, with the counts filled in. It is compiled to BPF (build.sh) and translated with the program.

   As with profiles of clang's: BPF2NATIVE_COVERAGE in the environment is the file in place of the one that was named to
   the translator, %p in it is the process, and what ends by a signal or _exit writes nothing. A child process writes only
   where %p gives it a file of its own. */
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
enum { END, TEXT, SUM, BRANCH, HITS, VALUES };

/* The translator fills it in. */
static volatile struct {
    u64 *counters;
    const u32 *words;
    const char *path;
} table __attribute__((section(".data.bpf2native_coverage"), used));

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

static void write_words(FILE *file, u64 *counters, const u32 *words) {
    u64 hits = 0;
    for (;;) {
        switch (*words++) {
        case TEXT: {
            u32 length = *words++;
            fwrite(words, 1, length, file);
            words += (length + 3) / 4;
            break;
        }
        case SUM: {
            u64 sum = 0;
            for (u32 groups = *words++; groups; groups--) {
                u64 most = 0;
                for (u32 left = *words++; left; left--) {
                    u64 one = count(counters, *words++);
                    if (one > most) most = one;
                }
                sum = add(sum, most);
            }
            if (sum) hits++;
            fprintf(file, "%lu", sum);
            break;
        }
        case BRANCH: {
            u32 outcomes = words[0], line = words[1], number = words[2];
            u64 reached = 0;
            words += 3;
            for (u32 outcome = 0; outcome < outcomes; outcome++) reached |= count(counters, words[outcome]);
            for (u32 outcome = 0; outcome < outcomes; outcome++) {
                u64 one = count(counters, *words++);
                if (one) hits++;
                fprintf(file, "BRDA:%u,%u,%u", line, number, outcome);
                if (reached) fprintf(file, ",%lu\n", one);
                else fprintf(file, ",-\n");
            }
            break;
        }
        case VALUES:
            words = derive(counters, words);
            break;
        case HITS:
            fprintf(file, "%lu", hits);
            hits = 0;
            break;
        default:
            return;
        }
    }
}

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

static __attribute__((destructor, used)) void finish(void) {
    char path[4096];
    int own;
    const char *named = getenv("BPF2NATIVE_COVERAGE");
    if (!named || !*named) named = table.path;
    if (!table.counters || !named || !*named) return;
    if (!expand(named, path, sizeof path, &own)) return;
    if (!own && getpid() != process) return;
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return;
    }
    write_words(file, table.counters, table.words);
    if (fclose(file)) perror(path);
}
