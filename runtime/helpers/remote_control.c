/* Programs that decode a remote control (lirc): bpf_rc_keydown, rc_repeat, rc_pointer_rel. In: what a program decoded. Out: that, for
   bpf2native_key. The rule: there is no input device; nobody hears of keys but a test. */
#include "runtime.h"

/* As in include/bpf2native_runtime.h. */
struct bpf2native_key {
    u32 protocol, toggle;
    u64 scancode;
    u32 pressed; /* how often */
    u32 repeated;
    s32 x, y;    /* how far the pointer moved */
};

static struct bpf2native_key key;

API(void, bpf2native_key, (struct bpf2native_key *to))
{
    *to = key;
    key = (struct bpf2native_key){ 0 };
}

HELPER(long, rc_keydown, (void *context, u32 protocol, u64 scancode, u32 toggle))
{
    key.protocol = protocol;
    key.scancode = scancode;
    key.toggle = toggle != 0;
    key.pressed++;
    return 0;
}

HELPER(long, rc_repeat, (void *context))
{
    key.repeated++;
    return 0;
}

HELPER(long, rc_pointer_rel, (void *context, s32 x, s32 y))
{
    key.x += x;
    key.y += y;
    return 0;
}
