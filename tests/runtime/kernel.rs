//! Objects in the running kernel: loaded by libbpf, run by `BPF_PROG_TEST_RUN`.
//!
//! In: an object's bytes and a program's name. Out: what the program returned, its packet and its context after it, and maps.
//! Only that program is loaded, unless maps have others. Hand-written programs only.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;

use libloading::{Library, Symbol};

use crate::native::bpf::call;
pub use crate::native::bpf::unavailable;

const MAP_LOOKUP_ELEM: c_int = 1;
const MAP_UPDATE_ELEM: c_int = 2;
const MAP_GET_NEXT_KEY: c_int = 4;
const PROG_TEST_RUN: c_int = 10;

/// The longest packet that a program makes.
const PACKET: usize = 1 << 17;

/// An object that is loaded, with one program in it.
pub struct Loaded {
    library: Library,
    object: *mut c_void,
    program: c_int,
}

/// What a run says.
pub struct Ran {
    pub verdict: u32,
    pub packet: Vec<u8>,
    pub context: Vec<u8>,
}

/// The kernel's map.
pub struct Map {
    fd: c_int,
    pub key_size: usize,
    pub value_size: usize,
}

/// The version of libbpf that loads objects here.
pub fn libbpf_version() -> (u32, u32) {
    // SAFETY: as in `unavailable`; the functions have these types.
    unsafe {
        let library = Library::new("libbpf.so.1").unwrap();
        let part = |name: &[u8]| library.get::<unsafe extern "C" fn() -> u32>(name).unwrap()();
        (part(b"libbpf_major_version\0"), part(b"libbpf_minor_version\0"))
    }
}

impl Loaded {
    /// Loads one program of an object.
    pub fn new(object: &[u8], program: &str) -> Result<Loaded, String> {
        Loaded::load(object, program, false)
    }

    /// Loads all programs of an object, one of which is run: its maps may have the others.
    pub fn whole(object: &[u8], program: &str) -> Result<Loaded, String> {
        Loaded::load(object, program, true)
    }

    fn load(object: &[u8], program: &str, all: bool) -> Result<Loaded, String> {
        // SAFETY: as in `unavailable`.
        let library = unsafe { Library::new("libbpf.so.1") }.map_err(|error| error.to_string())?;
        let name = CString::new(program).unwrap();
        // SAFETY: the functions have these types in libbpf 1; the object is closed with the value.
        unsafe {
            let open: Symbol<'_, unsafe extern "C" fn(*const u8, usize, *const c_void) -> *mut c_void> =
                library.get(b"bpf_object__open_mem\0").unwrap();
            let next: Symbol<'_, unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void> =
                library.get(b"bpf_object__next_program\0").unwrap();
            let name_of: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> *const c_char> =
                library.get(b"bpf_program__name\0").unwrap();
            let autoload: Symbol<'_, unsafe extern "C" fn(*mut c_void, bool) -> c_int> =
                library.get(b"bpf_program__set_autoload\0").unwrap();
            let load: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> c_int> =
                library.get(b"bpf_object__load\0").unwrap();
            let fd: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> c_int> =
                library.get(b"bpf_program__fd\0").unwrap();
            let opened = open(object.as_ptr(), object.len(), std::ptr::null());
            if opened.is_null() {
                return Err("libbpf cannot open the object".to_owned());
            }
            let (mut at, mut found) = (std::ptr::null_mut(), std::ptr::null_mut());
            loop {
                at = next(opened, at);
                if at.is_null() {
                    break;
                }
                let is_it = CStr::from_ptr(name_of(at)) == name.as_c_str();
                // All others: but those of sections with a question mark.
                if is_it || !all {
                    autoload(at, is_it);
                }
                if is_it {
                    found = at;
                }
            }
            assert!(!found.is_null(), "there is no program {program}");
            let error = load(opened);
            let program = fd(found);
            let loaded = Loaded { library, object: opened, program };
            if error == 0 { Ok(loaded) } else { Err(format!("the kernel refuses it: {error}")) }
        }
    }

    /// Runs the program once, with this packet and context (`struct xdp_md` or `__sk_buff`).
    pub fn run(&self, packet: &[u8], context: &[u8]) -> io::Result<Ran> {
        let mut after = vec![0u8; PACKET];
        let mut context_after = vec![0u8; context.len()];
        let mut attributes = [0u64; 16];
        attributes[0] = u64::from(self.program.cast_unsigned());
        attributes[1] = packet.len() as u64 | (PACKET as u64) << 32;
        attributes[2] = packet.as_ptr() as u64;
        attributes[3] = after.as_mut_ptr() as u64;
        attributes[4] = 1;
        attributes[5] = context.len() as u64 | (context.len() as u64) << 32;
        attributes[6] = context.as_ptr() as u64;
        attributes[7] = context_after.as_mut_ptr() as u64;
        call(PROG_TEST_RUN, &mut attributes)?;
        after.truncate((attributes[1] >> 32) as usize);
        Ok(Ran { verdict: (attributes[0] >> 32) as u32, packet: after, context: context_after })
    }

    /// Runs a program of type `syscall` once, with this context; what it returns.
    pub fn run_syscall(&self, context: &[u8]) -> io::Result<u32> {
        // The kernel writes to it.
        let mut context = context.to_vec();
        let mut attributes = [0u64; 16];
        attributes[0] = u64::from(self.program.cast_unsigned());
        attributes[5] = context.len() as u64;
        attributes[6] = context.as_mut_ptr() as u64;
        call(PROG_TEST_RUN, &mut attributes)?;
        Ok((attributes[0] >> 32) as u32)
    }

    /// A map by its name; `.bss` is that of the variables that are zero at first.
    pub fn map(&self, name: &str) -> Option<Map> {
        let name = CString::new(name).unwrap();
        // SAFETY: as in `new`; a map lives as long as its object.
        unsafe {
            let find: Symbol<'_, unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void> =
                self.library.get(b"bpf_object__find_map_by_name\0").unwrap();
            let number = |function: &[u8], map| {
                let function: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> c_int> =
                    self.library.get(function).unwrap();
                function(map)
            };
            let map = find(self.object, name.as_ptr());
            if map.is_null() {
                return None;
            }
            Some(Map {
                fd: number(b"bpf_map__fd\0", map),
                key_size: number(b"bpf_map__key_size\0", map) as usize,
                value_size: number(b"bpf_map__value_size\0", map) as usize,
            })
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: the object is open, and nothing uses it after this.
        unsafe {
            let close: Symbol<'_, unsafe extern "C" fn(*mut c_void)> =
                self.library.get(b"bpf_object__close\0").unwrap();
            close(self.object);
        }
    }
}

impl Map {
    fn element(&self, command: c_int, key: *const u8, value: *const u8) -> io::Result<c_int> {
        let mut attributes = [0u64; 16];
        attributes[0] = u64::from(self.fd.cast_unsigned());
        (attributes[1], attributes[2]) = (key as u64, value as u64);
        call(command, &mut attributes)
    }

    pub fn lookup(&self, key: &[u8]) -> Option<Vec<u8>> {
        assert_eq!(key.len(), self.key_size);
        let mut value = vec![0u8; self.value_size.next_multiple_of(8)];
        self.element(MAP_LOOKUP_ELEM, key.as_ptr(), value.as_mut_ptr()).ok()?;
        value.truncate(self.value_size);
        Some(value)
    }

    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        assert_eq!((key.len(), value.len()), (self.key_size, self.value_size));
        self.element(MAP_UPDATE_ELEM, key.as_ptr(), value.as_ptr()).map(drop)
    }

    /// All elements, in order of their keys' bytes.
    pub fn elements(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut elements = Vec::new();
        let mut key: Option<Vec<u8>> = None;
        loop {
            let mut next = vec![0u8; self.key_size];
            let before = key.as_ref().map_or(std::ptr::null(), |key| key.as_ptr());
            if self.element(MAP_GET_NEXT_KEY, before, next.as_mut_ptr()).is_err() {
                break;
            }
            if let Some(value) = self.lookup(&next) {
                elements.push((next.clone(), value));
            }
            key = Some(next);
        }
        elements.sort();
        elements
    }
}
