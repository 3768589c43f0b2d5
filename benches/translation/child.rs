//! What child processes cost: CPU time and memory.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// What a process used.
pub struct Usage {
    /// Of CPU time, in the program and in the kernel.
    pub seconds: f64,
    /// The largest resident set, in bytes.
    pub memory: u64,
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

/// Runs a command, which must succeed.
pub fn usage(command: &mut Command) -> Result<Usage, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn();
    let child = child.map_err(|error| format!("cannot run `{name}`: {error}"))?;
    let pid = child.id() as libc::pid_t;
    let mut status = 0;
    // SAFETY: zero is a value of all its fields.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointers are to what wait4(2) writes, and the child has not been waited for.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    // It is gone: nothing else waits for it.
    drop(child);
    if waited != pid || !ExitStatus::from_raw(status).success() {
        return Err(format!("`{name}` fails: {}", ExitStatus::from_raw(status)));
    }
    Ok(Usage { seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), memory: usage.ru_maxrss as u64 * 1024 })
}

/// Seconds of CPU time that this process has used.
pub fn own_cpu_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The memory of the command when it translates an object.
pub fn peak_memory(object: &Path, folder: &Path) -> Result<u64, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpf2native"));
    command.args(["-c", "-j1"]).arg(object).arg("-o").arg(folder.join("memory.native.o"));
    Ok(usage(&mut command)?.memory)
}
