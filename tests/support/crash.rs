//! Says which program ran when native code crashed: a crash ends the test process, and its harness knows no names.
//!
//! In: the name of each program before it runs. Out: the name on standard error, when a signal comes.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, Once};

static NAME: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// Native code runs in one test at a time, so that the name is the right one.
static RUNNING: Mutex<()> = Mutex::new(());

/// Runs native code under a name.
pub fn named<T>(name: &str, run: impl FnOnce() -> T) -> T {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(install);
    let running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    LENGTH.store(name.len(), Ordering::Relaxed);
    NAME.store(name.as_ptr().cast_mut(), Ordering::Release);
    let result = run();
    NAME.store(std::ptr::null_mut(), Ordering::Release);
    drop(running);
    result
}

fn install() {
    for signal in [libc::SIGILL, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGTRAP] {
        let handler = report as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: the handler only writes, and puts the signal's default back.
        unsafe { libc::signal(signal, handler) };
    }
}

extern "C" fn report(signal: libc::c_int) {
    let name = NAME.load(Ordering::Acquire);
    let write = |text: *const u8, length: usize| {
        // SAFETY: write(2) may be called in a signal handler; the bytes outlive the run that the signal stopped.
        unsafe { libc::write(2, text.cast(), length) };
    };
    let text = b"\nnative code crashed in: ";
    write(text.as_ptr(), text.len());
    if !name.is_null() {
        write(name, LENGTH.load(Ordering::Relaxed));
    }
    write(b"\n".as_ptr(), 1);
    // SAFETY: as in `install`; the instruction runs again and ends the process with the signal's own status.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
