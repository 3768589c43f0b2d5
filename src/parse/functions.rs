//! Functions: where each begins and ends in a code section.
//!
//! In: a code section, its symbols, and the addresses in it that are called or taken. Out: [`Found`] functions, by
//! start.
//!
//! A function begins
//!
//! - at a `STT_FUNC` symbol, and at a global or weak symbol without a type (hand-written assembly);
//! - at a local symbol without a type, if it is not in a `STT_FUNC` and the code before does not run or jump into it;
//!   such symbols are labels otherwise;
//! - where a call goes;
//! - at an address that is taken, if it is not in a `STT_FUNC` and the code before does not run or jump into it; else
//!   it is the label of a computed goto;
//! - at the section's start, if nothing else begins there and no `STT_FUNC` symbol has a size.
//!
//! A function without instructions is an alias of the next one, as it is for a linker.
//!
//! It ends where its `STT_FUNC` symbol says; if it is inside one, with that one; else at the next function that the
//! code before does not run or jump into. So ranges may overlap, in code with several entries. Their sum is limited,
//! to keep later phases linear.

use crate::elf::instruction::{SLOT, slots};
use crate::program::names;
use crate::program::{Binding, Endianness, Visibility};

/// A symbol in a code section.
pub(super) struct CodeSymbol<'data> {
    pub(super) name: &'data str,
    pub(super) start: u64,
    pub(super) size: u64,
    /// `STT_FUNC`.
    pub(super) is_function: bool,
    pub(super) binding: Binding,
    pub(super) visibility: Visibility,
    /// Its name means this place; not so for a weak definition that gave way.
    pub(super) is_definition: bool,
}

/// A code section and what is known of it.
pub(super) struct Code<'a, 'data> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) endianness: Endianness,
    /// By start.
    pub(super) symbols: &'a [CodeSymbol<'data>],
    /// Byte offsets of instructions with relocations, in order.
    pub(super) relocated: &'a [u64],
    /// Byte offsets that relocated calls go to.
    pub(super) called: &'a [u64],
    /// Byte offsets whose address is taken.
    pub(super) taken: &'a [u64],
}

/// A function.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) binding: Binding,
    pub(super) visibility: Visibility,
    pub(super) aliases: Vec<(String, Binding, Visibility)>,
}

/// The functions of a section, by start.
pub(super) fn find(code: &Code<'_, '_>) -> Result<Vec<Found>, String> {
    let size = code.bytes.len() as u64;
    if size == 0 {
        return Ok(Vec::new());
    }
    check_symbols(code.symbols, size)?;
    let extents = Extents::new(code.symbols);
    let flow = CodeFlow::new(code);
    let starts = starts(code, &extents, &flow);
    let mut ends = vec![size; starts.len()];
    let mut next = size;
    for (index, &start) in starts.iter().enumerate().rev() {
        ends[index] = extents.of(start).or_else(|| extents.around(start)).unwrap_or(next);
        if !flow.enters(start) {
            next = start;
        }
    }
    check_sum(&starts, &ends, size)?;
    let mut functions = Vec::with_capacity(starts.len());
    for (&start, &end) in starts.iter().zip(&ends) {
        functions.push(name(code, start, end));
    }
    Ok(functions)
}

/// Refuses symbols that are no ranges of instructions of the section.
fn check_symbols(symbols: &[CodeSymbol<'_>], size: u64) -> Result<(), String> {
    for symbol in symbols {
        let CodeSymbol { name, start, size: length, .. } = symbol;
        let aligned = start.is_multiple_of(8) && length.is_multiple_of(8);
        let inside = start.checked_add(*length).is_some_and(|end| end <= size);
        if symbol.is_function && !(aligned && inside) {
            return Err(format!(
                "has function `{name}` at {start:#x} with {length:#x} bytes, and there are {size:#x} bytes of whole \
                 instructions; compile the object again"
            ));
        }
    }
    Ok(())
}

/// Refuses sections whose functions overlap so much that work on them would not be linear.
fn check_sum(starts: &[u64], ends: &[u64], size: u64) -> Result<(), String> {
    let most = size.saturating_mul(16).saturating_add(64 << 10);
    let mut sum = 0u64;
    for (&start, &end) in starts.iter().zip(ends) {
        sum = sum.saturating_add(end - start);
        if sum > most {
            return Err(format!(
                "has functions that overlap more than 16 times, the last at {start:#x}; give each its own instructions, \
                 with `.type` and `.size`"
            ));
        }
    }
    Ok(())
}

/// Where functions begin, in order, each once.
fn starts(code: &Code<'_, '_>, extents: &Extents, flow: &CodeFlow) -> Vec<u64> {
    let size = code.bytes.len() as u64;
    let separate = |start: u64| extents.around(start).is_none() && !flow.enters(start);
    let by_symbol = code.symbols.iter().filter(|symbol| {
        let local = symbol.binding == Binding::Local;
        let named = !symbol.name.is_empty() && !is_temporary(symbol.name);
        symbol.is_definition && (symbol.is_function || !local || (named && separate(symbol.start)))
    });
    let is_start = |start: &u64| *start < size && start.is_multiple_of(8);
    let mut starts: Vec<u64> = by_symbol.map(|symbol| symbol.start).collect();
    starts.extend(local_calls(code));
    starts.extend(code.called);
    starts.extend(code.taken.iter().filter(|&&start| separate(start)));
    // What is before the first of an object's own functions is none: compilers put data there (`-fsanitize=function`).
    let has_functions = code.symbols.iter().any(|symbol| symbol.is_function && symbol.size > 0);
    if !has_functions && code.symbols.first().is_none_or(|symbol| symbol.start > 0 || !symbol.is_function) {
        starts.push(0);
    }
    starts.retain(is_start);
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// Where calls without relocation go.
fn local_calls(code: &Code<'_, '_>) -> Vec<u64> {
    let mut relocated = code.relocated.iter().peekable();
    let mut targets = Vec::new();
    for (index, slot) in slots(code.bytes, code.endianness) {
        let offset = (index * SLOT) as u64;
        while relocated.next_if(|&&at| at < offset).is_some() {}
        if relocated.peek() == Some(&&offset) {
            continue;
        }
        let target = slot.local_call().map(|slots| slots + index as i64 + 1);
        targets.extend(target.and_then(|target| u64::try_from(target).ok()).map(|target| target * SLOT as u64));
    }
    targets
}

/// Names that assemblers and compilers give to labels.
fn is_temporary(name: &str) -> bool {
    name.starts_with(".L") || name.starts_with("LBB") || name.starts_with("L.") || name.starts_with("Ltmp")
}

/// The function at `start`, with the names that its symbols give.
fn name(code: &Code<'_, '_>, start: u64, end: u64) -> Found {
    let from = code.symbols.partition_point(|symbol| symbol.start < start);
    let here = code.symbols[from..].iter().take_while(|symbol| symbol.start == start);
    let rank = |symbol: &&CodeSymbol<'_>| {
        let binding = match symbol.binding {
            Binding::Global => 0,
            // What refers to it by a local name means this place, whatever a weak name comes to mean.
            Binding::Local if symbol.is_function => 1,
            Binding::Weak => 2,
            Binding::Local => 3,
        };
        (!symbol.is_definition, symbol.is_function && symbol.size == 0, binding, !symbol.is_function)
    };
    let mut candidates: Vec<_> = here.filter(|symbol| !symbol.name.is_empty()).collect();
    candidates.sort_by_key(rank);
    let Some((first, others)) = candidates.split_first() else {
        return Found {
            name: format!("{}+{start:#x}", shortened(&names::printable(code.name))),
            start,
            end,
            binding: Binding::Local,
            visibility: Visibility::Default,
            aliases: Vec::new(),
        };
    };
    let seen = others.iter().filter(|symbol| symbol.is_definition && symbol.binding != Binding::Local);
    Found {
        name: names::owned(first.name),
        start,
        end,
        binding: if first.is_definition { first.binding } else { Binding::Local },
        visibility: first.visibility,
        aliases: seen.map(|symbol| (names::owned(symbol.name), symbol.binding, symbol.visibility)).collect(),
    }
}

/// A section's name as part of many others: not longer than 128 bytes.
fn shortened(name: &str) -> &str {
    &name[..name.floor_char_boundary(128)]
}

/// The ranges of `STT_FUNC` symbols.
struct Extents {
    /// Start, end, and the greatest end so far, by start.
    ranges: Vec<(u64, u64, u64)>,
}

impl Extents {
    /// `symbols` are in order of their starts.
    fn new(symbols: &[CodeSymbol<'_>]) -> Self {
        let mut ranges: Vec<(u64, u64, u64)> = Vec::new();
        for symbol in symbols.iter().filter(|symbol| symbol.is_function && symbol.size > 0) {
            let end = symbol.start + symbol.size;
            let greatest = ranges.last().map_or(end, |&(.., greatest)| greatest.max(end));
            match ranges.last_mut() {
                Some(last) if last.0 == symbol.start => *last = (symbol.start, last.1.max(end), greatest),
                _ => ranges.push((symbol.start, end, greatest)),
            }
        }
        Self { ranges }
    }

    /// The end of the function that a symbol puts at `start`.
    fn of(&self, start: u64) -> Option<u64> {
        let index = self.ranges.binary_search_by_key(&start, |range| range.0).ok()?;
        Some(self.ranges[index].1)
    }

    /// The end of a function that begins before `at` and goes on after it; the last to begin, if that goes on.
    fn around(&self, at: u64) -> Option<u64> {
        let before = self.ranges.partition_point(|range| range.0 < at);
        let &(_, end, greatest) = self.ranges.get(before.checked_sub(1)?)?;
        [end, greatest].into_iter().find(|&end| end > at)
    }
}

/// Where the code before an instruction runs or jumps into it or past it, or the code after it jumps back.
struct CodeFlow {
    /// For each slot.
    enters: Vec<bool>,
}

impl CodeFlow {
    fn new(code: &Code<'_, '_>) -> Self {
        let count = code.bytes.len() / SLOT;
        // Each way from one slot to another crosses the boundaries between them: +1 at the first, -1 after the last.
        let mut changes = vec![0i64; count + 2];
        for (index, slot) in slots(code.bytes, code.endianness) {
            let next = (index + slot.slots()).min(count);
            let mut cross = |to: usize| {
                let (low, high) = if to > index { (index, to) } else { (to, index) };
                changes[low + 1] += 1;
                changes[high + 1] -= 1;
            };
            if slot.falls_through() {
                cross(next);
            }
            let target = slot.jump().map(|slots| slots + index as i64 + 1);
            if let Some(target) = target.and_then(|target| usize::try_from(target).ok()).filter(|&to| to < count) {
                cross(target);
            }
        }
        let mut crossing = 0;
        let sums = changes.iter().take(count).map(|change| {
            crossing += change;
            crossing > 0
        });
        Self { enters: sums.collect() }
    }

    /// Whether some way crosses the boundary before the instruction at byte `offset`.
    fn enters(&self, offset: u64) -> bool {
        self.enters.get(offset as usize / SLOT).copied().unwrap_or(false)
    }
}
