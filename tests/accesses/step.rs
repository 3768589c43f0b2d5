//! Translated code, an instruction at a time: each access that it makes to a piece of memory.
//!
//! In: a function's address, its memory argument. Out: r0 and the accesses, in order. The processor raises `SIGTRAP` before
//! each instruction (its trap flag is set); the handler reads the instruction and the registers that its address is made of.
//! The rule: what an instruction accesses is the disassembler's word, not the translator's.

use std::arch::asm;
use std::cell::Cell;
use std::ptr;
use std::sync::Once;

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, OpAccess, Register, UsedMemory};

/// An access of machine code.
#[derive(Clone, Debug)]
pub struct Access {
    pub writes: bool,
    /// Bytes from the start of the memory.
    pub at: usize,
    /// What is there afterwards.
    pub bytes: Vec<u8>,
}

struct Recorder {
    start: u64,
    length: u64,
    accesses: Vec<Access>,
    /// How many of them are older than the instruction that runs now: what the others write is not there yet.
    done: usize,
    factory: InstructionInfoFactory,
}

thread_local! {
    static RECORDER: Cell<*mut Recorder> = const { Cell::new(ptr::null_mut()) };
}

/// Calls `function` with the address of `memory` and its length.
///
/// # Safety
///
/// It must be such a function, and keep to this memory.
pub unsafe fn run(function: extern "C" fn(u64, u64) -> u64, memory: &mut [u8]) -> (u64, Vec<Access>) {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(install);
    let (start, length) = (memory.as_mut_ptr() as u64, memory.len() as u64);
    let factory = InstructionInfoFactory::new();
    let mut recorder = Recorder { start, length, accesses: Vec::new(), done: 0, factory };
    RECORDER.set(&raw mut recorder);
    let r0: u64;
    // SAFETY: the caller says what the function is; the flag is cleared again, and the stack is as it was.
    unsafe {
        asm!(
            "pushfq", "or qword ptr [rsp], 0x100", "popfq",
            "call {function}",
            "pushfq", "and qword ptr [rsp], -0x101", "popfq",
            function = in(reg) function,
            in("rdi") start,
            in("rsi") length,
            lateout("rax") r0,
            clobber_abi("C"),
        );
    }
    RECORDER.set(ptr::null_mut());
    (r0, recorder.accesses)
}

fn install() {
    // SAFETY: the handler has the signature that the flags ask for.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = trapped as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGTRAP, &action, ptr::null_mut())
    };
    assert_eq!(result, 0, "there is no handler for SIGTRAP");
}

extern "C" fn trapped(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the recorder lives as long as the flag is set, and is used by this handler alone until then.
    let Some(recorder) = (unsafe { RECORDER.get().as_mut() }) else { return };
    // SAFETY: the system's word for a handler with `SA_SIGINFO`.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    recorder.see(&context.uc_mcontext.gregs);
}

impl Recorder {
    fn see(&mut self, registers: &[libc::greg_t; 23]) {
        self.finish();
        let at = registers[libc::REG_RIP as usize] as u64;
        let decoded = |length: u64| {
            // SAFETY: these bytes run next, so they can be read.
            let bytes = unsafe { std::slice::from_raw_parts(at as *const u8, length as usize) };
            Decoder::with_ip(64, bytes, at, DecoderOptions::NONE).decode()
        };
        // The page's end may be the end of all code.
        let mut instruction = decoded((4096 - at % 4096).min(15));
        if instruction.is_invalid() {
            instruction = decoded(15);
        }
        let used: Vec<UsedMemory> = self.factory.info(&instruction).used_memory().to_vec();
        for used in used {
            let Some(address) = used.virtual_address(0, |register, _, _| value(registers, register)) else {
                continue;
            };
            let size = used.memory_size().size();
            let offset = address.wrapping_sub(self.start);
            // Also what only ends there.
            let last = offset.wrapping_add((size as u64).saturating_sub(1));
            if offset >= self.length && last >= self.length {
                continue;
            }
            let (reads, writes) = match used.access() {
                OpAccess::None | OpAccess::NoMemAccess => (false, false),
                OpAccess::Read | OpAccess::CondRead => (true, false),
                OpAccess::Write | OpAccess::CondWrite => (false, true),
                OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
            };
            let mut access = Access { writes: false, at: offset as usize, bytes: vec![0; size] };
            if reads {
                self.read(&mut access);
                self.accesses.push(access.clone());
            }
            if writes {
                self.accesses.push(Access { writes, ..access });
            }
        }
    }

    /// The values that the last instruction has written.
    fn finish(&mut self) {
        let mut accesses = std::mem::take(&mut self.accesses);
        accesses[self.done..].iter_mut().filter(|access| access.writes).for_each(|access| self.read(access));
        self.done = accesses.len();
        self.accesses = accesses;
    }

    fn read(&self, access: &mut Access) {
        for (index, byte) in access.bytes.iter_mut().enumerate() {
            let at = access.at.wrapping_add(index);
            if (at as u64) < self.length {
                // SAFETY: it is within the memory, which the code that was stopped writes with no lock.
                *byte = unsafe { ptr::read_volatile((self.start + at as u64) as *const u8) };
            }
        }
    }
}

/// The value of a register that an address may be made of.
fn value(registers: &[libc::greg_t; 23], register: Register) -> Option<u64> {
    let index = match register {
        Register::RAX => libc::REG_RAX,
        Register::RCX => libc::REG_RCX,
        Register::RDX => libc::REG_RDX,
        Register::RBX => libc::REG_RBX,
        Register::RSP => libc::REG_RSP,
        Register::RBP => libc::REG_RBP,
        Register::RSI => libc::REG_RSI,
        Register::RDI => libc::REG_RDI,
        Register::R8 => libc::REG_R8,
        Register::R9 => libc::REG_R9,
        Register::R10 => libc::REG_R10,
        Register::R11 => libc::REG_R11,
        Register::R12 => libc::REG_R12,
        Register::R13 => libc::REG_R13,
        Register::R14 => libc::REG_R14,
        Register::R15 => libc::REG_R15,
        Register::ES | Register::CS | Register::SS | Register::DS => return Some(0),
        _ => return None,
    };
    Some(registers[index as usize] as u64)
}
