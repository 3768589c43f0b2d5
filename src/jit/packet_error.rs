//! What is wrong with a packet or the address of one, so that no context has it.

/// Why there is no context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The runtime's functions are not there.
    #[error(
        "the program does not have the runtime's `{0}`: it is there for programs in sections such as `xdp` and `tc`, if they \
         are read with the runtime and its interface (`parse::Options`); else name it among `parse::Options::roots`"
    )]
    NoRuntime(&'static str),
    /// There is no memory below 4 GiB, or the packet is too long.
    #[error(
        "there is no memory below 4 GiB for a packet of {0} bytes, or it is longer than the runtime takes (65536)"
    )]
    Memory(usize),
    /// A packet that is not copied is where no context's 32-bit pointers reach.
    #[error(
        "the packet of {length} bytes at {address:#x} is not below 4 GiB, where the 32-bit pointers of `xdp_md` and `__sk_buff` \
         can reach it: have it copied (`Module::xdp`, `Module::skb`), or receive packets into memory there (`MAP_32BIT` of mmap \
         on x86-64)"
    )]
    High {
        /// Where it is.
        address: usize,
        /// Its length in bytes.
        length: usize,
    },
}
