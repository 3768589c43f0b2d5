//! The maps of `fixtures/runtime/maps.c` in a loaded module: what `struct map` says, and calls of the runtime's functions.
//!
//! In: a module, a map's name. Out: values, or the runtime's negative error, as of the kernel's maps
//! ([`crate::support::maps`]).

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::OnceLock;

use bpf2native::{Linker, Module};

use crate::native::{load, program};
use crate::support::maps::Kind;

/// The types whose elements have a value for each processor.
pub const PERCPU: [u32; 4] = [5, 6, 10, 21];

pub fn module() -> Module {
    load(&program("runtime/maps.o"), &Linker::new())
}

/// One module for tests that do not come into each other's way.
pub fn shared() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(module)
}

/// `struct seen` of the fixture.
#[repr(C)]
pub struct Seen {
    pub count: u64,
    pub limit: u64,
    pub sum: u64,
    pub map: u64,
    pub keys: [u32; 64],
}

impl Seen {
    pub fn new(limit: u64, map: u64) -> Seen {
        Seen { count: 0, limit, sum: 0, map, keys: [0; 64] }
    }

    pub fn address(&mut self) -> u64 {
        (&raw mut *self) as u64
    }

    pub fn keys(&self) -> Vec<u32> {
        let mut keys = self.keys[..self.count as usize].to_vec();
        keys.sort_unstable();
        keys
    }
}

pub fn address<T: ?Sized>(of: &T) -> u64 {
    std::ptr::from_ref(of).cast::<u8>() as u64
}

/// Reads what a program's pointer points to.
pub fn read<T: Copy>(at: *mut u8) -> T {
    // SAFETY: tests give pointers to values of this type, in maps that live as long as their module.
    unsafe { at.cast::<T>().read() }
}

/// A map of a module.
#[derive(Clone, Copy)]
pub struct OurMap<'m> {
    pub module: &'m Module,
    pub address: *mut u8,
}

// SAFETY: the runtime's maps may be used from any thread.
unsafe impl Send for OurMap<'_> {}
// SAFETY: as above.
unsafe impl Sync for OurMap<'_> {}

impl<'m> OurMap<'m> {
    pub fn new(module: &'m Module, name: &str) -> OurMap<'m> {
        let address = module.data_address(name).unwrap_or_else(|| panic!("there is no {name}"));
        OurMap { module, address: address.cast() }
    }

    /// All maps of the program, in its order.
    pub fn all(module: &'m Module) -> Vec<OurMap<'m>> {
        let first = module.data_address("bpf_maps_first").unwrap().cast::<*mut u8>();
        // SAFETY: the translator made the pointer, and `next` of each map.
        let mut next = unsafe { *first };
        let mut maps = Vec::new();
        while !next.is_null() {
            let map = OurMap { module, address: next };
            maps.push(map);
            next = map.field::<*mut u8>(88);
        }
        maps
    }

    /// A field of `struct map`.
    fn field<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: `struct map` has 128 bytes, and fields of these sizes there.
        unsafe { self.address.add(offset).cast::<T>().read() }
    }

    pub fn name(&self) -> String {
        // SAFETY: the translator made the name.
        unsafe { CStr::from_ptr(self.field::<*const c_char>(8)) }.to_str().unwrap().to_owned()
    }

    pub fn kind(&self) -> Kind {
        Kind {
            kind: self.field(16),
            key_size: self.field(20),
            value_size: self.field(24),
            max_entries: self.field(28),
            flags: self.field(32),
            extra: self.field(40),
        }
    }

    pub fn is_percpu(&self) -> bool {
        PERCPU.contains(&self.field::<u32>(16))
    }

    /// Makes the map, and says how that went.
    pub fn created(&self) -> Result<(), i64> {
        let _ = self.next_key(None);
        match self.field::<u32>(104) {
            2 => Ok(()),
            3 => Err(i64::from(self.field::<i32>(108))),
            other => panic!("{}: ready is {other}", self.name()),
        }
    }

    /// Makes it as it was at first.
    pub fn reset(&self) {
        // SAFETY: the function takes a map, which no thread uses.
        unsafe { self.module.func::<(*mut c_void,), ()>("bpf2native_map_reset") }
            .unwrap()
            .call((self.address.cast(),));
    }

    /// Bytes of a value as [`OurMap::lookup`] gives it.
    pub fn value_length(&self) -> usize {
        let size = self.kind().value_size as usize;
        match self.kind().kind {
            3 | 8 | 12 | 13 => 8,
            _ if self.is_percpu() => size.next_multiple_of(8) * self.processors(),
            _ => size,
        }
    }

    pub fn processors(&self) -> usize {
        // SAFETY: it is a function without parameters.
        unsafe { self.module.func::<(), u32>("bpf2native_processors") }.unwrap().call(()) as usize
    }

    pub fn lookup(&self, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<Vec<u8>, i64> {
        let mut found = value.to_vec();
        found.resize(self.value_length(), 0);
        self.call4("bpf2native_map_lookup", key, found.as_mut_ptr(), flags).map(|()| found)
    }

    pub fn update(&self, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<(), i64> {
        assert!(value.len() >= self.value_length());
        self.call4("bpf2native_map_update", key, value.as_ptr().cast_mut(), flags)
    }

    pub fn take(&self, key: Option<&[u8]>, flags: u64) -> Result<Vec<u8>, i64> {
        let mut found = vec![0; self.value_length()];
        self.call4("bpf2native_map_take", key, found.as_mut_ptr(), flags).map(|()| found)
    }

    pub fn delete(&self, key: Option<&[u8]>) -> Result<(), i64> {
        self.call4("bpf2native_map_delete", key, ptr::null_mut(), 0)
    }

    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, i64> {
        let size = self.kind().key_size as usize;
        let mut next = vec![0; size.max(1)];
        self.call4("bpf2native_map_next_key", key, next.as_mut_ptr(), 0)?;
        next.truncate(size);
        Ok(next)
    }

    /// The keys, in the order of the map.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        while let Ok(next) = self.next_key(keys.last().map(Vec::as_slice)) {
            keys.push(next);
            assert!(keys.len() < 100_000, "{}: the keys do not end", self.name());
        }
        keys
    }

    /// `function(map, key, value, flags)`, of those parameters that it has.
    pub fn call4(&self, function: &str, key: Option<&[u8]>, value: *mut u8, flags: u64) -> Result<(), i64> {
        type Parameters = (*mut c_void, *const u8, *mut u8, u64);
        let key = key.map_or(ptr::null(), <[u8]>::as_ptr);
        let address = self.module.function_address(function).unwrap_or_else(|| panic!("there is no {function}"));
        // SAFETY: the functions that tests name take these parameters, or the first of them, by the platform's C
        // convention; keys and values are as long as the map says.
        let code = unsafe {
            let function: extern "C" fn(*mut c_void, *const u8, *mut u8, u64) -> i64 = std::mem::transmute(address);
            let (map, key, value, flags): Parameters = (self.address.cast(), key, value, flags);
            function(map, key, value, flags)
        };
        if code == 0 { Ok(()) } else { Err(code) }
    }

    /// A function of the fixture or of the runtime, which takes the map first.
    pub fn call(&self, function: &str, arguments: [u64; 4]) -> i64 {
        let address = self.module.function_address(function).unwrap_or_else(|| panic!("there is no {function}"));
        let [a, b, c, d] = arguments;
        // SAFETY: the functions that tests name take at most these parameters, words by the platform's C convention.
        unsafe {
            let function: extern "C" fn(u64, u64, u64, u64, u64) -> i64 = std::mem::transmute(address);
            function(self.address as u64, a, b, c, d)
        }
    }

    /// What a program's look-up of a key gives, if it gives something.
    pub fn program_lookup(&self, key: &[u8]) -> Option<*mut u8> {
        // SAFETY: the fixture's function has this type.
        let lookup = unsafe { self.module.func::<(*mut c_void, *const c_void), *mut c_void>("lookup") }.unwrap();
        let found = lookup.call((self.address.cast(), key.as_ptr().cast())).cast::<u8>();
        (!found.is_null()).then_some(found)
    }
}
