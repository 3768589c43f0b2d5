//! Maps as bytes, and the runtime's functions that work on them.
//!
//! In: a loaded program's maps. Out: [`RawMap`], which the typed maps are made of. The rule: what is called is the runtime's, as it was
//! translated with the program, and never a function of the program that has its name.

use std::ffi::c_void;

use super::error::MapError;
use crate::jit::entries::{Interface, MapEntry};
use crate::program::maps::{self, MapDefinition};

const ENOENT: i64 = -2;

type Lookup = unsafe extern "C-unwind" fn(*mut c_void, *const u8, *mut u8, u64) -> i64;
type Update = unsafe extern "C-unwind" fn(*mut c_void, *const u8, *const u8, u64) -> i64;
type Delete = unsafe extern "C-unwind" fn(*mut c_void, *const u8) -> i64;
type NextKey = unsafe extern "C-unwind" fn(*mut c_void, *const u8, *mut u8) -> i64;
type RingNext = unsafe extern "C-unwind" fn(*mut c_void, *mut u32) -> *const u8;
type PerfNext = unsafe extern "C-unwind" fn(*mut c_void, *mut u32, *mut u32) -> *const u8;
type RingWrite = unsafe extern "C-unwind" fn(*mut c_void, *const u8, u32) -> i64;
type Processors = unsafe extern "C-unwind" fn() -> u32;

/// How a type of maps is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// By keys.
    Keyed,
    /// By keys, with a value for each processor.
    PerCpu,
    /// Without keys.
    Queue,
    Ring,
    PerfEvents,
    UserRing,
}

impl Access {
    /// How a type of maps is used.
    fn of(kind: u32) -> Access {
        match maps::type_name(kind) {
            Some("percpu_hash" | "percpu_array" | "lru_percpu_hash" | "percpu_cgroup_storage") => Access::PerCpu,
            Some("queue" | "stack" | "bloom_filter") => Access::Queue,
            Some("ringbuf") => Access::Ring,
            Some("perf_event_array") => Access::PerfEvents,
            Some("user_ringbuf") => Access::UserRing,
            _ => Access::Keyed,
        }
    }

    /// The method that gives maps that are used so.
    fn method(self) -> &'static str {
        match self {
            Access::Keyed => "map",
            Access::PerCpu => "per_cpu_map",
            Access::Queue => "queue",
            Access::Ring => "ring_buffer",
            Access::PerfEvents => "perf_events",
            Access::UserRing => "user_ring_buffer",
        }
    }
}

/// A map of a loaded program, whose keys and values are bytes ([`Module::raw_map`](super::super::Module::raw_map)). It may be
/// used from any thread, also while programs run.
#[derive(Clone, Copy)]
pub struct RawMap<'m> {
    name: &'m str,
    address: usize,
    definition: &'m MapDefinition,
    interface: &'m Interface,
}

impl<'m> RawMap<'m> {
    pub(super) fn new(
        name: &'m str,
        entry: &'m MapEntry,
        interface: &'m Interface,
    ) -> Result<RawMap<'m>, MapError> {
        let missing = || MapError::NoRuntime { name: name.to_owned() };
        let definition = entry.definition.as_deref().ok_or_else(missing)?;
        Ok(RawMap { name, address: entry.address, definition, interface })
    }

    /// Its name.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// What its definition says.
    pub fn definition(&self) -> &'m MapDefinition {
        self.definition
    }

    /// The address that the program knows it by, a `struct map *`: what maps of maps have as values.
    pub fn address(&self) -> *mut c_void {
        self.address as *mut c_void
    }

    /// The name of its type, such as `lru_hash`; a number if it has none.
    pub fn kind(&self) -> String {
        let kind = self.definition.kind;
        maps::type_name(kind).map_or_else(|| kind.to_string(), str::to_owned)
    }

    /// Bytes of a key. Those of socket, task, inode and cgroup storage are addresses.
    pub fn key_size(&self) -> usize {
        match maps::type_name(self.definition.kind) {
            Some("sk_storage" | "inode_storage" | "task_storage" | "cgrp_storage") => size_of::<usize>(),
            _ => self.definition.key_size as usize,
        }
    }

    /// Bytes of one value, without what follows it in a per-CPU map. Those of prog arrays and of maps of maps are addresses.
    pub fn value_size(&self) -> usize {
        match maps::type_name(self.definition.kind) {
            Some("prog_array" | "array_of_maps" | "hash_of_maps") => size_of::<usize>(),
            _ => self.definition.value_size as usize,
        }
    }

    /// How many values there are for a key: one, or one for each processor.
    ///
    /// # Errors
    ///
    /// [`MapError::NoRuntime`].
    pub fn values(&self) -> Result<usize, MapError> {
        if self.access() != Access::PerCpu {
            return Ok(1);
        }
        // SAFETY: the runtime's function has this type.
        let function = unsafe { self.function::<Processors>("bpf2native_processors")? };
        // SAFETY: it only returns a number.
        Ok(unsafe { function() } as usize)
    }

    /// Bytes of all values of a key: in a per-CPU map, each begins at a multiple of 8.
    fn all_values_size(&self) -> Result<usize, MapError> {
        let size = self.value_size();
        Ok(if self.access() == Access::PerCpu { size.next_multiple_of(8) * self.values()? } else { size })
    }

    pub(super) fn access(&self) -> Access {
        Access::of(self.definition.kind)
    }

    /// Checks that it is used so.
    pub(super) fn expect(&self, access: Access) -> Result<(), MapError> {
        let own = self.access();
        if own == access {
            return Ok(());
        }
        Err(MapError::Kind { name: self.name.to_owned(), kind: self.kind(), method: own.method() })
    }

    /// Checks that keys have as many bytes as a type.
    pub(super) fn expect_keys<K>(&self) -> Result<(), MapError> {
        self.expect_size::<K>("keys", self.key_size())
    }

    /// Checks that values have as many bytes as a type.
    pub(super) fn expect_values<V>(&self) -> Result<(), MapError> {
        self.expect_size::<V>("values", self.value_size())
    }

    fn expect_size<T>(&self, what: &'static str, has: usize) -> Result<(), MapError> {
        let (name, ty, wanted) = (self.name.to_owned(), std::any::type_name::<T>(), size_of::<T>());
        if has == wanted { Ok(()) } else { Err(MapError::Size { name, what, has: has as u32, ty, wanted }) }
    }

    /// The value, or the values, of a key; a queue has none and gives its next value without taking it.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`], [`MapError::NoRuntime`].
    ///
    /// # Panics
    ///
    /// If the key has another size than keys have: none in a queue.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MapError> {
        self.read("bpf2native_map_lookup", "look into", key)
    }

    /// The same, and removes it: of a queue or a stack, the next value.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    ///
    /// # Panics
    ///
    /// As [`Self::get`].
    pub fn take(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MapError> {
        self.read("bpf2native_map_take", "take from", key)
    }

    fn read(
        &self,
        function: &'static str,
        operation: &'static str,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, MapError> {
        let mut value = vec![0; self.all_values_size()?];
        let key = self.key(key);
        // SAFETY: the runtime's functions have this type.
        let function = unsafe { self.function::<Lookup>(function)? };
        // SAFETY: the map is the program's, and key and value are as long as it says.
        match unsafe { function(self.address(), key, value.as_mut_ptr(), 0) } {
            0 => Ok(Some(value)),
            ENOENT => Ok(None),
            error => Err(self.refused(operation, error)),
        }
    }

    /// Sets the value, or the values, of a key. `flags` is [`ANY`](super::ANY), [`NOEXIST`](super::NOEXIST) or
    /// [`EXIST`](super::EXIST).
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`], [`MapError::NoRuntime`].
    ///
    /// # Panics
    ///
    /// If key or value have another size than the map's.
    pub fn insert(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), MapError> {
        assert_eq!(value.len(), self.all_values_size()?, "a value of map `{}`", self.name);
        let key = self.key(key);
        // SAFETY: the runtime's function has this type.
        let function = unsafe { self.function::<Update>("bpf2native_map_update")? };
        // SAFETY: as in `read`.
        match unsafe { function(self.address(), key, value.as_ptr(), flags) } {
            0 => Ok(()),
            error => Err(self.refused("insert into", error)),
        }
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    ///
    /// # Panics
    ///
    /// As [`Self::get`].
    pub fn remove(&self, key: &[u8]) -> Result<bool, MapError> {
        let key = self.key(key);
        // SAFETY: the runtime's function has this type.
        let function = unsafe { self.function::<Delete>("bpf2native_map_delete")? };
        // SAFETY: as in `read`.
        match unsafe { function(self.address(), key) } {
            0 => Ok(true),
            ENOENT => Ok(false),
            error => Err(self.refused("remove from", error)),
        }
    }

    /// The key that comes after one, in the kernel's order; the first, if there is none.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    ///
    /// # Panics
    ///
    /// As [`Self::get`].
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Option<Vec<u8>>, MapError> {
        let mut next = vec![0; self.key_size()];
        let key = key.map_or(std::ptr::null(), |key| self.key(key));
        // SAFETY: the runtime's function has this type.
        let function = unsafe { self.function::<NextKey>("bpf2native_map_next_key")? };
        // SAFETY: as in `read`; there is room for a key.
        match unsafe { function(self.address(), key, next.as_mut_ptr()) } {
            0 => Ok(Some(next)),
            ENOENT => Ok(None),
            error => Err(self.refused("list", error)),
        }
    }

    /// The next record of a ring buffer.
    pub(super) fn ring_next(&self) -> Result<Option<Vec<u8>>, MapError> {
        let mut length = 0;
        // SAFETY: the runtime's function has this type.
        let function = unsafe { self.function::<RingNext>("bpf2native_ring_next")? };
        // SAFETY: the map is the program's.
        let record = unsafe { function(self.address(), &raw mut length) };
        // SAFETY: the record stays until the next call.
        Ok(unsafe { copied(record, length) })
    }

    /// The next event of a perf event array, and the entry that it was put out to.
    pub(super) fn perf_next(&self) -> Result<Option<(u32, Vec<u8>)>, MapError> {
        let (mut index, mut length) = (0, 0);
        // SAFETY: the runtime's function has this type.
        let function = unsafe { self.function::<PerfNext>("bpf2native_perf_next")? };
        // SAFETY: the map is the program's.
        let event = unsafe { function(self.address(), &raw mut index, &raw mut length) };
        // SAFETY: the event stays until the next call.
        Ok(unsafe { copied(event, length) }.map(|event| (index, event)))
    }

    /// Puts a record into a user ring buffer.
    pub(super) fn ring_write(&self, record: &[u8]) -> Result<(), MapError> {
        // SAFETY: the runtime's function has this type.
        let function = unsafe { self.function::<RingWrite>("bpf2native_user_ring_write")? };
        let length = u32::try_from(record.len()).map_err(|_| self.refused("write to", -7))?;
        // SAFETY: the map is the program's, and the record has this length.
        match unsafe { function(self.address(), record.as_ptr(), length) } {
            0 => Ok(()),
            error => Err(self.refused("write to", error)),
        }
    }

    /// A key as the runtime has it: null where maps have none.
    fn key(&self, key: &[u8]) -> *const u8 {
        assert_eq!(key.len(), self.key_size(), "a key of map `{}`", self.name);
        if key.is_empty() { std::ptr::null() } else { key.as_ptr() }
    }

    fn refused(&self, operation: &'static str, error: i64) -> MapError {
        let errno = i32::try_from(error.saturating_neg()).unwrap_or(i32::MAX);
        MapError::Refused { name: self.name.to_owned(), kind: self.kind(), operation, errno }
    }

    /// A function of the runtime.
    ///
    /// # Safety
    ///
    /// `F` must be its type, a function pointer.
    unsafe fn function<F: Copy>(&self, name: &str) -> Result<F, MapError> {
        let address = self.interface.get(name).ok_or_else(|| MapError::NoRuntime { name: self.name.to_owned() })?;
        assert_eq!(size_of::<F>(), size_of::<usize>(), "a function pointer is a word");
        // SAFETY: as the caller says; the function is there as long as the module, which this borrows.
        Ok(unsafe { std::mem::transmute_copy::<usize, F>(address) })
    }
}

/// A copy of bytes, if there are any.
///
/// # Safety
///
/// They must be there.
unsafe fn copied(start: *const u8, length: u32) -> Option<Vec<u8>> {
    // SAFETY: as the caller says.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start, length as usize) }.to_vec())
}
