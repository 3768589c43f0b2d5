/* Network devices: which there are, and how long packets may be. Number 1 is the loopback device. As long as a test adds
   none, there is a device of every other number but 0, with an MTU of 1500; then only those that it added. */
#include "contexts/devices.h"
#include "contexts/packet.h"

enum { LOOPBACK = 1, LOOPBACK_MTU = 65536, ETHERNET_MTU = 1500 };
static const u32 DEVICES_MAX = 1 << 16;

static struct device *devices;
static u32 count;

static struct device *find(u32 ifindex) {
    for (struct device *device = devices; device; device = device->next)
        if (device->ifindex == ifindex) return device;
    return NULL;
}

API(int, bpf2native_device_add, (unsigned ifindex, unsigned mtu, const unsigned char *address)) {
    if (!ifindex || !mtu) return -EINVAL;
    struct device *device = find(ifindex);
    if (!device) {
        if (count >= DEVICES_MAX) return -ENOSPC;
        device = calloc(1, sizeof *device);
        if (!device) return -ENOMEM;
        count++;
        device->next = devices;
        device->ifindex = ifindex;
        devices = device;
    }
    device->mtu = mtu;
    if (address) memcpy(device->address, address, 6);
    return 0;
}

weak u32 bpf_contexts_mtu(u32 ifindex) {
    struct device *device = find(ifindex);
    if (device) return device->mtu;
    if (ifindex == LOOPBACK) return LOOPBACK_MTU;
    return ifindex && !devices ? ETHERNET_MTU : 0;
}

weak void bpf_contexts_device_address(u32 ifindex, u8 *address) {
    struct device *device = find(ifindex);
    if (device) memcpy(address, device->address, 6);
    else memset(address, 0, 6);
}
