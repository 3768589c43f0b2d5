/* Histograms by powers of two. One is a global variable that both halves have: the kernel half adds to it, the user half
   prints it. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <linux/types.h>
#include <stdio.h>

enum { SLOTS = 40, WIDTH = 40 };

struct histogram {
    __u64 slots[SLOTS]; /* slot n: how many values had n binary digits */
    __u64 sum;
};

/* Many processors may do this at the same time. */
static inline __attribute__((always_inline)) void histogram_add(struct histogram *histogram, __u64 value)
{
    unsigned slot = value ? 64 - __builtin_clzll(value) : 0;

    if (slot >= SLOTS)
        slot = SLOTS - 1;
    __sync_fetch_and_add(&histogram->slots[slot], 1);
    __sync_fetch_and_add(&histogram->sum, value);
}

static __u64 histogram_count(const struct histogram *histogram)
{
    __u64 count = 0;

    for (int slot = 0; slot < SLOTS; slot++)
        count += histogram->slots[slot];
    return count;
}

static void histogram_print(const struct histogram *histogram, const char *unit)
{
    int first = SLOTS, last = -1;
    __u64 most = 1;

    for (int slot = 0; slot < SLOTS; slot++) {
        if (!histogram->slots[slot])
            continue;
        if (first == SLOTS)
            first = slot;
        last = slot;
        if (histogram->slots[slot] > most)
            most = histogram->slots[slot];
    }
    printf("%25s %10s\n", unit, "count");
    for (int slot = first; slot <= last; slot++) {
        __u64 count = histogram->slots[slot], low = slot ? 1ull << (slot - 1) : 0;

        printf("%11llu .. %10llu", low, slot ? 2 * low - 1 : 0);
        printf(" %10llu |%.*s\n", count, (int)(count * WIDTH / most), "****************************************");
    }
}

#endif
