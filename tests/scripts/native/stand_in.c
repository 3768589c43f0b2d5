/* A libbpf that has no kernel, for machines that are emulated: as much of it as `phases.o` needs, with maps in memory. What a
   program does when it is attached, it does once: a call counted in .bss, and a record in each ring buffer. With REFUSED in the
   environment, loading fails with a message; with OLD, it says that it is an older one. Compiled for the machine, as libbpf.so.1. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct bpf_object { int opened; } the_object;
struct bpf_program { int loaded; } the_program;
struct bpf_link { int attached; } the_link;
struct bpf_map {
    const char *name;
    uint32_t type, key_size, value_size, max_entries;
    int fd;
    uint32_t count;
    uint32_t keys[100];
    uint64_t values[100];
} maps[] = {
    {".rodata", 2, 4, 0, 1, -1}, {".bss", 2, 4, 0, 1, -1}, {"first", 27, 0, 0, 1 << 20, -1}, {"second", 27, 0, 0, 1 << 20, -1},
    {"third", 1, 4, 8, 100, -1},
};
enum { MAPS = sizeof maps / sizeof *maps };
struct ring_buffer {
    int fd;
    int (*callback)(void *context, void *data, size_t size);
    void *context;
} rings[2];
static int ring_count;
static int (*print)(int level, const char *format, va_list arguments);

static int say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int printed = print(0, format, arguments);
    va_end(arguments);
    return printed;
}

static struct bpf_map *of(int fd)
{
    for (int i = 0; i < MAPS; i++)
        if (maps[i].fd == fd)
            return &maps[i];
    abort();
}

uint32_t libbpf_major_version(void) { return 1; }
uint32_t libbpf_minor_version(void) { return getenv("OLD") ? 0 : 1; }
void *libbpf_set_print(void *callback)
{
    print = callback;
    return NULL;
}
int libbpf_num_possible_cpus(void) { return 2; }

struct bpf_object *bpf_object__open_mem(const void *bytes, size_t size, const void *options)
{
    return size > 64 && !memcmp(bytes, "\177ELF", 4) ? &the_object : NULL;
}

int bpf_object__load(struct bpf_object *object)
{
    if (getenv("REFUSED")) {
        say("libbpf: refused: %s %d %s %ld %d %s %d %c%s\n", "one", -2, "three", 4l, 5, "six", 7, '8', " nine");
        return -EINVAL;
    }
    for (int i = 0; i < MAPS; i++)
        if (maps[i].fd < 0)
            maps[i].fd = memfd_create(maps[i].name, 0);
    return 0;
}

struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *program)
{
    return program ? NULL : &the_program;
}
struct bpf_map *bpf_object__next_map(const struct bpf_object *object, const struct bpf_map *map)
{
    const struct bpf_map *next = map ? map + 1 : maps;

    return next < maps + MAPS ? (struct bpf_map *)next : NULL;
}
struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *object, const char *name)
{
    for (int i = 0; i < MAPS; i++)
        if (!strcmp(maps[i].name, name))
            return &maps[i];
    return NULL;
}

const char *bpf_program__name(const struct bpf_program *program) { return "phases_enter"; }
const char *bpf_program__section_name(const struct bpf_program *program) { return "raw_tp/sys_enter"; }
_Bool bpf_program__autoload(const struct bpf_program *program) { return 1; }
_Bool bpf_program__autoattach(const struct bpf_program *program) { return 1; }
uint32_t bpf_program__type(const struct bpf_program *program) { return 17; }
uint32_t bpf_program__expected_attach_type(const struct bpf_program *program) { return 0; }
size_t bpf_program__insn_cnt(const struct bpf_program *program) { return 1; }
struct bpf_link *bpf_program__attach(const struct bpf_program *program)
{
    uint64_t one = 1;

    pwrite(bpf_object__find_map_by_name(&the_object, ".bss")->fd, &one, sizeof one, 0);
    for (int i = 0; i < ring_count; i++)
        write(rings[i].fd, &one, sizeof one);
    return &the_link;
}
struct bpf_link *bpf_program__attach_xdp(const struct bpf_program *program, int interface) { abort(); }
struct bpf_link *bpf_map__attach_struct_ops(const struct bpf_map *map) { abort(); }
int bpf_link__destroy(struct bpf_link *link) { return link == &the_link ? 0 : -EINVAL; }

int bpf_map__fd(const struct bpf_map *map) { return map->fd; }
const char *bpf_map__name(const struct bpf_map *map) { return map->name; }
uint32_t bpf_map__type(const struct bpf_map *map) { return map->type; }
uint32_t bpf_map__key_size(const struct bpf_map *map) { return map->key_size; }
uint32_t bpf_map__value_size(const struct bpf_map *map) { return map->value_size; }
uint32_t bpf_map__max_entries(const struct bpf_map *map) { return map->max_entries; }
uint32_t bpf_map__map_flags(const struct bpf_map *map) { return 0; }
_Bool bpf_map__autocreate(const struct bpf_map *map) { return 1; }
int bpf_map__set_initial_value(struct bpf_map *map, const void *value, size_t size)
{
    map->fd = memfd_create(map->name, 0);
    return ftruncate(map->fd, (size + 0xffff) & ~0xfffful) || pwrite(map->fd, value, size, 0) != (ssize_t)size ? -errno : 0;
}

int bpf_map_lookup_elem_flags(int fd, const void *key, void *value, uint64_t flags)
{
    struct bpf_map *map = of(fd);

    for (uint32_t i = 0; i < map->count; i++)
        if (map->keys[i] == *(const uint32_t *)key) {
            memcpy(value, &map->values[i], 8);
            return 0;
        }
    return -ENOENT;
}
int bpf_map_lookup_and_delete_elem_flags(int fd, const void *key, void *value, uint64_t flags) { abort(); }
int bpf_map_delete_elem_flags(int fd, const void *key, uint64_t flags) { abort(); }
int bpf_map_get_next_key(int fd, const void *key, void *next) { abort(); }
int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)
{
    struct bpf_map *map = of(fd);

    map->keys[map->count] = *(const uint32_t *)key;
    memcpy(&map->values[map->count++], value, 8);
    return 0;
}
/* All at once. */
int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, uint32_t *count, const void *options)
{
    struct bpf_map *map = of(fd);

    if (in || !out || *count < map->count || options)
        abort();
    memcpy(keys, map->keys, map->count * 4);
    memcpy(values, map->values, map->count * 8);
    *count = map->count;
    return -ENOENT;
}

struct ring_buffer *ring_buffer__new(int fd, int (*callback)(void *, void *, size_t), void *context, const void *options)
{
    struct ring_buffer *ring = &rings[ring_count++];

    *ring = (struct ring_buffer){eventfd(0, EFD_NONBLOCK), callback, context};
    return of(fd)->type == 27 ? ring : NULL;
}
int ring_buffer__epoll_fd(const struct ring_buffer *ring) { return ring->fd; }
int ring_buffer__consume(struct ring_buffer *ring)
{
    uint64_t times, record = 1;

    return read(ring->fd, &times, sizeof times) == sizeof times ? ring->callback(ring->context, &record, sizeof record) : 0;
}
void ring_buffer__free(struct ring_buffer *ring) {}
void *perf_buffer__new_raw(int fd, size_t pages, void *attributes, void *callback, void *context, const void *options) { abort(); }
int perf_buffer__epoll_fd(const void *buffer) { abort(); }
int perf_buffer__consume(void *buffer) { abort(); }
size_t perf_buffer__buffer_cnt(const void *buffer) { abort(); }
int perf_buffer__buffer_fd(const void *buffer, size_t index) { abort(); }
void perf_buffer__free(void *buffer) {}
