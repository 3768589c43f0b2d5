/* Memory for contexts below 4 GiB.
   On x86-64 the system has a flag for that (MAP_32BIT), which other machines ignore; there, low addresses are tried one
   after the other, with MAP_FIXED_NOREPLACE. All numbers are the same on every machine. */
#include "contexts/packet.h"
#include "bpf2native.h"

void *mmap(void *, unsigned long, int, int, int, long);
int munmap(void *, unsigned long);

enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22, MAP_32BIT = 0x40, MAP_FIXED_NOREPLACE = 0x100000 };

/* Where to try: from 256 MiB on, in steps of 16 MiB. A program's own image may be lower. */
static const u64 FIRST = 0x10000000, STEP = 0x1000000, LAST = 0xf0000000;
enum { TRIES = 4096 };
static u64 next_try;

static int is_low(void *at, u64 bytes) {
    return at != (void *)-1 && (u64)at + bytes <= 1UL << 32;
}

static void *map_low(u64 bytes) {
    void *at = bpf2native_call(mmap, NULL, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_32BIT, -1, 0L);
    if (is_low(at, bytes)) return at;
    if (at != (void *)-1) munmap(at, bytes);
    u64 wanted = next_try ? next_try : FIRST;
    for (u64 tries = 0; tries < TRIES; tries++) {
        at = bpf2native_call(mmap, (void *)wanted, bytes, PROT_READ_WRITE,
                             MAP_PRIVATE_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0L);
        if (is_low(at, bytes)) {
            u64 after = (wanted + bytes + PAGE - 1) & -(u64)PAGE;
            next_try = after < LAST ? after : FIRST;
            return at;
        }
        if (at != (void *)-1) munmap(at, bytes);
        /* What is in the way may be short, or long. */
        wanted += tries < 16 ? 16 * PAGE : STEP;
        if (wanted >= LAST) wanted = FIRST + (tries & 0xff) * PAGE;
    }
    return NULL;
}

weak struct record *bpf_contexts_map(u32 kind, u64 bytes) {
    u64 mapped = PAGE + ((bytes + PAGE - 1) & -(u64)PAGE);
    struct record *record = map_low(mapped);
    if (!record) return NULL;
    record->magic = RECORD_MAGIC;
    record->self = record;
    record->mapped = mapped;
    record->kind = kind;
    record->begin = (u8 *)record + PAGE;
    record->end = (u8 *)record + mapped;
    return record;
}

weak void bpf_contexts_forget(struct record *record) {
    struct clone *clone = record->clones;
    while (clone) {
        struct clone *next = clone->next;
        free(clone);
        clone = next;
    }
    u64 head = offset_of(struct record, ip_summed);
    u8 *begin = record->begin, *end = record->end;
    memset((u8 *)record + head, 0, CONTEXT_OFFSET - head);
    record->begin = begin;
    record->end = end;
}

API(void, bpf2native_free, (void *context)) {
    struct record *record = record_of(context);
    if (!record) return;
    bpf_contexts_forget(record);
    record->magic = 0;
    munmap(record, record->mapped);
}

API(const void *, bpf2native_packet, (const void *context, unsigned *length)) {
    struct record *record = record_of(context);
    if (length) *length = record ? packet_length(context) : 0;
    return record ? packet_bytes(context, 0, 0) : NULL;
}

API(void *, bpf2native_low, (unsigned long bytes)) {
    u64 room = (bytes + PAGE - 1) & -(u64)PAGE;
    return room && room >= bytes && room < 1UL << 32 ? map_low(room) : NULL;
}

API(void, bpf2native_low_free, (void *memory, unsigned long bytes)) {
    if (memory) munmap(memory, (bytes + PAGE - 1) & -(u64)PAGE);
}
