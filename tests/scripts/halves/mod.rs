//! Objects with both halves, compiled by several compilers, and what libbpf makes of the kernel's copy.
//!
//! In: a C source of this folder. Out: an object; its kernel's copy; whether libbpf and the kernel load that. The rule: a
//! compiler, libbpf or a kernel that is not there is said by name, and is a failure where `CI` is set.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

use bpf2native::internals::halves;
use bpf2native::parse::{Input, ParseError};
use libloading::{Library, Symbol};

use crate::native::{has_tool, output, skip};

/// The compilers.
const COMPILERS: [&str; 2] = ["clang-19", "clang-22"];

/// The compilers that are here.
pub fn compilers() -> impl Iterator<Item = &'static str> {
    COMPILERS.into_iter().filter(|compiler| has_tool(compiler))
}

/// Compiles a source of this folder, or a text.
pub fn compile(compiler: &str, source: &Path, flags: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("x.o");
    let mut command = Command::new(compiler);
    command.args(["-target", "bpf", "-O2", "-mcpu=v3", "-I/usr/include/x86_64-linux-gnu", "-D__x86_64__"]);
    command.args(["-D__TARGET_ARCH_x86", "-Wall", "-Wno-unused-parameter"]).args(flags).arg("-c").arg(source);
    output(command.arg("-o").arg(&object));
    std::fs::read(object).unwrap()
}

/// A source of this folder.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/halves").join(name)
}

/// A text as a source.
pub fn compile_text(compiler: &str, text: &str, flags: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.c");
    std::fs::write(&path, text).unwrap();
    compile(compiler, &path, flags)
}

/// The kernel's copy of an object.
pub fn kernel_copy(object: &[u8]) -> Result<Vec<u8>, ParseError> {
    halves::kernel_copy(&Input { name: "script.o".to_owned(), bytes: object.to_vec() })
}

/// Names that libbpf has of an object, and descriptors that the kernel gave.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Programs with their sections; loaded.
    pub programs: Vec<String>,
    /// Maps.
    pub maps: Vec<String>,
}

/// Whether this machine loads programs; says so if not.
pub fn can_load() -> bool {
    // SAFETY: libbpf does nothing when it is loaded, and the call has no arguments.
    let (library, is_root) = unsafe { (Library::new("libbpf.so.1").is_ok(), libc::geteuid() == 0) };
    if !library {
        skip("libbpf.so.1 is not installed");
    } else if !is_root {
        skip("only root loads programs");
    }
    library && is_root
}

/// Loads all of an object; an error of libbpf's is negative, and its words are on standard error.
pub fn load(object: &[u8]) -> Result<Loaded, i64> {
    type Next = unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void;
    type Name = unsafe extern "C" fn(*mut c_void) -> *const c_char;
    // SAFETY: the functions have these types in libbpf 1; names live as long as the object, which is closed at the end.
    unsafe {
        let library = Library::new("libbpf.so.1").unwrap();
        let open: Symbol<'_, unsafe extern "C" fn(*const u8, usize, *const c_void) -> *mut c_void> =
            library.get(b"bpf_object__open_mem\0").unwrap();
        let load: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> c_int> =
            library.get(b"bpf_object__load\0").unwrap();
        let close: Symbol<'_, unsafe extern "C" fn(*mut c_void)> = library.get(b"bpf_object__close\0").unwrap();
        let next_program: Symbol<'_, Next> = library.get(b"bpf_object__next_program\0").unwrap();
        let next_map: Symbol<'_, Next> = library.get(b"bpf_object__next_map\0").unwrap();
        let program_name: Symbol<'_, Name> = library.get(b"bpf_program__name\0").unwrap();
        let section_name: Symbol<'_, Name> = library.get(b"bpf_program__section_name\0").unwrap();
        let map_name: Symbol<'_, Name> = library.get(b"bpf_map__name\0").unwrap();
        let program_fd: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> c_int> =
            library.get(b"bpf_program__fd\0").unwrap();
        let opened = open(object.as_ptr(), object.len(), std::ptr::null());
        if opened.is_null() {
            return Err(-i64::from(*libc::__errno_location()));
        }
        let status = load(opened);
        let mut loaded = Loaded::default();
        let text = |name: *const c_char| CStr::from_ptr(name).to_string_lossy().into_owned();
        let mut at = next_program(opened, std::ptr::null_mut());
        while !at.is_null() {
            assert!(status != 0 || program_fd(at) > 0, "{}", text(program_name(at)));
            loaded.programs.push(format!("{} {}", text(section_name(at)), text(program_name(at))));
            at = next_program(opened, at);
        }
        let mut at = next_map(opened, std::ptr::null_mut());
        while !at.is_null() {
            loaded.maps.push(text(map_name(at)));
            at = next_map(opened, at);
        }
        close(opened);
        if status == 0 { Ok(loaded) } else { Err(i64::from(status)) }
    }
}
