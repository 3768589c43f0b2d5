//! Registration of unwind information with the system's unwinder, as long as the module lives.
//!
//! In: a frame table with absolute addresses. Out: its registration, undone on drop.
//!
//! libgcc takes a whole table; LLVM's libunwind, which macOS has and musl may have, one entry at a time.

/// A registered frame table.
pub(super) struct Frames {
    /// The table; the unwinder reads it where it is.
    table: Box<[u8]>,
}

#[cfg(unix)]
unsafe extern "C" {
    fn __register_frame(entry: *const u8);
    fn __deregister_frame(entry: *const u8);
}

impl Frames {
    /// Registers a table that ends in a zero length.
    pub fn register(table: Vec<u8>) -> Frames {
        let frames = Frames { table: table.into_boxed_slice() };
        #[cfg(unix)]
        frames.for_each_entry(|entry| {
            // SAFETY: the entry lies in a complete table, which is not moved or freed before it is deregistered.
            unsafe { __register_frame(entry) }
        });
        frames
    }

    /// The table, as it was registered.
    pub fn table(&self) -> &[u8] {
        &self.table
    }

    /// What is registered with the system's unwinder, in order.
    #[cfg(all(unix, not(any(target_vendor = "apple", target_env = "musl"))))]
    fn for_each_entry(&self, mut tell: impl FnMut(*const u8)) {
        tell(self.table.as_ptr());
    }

    /// Every FDE: the entries whose second word is not zero.
    #[cfg(any(target_vendor = "apple", target_env = "musl"))]
    fn for_each_entry(&self, mut tell: impl FnMut(*const u8)) {
        let mut rest = &self.table[..];
        while let Some((length, _)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length == 0 || length + 4 > rest.len() {
                break;
            }
            if rest[4..8] != [0; 4] {
                tell(rest.as_ptr());
            }
            rest = &rest[4 + length..];
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        #[cfg(unix)]
        self.for_each_entry(|entry| {
            // SAFETY: the entry was registered when the table was made, and is deregistered once.
            unsafe { __deregister_frame(entry) }
        });
    }
}
