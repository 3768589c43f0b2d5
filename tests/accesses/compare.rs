//! What the memory model (`docs/memory-model.md`) asks of the accesses of translated code, against the interpreter's.
//!
//! | rule | how it is seen |
//! |---|---|
//! | each byte is read and written as often as the program says, in its order, with its values | the list of each byte's accesses is the same |
//! | no access that the program does not make | the same, and none lies outside |
//! | an aligned access of up to 8 bytes is not torn | its bytes' places in those lists are of one access |

use crate::step;
use crate::support::interp;

/// One byte of an access.
struct Event {
    writes: bool,
    value: u8,
    access: usize,
}

/// What is wrong with the accesses to a memory of `length` bytes, if anything.
pub fn difference(expected: &[interp::Access], got: &[step::Access], length: usize) -> Option<String> {
    if let Some(outside) = got.iter().find(|access| access.at.saturating_add(access.bytes.len()) > length) {
        return Some(format!("an access of {} bytes at {:#x} is outside", outside.bytes.len(), outside.at));
    }
    let [mut wanted, mut found] = [(); 2].map(|()| (0..length).map(|_| Vec::new()).collect::<Vec<Vec<Event>>>());
    for (access, &interp::Access { writes, at, size, value }) in expected.iter().enumerate() {
        for (index, &value) in value.to_le_bytes()[..size].iter().enumerate() {
            wanted[at + index].push(Event { writes, value, access });
        }
    }
    for (access, step::Access { writes, at, bytes }) in got.iter().enumerate() {
        for (index, &value) in bytes.iter().enumerate() {
            found[at + index].push(Event { writes: *writes, value, access });
        }
    }
    for (at, (wanted, found)) in wanted.iter().zip(&found).enumerate() {
        let of = |event: &Event| (event.writes, event.value);
        if !wanted.iter().map(of).eq(found.iter().map(of)) {
            return Some(format!("byte {at}: {}; the program says {}", show(found), show(wanted)));
        }
    }
    // Which of the accesses to a byte is that of an access of the program.
    let mut next = vec![0; length];
    for &interp::Access { at, size, writes, .. } in expected {
        let native = |byte: usize| found[byte][next[byte]].access;
        if at % size == 0 && (at..at + size).any(|byte| native(byte) != native(at)) {
            let what = if writes { "store" } else { "load" };
            return Some(format!("a {what} of {size} bytes at {at} is torn"));
        }
        next[at..at + size].iter_mut().for_each(|next| *next += 1);
    }
    None
}

/// The accesses to a byte, as `r` and `w` with the value, the last ones left out where they are many.
fn show(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events.iter().take(24) {
        text.push_str(&format!("{}{:02x} ", if event.writes { "w" } else { "r" }, event.value));
    }
    if events.is_empty() {
        text.push_str("nothing");
    } else if events.len() > 24 {
        text.push_str(&format!("... ({})", events.len()));
    }
    text.trim_end().to_owned()
}
