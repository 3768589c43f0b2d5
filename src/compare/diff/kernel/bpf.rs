//! bpf(2): maps, programs, and the code that the kernel's JIT made of them.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// Bytes of `union bpf_attr` that are given: more than any command here reads; the rest has to be zero.
const ATTRIBUTES: usize = 144;

/// Bytes of `struct bpf_prog_info` that are asked for: up to `jited_func_lens`.
const INFO: usize = 128;

/// The largest verifier log that is read.
const LOG: usize = 1 << 20;

/// The attributes of a command: 4-byte and 8-byte values at offsets in the union.
struct Attributes([u64; ATTRIBUTES / 8]);

impl Attributes {
    fn new(words: &[(usize, u32)], pointers: &[(usize, *const u8)]) -> Attributes {
        let mut bytes = [0; ATTRIBUTES];
        for &(at, word) in words {
            bytes[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        }
        for &(at, pointer) in pointers {
            bytes[at..at + 8].copy_from_slice(&(pointer as u64).to_ne_bytes());
        }
        let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[8 * at + byte]));
        Attributes(std::array::from_fn(word))
    }

    fn call(&mut self, command: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the pointers among the attributes are to buffers that outlive the call and are as long as the
        // attributes say.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), ATTRIBUTES) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
    }

    fn open(&mut self, command: libc::c_int) -> io::Result<OwnedFd> {
        let fd = self.call(command)?;
        // SAFETY: the kernel has just given out this descriptor, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// What a map is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MapKind {
    /// `enum bpf_map_type`.
    pub kind: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
}

pub(crate) fn create_map(map: &MapKind) -> io::Result<OwnedFd> {
    let MapKind { kind, key_size, value_size, max_entries, flags } = *map;
    let words = [(0, kind), (4, key_size), (8, value_size), (12, max_entries), (16, flags)];
    Attributes::new(&words, &[]).open(MAP_CREATE)
}

/// Sets the only element of an array; `value` is as long as the map's values are.
pub(crate) fn set_first(map: &OwnedFd, value: &[u8]) -> io::Result<()> {
    let key = [0u8; 4];
    let words = [(0, map.as_raw_fd().cast_unsigned())];
    Attributes::new(&words, &[(8, key.as_ptr()), (16, value.as_ptr())]).call(MAP_UPDATE_ELEM).map(drop)
}

/// `BPF_PROG_LOAD`. The error is the verifier's last words, or else the system's.
pub(crate) fn load(kind: u32, code: &[u8]) -> Result<OwnedFd, String> {
    let words = [(0, kind), (4, (code.len() / 8) as u32)];
    let pointers = [(8, code.as_ptr()), (16, c"GPL".as_ptr().cast())];
    let refused = match Attributes::new(&words, &pointers).open(PROG_LOAD) {
        Ok(program) => return Ok(program),
        Err(error) => error,
    };
    // Again, with a log; what does not fit is cut off at its start.
    let mut log = vec![0u8; LOG];
    let words = [words[0], words[1], (24, 1), (28, LOG as u32)];
    let pointers = [pointers[0], pointers[1], (32, log.as_mut_ptr().cast_const())];
    if let Ok(program) = Attributes::new(&words, &pointers).open(PROG_LOAD) {
        return Ok(program);
    }
    let log = CStr::from_bytes_until_nul(&log).unwrap_or_default().to_string_lossy();
    Err(last_line(&log).unwrap_or_else(|| refused.to_string()))
}

/// Why a verifier's log ends.
pub(crate) fn last_line(log: &str) -> Option<String> {
    let is_reason =
        |line: &&str| !line.is_empty() && !line.starts_with("processed ") && !line.starts_with("verification time");
    log.lines().map(str::trim).rfind(is_reason).map(str::to_owned)
}

/// The native code of a program's functions, in their order.
pub(crate) fn jited(program: &OwnedFd) -> Result<Vec<Vec<u8>>, String> {
    let first = info(program, &[])?;
    let (length, functions) = (word(&first, 16), word(&first, 108));
    if length == 0 {
        return Err("it was not compiled: the JIT is off (sysctl net.core.bpf_jit_enable)".to_owned());
    }
    let mut code = vec![0u8; length as usize];
    let mut lengths = vec![0u8; 4 * functions as usize];
    let asked = [
        (16, u64::from(length), 4),
        (24, code.as_mut_ptr() as u64, 8),
        (108, u64::from(functions), 4),
        (120, lengths.as_mut_ptr() as u64, 8),
    ];
    let second = info(program, &asked)?;
    if second[24..32] == [0; 8] {
        return Err("the kernel does not show its code (it wants CAP_PERFMON and CAP_SYSLOG)".to_owned());
    }
    let lengths: Vec<usize> = lengths.chunks_exact(4).map(|bytes| word(bytes, 0) as usize).collect();
    let mut rest = code.as_slice();
    let mut parts = Vec::new();
    for length in lengths {
        let Some((part, after)) = rest.split_at_checked(length) else {
            return Err("the kernel's sizes of functions are larger than their code".to_owned());
        };
        parts.push(part.to_vec());
        rest = after;
    }
    if parts.is_empty() {
        parts.push(code);
    }
    Ok(parts)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_ne_bytes)
}

/// `bpf_prog_info`, with these values (offset, value, size) in it beforehand.
fn info(program: &OwnedFd, values: &[(usize, u64, usize)]) -> Result<[u8; INFO], String> {
    let mut info = [0u8; INFO];
    for &(at, value, size) in values {
        match size {
            4 => info[at..at + 4].copy_from_slice(&(value as u32).to_ne_bytes()),
            _ => info[at..at + 8].copy_from_slice(&value.to_ne_bytes()),
        }
    }
    let words = [(0, program.as_raw_fd().cast_unsigned()), (4, INFO as u32)];
    let result = Attributes::new(&words, &[(8, info.as_mut_ptr().cast_const())]).call(OBJ_GET_INFO_BY_FD);
    result.map_err(|error| format!("the kernel does not tell of the program: {error}"))?;
    Ok(info)
}
