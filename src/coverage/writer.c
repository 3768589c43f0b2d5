/* Writes the coverage of an executable or a shared library when it ends: the lcov text that src/coverage/template.rs has put
   together, with the counts filled in. It is compiled to BPF (build.sh) and translated with the program.

   As with profiles of clang's: BPF2NATIVE_COVERAGE in the environment is the file in place of the one that was named to
   the translator, %p in it is the process, and what ends by a signal or _exit writes nothing. A child process writes only
   where %p gives it a file of its own. */
#include "writer.h"

static volatile struct table table __attribute__((section(".data.bpf2native_coverage"), used));

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

static __attribute__((destructor, used)) void finish(void) {
    char path[4096];
    if (!table.counters || !place("BPF2NATIVE_COVERAGE", table.path, path, sizeof path)) return;
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return;
    }
    write_words(file, table.counters, table.words);
    if (fclose(file)) perror(path);
}
