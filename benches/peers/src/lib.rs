//! rbpf's two compilers behind C functions, for the harness in `benches/programs`.
//!
//! In: BPF instructions whose only argument is r1. Out: a handle to call, or null when rbpf refuses or panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A compiled program.
pub struct Machine {
    vm: rbpf::EbpfVmRaw<'static>,
    cranelift: bool,
}

/// Compiles `length` bytes of instructions, with Cranelift or with rbpf's own compiler.
///
/// # Safety
///
/// `code` is `length` bytes that are never freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_compile(code: *const u8, length: usize, cranelift: bool) -> *mut Machine {
    // SAFETY: the caller says so.
    let code: &'static [u8] = unsafe { std::slice::from_raw_parts(code, length) };
    let compile = || {
        let mut vm = rbpf::EbpfVmRaw::new(None).ok()?;
        vm.set_verifier(|_| Ok(())).ok()?;
        vm.set_program(code).ok()?;
        if cranelift { vm.cranelift_compile() } else { vm.jit_compile() }.ok()?;
        Some(Machine { vm, cranelift })
    };
    match catch_unwind(AssertUnwindSafe(compile)) {
        Ok(Some(machine)) => Box::into_raw(Box::new(machine)),
        _ => std::ptr::null_mut(),
    }
}

/// Runs a compiled program with r1 = `memory`.
///
/// # Safety
///
/// `machine` comes from [`peer_compile`], `memory` is `length` bytes, and the program keeps to them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_run(machine: *const Machine, memory: *mut u8, length: usize) -> u64 {
    // SAFETY: the caller says so.
    let (machine, memory) = unsafe { (&*machine, std::slice::from_raw_parts_mut(memory, length)) };
    let result = if machine.cranelift {
        machine.vm.execute_program_cranelift(memory)
    } else {
        // SAFETY: the caller says so.
        unsafe { machine.vm.execute_program_jit(memory) }
    };
    result.unwrap_or(u64::MAX)
}

/// Frees a compiled program.
///
/// # Safety
///
/// `machine` comes from [`peer_compile`] and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_free(machine: *mut Machine) {
    // SAFETY: the caller says so.
    drop(unsafe { Box::from_raw(machine) });
}
