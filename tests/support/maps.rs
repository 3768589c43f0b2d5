//! Maps of the running kernel: bpf(2)'s commands, for tests that compare them with the runtime's.
//!
//! In: what a map is, bytes. Out: values, or the system's error number, negative as in the kernel.
#![allow(dead_code, reason = "one crate of tests uses it")]

use std::os::fd::{AsRawFd, OwnedFd};
use std::{io, ptr};

use super::bpf::Attributes;

const CREATE: libc::c_int = 0;
const LOOKUP: libc::c_int = 1;
const UPDATE: libc::c_int = 2;
const DELETE: libc::c_int = 3;
const NEXT_KEY: libc::c_int = 4;
const BTF_LOAD: libc::c_int = 18;
const LOOKUP_AND_DELETE: libc::c_int = 21;

/// What a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `enum bpf_map_type`.
    pub kind: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
    pub extra: u64,
}

/// The types of a map's keys and values, by their ids in loaded BTF.
#[derive(Clone, Copy)]
pub struct Types<'a> {
    pub btf: &'a OwnedFd,
    pub key: u32,
    pub value: u32,
}

/// A map in the kernel.
pub struct KernelMap {
    fd: OwnedFd,
    /// How long values are, with those of all processors.
    value_length: usize,
    key_size: usize,
}

fn number(error: &io::Error) -> i64 {
    -i64::from(error.raw_os_error().unwrap_or_default())
}

/// `BPF_BTF_LOAD`.
pub fn load_types(btf: &[u8]) -> io::Result<OwnedFd> {
    Attributes::new(&[(16, btf.len() as u32)], &[(0, btf.as_ptr())]).open(BTF_LOAD)
}

/// How many processors the kernel counts: the highest that is possible, and the ones below it.
pub fn processors() -> usize {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").expect("every Linux has it");
    let last = text.trim().rsplit(['-', ',']).next().expect("it is not empty");
    last.parse::<usize>().expect("it is a number") + 1
}

impl KernelMap {
    /// `BPF_MAP_CREATE`; `values` is how many values an element has.
    pub fn create(
        kind: &Kind,
        inner: Option<&KernelMap>,
        types: Option<Types<'_>>,
        values: usize,
    ) -> Result<KernelMap, i64> {
        let Kind { kind, key_size, value_size, max_entries, flags, extra } = *kind;
        let mut words = vec![(0, kind), (4, key_size), (8, value_size), (12, max_entries), (16, flags)];
        words.push((64, extra as u32));
        if let Some(inner) = inner {
            words.push((20, inner.fd.as_raw_fd().cast_unsigned()));
        }
        if let Some(types) = types {
            words.extend([(48, types.btf.as_raw_fd().cast_unsigned()), (52, types.key), (56, types.value)]);
        }
        let fd = Attributes::new(&words, &[]).open(CREATE).map_err(|error| number(&error))?;
        let one = value_size as usize;
        let value_length = if values > 1 { one.next_multiple_of(8) * values } else { one };
        Ok(KernelMap { fd, value_length, key_size: key_size as usize })
    }

    /// The map's number, as maps of maps take it.
    pub fn descriptor(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    fn element(&self, command: libc::c_int, key: Option<&[u8]>, value: *const u8, flags: u64) -> Result<(), i64> {
        let words = [(0, self.fd.as_raw_fd().cast_unsigned()), (24, flags as u32), (28, (flags >> 32) as u32)];
        let key = key.map_or(ptr::null(), <[u8]>::as_ptr);
        Attributes::new(&words, &[(8, key), (16, value)]).call(command).map(drop).map_err(|error| number(&error))
    }

    /// `value` is what a bloom filter is asked for; it is zeros for others.
    pub fn lookup(&self, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<Vec<u8>, i64> {
        let mut found = value.to_vec();
        found.resize(self.value_length, 0);
        self.element(LOOKUP, key, found.as_mut_ptr(), flags).map(|()| found)
    }

    pub fn update(&self, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<(), i64> {
        assert!(value.len() >= self.value_length);
        self.element(UPDATE, key, value.as_ptr(), flags)
    }

    pub fn delete(&self, key: Option<&[u8]>) -> Result<(), i64> {
        self.element(DELETE, key, ptr::null(), 0)
    }

    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, i64> {
        let mut next = vec![0; self.key_size.max(1)];
        self.element(NEXT_KEY, key, next.as_mut_ptr(), 0)?;
        next.truncate(self.key_size);
        Ok(next)
    }

    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`.
    pub fn take(&self, key: Option<&[u8]>, flags: u64) -> Result<Vec<u8>, i64> {
        let mut found = vec![0; self.value_length];
        self.element(LOOKUP_AND_DELETE, key, found.as_mut_ptr(), flags).map(|()| found)
    }
}
