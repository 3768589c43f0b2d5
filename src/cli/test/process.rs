//! A test's process, as the command sees it.
//!
//! In: the library, a test. Out: what became of it and what it printed. The process has a group of its own, which is killed when the
//! test's time is over, and when it has ended, for what it may have left behind. It does not outlive the command.

use std::io::{PipeReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::fault;
use super::find::Test;
use super::outcome::{Finished, Outcome};
use super::record;

/// Bytes of output that are kept of a test.
const MOST_OUTPUT: usize = 1 << 20;
/// How often it is looked whether a process has ended that still has its output open, or has closed it.
const TICK: Duration = Duration::from_millis(2);
/// How long output is waited for that is held open by what a process left behind.
const GRACE: Duration = Duration::from_millis(100);
/// How long a test has to say where it is when its time is over.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// The hidden command that runs one test.
pub const CHILD: &str = "test-child";

/// How tests are run.
pub struct Runner {
    /// The command.
    pub command: PathBuf,
    pub library: PathBuf,
    /// A folder for files that processes write.
    pub folder: PathBuf,
    pub timeout: Duration,
    /// Whether output is kept, or goes where the command's goes.
    pub captures: bool,
    /// How many counters of coverage there are, if it is wanted.
    pub counters: Option<usize>,
}

impl Runner {
    /// Where a test's counters are, by its number.
    pub fn counts(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number}.counts"))
    }

    /// Runs a test; `number` is its own.
    pub fn run(&self, number: usize, test: &Test) -> anyhow::Result<Finished> {
        let events = self.folder.join(format!("{number}.events"));
        let mut command = Command::new(&self.command);
        command.arg(CHILD).arg(&self.library).arg(&test.name).arg(&events).stdin(Stdio::null()).process_group(0);
        if let Some(counters) = self.counters {
            command.arg("--counts").arg(self.counts(number)).arg("--counters").arg(counters.to_string());
        }
        die_with_parent(&mut command);
        let mut reader = None;
        if self.captures {
            let (read, write) = std::io::pipe().context("cannot make a pipe")?;
            command.stdout(write.try_clone().context("cannot make a pipe")?).stderr(write);
            reader = Some(read);
        }
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", self.command.display()))?;
        // It holds the pipe's other end.
        drop(command);
        let mut output = Output::new(reader);
        let is_late = !wait(&child, &mut output, start + self.timeout);
        let time = start.elapsed();
        if is_late {
            // It can say where it is.
            // SAFETY: a system call; the child is not waited for yet.
            unsafe { libc::kill(child.id() as libc::pid_t, fault::TIME_IS_OVER) };
            wait(&child, &mut output, Instant::now() + LAST_WORDS);
        }
        kill_group(&child);
        let status = child.wait().context("cannot wait for a test")?;
        output.read_rest();
        let outcome = match is_late {
            true => Outcome::Failed(Some(format!("the test did not end within {} s", self.timeout.as_secs()))),
            false => record::outcome(&record::read(&events), status),
        };
        Ok(Finished { test: test.clone(), outcome, output: output.text(), time })
    }
}

/// Has the process killed when the thread that starts it ends.
fn die_with_parent(command: &mut Command) {
    // SAFETY: a system call, as the process between fork and exec may do.
    #[cfg(target_os = "linux")]
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// Kills all processes of the group. The child is not waited for yet, so its number is still its own.
fn kill_group(child: &Child) {
    // SAFETY: a system call.
    unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
}

/// Reads output until the process has ended; false if it has not by the deadline.
fn wait(child: &Child, output: &mut Output, deadline: Instant) -> bool {
    loop {
        if has_ended(child) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        output.read_some(TICK.min(deadline.saturating_duration_since(Instant::now())));
    }
}

/// Whether a process has ended; it stays to be waited for.
fn has_ended(child: &Child) -> bool {
    // SAFETY: zeros are a valid value, and the system fills it in.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
        libc::waitid(libc::P_PID, child.id(), &raw mut info, flags) == 0 && info.si_pid() != 0
    }
}

/// What a process prints, as it comes.
struct Output {
    /// None at its end.
    reader: Option<PipeReader>,
    bytes: Vec<u8>,
    /// Bytes that were too many.
    dropped: u64,
}

impl Output {
    fn new(reader: Option<PipeReader>) -> Output {
        Output { reader, bytes: Vec::new(), dropped: 0 }
    }

    /// Waits for output for so long.
    fn read_some(&mut self, time: Duration) {
        let Some(reader) = &mut self.reader else { return thread::sleep(time) };
        let mut poll = libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, which is open.
        let ready = unsafe { libc::poll(&raw mut poll, 1, time.as_millis().max(1) as i32) };
        if ready <= 0 {
            return;
        }
        let mut chunk = [0; 1 << 14];
        match reader.read(&mut chunk) {
            Ok(0) | Err(_) => self.reader = None,
            Ok(count) => {
                let kept = count.min(MOST_OUTPUT - self.bytes.len());
                self.bytes.extend_from_slice(&chunk[..kept]);
                self.dropped += (count - kept) as u64;
            }
        }
    }

    /// Reads what is left when the process has ended.
    fn read_rest(&mut self) {
        let deadline = Instant::now() + GRACE;
        while self.reader.is_some() && Instant::now() < deadline {
            self.read_some(TICK);
        }
    }

    fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.dropped > 0 {
            text += &format!("\n({} more bytes)\n", self.dropped);
        }
        text
    }
}
