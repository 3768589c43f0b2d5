/* Perf buffers by libbpf: their records, and how many there was no room for. In: a perf event array. Out: calls for each record. The
   rule: what was lost is what the kernel counted (PERF_FORMAT_LOST, Linux 6.0); before that, what records say of records
   lost before them, which leaves out those after the last. */
#include "script/script.h"

/* Of <linux/perf_event.h>. */
enum { TYPE_SOFTWARE = 1, SOFTWARE_BPF_OUTPUT = 10, SAMPLE_RAW = 1 << 10, FORMAT_LOST = 1 << 4 };
enum { RECORD_LOST = 2, RECORD_SAMPLE = 9 };
/* libbpf's "go on". */
enum { GO_ON = -2 };
/* Pages of each processor's buffer. */
enum { PAGES = 64 };

/* struct perf_event_attr as it was at first, of 64 bytes. */
struct event_attributes {
    u32 type, size;
    u64 config, sample_period, sample_type, read_format, flags;
    u32 wakeup_events, breakpoint_type;
    u64 breakpoint_address;
};

struct event_header {
    u32 type;
    u16 misc, size;
};

struct event_sample {
    struct event_header header;
    u32 size;
    char data[];
};

struct event_lost {
    struct event_header header;
    u64 id, lost;
};

static int on_event(void *context, int processor, struct event_header *header) {
    struct perf_source *source = context;
    if (header->type == RECORD_SAMPLE) {
        struct event_sample *sample = (void *)header;
        source->receive(source, sample->data, sample->size);
    } else if (header->type == RECORD_LOST) {
        source->told += ((struct event_lost *)(void *)header)->lost;
    }
    return GO_ON;
}

weak int bpf2native_rt_script_perf_open(struct perf_source *source, int fd) {
    struct event_attributes attributes = {
        .type = TYPE_SOFTWARE, .size = sizeof attributes, .config = SOFTWARE_BPF_OUTPUT, .sample_period = 1,
        .sample_type = SAMPLE_RAW, .read_format = FORMAT_LOST, .wakeup_events = 1,
    };
    source->is_counted = 1;
    source->buffer = bpf2native_call(perf_buffer__new_raw, fd, PAGES, &attributes, on_event, source, NULL);
    if (!source->buffer && errno == EINVAL) {
        source->is_counted = attributes.read_format = 0;
        source->buffer = bpf2native_call(perf_buffer__new_raw, fd, PAGES, &attributes, on_event, source, NULL);
    }
    return source->buffer ? 0 : -errno;
}

weak u64 bpf2native_rt_script_perf_lost(const struct perf_source *source) {
    if (!source->is_counted) return source->told;
    u64 lost = 0;
    for (u64 i = 0; i < perf_buffer__buffer_cnt(source->buffer); i++) {
        struct {
            u64 value, lost;
        } counted = {0, 0};
        int fd = perf_buffer__buffer_fd(source->buffer, i);
        if (fd >= 0 && read(fd, &counted, sizeof counted) == sizeof counted) lost += counted.lost;
    }
    return lost;
}
