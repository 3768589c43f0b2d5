/* What a test or an embedder asks of bpf2native's runtime, which stands for the kernel: look into maps, read what programs put
   out, make contexts, let time pass. For C, compiled for BPF (with <linux/bpf.h> or vmlinux.h) or for the machine, that is linked
   with the program; the functions are part of a program only if something refers to them.

       struct xdp_md *ctx = bpf2native_xdp(packet, sizeof packet);
       assert(my_filter(ctx) == XDP_DROP);
       bpf2native_free(ctx);

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

/* ---- Contexts and packets ----

   A context that is made here lies, with its packet, below 4 GiB, since its fields data, data_end and data_meta have
   32 bits. It holds what BPF_PROG_TEST_RUN would fill in; change fields before the program runs. Other contexts
   (struct bpf_sock_ops, bpf_sock_addr, bpf_sk_lookup, sk_msg_md ...) hold no 32-bit pointers: fill in one of your
   own. */

struct xdp_md;
struct __sk_buff;
struct bpf_sock;
struct bpf_tcp_sock;
struct bpf_tunnel_key;

/* A context of an XDP program, with a copy of a packet of at most 65536 bytes. There are 256 bytes of headroom, of
   which the first 40 are the kernel's, and up to 3520 bytes, the packet and its tailroom; longer packets have a
   larger frame and no fragments. It was received by device 1. NULL for a packet is one of zeros. NULL if there is no
   memory. */
struct xdp_md *bpf2native_xdp(const void *packet, unsigned length);

/* A context of a tc program, or of another one that takes a struct __sk_buff. The packet begins with its Ethernet
   header; `protocol`, `pkt_type`, `sk` and others are as the loopback device (number 1) leaves them. Make `data_end`
   smaller for a packet that is not linear: programs reach the rest by bpf_skb_pull_data. NULL if there is no memory. */
struct __sk_buff *bpf2native_skb(const void *packet, unsigned length);

/* Moves `data` to the network header, which is where programs of control groups (cgroup_skb), of sockets (sk_skb,
   socket) and of lightweight tunnels begin. 0, or -EINVAL if the packet has no Ethernet header before it. */
int bpf2native_skb_network(struct __sk_buff *context);

/* Makes a context as it was when it was new, with another packet: without new memory. 0, or -ENOSPC if the packet is
   too long for the memory that there is: up to 3520 bytes always fit XDP's, up to 16064 the other. */
int bpf2native_xdp_reset(struct xdp_md *context, const void *packet, unsigned length);
int bpf2native_skb_reset(struct __sk_buff *context, const void *packet, unsigned length);

/* The packet as it is now, from `data` on; `length` may be NULL. NULL, of 0 bytes, for a context that was not made here. */
const void *bpf2native_packet(const void *context, unsigned *length);

/* For packets that are not to be copied: fills in a context of your own, for a packet in your memory. 0, or -EFAULT if that is
   not below 4 GiB, where no context can say that it is; programs then see an empty packet at no address. The packet has no
   room at its ends. bpf2native_low has memory that is there, for a buffer that packets are received into: so many bytes of
   zeros, a whole number of pages, or NULL; bpf2native_low_free gives it back. */
int bpf2native_xdp_at(struct xdp_md *context, void *packet, unsigned length);
int bpf2native_skb_at(struct __sk_buff *context, void *packet, unsigned length);
void *bpf2native_low(unsigned long bytes);
void bpf2native_low_free(void *memory, unsigned long bytes);

/* Frees a context and its packet; other pointers and NULL are left alone. */
void bpf2native_free(void *context);

/* What a device tells by the kfuncs bpf_xdp_metadata_rx_timestamp, _rx_hash and _rx_vlan_tag; what is not in
   `present` is -ENODATA. */
enum { BPF2NATIVE_HINT_TIMESTAMP = 1, BPF2NATIVE_HINT_HASH = 2, BPF2NATIVE_HINT_VLAN = 4 };
struct bpf2native_xdp_hints {
    unsigned present;
    unsigned hash, hash_type;
    unsigned short vlan_proto; /* network byte order */
    unsigned short vlan_tci;
    unsigned long timestamp;   /* nanoseconds */
};
int bpf2native_xdp_hints(struct xdp_md *context, const struct bpf2native_xdp_hints *hints);

/* The tunnel key that a packet came with. */
int bpf2native_tunnel(struct __sk_buff *context, const struct bpf_tunnel_key *key, int is_ipv6);

/* ---- Where packets went ---- */

enum bpf2native_redirect_kind { BPF2NATIVE_TO_NOWHERE, BPF2NATIVE_TO_DEVICE, BPF2NATIVE_TO_MAP, BPF2NATIVE_TO_PEER,
                                BPF2NATIVE_TO_NEIGHBOUR };
struct bpf2native_redirect {
    unsigned kind;            /* enum bpf2native_redirect_kind */
    unsigned ifindex;         /* the device; of a device map, what is in it */
    unsigned long flags;      /* as given */
    void *map;                /* of bpf_redirect_map, sk_redirect_map ... */
    unsigned long key;        /* in that map; its first 4 bytes */
    unsigned next_hop_family; /* of bpf_redirect_neigh; 0 without one */
    unsigned next_hop[4];
};
/* What the program asked for last, on this thread; returns its kind. It is forgotten when a context is made, reset, or given to
   bpf2native_begin. */
int bpf2native_redirected(struct bpf2native_redirect *redirect);

/* A program is about to run with this context on this thread, and has run. Needed where one runs within another, or where
   contexts of several kinds are made before programs run that are in no section of their kind: what they choose is kept for each
   run on its own, and bpf_redirect returns what suits the innermost one, or else the context that was made last. Without
   bpf2native_end, a run lasts until the thread ends. */
void bpf2native_begin(const void *context);
void bpf2native_end(void);

/* Copy number `index` that bpf_clone_redirect sent, and where; NULL after the last one. A context keeps up to 64. */
const void *bpf2native_clone(const void *context, unsigned index, unsigned *ifindex, unsigned *length);

/* ---- Devices, routes, sockets ---- */

/* Adds or changes a device; `address` is its hardware address, or NULL. Device 1 is the loopback. As long as none is
   added there is one of every number other than 0, with an MTU of 1500. */
int bpf2native_device_add(unsigned ifindex, unsigned mtu, const unsigned char *address);

/* A route, for bpf_fib_lookup. Zeros mean: the device's MTU, no gateway, no neighbour (BPF_FIB_LKUP_RET_NO_NEIGH) ... */
struct bpf2native_route {
    unsigned char family;            /* AF_INET, AF_INET6 */
    unsigned char prefix_length;
    unsigned char result;            /* BPF_FIB_LKUP_RET_*, if it is none to forward by */
    unsigned char has_neighbour;     /* `dmac` is known */
    unsigned int ifindex;            /* of the device to send by */
    unsigned int mtu;
    unsigned int metric;
    unsigned int table;              /* for BPF_FIB_LOOKUP_TBID */
    unsigned char gateway_family;    /* 0 if there is none */
    unsigned char has_source;        /* `source` is for BPF_FIB_LOOKUP_SRC */
    unsigned short unused;
    unsigned char destination[16];   /* addresses as in packets; of IPv4 the first 4 bytes */
    unsigned char gateway[16];
    unsigned char source[16];
    unsigned char smac[6];           /* zeros: the device's */
    unsigned char dmac[6];
};
/* 0, or -EINVAL, -ENODEV for a device that is not there, -ENOSPC for more than a million. */
int bpf2native_fib_add(const struct bpf2native_route *route);
void bpf2native_fib_clear(void);

/* Adds a copy of a socket to those that bpf_sk_lookup_tcp, bpf_sk_lookup_udp and bpf_skc_lookup_tcp find, and returns
   it: `family`, `protocol` (6 TCP, 17 UDP), `state`, its own end src_ip4 or src_ip6 and src_port (host order), the
   other end dst_ip4 or dst_ip6 and dst_port (network order), which is zeros for one that listens. NULL if there is no
   memory. */
struct bpf_sock *bpf2native_sock_add(const struct bpf_sock *like);
void bpf2native_sock_clear(void);
/* What bpf_tcp_sock shows of it. */
struct bpf_tcp_sock *bpf2native_sock_tcp(struct bpf_sock *sock);
int bpf2native_sock_set_uid(struct bpf_sock *sock, unsigned uid);
/* How often programs took it and did not release it. */
long bpf2native_sock_references(const struct bpf_sock *sock);
/* Which socket bpf_sk_assign gave a packet to; NULL if none. */
struct bpf_sock *bpf2native_assigned(const void *context);
/* The socket that bpf_sk_select_reuseport chose since the last call; NULL if none. */
struct bpf_sock *bpf2native_selected(void);
/* How many bytes programs have asked for by bpf_reserve_hdr_opt since the last call. */
unsigned bpf2native_reserved(void);
/* The path that bpf_sock_addr_set_sun_path set last: copies at most `size` bytes and returns its length, 0 if none. */
unsigned bpf2native_sun_path(unsigned char *path, unsigned size);
/* An option that bpf_setsockopt set with this context: copies at most `length` bytes and returns its length, or
   -ENOENT. */
int bpf2native_sockopt(const void *context, int level, int name, void *value, unsigned length);

/* What programs with a struct bpf_sysctl see: the parameter's path ("net/ipv4/ip_forward"), its value, and the value
   that is written (NULL if it is only read). The first two have to stay. 0, or -E2BIG for a written value of a page
   or more. */
int bpf2native_sysctl(const char *name, const char *current, const char *written);
/* The value that is written, after the program. */
const char *bpf2native_sysctl_new_value(void);

/* ---- Time ----

   One clock for all of the kernel's, which begins at 1 s and which each reading (bpf_ktime_get_ns and so on) moves by 1 us. */

/* Sets the clock, in nanoseconds. Timers do not run. */
void bpf2native_set_time(unsigned long ns);
/* Lets time pass: work queues' callbacks run first, then those of timers that are due by then, in order, each with the clock at
   its time. 0 runs what is due already. */
void bpf2native_advance(unsigned long ns);

/* ---- Randomness, processors, the current task ---- */

/* The seed of bpf_get_prandom_u32; a fixed one at first. */
void bpf2native_set_random(unsigned long seed);
/* The processor that programs run on, at first 0. -EINVAL from bpf2native_processors() on. */
long bpf2native_set_processor(unsigned processor);

struct bpf2native_task {
    unsigned pid;              /* the thread's, as the kernel calls it; at first 1 */
    unsigned tgid;             /* the process's; at first 1 */
    unsigned uid;              /* at first 0 */
    unsigned gid;              /* at first 0 */
    char comm[16];             /* ends with 0; at first "bpf2native" */
    unsigned cgroup_level;     /* of its cgroup: 0, at first, is the root; below 8 */
    unsigned unused;
    unsigned long cgroups[8];  /* ids of its cgroups, from the root (at first 1) to its own, which is at cgroup_level */
};
/* The current task of all threads. 0, or -EINVAL for a level that is too deep. */
long bpf2native_set_task(const struct bpf2native_task *task);
/* What bpf_get_current_task returns: `*size` bytes (`size` may be NULL), zeros at first. A test writes the fields of struct
   task_struct that its program reads there. */
void *bpf2native_task_struct(unsigned long *size);
/* What bpf_task_pt_regs returns: `*size` bytes, zeros at first, for the fields of struct pt_regs. */
void *bpf2native_task_registers(unsigned long *size);
/* How many signals programs have sent (bpf_send_signal) since the last call, and which one was the last (`last` may be NULL). */
unsigned bpf2native_signals(unsigned *last);

/* ---- Where a tracing program is attached ---- */

struct bpf2native_probe {
    unsigned long ip;           /* bpf_get_func_ip */
    unsigned long cookie;       /* bpf_get_attach_cookie */
    const unsigned long *stack; /* bpf_get_stack: return addresses, innermost first; it stays the caller's */
    unsigned stack_depth;       /* how many there are */
    unsigned arguments;         /* how many the function has: bpf_get_func_arg reads them from the context, 8 bytes each, and
                                   bpf_get_func_ret what is after them */
    long retval;                /* bpf_get_retval, and what bpf_set_retval set: bpf2native_retval */
};
/* Zeros at first. */
void bpf2native_set_probe(const struct bpf2native_probe *probe);
long bpf2native_retval(void);
/* How often programs have called bpf_override_return since the last call, and with what result the last time (`result` may
   be NULL). */
unsigned bpf2native_overridden(unsigned long *result);

/* ---- Files ---- */

/* What bpf_d_path and bpf_path_d_path say of a struct path; of others, -ENOENT. 0, or -ENAMETOOLONG for 4096 bytes and more. */
long bpf2native_set_path(const void *path, const char *text);
/* An attribute of a struct file or dentry, for bpf_get_file_xattr and bpf_get_dentry_xattr ("user.x"); others are -ENODATA. */
long bpf2native_set_xattr(const void *object, const char *name, const void *value, unsigned size);
/* The digest of a struct file, of at most 64 bytes, for bpf_get_fsverity_digest; others have none (-ENODATA). */
long bpf2native_set_fsverity(const void *file, unsigned algorithm, const void *digest, unsigned size);
/* Whether the program that called bpf_bprm_opts_set last asked for a secure start. */
unsigned bpf2native_secure_exec(void);

/* ---- Remote controls ---- */

struct bpf2native_key {
    unsigned protocol, toggle;   /* of bpf_rc_keydown, the last time */
    unsigned long scancode;
    unsigned pressed, repeated;  /* how often bpf_rc_keydown and bpf_rc_repeat were called */
    int x, y;                    /* the sum of bpf_rc_pointer_rel */
};
/* What programs have decoded since the last call. */
void bpf2native_key(struct bpf2native_key *key);

/* ---- What programs print ---- */

/* Takes each line of bpf_printk, with its end and its length in bytes, in place of standard error; NULL: standard error again. */
void bpf2native_set_trace(void (*callback)(const char *line, unsigned long length));

/* A struct seq_file for iterator programs, of so many bytes of text; NULL if there is no memory. */
struct seq_file;
struct seq_file *bpf2native_seq_new(unsigned long size);
/* What was written to it, `*length` bytes. */
const char *bpf2native_seq_text(const struct seq_file *file, unsigned long *length);
void bpf2native_seq_free(struct seq_file *file);

#ifdef __cplusplus
}
#endif

#endif
