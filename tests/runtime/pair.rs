//! A map of the runtime and its twin in the kernel: each operation on both, with the same result.
//!
//! In: an operation. Out: nothing, or the difference, with the map and the operations so far.

use std::os::fd::OwnedFd;

use crate::map::OurMap;
use crate::support::maps::{self, KernelMap, Kind, Types};
use crate::support::random::Seed;

/// What is known of a kind of maps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Indexes of an array.
    Indexes,
    /// Any bytes, in any order.
    Hashed,
    /// A prefix, in the kernel's order.
    Prefixes,
    None,
}

pub struct Pair<'m> {
    ours: OurMap<'m>,
    kernel: KernelMap,
    kind: Kind,
    keys: Keys,
    /// Values of an element that both have.
    values: usize,
    kernel_values: usize,
    log: Vec<String>,
}

/// BTF of `struct locked` and `struct timed` of the fixture, for values with a lock and with a timer: types 4 and 7; keys
/// are type 1.
pub fn types() -> Vec<u8> {
    let names =
        ["", "u32", "u64", "bpf_spin_lock", "locked", "bpf_timer", "timed", "val", "first", "lock", "second"]
            .map(|name| format!("{name}\0"));
    let extra = ["__opaque\0".to_owned(), "timer\0".to_owned()];
    let strings: String = names.iter().chain(&extra).map(String::as_str).collect();
    let name = |wanted: &str| strings.find(&format!("\0{wanted}\0")).unwrap() as u32 + 1;
    const INT: u32 = 1 << 24;
    const ARRAY: u32 = 3 << 24;
    const STRUCT: u32 = 4 << 24;
    #[rustfmt::skip]
    let words = [
        name("u32"), INT, 4, 32,
        name("u64"), INT, 8, 64,
        name("bpf_spin_lock"), STRUCT | 1, 4, name("val"), 1, 0,
        name("locked"), STRUCT | 3, 16, name("first"), 1, 0, name("lock"), 3, 32, name("second"), 2, 64,
        0, ARRAY, 0, 2, 1, 2,
        name("bpf_timer"), STRUCT | 1, 16, name("__opaque"), 5, 0,
        name("timed"), STRUCT | 3, 32, name("first"), 2, 0, name("timer"), 6, 64, name("second"), 2, 192,
    ];
    let types: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
    let header = [24u32, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
    let mut btf = Vec::from(0xeb9fu16.to_ne_bytes());
    btf.extend([1, 0]);
    btf.extend(header.iter().flat_map(|word| word.to_ne_bytes()));
    btf.extend(types);
    btf.extend(strings.bytes());
    btf
}

impl<'m> Pair<'m> {
    /// The error is the kernel's, of `BPF_MAP_CREATE`.
    pub fn new(ours: OurMap<'m>, btf: Option<&OwnedFd>) -> Result<Pair<'m>, i64> {
        let kind = ours.kind();
        let kernel_values = if ours.is_percpu() { maps::processors() } else { 1 };
        let value = match ours.name() {
            name if name.ends_with("_locked") => Some(4),
            name if name.ends_with("_timed") => Some(7),
            _ => None,
        };
        let types = value.map(|value| Types { btf: btf.expect("it was loaded"), key: 1, value });
        let kernel = KernelMap::create(&kind, None, types, kernel_values)?;
        let keys = match kind.kind {
            1 | 5 | 9 | 10 | 18 | 25 => Keys::Hashed,
            11 => Keys::Prefixes,
            22 | 23 | 27 | 30 | 31 | 33 => Keys::None,
            _ => Keys::Indexes,
        };
        let values = if ours.is_percpu() { kernel_values.min(ours.processors()) } else { 1 };
        Ok(Pair { ours, kernel, kind, keys, values, kernel_values, log: Vec::new() })
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        operation: String,
        ours: &T,
        kernel: &T,
    ) -> Result<(), String> {
        self.log.push(format!("{operation} -> {ours:x?}"));
        if ours == kernel {
            return Ok(());
        }
        let from = self.log.len().saturating_sub(30);
        let (name, log) = (self.ours.name(), self.log[from..].join("\n"));
        Err(format!("{name} ({:?}):\n{log}\nthe kernel: {kernel:x?}\n", self.kind))
    }

    /// The bytes of each value that both sides have.
    fn comparable(&self, value: &[u8]) -> Vec<Vec<u8>> {
        let size = self.kind.value_size as usize;
        let values = value.chunks(size.next_multiple_of(8).max(1)).take(self.values);
        let all = if self.values == 1 && self.kernel_values == 1 {
            vec![value.to_vec()]
        } else {
            values.map(<[u8]>::to_vec).collect()
        };
        all.into_iter().map(|value| value[..size.min(value.len())].to_vec()).collect()
    }

    pub fn lookup(&mut self, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<(), String> {
        let ours = self.ours.lookup(key, value, flags).map(|value| self.comparable(&value));
        let kernel = self.kernel.lookup(key, value, flags).map(|value| self.comparable(&value));
        self.same(format!("lookup {key:x?} flags {flags}"), &ours, &kernel)
    }

    /// A look-up by a program, where that is the same.
    pub fn program_lookup(&mut self, key: &[u8]) -> Result<(), String> {
        let size = self.kind.value_size as usize;
        // SAFETY: a look-up gives a value of that size.
        let value = |found: *mut u8| unsafe { std::slice::from_raw_parts(found, size) }.to_vec();
        let ours = self.ours.program_lookup(key).map(value).ok_or(-2);
        let kernel = self.kernel.lookup(Some(key), &[], 0);
        self.same(format!("program's lookup {key:x?}"), &ours, &kernel)
    }

    /// `value` has the values of all processors, of both sides.
    pub fn update(&mut self, function: &str, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<(), String> {
        let kernel = self.kernel.update(key, value, flags);
        let ours = self.ours.call4(function, key, value.as_ptr().cast_mut(), flags);
        let value = &value[..self.ours.value_length().min(16)];
        self.same(format!("{function} {key:x?} = {value:x?}... flags {flags}"), &ours, &kernel)
    }

    pub fn delete(&mut self, function: &str, key: Option<&[u8]>) -> Result<(), String> {
        let kernel = self.kernel.delete(key);
        let ours = self.ours.call4(function, key, std::ptr::null_mut(), 0);
        self.same(format!("{function} {key:x?}"), &ours, &kernel)
    }

    pub fn take(&mut self, key: Option<&[u8]>, flags: u64) -> Result<(), String> {
        let ours = self.ours.take(key, flags).map(|value| self.comparable(&value));
        let kernel = self.kernel.take(key, flags).map(|value| self.comparable(&value));
        self.same(format!("take {key:x?} flags {flags}"), &ours, &kernel)
    }

    /// The key after one; where the order is not the kernel's, whether there is one.
    pub fn next_key(&mut self, key: Option<&[u8]>) -> Result<(), String> {
        let (ours, kernel) = (self.ours.next_key(key), self.kernel.next_key(key));
        if self.keys != Keys::Hashed {
            self.same(format!("next {key:x?}"), &ours, &kernel)
        } else if key.is_none() {
            self.same("first".to_owned(), &ours.map(drop), &kernel.map(drop))
        } else {
            Ok(())
        }
    }

    /// All keys, each once.
    pub fn iterate(&mut self) -> Result<(), String> {
        let mut ours = self.ours.keys();
        let mut kernel: Vec<Vec<u8>> = Vec::new();
        while let Ok(next) = self.kernel.next_key(kernel.last().map(Vec::as_slice)) {
            kernel.push(next);
            assert!(kernel.len() < 100_000);
        }
        if self.keys == Keys::Hashed {
            ours.sort();
            kernel.sort();
        }
        self.same("keys".to_owned(), &ours, &kernel)
    }

    /// A key of few, so that operations meet.
    fn key(&self, seed: &mut Seed) -> Option<Vec<u8>> {
        let size = self.kind.key_size as usize;
        let mut key = vec![0; size];
        match self.keys {
            Keys::None => return (seed.below(40) == 0).then(|| vec![0; 4]),
            Keys::Indexes => {
                let index = match seed.below(20) {
                    0 => u32::MAX,
                    _ => seed.below(self.kind.max_entries.min(20) as usize + 2) as u32,
                };
                key.copy_from_slice(&index.to_ne_bytes());
            }
            Keys::Hashed => {
                key[size - 1] = seed.below(12) as u8;
                if size > 2 {
                    key[0] = seed.below(2) as u8;
                }
            }
            Keys::Prefixes => {
                let bits = (size - 4) * 8;
                let length = if seed.below(30) == 0 { bits + 1 } else { seed.below(bits.min(9) + 1) };
                let length = if seed.below(4) == 0 { length.min(bits).max(bits - seed.below(3)) } else { length };
                key[..4].copy_from_slice(&(length as u32).to_ne_bytes());
                key[4] = seed.next() as u8 & 0xc3;
                if size > 5 {
                    key[size - 1] = seed.below(4) as u8;
                }
            }
        }
        Some(key)
    }

    fn value(&self, seed: &mut Seed) -> Vec<u8> {
        let length =
            self.kind.value_size.next_multiple_of(8) as usize * self.kernel_values.max(self.ours.processors());
        let mut value: Vec<u8> = (0..length).map(|_| seed.next() as u8).collect();
        match self.kind.kind {
            // Loopback, the only device that every machine has, or none; and no program.
            14 | 25 => {
                value.fill(0);
                value[..4].copy_from_slice(&(seed.below(3).min(1) as u32).to_ne_bytes());
            }
            // A queue's length.
            16 => value[..4].copy_from_slice(&([0, 1, 192, 16384, 16385][seed.below(5)] as u32).to_ne_bytes()),
            30 => value.iter_mut().for_each(|byte| *byte &= 1),
            _ => {}
        }
        value
    }

    /// One operation, on both.
    pub fn step(&mut self, seed: &mut Seed) -> Result<(), String> {
        const FLAGS: [u64; 14] = [0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 64, 1 << 31];
        let key = self.key(seed);
        let key = key.as_deref();
        let value = self.value(seed);
        let flags = *seed.pick(&FLAGS);
        // Types that a program sees as bpf(2) does.
        let by_program = matches!(self.kind.kind, 1 | 2 | 9 | 11)
            && self.kind.flags & 0x18 == 0
            && (flags & 4 == 0 || self.ours.name().ends_with("_locked"))
            && seed.below(2) == 0;
        let (update, delete) =
            if by_program { ("update", "delete") } else { ("bpf2native_map_update", "bpf2native_map_delete") };
        match seed.below(20) {
            0..5 if by_program && !self.has_fields() => self.program_lookup(key.unwrap()),
            0..5 => self.lookup(key, &value, if seed.below(4) == 0 { flags } else { 0 }),
            5..12 => self.update(update, key, &value, flags),
            12..15 => self.delete(delete, key),
            15..17 => self.next_key(if seed.below(4) == 0 { None } else { key }),
            17 => self.take(key, if seed.below(4) == 0 { flags } else { 0 }),
            _ => self.iterate(),
        }
    }

    /// Whether values have parts that bpf(2) does not show.
    fn has_fields(&self) -> bool {
        self.ours.name().ends_with("ed")
    }
}
