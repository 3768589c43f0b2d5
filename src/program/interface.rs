//! The runtime's functions for who embeds it (`include/bpf2native_runtime.h`): which of them a program in memory has.
//!
//! In: nothing. Out: names. The rule: a program has those for maps if it has maps, and those for packets if it has programs that are
//! given packets; in objects there are only those that something refers to.

use super::kinds::{self, Context};

/// For maps.
pub const MAPS: [&str; 9] = [
    "bpf2native_map_lookup",
    "bpf2native_map_update",
    "bpf2native_map_delete",
    "bpf2native_map_next_key",
    "bpf2native_map_take",
    "bpf2native_processors",
    "bpf2native_ring_next",
    "bpf2native_perf_next",
    "bpf2native_user_ring_write",
];

/// For packets.
pub const PACKETS: [&str; 6] = [
    "bpf2native_xdp",
    "bpf2native_skb",
    "bpf2native_begin",
    "bpf2native_end",
    "bpf2native_packet",
    "bpf2native_free",
];

/// Whether a code section is one of programs that are given packets.
pub fn is_of_packet_programs(section: &str) -> bool {
    kinds::of_section(section).is_some_and(|kind| matches!(kind.context, Context::Xdp | Context::Skb))
}
