/* libbpf's functions that the driver calls, as of version 1.1 (LIBBPF_1.1.0 and before). Those that return a pointer return
   NULL and set errno; others return a negative error. Where a function has the name of a helper in C, it has another one here
   and its own as asm label; BTF then does not say its type, so what it is given are whole words. */
#ifndef BPF2NATIVE_RUNTIME_SCRIPT_LIBBPF_H
#define BPF2NATIVE_RUNTIME_SCRIPT_LIBBPF_H

#include "runtime.h"

struct bpf_object;
struct bpf_program;
struct bpf_map;
struct bpf_link;
struct ring_buffer;
struct perf_buffer;

/* The oldest version whose functions and sections are enough. */
enum { LIBBPF_MAJOR = 1, LIBBPF_MINOR = 1 };

enum { LIBBPF_WARN, LIBBPF_INFO, LIBBPF_DEBUG };

/* Of enum bpf_map_type, bpf_prog_type and bpf_attach_type. */
enum {
    MAP_TYPE_HASH = 1, MAP_TYPE_ARRAY = 2, MAP_TYPE_PERF_EVENT_ARRAY = 4, MAP_TYPE_PERCPU_HASH = 5, MAP_TYPE_PERCPU_ARRAY = 6,
    MAP_TYPE_LRU_PERCPU_HASH = 10, MAP_TYPE_PERCPU_CGROUP_STORAGE = 21, MAP_TYPE_QUEUE = 22, MAP_TYPE_STACK = 23,
    MAP_TYPE_STRUCT_OPS = 26, MAP_TYPE_RINGBUF = 27, MAP_TYPE_BLOOM_FILTER = 30,
};
enum { PROG_TYPE_TRACEPOINT = 5, PROG_TYPE_XDP = 6, PROG_TYPE_STRUCT_OPS = 27, PROG_TYPE_SYSCALL = 31 };
enum { ATTACH_XDP_DEVMAP = 35, ATTACH_XDP_CPUMAP = 36 };
enum { MAP_FLAG_MMAPABLE = 1 << 10 };

/* The first members of struct bpf_object_open_opts: `size` says that there are no others. */
struct object_open_options {
    u64 size;
    const char *object_name;
};

u32 libbpf_major_version(void);
u32 libbpf_minor_version(void);
void *libbpf_set_print(void *callback);
int libbpf_num_possible_cpus(void);
int libbpf_strerror(int error, char *to, u64 size);

struct bpf_object *bpf_object__open_mem(const void *bytes, u64 size, const struct object_open_options *options);
int bpf_object__load(struct bpf_object *object);
void bpf_object__close(struct bpf_object *object);
struct bpf_program *bpf_object__next_program(const struct bpf_object *object, struct bpf_program *program);
struct bpf_map *bpf_object__next_map(const struct bpf_object *object, const struct bpf_map *map);
struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *object, const char *name);

const char *bpf_program__name(const struct bpf_program *program);
const char *bpf_program__section_name(const struct bpf_program *program);
_Bool bpf_program__autoload(const struct bpf_program *program);
_Bool bpf_program__autoattach(const struct bpf_program *program);
u32 bpf_program__type(const struct bpf_program *program);
u32 bpf_program__expected_attach_type(const struct bpf_program *program);
u64 bpf_program__insn_cnt(const struct bpf_program *program);
struct bpf_link *bpf_program__attach(const struct bpf_program *program);
struct bpf_link *bpf_program__attach_xdp(const struct bpf_program *program, int interface);
struct bpf_link *bpf_map__attach_struct_ops(const struct bpf_map *map);
int bpf_link__destroy(struct bpf_link *link);

int bpf_map__fd(const struct bpf_map *map);
const char *bpf_map__name(const struct bpf_map *map);
u32 bpf_map__type(const struct bpf_map *map);
u32 bpf_map__key_size(const struct bpf_map *map);
u32 bpf_map__value_size(const struct bpf_map *map);
u32 bpf_map__max_entries(const struct bpf_map *map);
u32 bpf_map__map_flags(const struct bpf_map *map);
_Bool bpf_map__autocreate(const struct bpf_map *map);
int bpf_map__set_initial_value(struct bpf_map *map, const void *value, u64 size);

int bpf_map_lookup_elem_flags(int fd, const void *key, void *value, u64 flags);
int bpf_map_lookup_and_delete_elem_flags(int fd, const void *key, void *value, u64 flags);
int bpf_map_delete_elem_flags(int fd, const void *key, u64 flags);
int bpf_map_get_next_key(int fd, const void *key, void *next);
int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, u32 *count, const void *options);
int libbpf_map_update(long fd, const void *key, const void *value, u64 flags) __asm__("bpf_map_update_elem");

struct ring_buffer *ring_buffer__new(int fd, void *callback, void *context, const void *options);
int ring_buffer__epoll_fd(const struct ring_buffer *buffer);
int ring_buffer__consume(struct ring_buffer *buffer);
void ring_buffer__free(struct ring_buffer *buffer);

struct perf_buffer *perf_buffer__new_raw(int fd, u64 pages, void *attributes, void *callback, void *context, const void *options);
int perf_buffer__epoll_fd(const struct perf_buffer *buffer);
int perf_buffer__consume(struct perf_buffer *buffer);
u64 perf_buffer__buffer_cnt(const struct perf_buffer *buffer);
int perf_buffer__buffer_fd(const struct perf_buffer *buffer, u64 index);
void perf_buffer__free(struct perf_buffer *buffer);

#endif
