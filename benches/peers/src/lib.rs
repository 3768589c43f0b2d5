//! rbpf's two compilers and uBPF's behind C functions, for the harness in `benches/programs`.
//!
//! In: BPF instructions whose only argument is r1. Out: a handle to call, or null when the peer refuses or panics.

mod ubpf;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A compiled program.
pub enum Machine {
    /// By rbpf's own compiler.
    Own(rbpf::EbpfVmRaw<'static>),
    /// By rbpf's Cranelift.
    Cranelift(rbpf::EbpfVmRaw<'static>),
    /// By uBPF.
    Ubpf(ubpf::Machine),
}

/// Compiles `length` bytes of instructions: 0 is rbpf's own compiler, 1 its Cranelift, 2 uBPF.
///
/// # Safety
///
/// `code` is `length` bytes that are never freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_compile(code: *const u8, length: usize, compiler: u32) -> *mut Machine {
    // SAFETY: the caller says so.
    let code: &'static [u8] = unsafe { std::slice::from_raw_parts(code, length) };
    let rbpf = || {
        let mut vm = rbpf::EbpfVmRaw::new(None).ok()?;
        vm.set_verifier(|_| Ok(())).ok()?;
        vm.set_program(code).ok()?;
        Some(vm)
    };
    let compile = || match compiler {
        0 => rbpf().and_then(|mut vm| vm.jit_compile().ok().map(|()| Machine::Own(vm))),
        1 => rbpf().and_then(|mut vm| vm.cranelift_compile().ok().map(|()| Machine::Cranelift(vm))),
        _ => ubpf::Machine::new(code).map(Machine::Ubpf),
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
    match machine {
        Machine::Cranelift(vm) => vm.execute_program_cranelift(memory).unwrap_or(u64::MAX),
        // SAFETY: the caller says so.
        Machine::Own(vm) => unsafe { vm.execute_program_jit(memory) }.unwrap_or(u64::MAX),
        // SAFETY: the caller says so.
        Machine::Ubpf(machine) => unsafe { machine.run(memory) },
    }
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
