//! Registration of code with debuggers: GDB's manual, "JIT Compilation Interface".
//!
//! In: an image of a program in memory (`image.rs`). Out: its registration, undone on drop.
//!
//! A debugger puts a breakpoint on `__jit_debug_register_code` and reads `__jit_debug_descriptor`, a list of images,
//! when it is hit; one that attaches later reads the list then. The two symbols are one for the whole process, by
//! the interface: this is the only global state of the crate. They are weak, so that other code generators in the
//! same executable may bring their own; as the interface has no lock, two
//! that register at the same moment on different threads may then interfere.

use std::ptr;
use std::sync::{Mutex, PoisonError};

/// `jit_code_entry` of the interface: one image.
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    image: *const u8,
    size: u64,
}

/// `jit_descriptor` of the interface.
#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const NO_ACTION: u32 = 0;
const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

// An optimiser must neither merge nor drop the function, and both symbols must be weak, which Rust cannot express: so they
// are assembly. The descriptor's version is 1.
std::arch::global_asm!(
    ".pushsection .text.__jit_debug_register_code,\"ax\",%progbits",
    ".weak __jit_debug_register_code",
    ".type __jit_debug_register_code,%function",
    "__jit_debug_register_code:",
    #[cfg(target_arch = "s390x")]
    "br %r14",
    #[cfg(not(target_arch = "s390x"))]
    "ret",
    ".size __jit_debug_register_code, . - __jit_debug_register_code",
    ".popsection",
    ".pushsection .data.__jit_debug_descriptor,\"aw\",%progbits",
    ".balign 8",
    ".weak __jit_debug_descriptor",
    ".type __jit_debug_descriptor,%object",
    "__jit_debug_descriptor:",
    ".4byte 1",
    ".4byte 0",
    ".8byte 0",
    ".8byte 0",
    ".size __jit_debug_descriptor, 24",
    ".popsection",
);

unsafe extern "C" {
    fn __jit_debug_register_code();
    static mut __jit_debug_descriptor: Descriptor;
}

/// Guards the list.
static LIST: Mutex<()> = Mutex::new(());

/// A registered image.
pub(super) struct Registered {
    entry: *mut Entry,
    /// What `entry` points to; debuggers read it where it is.
    _image: Box<[u8]>,
}

// SAFETY: the entry is only touched with the list locked, and the image never changes.
unsafe impl Send for Registered {}
// SAFETY: as above; nothing can be done through a shared reference.
unsafe impl Sync for Registered {}

impl Registered {
    /// Registers an image.
    pub fn new(image: Vec<u8>) -> Registered {
        let image = image.into_boxed_slice();
        let entry = Box::into_raw(Box::new(Entry {
            next: ptr::null_mut(),
            previous: ptr::null_mut(),
            image: image.as_ptr(),
            size: image.len() as u64,
        }));
        let _guard = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the list is locked; its entries live until they are taken out of it, as does this one.
        unsafe {
            let descriptor = &raw mut __jit_debug_descriptor;
            let first = (*descriptor).first;
            (*entry).next = first;
            if !first.is_null() {
                (*first).previous = entry;
            }
            (*descriptor).first = entry;
            announce(descriptor, REGISTER, entry);
        }
        Registered { entry, _image: image }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let _guard = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the list is locked and holds the entry, which was made by `Box::into_raw` and is freed once, after
        // it has been taken out of the list.
        unsafe {
            let descriptor = &raw mut __jit_debug_descriptor;
            let Entry { next, previous, .. } = *self.entry;
            if !next.is_null() {
                (*next).previous = previous;
            }
            if previous.is_null() {
                (*descriptor).first = next;
            } else {
                (*previous).next = next;
            }
            announce(descriptor, UNREGISTER, self.entry);
            drop(Box::from_raw(self.entry));
        }
    }
}

/// Notifies the debugger, if there is one, of an action on an entry.
///
/// # Safety
///
/// The list must be locked, and the entry alive.
unsafe fn announce(descriptor: *mut Descriptor, action: u32, entry: *mut Entry) {
    // SAFETY: the caller vouches for both. The writes are volatile, as only the debugger reads them.
    unsafe {
        ptr::write_volatile(&raw mut (*descriptor).relevant, entry);
        ptr::write_volatile(&raw mut (*descriptor).action, action);
        __jit_debug_register_code();
        ptr::write_volatile(&raw mut (*descriptor).action, NO_ACTION);
        ptr::write_volatile(&raw mut (*descriptor).relevant, ptr::null_mut());
    }
}
