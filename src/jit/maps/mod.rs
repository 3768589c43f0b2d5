//! Maps and global variables of loaded programs, with Rust types.
//!
//! In: a [`Module`], a name. Out: a map or a variable, whose sizes are checked once. The rule: nothing here is `unsafe`: what
//! runs is the runtime's own code, on memory that it made; and a program that has damaged that was trusted by who ran it.
//!
//! | file | what |
//! |---|---|
//! | `pod.rs` | types of keys and values |
//! | `raw.rs` | maps as bytes, and the runtime's functions |
//! | `keyless.rs` | queues, stacks, ring buffers, perf events |
//! | `global.rs` | global variables |
//! | `error.rs` | errors |

mod error;
mod global;
mod keyless;
mod pod;
mod raw;

use std::marker::PhantomData;

pub use error::{GlobalError, MapError};
pub use global::Global;
pub use keyless::{PerfEvents, Queue, RingBuffer, UserRingBuffer};
pub use pod::Pod;
pub use raw::RawMap;

use super::module::Module;
use pod::{bytes_of, from_bytes};
use raw::Access;

/// Whether the key is there or not (`BPF_ANY`).
pub const ANY: u64 = 0;
/// Only if the key is not there (`BPF_NOEXIST`).
pub const NOEXIST: u64 = 1;
/// Only if the key is there (`BPF_EXIST`); of a queue: push out the oldest one if it is full.
pub const EXIST: u64 = 2;

impl Module {
    /// The names of the maps, sorted.
    pub fn map_names(&self) -> impl Iterator<Item = &str> {
        self.maps().keys().map(String::as_str)
    }

    /// A map, of any type, as bytes.
    ///
    /// # Errors
    ///
    /// [`MapError::Missing`], [`MapError::NoRuntime`].
    pub fn raw_map(&self, name: &str) -> Result<RawMap<'_>, MapError> {
        let (name, entry) = self.maps().get_key_value(name).ok_or_else(|| MapError::Missing {
            name: name.to_owned(),
            maps: self.maps().keys().cloned().collect(),
        })?;
        RawMap::new(name, entry, self.interface())
    }

    /// A map with keys: a hash, an array, an LPM trie and so on.
    ///
    /// ```
    /// use bpf2native::{Config, Jit, Linker, Program};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let program = Program::from_files(["fixtures/runtime/counts.o"])?;
    /// let module = Jit::new(&Config::new())?.load(&program, &Linker::new())?;
    /// let counts = module.map::<u32, u64>("counts")?;
    /// counts.insert(3, 40, bpf2native::jit::ANY)?;
    /// assert_eq!(counts.get(&3)?, Some(40));
    /// // Keys and values have the sizes that the program says.
    /// assert!(module.map::<u32, u32>("counts").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`MapError::Missing`] with the maps that there are, [`MapError::Size`] if keys or values have another size,
    /// [`MapError::Kind`] for maps without keys or with a value for each processor, [`MapError::NoRuntime`].
    pub fn map<K: Pod, V: Pod>(&self, name: &str) -> Result<Map<'_, K, V>, MapError> {
        let raw = self.raw_map(name)?;
        raw.expect(Access::Keyed)?;
        raw.expect_keys::<K>()?;
        raw.expect_values::<V>()?;
        Ok(Map { raw, types: PhantomData })
    }

    /// A map with a value for each processor.
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn per_cpu_map<K: Pod, V: Pod>(&self, name: &str) -> Result<PerCpuMap<'_, K, V>, MapError> {
        let raw = self.raw_map(name)?;
        raw.expect(Access::PerCpu)?;
        raw.expect_keys::<K>()?;
        raw.expect_values::<V>()?;
        Ok(PerCpuMap { raw, types: PhantomData })
    }

    /// A queue, a stack, or a bloom filter.
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn queue<V: Pod>(&self, name: &str) -> Result<Queue<'_, V>, MapError> {
        let raw = self.raw_map(name)?;
        raw.expect(Access::Queue)?;
        raw.expect_values::<V>()?;
        Ok(Queue { raw, types: PhantomData })
    }

    /// A ring buffer, whose records the program writes.
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn ring_buffer(&self, name: &str) -> Result<RingBuffer<'_>, MapError> {
        let raw = self.raw_map(name)?;
        raw.expect(Access::Ring)?;
        Ok(RingBuffer { raw })
    }

    /// A perf event array, whose events the program writes.
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn perf_events(&self, name: &str) -> Result<PerfEvents<'_>, MapError> {
        let raw = self.raw_map(name)?;
        raw.expect(Access::PerfEvents)?;
        Ok(PerfEvents { raw })
    }

    /// A user ring buffer, whose records the program reads.
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn user_ring_buffer(&self, name: &str) -> Result<UserRingBuffer<'_>, MapError> {
        let raw = self.raw_map(name)?;
        raw.expect(Access::UserRing)?;
        Ok(UserRingBuffer { raw })
    }
}

/// A map with keys ([`Module::map`]). It may be used from any thread, also while programs run: each operation is as the
/// kernel's, which other operations do not tear.
pub struct Map<'m, K, V> {
    raw: RawMap<'m>,
    types: PhantomData<fn(K) -> V>,
}

impl<'m, K: Pod, V: Pod> Map<'m, K, V> {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`] where the kernel has an error other than that the key is not there.
    pub fn get(&self, key: &K) -> Result<Option<V>, MapError> {
        Ok(self.raw.get(bytes_of(key))?.map(|value| from_bytes(&value)))
    }

    /// Sets the value of a key. `flags` is [`ANY`], [`NOEXIST`] or [`EXIST`].
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`]: it is full, or the flags forbid it.
    pub fn insert(&self, key: K, value: V, flags: u64) -> Result<(), MapError> {
        self.raw.insert(bytes_of(&key), bytes_of(&value), flags)
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`]: elements of an array are always there.
    pub fn remove(&self, key: &K) -> Result<bool, MapError> {
        self.raw.remove(bytes_of(key))
    }

    /// The keys, in the kernel's order. Each may be removed when it has come; keys that others insert or remove meanwhile may
    /// come or not, and some may come again.
    pub fn keys(&self) -> Keys<'m, K> {
        Keys::of(self.raw)
    }

    /// The keys with their values, as [`Self::keys`].
    pub fn iter(&self) -> impl Iterator<Item = Result<(K, V), MapError>> + use<'m, K, V> {
        let raw = self.raw;
        let values = Keys::of(raw).map(move |key: Result<K, MapError>| {
            let key = key?;
            Ok(raw.get(bytes_of(&key))?.map(|value| (key, from_bytes(&value))))
        });
        // What was removed meanwhile is left out.
        values.filter_map(Result::transpose)
    }

    /// How many keys there are: of an array, all that it may have. It goes through all of them.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`].
    pub fn len(&self) -> Result<usize, MapError> {
        self.keys().try_fold(0, |count, key| key.map(|_| count + 1))
    }

    /// Whether there are none.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`].
    pub fn is_empty(&self) -> Result<bool, MapError> {
        Ok(self.raw.next_key(None)?.is_none())
    }

    /// The same, as bytes.
    pub fn raw(&self) -> RawMap<'m> {
        self.raw
    }
}

/// The keys of a map ([`Map::keys`]).
pub struct Keys<'m, K> {
    raw: RawMap<'m>,
    /// The key that comes next, which is there before its forerunner is handed out, so that this may be removed.
    next: Option<Result<K, MapError>>,
    /// Keys that may still come: what changes meanwhile must not make this endless.
    left: u64,
}

impl<'m, K: Pod> Keys<'m, K> {
    fn of(raw: RawMap<'m>) -> Keys<'m, K> {
        let left = 2 * u64::from(raw.definition().max_entries) + 1;
        Keys { raw, next: Keys::after(raw, None), left }
    }

    fn after(raw: RawMap<'_>, key: Option<&K>) -> Option<Result<K, MapError>> {
        raw.next_key(key.map(bytes_of)).map(|key| key.map(|key| from_bytes(&key))).transpose()
    }
}

impl<K: Pod> Iterator for Keys<'_, K> {
    type Item = Result<K, MapError>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.next.take()?;
        if let (Ok(key), Some(left)) = (&key, self.left.checked_sub(1)) {
            self.left = left;
            self.next = Keys::after(self.raw, Some(key));
        }
        Some(key)
    }
}

/// A map with a value for each processor ([`Module::per_cpu_map`]).
pub struct PerCpuMap<'m, K, V> {
    raw: RawMap<'m>,
    types: PhantomData<fn(K) -> V>,
}

impl<'m, K: Pod, V: Pod> PerCpuMap<'m, K, V> {
    /// The values of a key, one for each processor of the runtime: programs run on the first, unless the runtime is told
    /// otherwise.
    ///
    /// # Errors
    ///
    /// As [`Map::get`].
    pub fn get(&self, key: &K) -> Result<Option<Vec<V>>, MapError> {
        let Some(bytes) = self.raw.get(bytes_of(key))? else { return Ok(None) };
        let each = bytes.chunks_exact(size_of::<V>().next_multiple_of(8).max(1));
        Ok(Some(each.map(|value| from_bytes(&value[..size_of::<V>()])).collect()))
    }

    /// Sets the values of a key, one for each processor.
    ///
    /// # Errors
    ///
    /// As [`Map::insert`]; [`MapError::Processors`] if there are more or fewer.
    pub fn insert(&self, key: K, values: &[V], flags: u64) -> Result<(), MapError> {
        let processors = self.raw.values()?;
        if values.len() != processors {
            let name = self.raw.name().to_owned();
            return Err(MapError::Processors { name, processors, values: values.len() });
        }
        let mut bytes = Vec::new();
        for value in values {
            bytes.extend(bytes_of(value));
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        self.raw.insert(bytes_of(&key), &bytes, flags)
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    ///
    /// As [`Map::remove`].
    pub fn remove(&self, key: &K) -> Result<bool, MapError> {
        self.raw.remove(bytes_of(key))
    }

    /// The keys, as [`Map::keys`].
    pub fn keys(&self) -> Keys<'m, K> {
        Keys::of(self.raw)
    }

    /// How many processors the runtime has.
    ///
    /// # Errors
    ///
    /// [`MapError::NoRuntime`].
    pub fn processors(&self) -> Result<usize, MapError> {
        self.raw.values()
    }
}
