//! Calls `main` as the outermost function: the unwinder finds nothing above it.
//!
//! `pthread_exit` in `main` unwinds the stack as far as it can, and an exception that nobody catches looks for a handler.
//! In an executable both find the C library's start code, which ends the thread, or the program. Here the command's own
//! functions are above, and a Rust function stops exceptions that are not Rust's panics. So the call goes through a function
//! without unwind information, where the unwinder ends as it does at a thread's first function.

use std::ffi::{c_char, c_int};

/// C's `main`.
pub type Main = unsafe extern "C-unwind" fn(c_int, *const *const c_char, *const *const c_char) -> c_int;

/// The function that calls `main` on a machine: its fourth argument, with the first three passed on.
macro_rules! call_fourth {
    ($machine:literal: $($instruction:literal),+) => {
        /// Calls `main`.
        ///
        /// # Safety
        ///
        /// As the call of `main` itself. If it unwinds, all functions above are gone without being cleaned up.
        #[cfg(target_arch = $machine)]
        #[unsafe(naked)]
        pub unsafe extern "C-unwind" fn call(
            count: c_int,
            arguments: *const *const c_char,
            environment: *const *const c_char,
            main: Main,
        ) -> c_int {
            core::arch::naked_asm!($($instruction),+)
        }
    };
}

call_fourth!("x86_64": "push rbp", "mov rbp, rsp", "call rcx", "pop rbp", "ret");
call_fourth!("aarch64": "stp x29, x30, [sp, #-16]!", "mov x29, sp", "blr x3", "ldp x29, x30, [sp], #16", "ret");
call_fourth!("riscv64": "addi sp, sp, -16", "sd ra, 8(sp)", "jalr a3", "ld ra, 8(sp)", "addi sp, sp, 16", "ret");
call_fourth!("s390x": "stmg %r14, %r15, 112(%r15)", "aghi %r15, -160", "basr %r14, %r5", "lmg %r14, %r15, 272(%r15)",
    "br %r14");
