//! bpf(2): programs and maps of the running kernel.
//!
//! In: instructions, bytes. Out: file descriptors, and what a program returns when it is run on a packet.
#![allow(dead_code, reason = "tests and benchmarks use their part of it")]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const MAP_TYPE_ARRAY: u32 = 2;
const PROG_TYPE_SCHED_CLS: u32 = 3;

/// `union bpf_attr`: more than any command reads; the kernel wants the rest to be zero.
#[repr(C, align(8))]
pub(super) struct Attributes([u8; 120]);

impl Attributes {
    /// Puts 4-byte and 8-byte values at their offsets in the union.
    pub(super) fn new(words: &[(usize, u32)], pointers: &[(usize, *const u8)]) -> Attributes {
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
    pub(super) fn call(&mut self, command: libc::c_int) -> std::io::Result<libc::c_int> {
        // SAFETY: every pointer in the attributes is to a buffer that outlives the call and is as long as the
        // command was told.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut self.0, self.0.len()) };
        if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("4 bytes"))
    }

    pub(super) fn open(&mut self, command: libc::c_int) -> std::io::Result<OwnedFd> {
        let fd = self.call(command)?;
        // SAFETY: the kernel has just given out this descriptor, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
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

/// What a run says.
pub struct Ran {
    /// The program's return value.
    pub result: u32,
    /// Nanoseconds, the mean of all runs.
    pub duration: u32,
}

/// Runs a program over a packet, so many times.
pub fn test_run(program: &OwnedFd, packet: &[u8], repeat: u32) -> std::io::Result<Ran> {
    let words = [(0, program.as_raw_fd().cast_unsigned()), (8, packet.len() as u32), (32, repeat)];
    let mut attributes = Attributes::new(&words, &[(16, packet.as_ptr())]);
    attributes.call(PROG_TEST_RUN)?;
    Ok(Ran { result: attributes.word(4), duration: attributes.word(36) })
}

/// An array with one element of so many bytes.
pub fn create_map(size: usize) -> std::io::Result<OwnedFd> {
    let words = [(0, MAP_TYPE_ARRAY), (4, 4), (8, size as u32), (12, 1)];
    Attributes::new(&words, &[]).open(MAP_CREATE)
}

/// Reads the map's only element.
pub fn read_map(map: &OwnedFd, value: &mut [u8]) -> std::io::Result<()> {
    map_element(MAP_LOOKUP_ELEM, map, value.as_mut_ptr())
}

/// Writes the map's only element.
pub fn write_map(map: &OwnedFd, value: &[u8]) -> std::io::Result<()> {
    // The kernel reads it only.
    map_element(MAP_UPDATE_ELEM, map, value.as_ptr().cast_mut())
}

fn map_element(command: libc::c_int, map: &OwnedFd, value: *mut u8) -> std::io::Result<()> {
    let key = [0; 4];
    let pointers = [(8, key.as_ptr()), (16, value.cast_const())];
    Attributes::new(&[(0, map.as_raw_fd().cast_unsigned())], &pointers).call(command).map(drop)
}
