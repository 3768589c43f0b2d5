/* Ring buffers and perf buffers. In: the loaded maps, EVENT functions. Out: a call of EVENT(data, size) for each record. The rules:

   | | |
   |---|---|
   | `EVENT/events` | gets the records of the map `events` |
   | `EVENT` | gets those of all maps that none of the others names |
   | a map without an EVENT | is left alone |
   | a record | stays until EVENT returns |

   How many records the kernel had no room for in perf buffers is said at the end; of ring buffers only the program knows,
   by bpf_ringbuf_reserve's NULL. */
#include "script/script.h"

/* Records of a ring buffer after which others get their turn. */
enum { TURN = 512 };

struct source {
    struct perf_source perf;  /* if it is one */
    struct ring_buffer *ring; /* else */
    const char *name;
    u64 received;
};

static struct source *sources;
static u32 count;

static int is_for(const struct script_function *function, const char *name) {
    return function->kind == SCRIPT_EVENT && function->argument && !strcmp(function->argument, name);
}

static int is_named(const char *name) {
    for (u64 i = 0; i < bpf_script->function_count; i++)
        if (is_for(&bpf_script->functions[i], name)) return 1;
    return 0;
}

/* Calls the functions that get a map's records; with NULL it only says whether there is one. */
static int call(const char *name, void *data, int size) {
    int named = is_named(name), found = 0;
    for (u64 i = 0; i < bpf_script->function_count; i++) {
        const struct script_function *function = &bpf_script->functions[i];
        int is_general = function->kind == SCRIPT_EVENT && !function->argument;
        if (named ? !is_for(function, name) : !is_general) continue;
        found = 1;
        if (data) ((void (*)(void *, int))function->function)(data, size);
    }
    return found;
}

static int on_ring(void *context, void *data, u64 size) {
    struct source *source = context;
    source->received++;
    call(source->name, data, size);
    /* The record is consumed with an error as well. */
    return source->received % TURN ? 0 : -EAGAIN;
}

static void on_perf(struct perf_source *perf, void *data, u32 size) {
    struct source *source = container_of(perf, struct source, perf);
    source->received++;
    call(source->name, data, size);
}

static int open_source(const struct bpf_map *map) {
    struct source *source = &sources[count];
    int fd = bpf_map__fd(map), error = 0;
    source->name = bpf_map__name(map);
    if (bpf_map__type(map) == MAP_TYPE_RINGBUF) {
        source->ring = ring_buffer__new(fd, on_ring, source, NULL);
        if (!source->ring) error = -errno;
    } else {
        source->perf.receive = on_perf;
        error = bpf2native_rt_script_perf_open(&source->perf, fd);
    }
    if (error) {
        say("`%s` cannot be read: %s\n", source->name, strerror(-error));
        return 1;
    }
    count++;
    return 0;
}

static int is_source(const struct bpf_map *map) {
    u32 type = bpf_map__type(map);
    return (type == MAP_TYPE_RINGBUF || type == MAP_TYPE_PERF_EVENT_ARRAY) && bpf_map__fd(map) >= 0;
}

/* Refuses EVENT functions whose map is not there. */
static int check_names(struct bpf_object *object) {
    int status = 0;
    for (u64 i = 0; i < bpf_script->function_count; i++) {
        const struct script_function *function = &bpf_script->functions[i];
        if (function->kind != SCRIPT_EVENT || !function->argument) continue;
        const struct bpf_map *map = bpf_object__find_map_by_name(object, function->argument);
        if (map && is_source(map)) continue;
        say("EVENT/%s: there is no map of this name that is a ring buffer or a perf event array\n", function->argument);
        status = 1;
    }
    return status;
}

weak int bpf2native_rt_script_events(struct bpf_object *object) {
    u32 maps = 0;
    int status = check_names(object);
    if (status) return status;
    for (struct bpf_map *map = bpf_object__next_map(object, NULL); map; map = bpf_object__next_map(object, map)) maps++;
    sources = calloc(maps + 1, sizeof *sources);
    if (!sources) return bpf2native_rt_script_no_memory();
    for (struct bpf_map *map = bpf_object__next_map(object, NULL); map && !status; map = bpf_object__next_map(object, map))
        if (is_source(map) && call(bpf_map__name(map), NULL, 0)) status = open_source(map);
    return status;
}

weak u32 bpf2native_rt_script_source_count(void) { return count; }

weak int bpf2native_rt_script_source(u32 index) {
    const struct source *source = &sources[index];
    return source->ring ? ring_buffer__epoll_fd(source->ring) : perf_buffer__epoll_fd(source->perf.buffer);
}

weak long bpf2native_rt_script_receive(u32 index) {
    struct source *source = &sources[index];
    u64 before = source->received;
    if (source->ring) ring_buffer__consume(source->ring);
    else perf_buffer__consume(source->perf.buffer);
    return source->received - before;
}

weak void bpf2native_rt_script_drain(void) {
    u64 lost = 0;
    for (u32 i = 0; i < count; i++) {
        while (bpf2native_rt_script_receive(i))
            ;
        if (sources[i].perf.buffer) lost += bpf2native_rt_script_perf_lost(&sources[i].perf);
    }
    if (lost) say("%lu record%s lost: a perf buffer was full\n", lost, lost == 1 ? " was" : "s were");
    for (u32 i = 0; i < count; i++) {
        ring_buffer__free(sources[i].ring);
        perf_buffer__free(sources[i].perf.buffer);
    }
    count = 0;
}
