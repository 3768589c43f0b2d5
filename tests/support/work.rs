//! How much work something is, by what does not depend on what else the machine does.
//!
//! In: something to do, and its size. Out: bytes that the thread asked the allocator for, or the thread's processor time. The
//! rule: no test compares either with a number of seconds; sizes of work are compared with each other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts the bytes that each thread asks for.
pub struct Counting;

fn count(bytes: usize) {
    // A thread that ends still frees and allocates.
    let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get() + bytes as u64));
}

// SAFETY: all is left to the system's allocator; a thread-local number without a destructor allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Bytes that this thread asks for while it does `work`; zero unless [`Counting`] is the crate's allocator.
pub fn allocated<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATED.get();
    let done = work();
    (done, ALLOCATED.get() - before)
}

/// Nanoseconds that this thread computes while it does `work`: not those in which others had the processor.
fn processor_time(work: impl FnOnce()) -> u64 {
    let now = || {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a variable.
        assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) }, 0);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    };
    let before = now();
    work();
    now() - before
}

/// Checks that what is done in this thread with an input of four times the size is about four times the work: at most five
/// times the bytes of memory, and less than nine times the processor time, where 16 would be quadratic. Caches make
/// the time uneven, and so the best of three tries counts.
#[track_caller]
pub fn is_in_proportion<T>(name: &str, size: usize, make: impl Fn(usize) -> T, work: impl Fn(&T)) {
    let (small, large) = (make(size), make(4 * size));
    let (((), few), ((), many)) = (allocated(|| work(&small)), allocated(|| work(&large)));
    assert!(few > 0 && many <= 5 * few, "{name}: {few} bytes of memory, and {many} for four times the size");
    let mut ratios = Vec::new();
    while ratios.len() < 3 {
        let (few, many) = (processor_time(|| work(&small)), processor_time(|| work(&large)));
        ratios.push(many as f64 / few as f64);
        if ratios.last().is_some_and(|ratio| *ratio < 9.0) {
            return;
        }
    }
    panic!("{name}: four times the size takes {ratios:.1?} times the time");
}
