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

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::{Engine, Outcome, Problem};
use crate::support::cases::Case;

/// The kernel's interpreter or JIT, whichever is on.
pub struct Kernel;

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const MAP_TYPE_ARRAY: u32 = 2;
const PROG_TYPE_SCHED_CLS: u32 = 3;

/// `union bpf_attr`: more than any command reads; the kernel wants the rest to be zero.
#[repr(C, align(8))]
struct Attributes([u8; 120]);

impl Attributes {
    /// Puts 4-byte and 8-byte values at their offsets in the union.
    fn new(words: &[(usize, u32)], pointers: &[(usize, *const u8)]) -> Attributes {
        let mut bytes = [0; 120];
        for &(at, word) in words {
            bytes[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        }
        for &(at, pointer) in pointers {
            bytes[at..at + 8].copy_from_slice(&(pointer as u64).to_ne_bytes());
        }
        Attributes(bytes)
    }

    /// bpf(2).
    fn call(&mut self, command: libc::c_int) -> std::io::Result<libc::c_int> {
        // SAFETY: every pointer in the attributes is to a buffer that outlives the call and is as long as the
        // command was told.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut self.0, self.0.len()) };
        if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
    }

    fn open(&mut self, command: libc::c_int) -> std::io::Result<OwnedFd> {
        let fd = self.call(command)?;
        // SAFETY: the kernel has just given out this descriptor, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

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
        let r0 = test_run(&program, &case.memory).map_err(failed)?;
        return Ok(Outcome { r0: u64::from(r0), memory: case.memory.clone() });
    }
    let place = case.memory.len().next_multiple_of(8);
    let mut value = case.memory.clone();
    value.resize(place + 8, 0);
    let map = create_map(value.len()).map_err(failed)?;
    map_element(MAP_UPDATE_ELEM, &map, &mut value).map_err(failed)?;
    let program = load(&wrap(case, &map, place)).map_err(Problem::Unsupported)?;
    test_run(&program, &[0; 64]).map_err(failed)?;
    map_element(MAP_LOOKUP_ELEM, &map, &mut value).map_err(failed)?;
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

/// Whether the verifier takes a program.
pub fn accepts(code: &[u8]) -> bool {
    prog_load(code, &mut []).is_ok()
}

/// Loads a program; the error is the verifier's last words.
pub fn load(code: &[u8]) -> Result<OwnedFd, String> {
    prog_load(code, &mut []).map_err(|error| {
        // When the log does not fit, the kernel keeps its end.
        let mut log = vec![0; 1 << 16];
        // It is refused again: only the log is of interest.
        let _ = prog_load(code, &mut log);
        let log = CStr::from_bytes_until_nul(&log).unwrap_or_default().to_string_lossy();
        let last = log.lines().rfind(|line| !line.trim().is_empty() && !line.starts_with("processed "));
        last.map_or_else(|| error.to_string(), str::to_owned)
    })
}

/// `BPF_PROG_LOAD`, with a log when there is room for one.
fn prog_load(code: &[u8], log: &mut [u8]) -> std::io::Result<OwnedFd> {
    let log_level = u32::from(!log.is_empty());
    let words = [(0, PROG_TYPE_SCHED_CLS), (4, (code.len() / 8) as u32), (24, log_level), (28, log.len() as u32)];
    let mut pointers = vec![(8, code.as_ptr()), (16, c"GPL".as_ptr().cast())];
    if log_level > 0 {
        pointers.push((32, log.as_mut_ptr().cast_const()));
    }
    Attributes::new(&words, &pointers).open(PROG_LOAD)
}

/// Runs a program once over a packet: its return value.
fn test_run(program: &OwnedFd, packet: &[u8]) -> std::io::Result<u32> {
    let words = [(0, program.as_raw_fd().cast_unsigned()), (8, packet.len() as u32), (32, 1)];
    let mut attributes = Attributes::new(&words, &[(16, packet.as_ptr())]);
    attributes.call(PROG_TEST_RUN)?;
    Ok(u32::from_ne_bytes([attributes.0[4], attributes.0[5], attributes.0[6], attributes.0[7]]))
}

fn create_map(size: usize) -> std::io::Result<OwnedFd> {
    let words = [(0, MAP_TYPE_ARRAY), (4, 4), (8, size as u32), (12, 1)];
    Attributes::new(&words, &[]).open(MAP_CREATE)
}

/// Reads or writes the map's only element.
fn map_element(command: libc::c_int, map: &OwnedFd, value: &mut [u8]) -> std::io::Result<()> {
    let key = [0; 4];
    let pointers = [(8, key.as_ptr()), (16, value.as_mut_ptr().cast_const())];
    Attributes::new(&[(0, map.as_raw_fd().cast_unsigned())], &pointers).call(command).map(drop)
}
