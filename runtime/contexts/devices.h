/* Network devices, by number. */
#ifndef BPF2NATIVE_RUNTIME_CONTEXTS_DEVICES_H
#define BPF2NATIVE_RUNTIME_CONTEXTS_DEVICES_H

#include "runtime.h"

struct device {
    struct device *next;
    u32 ifindex, mtu;
    u8 address[6], unused[2];
};

/* devices.c: the MTU of a device; 0 if there is no such device. */
u32 bpf_contexts_mtu(u32 ifindex);
/* Its hardware address; zeros if none was given. */
void bpf_contexts_device_address(u32 ifindex, u8 *address);

#endif
