/* What a test or an embedder asks of bpf2native's runtime: look into maps, read what programs put out, make contexts, let time
   pass. For C, compiled to BPF or to native code, that is linked with the program; the functions are part of a program only
   if something refers to them.

   A map is named by its address (`&counts`). Errors are negative, -ENOENT and so on, with the kernel's numbers. */
#ifndef BPF2NATIVE_RUNTIME_H
#define BPF2NATIVE_RUNTIME_H

#ifdef __cplusplus
extern "C" {
#endif

/* The definition of a helper by who links or embeds a program, in native C, which takes the place of the runtime's:

       long my_redirect(unsigned ifindex, unsigned long flags) BPF2NATIVE_HELPER(redirect);
       long my_redirect(unsigned ifindex, unsigned long flags) { return 4; }                        */
#define BPF2NATIVE_HELPER(name) __asm__("bpf_helper_" #name)

/* ---- Maps, as bpf(2) has them ----

   Keys and values are as long as the map's definition says, but:
   - the values of a per-CPU map are bpf2native_processors() values, each rounded up to 8 bytes;
   - what is a descriptor for bpf(2) is an address of 8 bytes: values of prog arrays (a function) and of maps of maps (a
     map), keys of socket, task, inode and cgroup storage (the object);
   - queues, stacks and bloom filters have no keys: NULL.
   Flags are BPF_ANY (0), BPF_NOEXIST (1), BPF_EXIST (2), BPF_F_LOCK (4). */

long bpf2native_map_lookup(void *map, const void *key, void *value, unsigned long flags);
long bpf2native_map_update(void *map, const void *key, const void *value, unsigned long flags);
long bpf2native_map_delete(void *map, const void *key);
/* The key after `key`; NULL, or a key that is not there: the first. -ENOENT after the last. */
long bpf2native_map_next_key(void *map, const void *key, void *next);
/* Look-up and deletion in one; of a queue or stack: pop. */
long bpf2native_map_take(void *map, const void *key, void *value, unsigned long flags);
/* Empties a map: it is as the program begins with it. No thread may use it, or hold pointers into it. */
void bpf2native_map_reset(void *map);

/* How many values a per-CPU map has for a key. */
unsigned bpf2native_processors(void);

/* ---- Ring buffers and perf events ----

   One thread reads; programs may write at the same time. */

/* The next record of a ring buffer, `*length` bytes (`length` may be NULL); it stays until the next call, which frees its
   room. NULL if there is none. */
const void *bpf2native_ring_next(void *map, unsigned *length);
/* The next event of a perf event array, of all processors in the order in which they came; `*index` is the entry that it was
   put out to. */
const void *bpf2native_perf_next(void *map, unsigned *index, unsigned *length);
/* Puts a record into a user ring buffer, for bpf_user_ringbuf_drain. 0, or -ENOSPC if it is full. */
long bpf2native_user_ring_write(void *map, const void *data, unsigned length);

#ifdef __cplusplus
}
#endif

#endif
