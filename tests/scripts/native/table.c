/* The twin of fixtures/scripts/table.c: `table` walks by look-ups of many elements at once, `table each` one by one. */
#include "twin.h"

enum { ENTRIES = 100000, BATCH = 4096 };

int main(int argc, char **argv)
{
    static unsigned long long key[BATCH], value[BATCH];
    int map = bpf_map_create(BPF_MAP_TYPE_HASH, "table", 8, 8, ENTRIES, NULL);
    unsigned long long keys = 0, values = 0, count = 0, next, *last = NULL;
    struct timespec from, to;

    for (next = 0; next < ENTRIES; next++) {
        value[0] = 3 * next;
        if (bpf_map_update_elem(map, &next, value, BPF_ANY))
            fail("update");
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    if (argc > 1) {
        while (bpf_map_get_next_key(map, last, &next) == 0) {
            bpf_map_lookup_elem(map, &next, value);
            keys += next;
            values += value[0];
            count++;
            last = &next;
        }
    } else {
        unsigned at, found;
        int error;

        do {
            found = BATCH;
            error = bpf_map_lookup_batch(map, last, &at, key, value, &found, NULL);
            if (error && errno != ENOENT)
                fail("look-up");
            for (unsigned n = 0; n < found; n++) {
                keys += key[n];
                values += value[n];
            }
            count += found;
            last = (void *)&at;
        } while (!error);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    printf("%llu entries, %llu, %llu\n", count, keys, values);
    printf("%ld nanoseconds\n", (to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec);
    return 0;
}
