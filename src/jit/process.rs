//! Symbols of this process: of the executable, of the libraries that it has loaded, and of the C library.
//!
//! In: a name. Out: its address, if there is one.
//!
//! | where | what |
//! |---|---|
//! | `dlsym` | everything that loaded libraries and the executable export |
//! | a table | functions that glibc keeps in `libc_nonshared.a`, so that each executable has its own copy |
//! | `libm.so.6` | opened when a name is not found, as not every executable loads it; C programs expect it |

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::OnceLock;

/// The arguments of this process as `main` has them (how many, and an array that ends in a null pointer), and its
/// environment. None of it is ever freed.
pub(super) fn arguments() -> (c_int, *const *const c_char, *const *const c_char) {
    /// Addresses of strings, and 0.
    static ARGUMENTS: OnceLock<Vec<usize>> = OnceLock::new();
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let arguments = ARGUMENTS.get_or_init(|| {
        let words = std::env::args_os().map(|word| CString::new(word.into_encoded_bytes()).unwrap_or_default());
        words.map(|word| word.into_raw() as usize).chain([0]).collect()
    });
    let count = c_int::try_from(arguments.len() - 1).unwrap_or(c_int::MAX);
    // SAFETY: the C library keeps the variable up to date.
    (count, arguments.as_ptr().cast(), unsafe { environ })
}

/// The address of a symbol.
#[cfg(unix)]
pub(super) fn symbol(name: &CStr) -> Option<usize> {
    look_up(libc::RTLD_DEFAULT, name)
        .or_else(|| nonshared(name.to_str().ok()?))
        .or_else(|| look_up(math_library()?, name))
}

/// Whether an address is that of the C library's function with a name, which other libraries may define too.
#[cfg(unix)]
pub(super) fn is_of_c_library(name: &str, address: usize) -> bool {
    let Ok(c_name) = CString::new(name) else { return false };
    let in_library = |library: *mut c_void| look_up(library, &c_name) == Some(address);
    [c_library(), math_library()].into_iter().flatten().any(in_library) || nonshared(name) == Some(address)
}

#[cfg(unix)]
fn look_up(library: *mut c_void, name: &CStr) -> Option<usize> {
    // SAFETY: `name` is a C string, and the handle is the default one or of a library that is never closed.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    (!address.is_null()).then_some(address as usize)
}

/// Functions that only static linking finds, in glibc's `libc_nonshared.a`: these are this executable's copies.
///
/// | functions | why glibc keeps them there |
/// |---|---|
/// | `atexit`, `at_quick_exit`, `pthread_atfork` | they pass the calling library on |
/// | the families of `stat` and `mknod` | until glibc 2.33, they pass the version of `struct stat` on |
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn nonshared(name: &str) -> Option<usize> {
    unsafe extern "C" {
        fn atexit(handler: extern "C" fn()) -> i32;
        fn at_quick_exit(handler: extern "C" fn()) -> i32;
        fn pthread_atfork(before: *const c_void, parent: *const c_void, child: *const c_void) -> i32;
    }
    Some(match name {
        "atexit" => atexit as *const c_void as usize,
        "at_quick_exit" => at_quick_exit as *const c_void as usize,
        "stat" => libc::stat as *const c_void as usize,
        "fstat" => libc::fstat as *const c_void as usize,
        "lstat" => libc::lstat as *const c_void as usize,
        "fstatat" => libc::fstatat as *const c_void as usize,
        "mknod" => libc::mknod as *const c_void as usize,
        "mknodat" => libc::mknodat as *const c_void as usize,
        "pthread_atfork" | "__pthread_atfork" => pthread_atfork as *const c_void as usize,
        _ => return None,
    })
}

/// Other C libraries have no such functions.
#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
fn nonshared(_name: &str) -> Option<usize> {
    None
}

/// The C library, without what is loaded before it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn c_library() -> Option<*mut c_void> {
    // SAFETY: it is loaded already, so no constructor runs, and it stays.
    let library = unsafe { libc::dlopen(c"libc.so.6".as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    (!library.is_null()).then_some(library)
}

/// Elsewhere it is found only under one name.
#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
fn c_library() -> Option<*mut c_void> {
    let name = if cfg!(target_vendor = "apple") { c"/usr/lib/libSystem.B.dylib" } else { c"libc.so" };
    // SAFETY: it is loaded already, so no constructor runs, and it stays.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    (!library.is_null()).then_some(library)
}

/// The library of mathematical functions, where it is a separate one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn math_library() -> Option<*mut c_void> {
    // SAFETY: libm has no constructors that do anything. It stays open: what is found in it is called at any time.
    let library = unsafe { libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    (!library.is_null()).then_some(library)
}

/// Elsewhere it is a part of the C library.
#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
fn math_library() -> Option<*mut c_void> {
    None
}

/// The address of a symbol.
#[cfg(windows)]
pub(super) fn symbol(name: &CStr) -> Option<usize> {
    use libloading::os::windows::Library;
    Library::this().ok().and_then(|library| look_up(&library, name)).or_else(|| look_up(&c_library()?, name))
}

/// Whether an address is that of the C library's function with a name, which other libraries may define too.
#[cfg(windows)]
pub(super) fn is_of_c_library(name: &str, address: usize) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    c_library().is_some_and(|library| look_up(&library, &name) == Some(address))
}

#[cfg(windows)]
fn c_library() -> Option<libloading::os::windows::Library> {
    libloading::os::windows::Library::open_already_loaded("ucrtbase.dll").ok()
}

#[cfg(windows)]
fn look_up(library: &libloading::os::windows::Library, name: &CStr) -> Option<usize> {
    // SAFETY: the symbol is only looked at as an address.
    let symbol = unsafe { library.get::<*const c_void>(name.to_bytes_with_nul()) }.ok()?;
    symbol.as_raw_ptr().map(|address| address as usize)
}
