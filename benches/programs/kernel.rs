//! The kernel's JIT: `BPF_PROG_LOAD` and `BPF_PROG_TEST_RUN`, for the programs that its verifier takes.
//!
//! The buffer and the read-only data are values of array maps, so that the verifier knows their bounds. A program is
//! called with one iteration, from a wrapper, and everything else is called in the same way:
//!
//! ```text
//! r1 = map value; r2 = 1; call bench; r1 = result's map value; *(u64 *)(r1 + 0) = r0; r0 = 0; exit; ...
//! ```

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use super::bpf::{create_map, load, read_map, test_run, write_map};
use super::build::{self, Flavour, NO_VECTORS};
use super::engines::{self, Engine};
use super::flat::{flatten, insn};
use super::measure::now;
use super::memory::Memory;
use super::suite::Program;

/// What came out for a program.
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Nanoseconds for one call: native, ours, the kernel; or what the verifier says.
    pub times: Result<[f64; 3], String>,
}

/// Measures what the verifier takes. The error says why nothing can be measured.
pub fn compare(
    programs: &[Program],
    rounds: usize,
    memory: &mut Memory,
    folder: &Path,
) -> Result<Vec<Compared>, String> {
    let jit = std::fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").unwrap_or_default();
    if jit.trim() == "0" {
        return Err("the kernel's JIT is off (net.core.bpf_jit_enable)".to_owned());
    }
    let empty = [insn(0xb7, 0, 0, 0, 0), insn(0x95, 0, 0, 0, 0)].concat();
    load(&empty).map_err(|error| format!("this process may not load programs into the kernel: {error}"))?;
    let mut one =
        |program: &Program| Compared { name: program.name.clone(), times: times(program, rounds, memory, folder) };
    Ok(programs.iter().map(&mut one).collect())
}

fn times(program: &Program, rounds: usize, memory: &mut Memory, folder: &Path) -> Result<[f64; 3], String> {
    let object = build::build(&program.source(), Flavour::Bpf("clang-19", "v4"), folder)?;
    let kernel = Kernel::load(program, &object)?;
    let length = program.buffer;
    memory.fill(length);
    kernel.set_buffer(memory.buffer(length))?;
    kernel.run(1)?;
    let result = kernel.result()?;
    let engines = [Engine::Native("clang-19", NO_VECTORS), Engine::Translated("clang-19", Box::default())];
    let mut best = [f64::INFINITY; 3];
    let mut loaded = Vec::new();
    for engine in &engines {
        let one = engines::load(program, engine, 1, None, memory, folder)?.swap_remove(0);
        memory.fill(length);
        let own = one.run(memory, 1);
        if own != result {
            return Err(format!("the kernel's result is {result:#x}, that of {engine:?} {own:#x}"));
        }
        loaded.push(one);
    }
    // About a millisecond.
    let start = now();
    let mut repeat = 0_u32;
    while now() - start < 1e6 {
        loaded[0].run(memory, 1);
        repeat += 1;
    }
    for _ in 0..rounds.max(9) {
        for (one, best) in loaded.iter().zip(&mut best) {
            memory.fill(length);
            let start = now();
            for _ in 0..repeat {
                std::hint::black_box(one.run(memory, 1));
            }
            *best = best.min((now() - start) / f64::from(repeat));
        }
        memory.fill(length);
        kernel.set_buffer(memory.buffer(length))?;
        best[2] = best[2].min(f64::from(kernel.run(repeat)?));
    }
    Ok(best)
}

/// A program in the kernel, and its maps.
struct Kernel {
    program: OwnedFd,
    buffer: OwnedFd,
    result: OwnedFd,
    _data: Option<OwnedFd>,
}

impl Kernel {
    fn load(program: &Program, object: &Path) -> Result<Kernel, String> {
        let failed = |error: io::Error| error.to_string();
        let mut flat = flatten(object)?;
        let buffer = create_map(program.buffer).map_err(failed)?;
        let result = create_map(8).map_err(failed)?;
        let mut data = None;
        if !flat.data.is_empty() {
            let map = create_map(flat.data.len()).map_err(failed)?;
            write_map(&map, &flat.data).map_err(failed)?;
            for (slot, offset) in std::mem::take(&mut flat.addresses) {
                // BPF_PSEUDO_MAP_VALUE: the map, and an offset in its only value.
                flat.code[slot * 8 + 1] = flat.code[slot * 8 + 1] & 0xf | 2 << 4;
                flat.set_address(slot, map.as_raw_fd() as u64 | (offset as u64) << 32);
            }
            data = Some(map);
        }
        let value = |fd: &OwnedFd| [insn(0x18, 1, 2, 0, fd.as_raw_fd() as u32), insn(0, 0, 0, 0, 0)].concat();
        let mut code = value(&buffer);
        code.extend(insn(0xb7, 2, 0, 0, 1));
        code.extend(insn(0x85, 0, 1, 0, 5 + flat.start as u32));
        code.extend(value(&result));
        code.extend([insn(0x7b, 1, 0, 0, 0), insn(0xb7, 0, 0, 0, 0), insn(0x95, 0, 0, 0, 0)].concat());
        code.extend(&flat.code);
        Ok(Kernel { program: load(&code)?, buffer, result, _data: data })
    }

    fn set_buffer(&self, bytes: &[u8]) -> Result<(), String> {
        write_map(&self.buffer, bytes).map_err(|error| error.to_string())
    }

    fn result(&self) -> Result<u64, String> {
        let mut value = [0; 8];
        read_map(&self.result, &mut value).map_err(|error| error.to_string())?;
        Ok(u64::from_ne_bytes(value))
    }

    /// Runs it so often: the mean nanoseconds.
    fn run(&self, repeat: u32) -> Result<u32, String> {
        Ok(test_run(&self.program, &[0; 64], repeat).map_err(|error| error.to_string())?.duration)
    }
}
