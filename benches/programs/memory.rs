//! The memory that the programs work on: one buffer for all engines, and what peers may reach behind it.

use super::suite;

/// Room for the largest buffer.
pub const BUFFER: usize = 1 << 16;
/// Room for read-only data.
const DATA: usize = 1 << 16;
/// How often the program does its work, where the peers' programs find it.
const ITERATIONS: usize = BUFFER + DATA;
/// Room for the frames of engines that have none.
const STACK: usize = 1 << 18;

/// A buffer, read-only data and a number, on page boundaries.
pub struct Memory {
    pages: Box<[Page]>,
}

#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

impl Memory {
    pub fn new() -> Memory {
        Memory { pages: vec![Page([0; 4096]); ITERATIONS / 4096 + 1 + STACK / 4096].into_boxed_slice() }
    }

    fn bytes(&mut self) -> &mut [u8] {
        let pages: &mut [Page] = &mut self.pages;
        // SAFETY: a page is 4,096 bytes without padding, and the pages are adjacent.
        unsafe { std::slice::from_raw_parts_mut(pages.as_mut_ptr().cast(), size_of_val(pages)) }
    }

    /// The whole of it.
    pub fn whole(&mut self) -> (*mut u8, usize) {
        let bytes = self.bytes();
        (bytes.as_mut_ptr(), bytes.len())
    }

    /// The first bytes of the buffer.
    pub fn buffer(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes()[..length]
    }

    /// Fills the buffer as each run expects it.
    pub fn fill(&mut self, length: usize) {
        suite::fill(self.buffer(length));
    }

    /// Puts read-only data behind the buffer: its address.
    pub fn set_data(&mut self, data: &[u8]) -> u64 {
        let place = &mut self.bytes()[BUFFER..BUFFER + DATA];
        place[..data.len()].copy_from_slice(data);
        place.as_ptr() as u64
    }

    /// The end of the frames.
    pub fn stack(&mut self) -> u64 {
        self.bytes().as_ptr_range().end as u64
    }

    /// Sets the number, and gives its address.
    pub fn set_iterations(&mut self, iterations: u64) -> u64 {
        let place = &mut self.bytes()[ITERATIONS..ITERATIONS + 8];
        place.copy_from_slice(&iterations.to_le_bytes());
        place.as_ptr() as u64
    }
}
