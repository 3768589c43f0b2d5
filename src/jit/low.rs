//! Pointers of 32 bits, as contexts have them to their packets.
//!
//! In: an address. Out: a [`LowPointer`], if it is below 4 GiB. The rule: no other address becomes one, so that a context cannot be
//! filled in with the lower half of an address, which a program would follow to somewhere else.

use super::packet_error::PacketError;

/// A pointer to a packet in a context ([`XdpMd::data`](super::XdpMd::data)): of 32 bits, so what it points to is below 4 GiB.
///
/// ```
/// use bpf2native::jit::LowPointer;
///
/// let packet = Box::new([0_u8; 64]);
/// // Most allocations are above 4 GiB.
/// assert!(LowPointer::of(packet.as_ptr()).is_err());
/// assert_eq!(LowPointer::default().get(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct LowPointer(u32);

impl LowPointer {
    /// A pointer to a byte.
    ///
    /// # Errors
    ///
    /// [`PacketError::High`] if it is not below 4 GiB.
    pub fn of(byte: *const u8) -> Result<LowPointer, PacketError> {
        let address = byte.addr();
        u32::try_from(address).map(LowPointer).map_err(|_| PacketError::High { address, length: 0 })
    }

    /// The address.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The pointer to so many bytes behind it, or before it; none if that is not below 4 GiB.
    pub fn offset(self, bytes: i32) -> Option<LowPointer> {
        self.0.checked_add_signed(bytes).map(LowPointer)
    }
}
