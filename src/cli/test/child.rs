//! One test, in a process of its own: what the command starts itself for.
//!
//! In: the library, the test's name, the file for events. Out: events, what the test prints, and the counters of coverage. The
//! process ends by `exit`, so the program's destructors run.

use std::ffi::{CStr, CString, c_char, c_void};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::Context;
use bpf2native::internals::coverage::Counted;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::fault::{self, Watched};
use super::options::ChildArguments;
use super::record::{self, Event};

/// `enum bpf2native_test_outcome` of `include/bpf2native_test.h`.
const EXPECTED: u32 = 0;
const SKIPPED: u32 = 2;

/// The file for events.
static RECORD: OnceLock<PathBuf> = OnceLock::new();

/// Counters in memory, and where they go.
struct Counts {
    /// The address of the first.
    start: usize,
    count: usize,
    path: PathBuf,
}

static COUNTS: OnceLock<Counts> = OnceLock::new();

/// Runs the test.
pub fn run(arguments: &ChildArguments) -> anyhow::Result<ExitCode> {
    let record = RECORD.get_or_init(|| arguments.record.clone());
    fault::install(Watched { test: arguments.name.clone(), record: record.clone(), at_end: write_counts });
    // SAFETY: the user asked for the program to run, its constructors with it. The library is never closed. The symbols have the
    // types that the runtime, the test's finder and the counters give them.
    unsafe {
        // Registered before the library's destructors are, and so called after them.
        libc::atexit(write_counts);
        let library = Library::open(Some(&arguments.library), RTLD_NOW | RTLD_LOCAL);
        let library = std::mem::ManuallyDrop::new(library.context("cannot load the tests")?);
        if let Ok(set) = library.get::<unsafe extern "C" fn(extern "C" fn(u32, *const c_char))>(REPORT) {
            set(told);
        }
        if let (Some(path), true) = (&arguments.counts, arguments.counters > 0) {
            let symbol = CString::new(Counted::SYMBOL)?;
            let counters =
                library.get::<*mut c_void>(symbol.as_bytes_with_nul()).context("the tests do not count")?;
            let start = counters.into_raw() as usize;
            COUNTS.get_or_init(|| Counts { start, count: arguments.counters, path: path.clone() });
        }
        let name = CString::new(arguments.name.as_str())?;
        let test = library.get::<unsafe extern "C" fn()>(name.as_bytes_with_nul());
        let test = test.with_context(|| format!("there is no test `{}`", arguments.name))?;
        test();
        libc::fflush(std::ptr::null_mut());
        record::add(record, &Event::Returned);
        libc::exit(0)
    }
}

/// The runtime's function that is given [`told`].
const REPORT: &[u8] = b"bpf2native_test_report\0";

/// An assertion does not hold, or the test is skipped.
extern "C" fn told(outcome: u32, text: *const c_char) {
    let Some(record) = RECORD.get() else { return };
    let event = match outcome {
        EXPECTED => Event::Expected,
        SKIPPED => {
            // SAFETY: the runtime passes the text of SKIP, a string.
            let reason = unsafe { CStr::from_ptr(text) };
            Event::Skipped(reason.to_string_lossy().into_owned())
        }
        _ => Event::Failed,
    };
    record::add(record, &event);
}

/// Writes the counters. Nobody is left to be told if that fails: the test's coverage is missing then, which the command says.
extern "C" fn write_counts() {
    let Some(Counts { start, count, path }) = COUNTS.get() else { return };
    let counter = |index: usize| {
        // SAFETY: there are so many counters, in a library that is never closed.
        unsafe { (*start as *const u64).add(index).read_volatile() }
    };
    let bytes: Vec<u8> = (0..*count).flat_map(|index| counter(index).to_le_bytes()).collect();
    let _ = fs::write(path, bytes);
}
