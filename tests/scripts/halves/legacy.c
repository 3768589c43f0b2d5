/* The origin's form. */
struct bpf_map_def {
    unsigned int type, key_size, value_size, max_entries, map_flags;
};

#define SEC(name) __attribute__((section(name), used))

static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*update)(void *map, const void *key, const void *value, unsigned long long flags) = (void *)2;
static unsigned long long (*pid)(void) = (void *)14;

struct bpf_map_def SEC("maps") counts = { .type = 1, .key_size = 8, .value_size = 8, .max_entries = 100 };
struct bpf_map_def SEC("maps") others = { .type = 2, .key_size = 4, .value_size = 8, .max_entries = 1 };

int printf(const char *format, ...);
int seen;

SEC("raw_syscalls:sys_enter") int entered(void *context)
{
    unsigned long long id = pid() >> 32, one = 1, *count = lookup(&counts, &id);

    if (count)
        __sync_fetch_and_add(count, 1);
    else
        update(&counts, &id, &one, 0);
    seen = 1;
    return 0;
}

SEC("func=schedule") int scheduled(void *context)
{
    int zero = 0;
    unsigned long long *count = lookup(&others, &zero);

    return count ? (int)*count : 0;
}

int BEGIN(void)
{
    printf("begin %d\n", seen);
    return 0;
}

void END(void)
{
    unsigned long long key = 1, *count = lookup(&counts, &key);

    printf("end %d\n", count != 0);
}

char _license[] SEC("license") = "GPL";
int _version SEC("version") = 1;
