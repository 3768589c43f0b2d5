//! What is in the kernel: programs and maps, by name, as bpf(2) lists them.
//!
//! The rule: when a script has ended, however it ended, the kernel has nothing of it any more. The kernel frees some of that a moment
//! later, so it is asked for a while.

use std::ffi::c_int;
use std::time::{Duration, Instant};

use crate::native::bpf::{call, close};

const PROG_GET_NEXT_ID: c_int = 11;
const MAP_GET_NEXT_ID: c_int = 12;
const PROG_GET_FD_BY_ID: c_int = 13;
const MAP_GET_FD_BY_ID: c_int = 14;
const OBJ_GET_INFO_BY_FD: c_int = 15;

/// Where the kernel's `struct bpf_prog_info` and `struct bpf_map_info` have the name, of 16 bytes.
const PROGRAM_NAME: usize = 64;
const MAP_NAME: usize = 24;

fn name_of(by_id: c_int, id: u64, at: usize) -> Option<String> {
    let mut attributes = [0u64; 16];
    attributes[0] = id;
    // It may be gone already.
    let fd = call(by_id, &mut attributes).ok()?;
    let mut info = [0u64; 32];
    let mut attributes = [0u64; 16];
    attributes[0] = fd as u64 | (size_of_val(&info) as u64) << 32;
    attributes[1] = info.as_mut_ptr() as u64;
    let known = call(OBJ_GET_INFO_BY_FD, &mut attributes);
    close(fd);
    known.unwrap();
    let bytes: Vec<u8> = info.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let name = bytes[at..at + 16].split(|&byte| byte == 0).next().unwrap();
    Some(String::from_utf8_lossy(name).into_owned())
}

/// The names of all programs and maps.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for (next, by_id, at) in
        [(PROG_GET_NEXT_ID, PROG_GET_FD_BY_ID, PROGRAM_NAME), (MAP_GET_NEXT_ID, MAP_GET_FD_BY_ID, MAP_NAME)]
    {
        let mut attributes = [0u64; 16];
        while call(next, &mut attributes).is_ok() {
            let id = attributes[0] >> 32;
            names.extend(name_of(by_id, id, at));
            attributes = [0u64; 16];
            attributes[0] = id;
        }
    }
    names
}

/// Whether the kernel has a program or map of this name.
pub fn has(name: &str) -> bool {
    names().iter().any(|found| found == name)
}

/// Checks that the kernel has, soon, no program or map of these names.
pub fn check(wanted: &[&str], what: &str) {
    let since = Instant::now();
    loop {
        let found: Vec<String> = names().into_iter().filter(|name| wanted.contains(&name.as_str())).collect();
        if found.is_empty() {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(10), "{what}: the kernel still has {found:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
