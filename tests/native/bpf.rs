//! bpf(2), and what else the machine must have for tests in the running kernel.

// Each test file uses a part of it.
#![allow(dead_code)]

use std::ffi::c_int;
use std::io::{self, Write};
use std::path::Path;

const MAP_CREATE: c_int = 0;

/// Calls bpf(2), with attributes that are long enough for every command.
pub fn call(command: c_int, attributes: &mut [u64; 16]) -> io::Result<c_int> {
    // SAFETY: pointers among the attributes are to buffers that outlive the call and are as long as the attributes say.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size_of_val(attributes)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as c_int) }
}

/// Closes a descriptor that bpf(2) gave.
pub fn close(fd: c_int) {
    // SAFETY: the descriptor came from bpf(2), and nobody else has it.
    unsafe { libc::close(fd) };
}

/// Why bpf(2) cannot be used here, if so.
pub fn unavailable() -> Option<String> {
    // SAFETY: libbpf has no initialisation that runs code of ours.
    if let Err(error) = unsafe { libloading::Library::new("libbpf.so.1") } {
        return Some(format!("libbpf.so.1: {error}"));
    }
    let mut attributes = [0u64; 16];
    // An array of one word.
    (attributes[0], attributes[1]) = (2 | 4 << 32, 4 | 1 << 32);
    match call(MAP_CREATE, &mut attributes) {
        Ok(fd) => {
            close(fd);
            None
        }
        Err(error) => Some(format!("bpf(2) is refused: {error}")),
    }
}

/// Whether programs can be loaded here and attached to tracepoints; if not, says so, and fails where `CI` is set.
pub fn has_tracing() -> bool {
    let why = if Path::new("/sys/kernel/tracing/events").exists() {
        unavailable()
    } else {
        Some("there is no tracefs (as root: mount -t tracefs tracefs /sys/kernel/tracing)".to_owned())
    };
    let Some(why) = why else { return true };
    // Past the test harness, which hides what passing tests print.
    let _ = writeln!(io::stderr(), "scripts: {why}");
    super::skip(&why);
    false
}

/// Whether C programs can be compiled against libbpf.
pub fn has_libbpf_headers() -> bool {
    let has = Path::new("/usr/include/bpf/libbpf.h").exists();
    if !has {
        super::skip("<bpf/libbpf.h> is not installed (Debian: libbpf-dev)");
    }
    has
}
