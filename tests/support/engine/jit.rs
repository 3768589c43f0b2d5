//! The translator into this process as an engine.

use std::cell::Cell;

use bpf2native::config::OptLevel;
use bpf2native::{Config, Jit, Linker, Module, Program};

use super::{Engine, Outcome, Problem};
use crate::support::cases::Case;
use crate::support::crash;

/// [`bpf2native::Jit`].
pub struct InProcess(pub OptLevel);

thread_local! {
    /// How long the packet is that [`load_packet`] reads.
    static PACKET: Cell<u64> = const { Cell::new(0) };
}

/// Helper 5.
extern "C" fn first(a: u64) -> u64 {
    super::first(a, 0, 0, 0, 0)
}

/// Helper 6.
extern "C" fn mix(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    super::mix(a, b, c, d, e)
}

/// LD_ABS and LD_IND: the context is the packet.
extern "C" fn load_packet(context: u64, offset: i32, bytes: u64) -> i64 {
    match u64::try_from(offset) {
        Ok(offset) if offset + bytes <= PACKET.get() => {}
        _ => return -1,
    }
    let byte = |index: u64| {
        let address = (context + offset as u64 + index) as *const u8;
        // SAFETY: the context is the memory argument, which is `PACKET` bytes long.
        unsafe { *address }
    };
    (0..bytes).fold(0, |value, index| value << 8 | i64::from(byte(index)))
}

/// What the programs of the cases may call.
pub fn linker() -> Linker {
    let mut linker = Linker::new().no_libc();
    let functions = linker
        .func("bpf_ktime_get_ns", first as extern "C" fn(u64) -> u64)
        .and_then(|linker| linker.func("bpf_trace_printk", mix as extern "C" fn(u64, u64, u64, u64, u64) -> u64))
        .and_then(|linker| linker.func("bpf_load_packet", load_packet as extern "C" fn(u64, i32, u64) -> i64));
    functions.expect("the names differ");
    linker
}

/// Translates and runs one program.
pub fn run(jit: &Jit, linker: &Linker, name: &str, code: &[u8], memory: &mut [u8]) -> Result<u64, String> {
    let program = Program::from_instructions(name, code).map_err(|error| error.to_string())?;
    let module = jit.load(&program, linker).map_err(|error| error.to_string())?;
    call(&module, name, memory)
}

/// Runs a program that is loaded.
pub fn call(module: &Module, name: &str, memory: &mut [u8]) -> Result<u64, String> {
    // SAFETY: `main` takes a pointer and a length, and the program keeps to its memory.
    let main = unsafe { module.func::<(u64, u64), u64>("main") }.map_err(|error| error.to_string())?;
    PACKET.set(memory.len() as u64);
    Ok(crash::named(name, || main.call((memory.as_mut_ptr() as u64, memory.len() as u64))))
}

impl Engine for InProcess {
    fn name(&self) -> &'static str {
        match self.0 {
            OptLevel::O0 => "jit -O0",
            OptLevel::O1 => "jit -O1",
            OptLevel::O2 => "jit",
        }
    }

    fn run(&self, cases: &[Case]) -> Result<Vec<Result<Outcome, Problem>>, String> {
        let config = Config::new().opt_level(self.0).clone();
        let jit = Jit::new(&config).map_err(|error| error.to_string())?;
        let linker = linker();
        let run = |case: &Case| {
            let mut memory = case.memory.clone();
            let r0 = run(&jit, &linker, &case.name, &case.code, &mut memory).map_err(Problem::Failed)?;
            Ok(Outcome { r0, memory })
        };
        Ok(cases.iter().map(run).collect())
    }
}
