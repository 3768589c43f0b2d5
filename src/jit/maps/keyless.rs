//! Maps without keys: queues, stacks, bloom filters, ring buffers, perf event arrays.

use std::marker::PhantomData;

use super::error::MapError;
use super::pod::{Pod, bytes_of, from_bytes};
use super::raw::RawMap;

/// A queue, a stack, or a bloom filter ([`Module::queue`](crate::Module::queue)).
pub struct Queue<'m, V> {
    pub(super) raw: RawMap<'m>,
    pub(super) types: PhantomData<fn(V) -> V>,
}

impl<V: Pod> Queue<'_, V> {
    /// Adds a value. `flags` is [`ANY`](super::ANY), or [`EXIST`](super::EXIST) to push out the oldest if it is full.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`] if it is full.
    pub fn push(&self, value: V, flags: u64) -> Result<(), MapError> {
        self.raw.insert(&[], bytes_of(&value), flags)
    }

    /// Takes the next value: of a queue the oldest, of a stack the newest.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`]: a bloom filter gives none back.
    pub fn pop(&self) -> Result<Option<V>, MapError> {
        Ok(self.raw.take(&[])?.map(|value| from_bytes(&value)))
    }

    /// The next value, which stays.
    ///
    /// # Errors
    ///
    /// As [`Self::pop`].
    pub fn peek(&self) -> Result<Option<V>, MapError> {
        Ok(self.raw.get(&[])?.map(|value| from_bytes(&value)))
    }
}

/// A ring buffer ([`Module::ring_buffer`](crate::Module::ring_buffer)). One thread may read it at a time, also while programs write.
pub struct RingBuffer<'m> {
    pub(super) raw: RawMap<'m>,
}

impl RingBuffer<'_> {
    /// Takes the next record, if there is one.
    ///
    /// # Errors
    ///
    /// [`MapError::NoRuntime`].
    #[expect(clippy::should_implement_trait, reason = "it can fail, and go on after it has given none")]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, MapError> {
        self.raw.ring_next()
    }

    /// Takes the next record, as a value of this type.
    ///
    /// # Errors
    ///
    /// [`MapError::Size`] for a record of another size, which is gone then; [`MapError::NoRuntime`].
    pub fn next_as<T: Pod>(&mut self) -> Result<Option<T>, MapError> {
        let Some(record) = self.next()? else { return Ok(None) };
        sized(&self.raw, &record).map(Some)
    }
}

/// A perf event array ([`Module::perf_events`](crate::Module::perf_events)). One thread may read it at a time, also while programs write.
pub struct PerfEvents<'m> {
    pub(super) raw: RawMap<'m>,
}

impl PerfEvents<'_> {
    /// Takes the next event, of all processors in the order in which they came: the entry that it was written to, usually a
    /// processor, and its bytes.
    ///
    /// # Errors
    ///
    /// [`MapError::NoRuntime`].
    #[expect(clippy::should_implement_trait, reason = "it can fail, and go on after it has given none")]
    pub fn next(&mut self) -> Result<Option<(u32, Vec<u8>)>, MapError> {
        self.raw.perf_next()
    }
}

/// A user ring buffer ([`Module::user_ring_buffer`](crate::Module::user_ring_buffer)).
pub struct UserRingBuffer<'m> {
    pub(super) raw: RawMap<'m>,
}

impl UserRingBuffer<'_> {
    /// Adds a record, for `bpf_user_ringbuf_drain`.
    ///
    /// # Errors
    ///
    /// [`MapError::Refused`] if it is full.
    pub fn write(&mut self, record: &[u8]) -> Result<(), MapError> {
        self.raw.ring_write(record)
    }
}

/// A record as a value.
fn sized<T: Pod>(raw: &RawMap<'_>, record: &[u8]) -> Result<T, MapError> {
    if record.len() == size_of::<T>() {
        return Ok(from_bytes(record));
    }
    Err(MapError::Size {
        name: raw.name().to_owned(),
        what: "records",
        has: record.len() as u32,
        ty: std::any::type_name::<T>(),
        wanted: size_of::<T>(),
    })
}
