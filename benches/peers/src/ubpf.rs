//! uBPF: the C library that the crate `async-ebpf` holds, of which this links nothing else.
//!
//! In: BPF instructions. Out: a [`Machine`], or nothing when uBPF refuses. Its checks of addresses are off, as they are in
//! what it is compared with; its compiler has none in any case.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;

use async_ebpf as _;

/// uBPF's virtual machine.
#[repr(C)]
struct Vm {
    _private: [u8; 0],
}

type Function = unsafe extern "C" fn(*mut c_void, usize) -> u64;

// `vm/inc/ubpf.h`.
unsafe extern "C" {
    fn ubpf_create() -> *mut Vm;
    fn ubpf_destroy(vm: *mut Vm);
    fn ubpf_toggle_bounds_check(vm: *mut Vm, enable: bool) -> bool;
    fn ubpf_set_jit_code_size(vm: *mut Vm, size: usize) -> c_int;
    fn ubpf_load(vm: *mut Vm, code: *const c_void, length: u32, error: *mut *mut c_char) -> c_int;
    fn ubpf_compile(vm: *mut Vm, error: *mut *mut c_char) -> Option<Function>;
}

/// Bytes of native code that are enough for any program of the suite.
const CODE: usize = 1 << 20;

/// A compiled program.
pub struct Machine {
    vm: NonNull<Vm>,
    function: Function,
}

impl Machine {
    /// Compiles instructions.
    pub fn new(code: &[u8]) -> Option<Machine> {
        let length = u32::try_from(code.len()).ok()?;
        // SAFETY: it takes nothing.
        let vm = NonNull::new(unsafe { ubpf_create() })?;
        let mut error = std::ptr::null_mut();
        // SAFETY: the machine is new, and the code is copied. Its messages are not looked at, and leak.
        let function = unsafe {
            ubpf_toggle_bounds_check(vm.as_ptr(), false);
            ubpf_set_jit_code_size(vm.as_ptr(), CODE);
            let loaded = ubpf_load(vm.as_ptr(), code.as_ptr().cast(), length, &raw mut error) == 0;
            loaded.then(|| ubpf_compile(vm.as_ptr(), &raw mut error)).flatten()
        };
        if function.is_none() {
            // SAFETY: nothing refers to it.
            unsafe { ubpf_destroy(vm.as_ptr()) };
        }
        Some(Machine { vm, function: function? })
    }

    /// Runs it.
    ///
    /// # Safety
    ///
    /// The program keeps to the memory.
    pub unsafe fn run(&self, memory: &mut [u8]) -> u64 {
        // SAFETY: the caller says so.
        unsafe { (self.function)(memory.as_mut_ptr().cast(), memory.len()) }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: it is ours, and its code does not run.
        unsafe { ubpf_destroy(self.vm.as_ptr()) };
    }
}
