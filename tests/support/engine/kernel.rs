//! The running kernel as an engine: `BPF_PROG_LOAD` and `BPF_PROG_TEST_RUN` through bpf(2).
//!
//! The memory argument is the value of an array map, so that the verifier knows its bounds. A case becomes a function
//! that a wrapper calls, which stores all 64 bits of r0 behind the memory:
//!
//! ```text
//! r1 = map value; r2 = length; call case; r1 = map value + r0's place; *(u64 *)(r1 + 0) = r0; r0 = 0; exit; case...
//! ```
//!
//! A case that reads packets is the program itself, since its r6 must be the context; its r0 is the return value.

use std::os::fd::{AsRawFd, OwnedFd};

use super::{Engine, Outcome, Problem};
use crate::support::bpf::{create_map, load, read_map, test_run, write_map};
use crate::support::cases::Case;

/// The kernel's interpreter or JIT, whichever is on.
pub struct Kernel;

impl Engine for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn run(&self, cases: &[Case]) -> Result<Vec<Result<Outcome, Problem>>, String> {
        load(&[0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])?;
        Ok(cases.iter().map(run).collect())
    }
}

fn run(case: &Case) -> Result<Outcome, Problem> {
    let failed = |error: std::io::Error| Problem::Failed(error.to_string());
    let calls_helper = |[opcode, registers, ..]: [u8; 8]| opcode == 0x85 && registers == 0;
    if super::slots(&case.code).any(calls_helper) {
        return Err(Problem::Unsupported("its helpers are not the cases'".to_owned()));
    }
    if super::slots(&case.code).any(|[opcode, ..]| matches!(opcode & 0xe7, 0x20 | 0x40)) {
        let program = load(&case.code).map_err(Problem::Unsupported)?;
        let r0 = test_run(&program, &case.memory, 1).map_err(failed)?.result;
        return Ok(Outcome { r0: u64::from(r0), memory: case.memory.clone() });
    }
    let place = case.memory.len().next_multiple_of(8);
    let mut value = case.memory.clone();
    value.resize(place + 8, 0);
    let map = create_map(value.len()).map_err(failed)?;
    write_map(&map, &value).map_err(failed)?;
    let program = load(&wrap(case, &map, place)).map_err(Problem::Unsupported)?;
    test_run(&program, &[0; 64], 1).map_err(failed)?;
    read_map(&map, &mut value).map_err(failed)?;
    let r0 = u64::from_ne_bytes(value[place..].try_into().expect("8 bytes are left"));
    value.truncate(case.memory.len());
    Ok(Outcome { r0, memory: value })
}

fn wrap(case: &Case, map: &OwnedFd, place: usize) -> Vec<u8> {
    let slot = |opcode: u8, registers: u8, imm: usize| {
        let imm = u32::try_from(imm).expect("the memory is small").to_le_bytes();
        [opcode, registers, 0, 0, imm[0], imm[1], imm[2], imm[3]]
    };
    let fd = map.as_raw_fd() as usize;
    let mut code = [
        slot(0x18, 0x21, fd),
        slot(0, 0, 0),
        slot(0xb7, 0x02, case.memory.len()),
        slot(0x85, 0x10, 5),
        slot(0x18, 0x21, fd),
        slot(0, 0, place),
        slot(0x7b, 0x01, 0),
        slot(0xb7, 0x00, 0),
        slot(0x95, 0x00, 0),
    ]
    .concat();
    code.extend_from_slice(&case.code);
    code
}
