//! SHA-256.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes`, in 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    digits(Sha256::new_with_prefix(bytes))
}

fn digits(hash: Sha256) -> String {
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A hash of several parts; it depends on where each ends.
pub(crate) struct Hash(Sha256);

impl Hash {
    pub fn new() -> Hash {
        Hash(Sha256::new())
    }

    pub fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub fn number(&mut self, number: i64) {
        self.0.update(number.to_le_bytes());
    }

    pub fn finish(self) -> String {
        digits(self.0)
    }
}
