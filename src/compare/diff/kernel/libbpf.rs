//! libbpf, where it is installed: it loads what wants more than the loader here knows. The kernel's configuration, types
//! to attach to, callbacks, maps in maps.
//!
//! In: an object's bytes, the name of a program in it. Out: the program's descriptor, or what libbpf or the verifier says.
//! Of the object only that program is loaded; maps are made, and are not pinned; all goes away with the object.
//!
//! libbpf prints to a function of the process: what it says is kept for each thread.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{BorrowedFd, OwnedFd};

use libloading::{Library, Symbol};

/// The library's name: that of its interface's version.
const NAME: &str = "libbpf.so.1";

/// The longest text that is kept of one message: a verifier's log.
const MESSAGE: usize = 1 << 20;

/// `LIBBPF_WARN`.
const WARNING: c_int = 0;

type Print = unsafe extern "C" fn(c_int, *const c_char, *mut c_void) -> c_int;

thread_local! {
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

unsafe extern "C" {
    fn vsnprintf(buffer: *mut c_char, size: usize, format: *const c_char, arguments: *mut c_void) -> c_int;
}

/// Keeps warnings. A `va_list` is passed on as a pointer, which it is, or is passed by, on all machines here.
unsafe extern "C" fn print(level: c_int, format: *const c_char, arguments: *mut c_void) -> c_int {
    if level == WARNING {
        let mut buffer = vec![0u8; MESSAGE];
        // SAFETY: the buffer is as long as is said; format and arguments are libbpf's, for this.
        unsafe { vsnprintf(buffer.as_mut_ptr().cast(), buffer.len(), format, arguments) };
        let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default().to_string_lossy();
        SAID.with(|said| said.try_borrow_mut().map(|mut said| said.push_str(&text)).unwrap_or_default());
    }
    0
}

/// The library.
pub(crate) struct Libbpf(Library);

/// An object that libbpf has open.
struct Opened<'a> {
    library: &'a Libbpf,
    object: *mut c_void,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if let Ok(close) = self.library.function::<unsafe extern "C" fn(*mut c_void)>(c"bpf_object__close") {
            // SAFETY: it is open, and not used after this.
            unsafe { close(self.object) };
        }
    }
}

impl Libbpf {
    /// The library, if it is installed.
    pub fn find() -> Option<Libbpf> {
        // SAFETY: libbpf does nothing when it is loaded.
        let library = Libbpf(unsafe { Library::new(NAME) }.ok()?);
        let set_print =
            library.function::<unsafe extern "C" fn(Option<Print>) -> Option<Print>>(c"libbpf_set_print");
        // SAFETY: the function has the type that libbpf calls.
        unsafe { set_print.ok()?(Some(print)) };
        Some(library)
    }

    fn function<T>(&self, name: &CStr) -> Result<Symbol<'_, T>, String> {
        // SAFETY: callers name functions of libbpf 1 with their types.
        unsafe { self.0.get(name.to_bytes_with_nul()) }.map_err(|error| format!("{NAME}: {error}"))
    }

    /// Loads one program of an object. None if libbpf does not take the object, or knows no program of this name.
    pub fn load(&self, bytes: &[u8], program: &str) -> Option<Result<OwnedFd, String>> {
        SAID.with(|said| said.borrow_mut().clear());
        let name = CString::new(program).ok()?;
        self.try_load(bytes, &name).transpose()
    }

    fn try_load(&self, bytes: &[u8], name: &CStr) -> Result<Option<OwnedFd>, String> {
        type Next = unsafe extern "C" fn(*const c_void, *mut c_void) -> *mut c_void;
        let open = self.function::<unsafe extern "C" fn(*const c_void, usize, *const c_void) -> *mut c_void>(
            c"bpf_object__open_mem",
        )?;
        let next_program = self.function::<Next>(c"bpf_object__next_program")?;
        let next_map = self.function::<Next>(c"bpf_object__next_map")?;
        let name_of =
            self.function::<unsafe extern "C" fn(*const c_void) -> *const c_char>(c"bpf_program__name")?;
        let set_autoload =
            self.function::<unsafe extern "C" fn(*mut c_void, bool) -> c_int>(c"bpf_program__set_autoload")?;
        let set_pin_path =
            self.function::<unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int>(c"bpf_map__set_pin_path")?;
        let load = self.function::<unsafe extern "C" fn(*mut c_void) -> c_int>(c"bpf_object__load")?;
        let descriptor = self.function::<unsafe extern "C" fn(*const c_void) -> c_int>(c"bpf_program__fd")?;
        // SAFETY: the bytes are there until the object is closed, and libbpf copies what it keeps; no options.
        let object = unsafe { open(bytes.as_ptr().cast(), bytes.len(), std::ptr::null()) };
        if object.is_null() {
            return Ok(None);
        }
        let opened = Opened { library: self, object };
        let mut found = std::ptr::null_mut();
        let mut at = std::ptr::null_mut();
        loop {
            // SAFETY: the object is open, and `at` is none or a program of it.
            at = unsafe { next_program(opened.object, at) };
            if at.is_null() {
                break;
            }
            // SAFETY: a program's name lives as long as its object, and the program is one of an object that is not loaded.
            let is_it = unsafe { CStr::from_ptr(name_of(at)) == name };
            // SAFETY: as above.
            unsafe { set_autoload(at, is_it) };
            if is_it {
                found = at;
            }
        }
        if found.is_null() {
            return Ok(None);
        }
        let mut map = std::ptr::null_mut();
        loop {
            // SAFETY: the object is open, and `map` is none or a map of it, which forgets where to be pinned.
            map = unsafe { next_map(opened.object, map) };
            if map.is_null() {
                break;
            }
            // SAFETY: as above.
            unsafe { set_pin_path(map, std::ptr::null()) };
        }
        // SAFETY: the object is open, and is loaded once.
        if unsafe { load(opened.object) } != 0 {
            return Err(last_words());
        }
        // SAFETY: the program is of a loaded object, which keeps the descriptor open while it is copied.
        let copied = unsafe { BorrowedFd::borrow_raw(descriptor(found)) }.try_clone_to_owned();
        copied.map(Some).map_err(|error| error.to_string())
    }
}

/// The end of the verifier's log, or else libbpf's first message, which is the cause of the others.
fn last_words() -> String {
    let said = SAID.with(|said| said.borrow().clone());
    let log =
        said.split_once("-- BEGIN PROG LOAD LOG --").and_then(|(_, log)| log.split_once("-- END PROG LOAD LOG --"));
    let of_verifier = log.and_then(|(log, _)| crate::compare::diff::kernel::bpf::last_line(log));
    let first = || said.lines().next().map(|line| line.trim_start_matches("libbpf: ").trim().to_owned());
    of_verifier.or_else(first).unwrap_or_else(|| "libbpf does not say why".to_owned())
}
