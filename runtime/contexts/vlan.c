/* VLAN tags. The outermost one lies in the context (vlan_present, vlan_tci, vlan_proto), as in the kernel's buffers, and in the
   packet's bytes only when another one is pushed over it. */
#include "contexts/skb.h"

static int is_vlan(u32 protocol) {
    return protocol == to_be16(ETH_P_8021Q) || protocol == to_be16(ETH_P_8021AD);
}

static void put_tag(struct __sk_buff *skb, be16 proto, u16 tci) {
    skb->vlan_proto = proto;
    skb->vlan_tci = tci;
    skb->vlan_present = 1;
}

HELPER(long, skb_vlan_push, (struct __sk_buff *skb, be16 proto, u16 tci)) {
    struct record *record = record_of(skb);
    if (!is_vlan(proto)) proto = to_be16(ETH_P_8021Q);
    if (skb->vlan_present) {
        /* The old tag goes into the packet. */
        if (skb_mac(skb)) return -EINVAL;
        if (skb_room(skb, VLAN_HLEN, 0)) return -ENOMEM;
        u8 *old = low(skb->data), *data = old - VLAN_HLEN;
        be16 tag[2] = { skb->vlan_proto, to_be16(skb->vlan_tci) };
        memmove(data, old, 12);
        memcpy(data + 12, tag, VLAN_HLEN);
        skb_place(skb, data, skb_linear(skb) + VLAN_HLEN, skb->len + VLAN_HLEN);
        skb->protocol = skb->vlan_proto;
        /* network_header moves with the MAC header. */
        if (record && record->transport >= 0) record->transport += VLAN_HLEN;
    }
    put_tag(skb, proto, tci);
    return 0;
}

/* Takes a tag out of the packet's bytes. */
static long take(struct __sk_buff *skb, u16 *tci) {
    struct record *record = record_of(skb);
    if (skb_mac(skb)) return -EINVAL;
    if (skb_writable(skb, ETH_HLEN + VLAN_HLEN)) return -ENOMEM;
    u8 *old = low(skb->data), *data = old + VLAN_HLEN;
    be16 tag[2];
    memcpy(tag, old + ETH_HLEN, VLAN_HLEN);
    *tci = from_be16(tag[0]);
    if (from_be16(tag[1]) >= ETH_P_802_3_MIN) {
        skb->protocol = tag[1];
    } else {
        int is_raw = skb->len >= ETH_HLEN + VLAN_HLEN + 2 && old[18] == 0xff && old[19] == 0xff;
        skb->protocol = is_raw ? to_be16(ETH_P_802_3) : to_be16(ETH_P_802_2);
    }
    memmove(data, old, 12);
    skb_place(skb, data, skb_linear(skb) - VLAN_HLEN, skb->len - VLAN_HLEN);
    if (record) {
        record->network -= VLAN_HLEN;
        if (record->network < ETH_HLEN) record->network = ETH_HLEN;
        if (record->transport >= 0) record->transport -= VLAN_HLEN;
    }
    return 0;
}

HELPER(long, skb_vlan_pop, (struct __sk_buff *skb)) {
    u16 tci;
    if (skb->vlan_present) {
        skb->vlan_present = skb->vlan_tci = skb->vlan_proto = 0;
    } else {
        if (!is_vlan(skb->protocol)) return 0;
        long error = take(skb, &tci);
        if (error) return error;
    }
    if (!is_vlan(skb->protocol)) return 0;
    be16 proto = skb->protocol;
    long error = take(skb, &tci);
    if (error) return error;
    put_tag(skb, proto, tci);
    return 0;
}
