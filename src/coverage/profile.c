/* Adds the profile of an executable or a shared library to a file when it ends: the text that src/coverage/template.rs has put
   together, with the counts filled in. It is compiled to BPF (build.sh) and translated with the program.

   The file is locked meanwhile (flock), so that processes that end at once each add theirs. If it has the profile of the same
   program, its counts are added to; of another one, or of another version, it is replaced, as gcc's runtime does. Where it goes is
   as with coverage (writer.c), by BPF2NATIVE_PROFILE. */
#include "writer.h"

enum { SEEK_FROM_START, SEEK_FROM_END = 2 };
enum { LOCK_EXCLUSIVE = 2 };

int fileno(FILE *file);
int flock(int descriptor, int operation);
int ftruncate(int descriptor, long length);
int fseek(FILE *file, long offset, int from);
long ftell(FILE *file);
u64 fread(void *bytes, u64 size, u64 count, FILE *file);
void *malloc(u64 size);
void free(void *memory);
int dprintf(int descriptor, const char *format, ...);

static volatile struct table table __attribute__((section(".data.bpf2native_profile"), used));

/* Walks along the words and along an older text of the same, if there is one: with a file, writes the sums; without, says whether the
   text is of this program. */
static int walk(const u64 *counters, const u32 *words, const char *old, const char *end, FILE *file) {
    for (;;) {
        switch (*words++) {
        case TEXT: {
            u32 length = *words++;
            const char *text = (const char *)words;
            if (old) {
                if ((u64)(end - old) < length) return 0;
                for (u32 at = 0; at < length; at++)
                    if (old[at] != text[at]) return 0;
                old += length;
            }
            if (file) fwrite(text, 1, length, file);
            words += (length + 3) / 4;
            break;
        }
        case NUMBER: {
            u64 sum = count(counters, *words++), before = 0;
            if (old) {
                const char *first = old;
                while (old < end && *old >= '0' && *old <= '9') {
                    u64 digit = *old++ - '0';
                    before = before > (~0ul - digit) / 10 ? ~0ul : before * 10 + digit;
                }
                if (old == first) return 0;
            }
            if (file) fprintf(file, "%lu", add(sum, before));
            break;
        }
        default:
            return !old || old == end;
        }
    }
}

static void add_to(FILE *file, const char *path) {
    u64 *counters = table.counters;
    const u32 *words = table.words;
    if (*words == VALUES) words = derive(counters, words + 1);
    fseek(file, 0, SEEK_FROM_END);
    long size = ftell(file);
    char *old = NULL;
    if (size > 0) {
        old = malloc(size);
        fseek(file, 0, SEEK_FROM_START);
        if (!old || fread(old, 1, size, file) != (u64)size) {
            perror(path);
            free(old);
            return;
        }
        if (!walk(counters, words, old, old + size, NULL)) {
            dprintf(2, "bpf2native: %s is no profile of this program, and is replaced\n", path);
            free(old);
            old = NULL;
        }
    }
    /* What is written goes behind what is there: that is nothing now. */
    if (size > 0 && ftruncate(fileno(file), 0)) {
        perror(path);
    } else {
        fseek(file, 0, SEEK_FROM_END);
        walk(counters, words, old, old ? old + size : NULL, file);
    }
    free(old);
}

static __attribute__((destructor, used)) void finish(void) {
    char path[4096];
    if (!table.counters || !place("BPF2NATIVE_PROFILE", table.path, path, sizeof path)) return;
    FILE *file = fopen(path, "a+");
    if (!file) {
        perror(path);
        return;
    }
    if (flock(fileno(file), LOCK_EXCLUSIVE)) perror(path);
    add_to(file, path);
    if (fclose(file)) perror(path);
}
