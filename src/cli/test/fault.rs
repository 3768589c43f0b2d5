//! Faults of a test: what happened, and a backtrace in source lines.
//!
//! In: signals of the kinds that code causes, and the command's when the test's time is over, on a stack of their own, since that of the test may be used up. Out: text on standard
//! error, an event for the command, and the end of the process by the same signal. The handler does what handlers may not do
//! (it allocates memory and reads files); the process is lost in any case, and if the fault was within the allocator, an alarm ends it.

use std::ffi::{c_int, c_void};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::record::{self, Event, signal_name};

/// The signal for a test whose time is over.
pub const TIME_IS_OVER: c_int = libc::SIGXCPU;
/// The signals that code causes, and that one.
const SIGNALS: [c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP, TIME_IS_OVER];
/// Bytes of the handler's stack: reading line tables takes some.
const STACK: usize = 1 << 20;
/// Different frames that are shown at most, one after the other.
const MOST_FRAMES: usize = 64;
/// How far from the end of the stack an access is taken for one that needed more of it.
const NEAR: usize = 1 << 20;
/// Seconds that a backtrace may take.
const PATIENCE: u32 = 10;

/// What the handler has to know.
pub struct Watched {
    /// The test's name: the outermost frame that is shown.
    pub test: String,
    /// The file for events.
    pub record: PathBuf,
    /// What has to be done before the process ends.
    pub at_end: extern "C" fn(),
}

static WATCHED: OnceLock<Watched> = OnceLock::new();
/// The lowest address that the stack may have.
static STACK_END: AtomicUsize = AtomicUsize::new(0);
/// The signal that is being handled.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Installs the handlers.
pub fn install(watched: Watched) {
    WATCHED.get_or_init(|| watched);
    let on_stack = 0_u8;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the system fills it in.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } == 0 {
        let end = (&raw const on_stack as usize).saturating_sub(limit.rlim_cur as usize);
        STACK_END.store(end, Ordering::SeqCst);
    }
    let stack = Box::leak(vec![0_u8; STACK].into_boxed_slice());
    // SAFETY: the stack is never freed; the handlers are functions of the type that SA_SIGINFO wants.
    unsafe {
        let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
        libc::sigaltstack(&raw const stack, std::ptr::null_mut());
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        libc::sigemptyset(&raw mut action.sa_mask);
        for signal in SIGNALS {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        // As in a process that the system started.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    if SIGNAL.swap(signal, Ordering::SeqCst) != 0 {
        // A fault of the handler itself.
        end(signal);
    }
    // SAFETY: the alarm's handler only ends the process. The system gives a valid `info`.
    let address = unsafe {
        libc::signal(libc::SIGALRM, give_up as *const () as usize);
        libc::alarm(PATIENCE);
        // What the test has printed comes first.
        libc::fflush(std::ptr::null_mut());
        (*info).si_addr() as usize
    };
    eprintln!("{}", what(signal, address));
    if let Some(watched) = WATCHED.get() {
        record::add(&watched.record, &Event::Fault);
        // SAFETY: the context is what the system gives to a handler.
        let caller = unsafe { caller_of_no_code(context, address) };
        eprint!("{}", frames(&watched.test, caller));
        (watched.at_end)();
    }
    end(signal);
}

/// Where control came from, if it is where no code is: a call of a null pointer. The unwinder knows nothing of that place.
///
/// # Safety
///
/// The context is that of a signal.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
unsafe fn caller_of_no_code(context: *mut c_void, address: usize) -> Option<usize> {
    // SAFETY: as the caller says. The call has put the return address where the stack pointer is.
    unsafe {
        let registers = &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let (at, stack) = (registers[libc::REG_RIP as usize], registers[libc::REG_RSP as usize]);
        (at as usize == address).then(|| *(stack as *const usize))
    }
}

/// Not known for this machine.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
unsafe fn caller_of_no_code(_context: *mut c_void, _address: usize) -> Option<usize> {
    None
}

/// Ends the process as the signal would have done.
fn end(signal: c_int) -> ! {
    // SAFETY: the default action of all these signals is the end of the process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal)
    }
}

extern "C" fn give_up(_signal: c_int) {
    const TEXT: &[u8] = b"there is no backtrace: the fault was within the memory allocator\n";
    // SAFETY: a constant.
    unsafe { libc::write(libc::STDERR_FILENO, TEXT.as_ptr().cast(), TEXT.len()) };
    end(SIGNAL.load(Ordering::SeqCst));
}

/// What a signal says.
fn what(signal: c_int, address: usize) -> String {
    let name = signal_name(signal);
    let end = STACK_END.load(Ordering::SeqCst);
    match signal {
        libc::SIGSEGV if end > 0 && address.abs_diff(end) < NEAR => {
            format!(
                "{name}: an access of {address:#x}, behind the end of the stack: calls are too deep, or frames too large"
            )
        }
        libc::SIGSEGV if address < 4096 => format!("{name}: an access of {address:#x}, a null pointer or near one"),
        // What a context with an address of 64 bits in a field of 32 leads to.
        libc::SIGSEGV if u32::try_from(address).is_ok() => format!(
            "{name}: an access of {address:#x}, where there is no memory or none that may be used so; if it is of a packet: `data` \
             and `data_end` of its context have 32 bits, and hold the lower half of an address; make the context with \
             `bpf2native_xdp`, `bpf2native_skb`, or around a packet of your own with `bpf2native_xdp_at`, `bpf2native_skb_at`, \
             which refuse one that is not below 4 GiB"
        ),
        libc::SIGSEGV => {
            format!("{name}: an access of {address:#x}, where there is no memory or none that may be used so")
        }
        libc::SIGBUS => format!("{name}: an access of {address:#x}, behind the end of a file or not aligned"),
        libc::SIGFPE => format!("{name}: a division by zero or an overflow"),
        libc::SIGILL => {
            format!("{name}: an instruction that traps: control has left a function's code, or could not go on")
        }
        libc::SIGABRT => format!("{name}: `abort` was called"),
        TIME_IS_OVER => "when its time was over, the test was here:".to_owned(),
        _ => format!("{name}: a trap"),
    }
}

/// A frame, and how many more of the same place follow it.
struct Shown {
    address: usize,
    function: String,
    place: Option<String>,
    again: usize,
}

impl Shown {
    /// What is at an address. Of a call, it is where the call returns to; the fault's is the instruction's own.
    fn new(address: usize, is_call: bool) -> Shown {
        let mut shown = Shown { address, function: "(unknown)".to_owned(), place: None, again: 0 };
        // What is looked up is the byte before.
        let looked_up = if is_call { address } else { address.wrapping_add(1) };
        // The last one is the function itself, after those that are inlined into it.
        backtrace::resolve(looked_up as *mut c_void, |symbol| {
            if let Some(name) = symbol.name() {
                shown.function = name.to_string();
            }
            if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
                shown.place = Some(format!("{}:{line}", file.display()));
            }
        });
        shown
    }
}

/// The frames from the fault to the test; `caller` is where control came from, if the unwinder cannot know it.
fn frames(test: &str, caller: Option<usize>) -> String {
    let mut found: Vec<Shown> = Vec::new();
    let (mut handler_passed, mut trampoline_passed) = (false, false);
    let mut more = false;
    backtrace::trace(|frame| {
        // The handler's own frames, then the system's, which calls it.
        if !handler_passed {
            handler_passed = std::ptr::eq(frame.symbol_address(), handle as *const c_void);
            return true;
        }
        if !trampoline_passed {
            trampoline_passed = true;
            return true;
        }
        let address = frame.ip() as usize;
        // A recursion that has used up the stack has a great many of them.
        if let Some(last) = found.last_mut().filter(|last| last.address == address) {
            last.again += 1;
            return true;
        }
        if found.len() == MOST_FRAMES {
            more = true;
            return false;
        }
        let shown = Shown::new(address, !found.is_empty());
        let is_test = shown.function == test;
        found.push(shown);
        !is_test
    });
    if found.len() == 1 {
        found.extend(caller.map(|caller| Shown::new(caller, true)));
    }
    let mut text = String::new();
    let mut number = 0;
    for Shown { function, place, again, .. } in &found {
        text += &format!("{number:4}: {function}\n");
        if let Some(place) = place {
            text += &format!("             at {place}\n");
        }
        if *again > 0 {
            text += &format!("      ... and {again} more of the same\n");
        }
        number += 1 + again;
    }
    if more {
        text += "      ... and more\n";
    } else if found.last().is_none_or(|last| last.function != test) {
        text += "      (from here on the stack cannot be followed, or it is another thread's)\n";
    }
    text
}
