//! What the kernel would refuse of a kernel half, and user space of a user half: said at once, before anything is loaded.
//!
//! In: an object with its halves. Out: [`Refusal`]s, in the order of functions, each with the chain of calls that leads there:
//!
//! | where | what |
//! |---|---|
//! | a function that the kernel runs | a call of an undefined function that is no kfunc, or its address; of an undefined variable; a COMMON variable |
//! | the same | a call through a register; a frame of more than 512 bytes |
//! | a function that user space runs | a kfunc that the runtime does not have |
//!
//! The rule: what the verifier has to look at longer for is its own to refuse.

use std::collections::HashSet;
use std::fmt;

use super::functions::{Function, Functions, Use};
use super::owner::Owners;
use crate::abi::libcalls::{self, Libcall};
use crate::elf::instruction::{self, SLOT};
use crate::elf::{Object, RawRelocation, SymbolHome};
use crate::program::names;

/// The most bytes of a frame that the kernel takes.
const MOST_FRAME: i64 = 512;

/// The most functions that are named.
const MOST_REFUSALS: usize = 50;

/// The longest chain of calls that is shown whole.
const LONGEST_CHAIN: usize = 12;

/// What LLVM calls where nothing can be reached: the kernel knows it, and native code traps.
const TRAP: &str = "__bpf_trap";

/// Something that one of the halves cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is, with the cure.
    pub what: String,
    /// The functions that lead there, from the program on.
    pub chain: Vec<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.chain.join(" -> "), self.what)
    }
}

/// What is refused of an object, where `externs` are the symbols that the kernel defines, and `is_native` says which of these the
/// runtime has.
pub(super) fn find(
    object: &Object<'_>,
    functions: &Functions,
    owners: &Owners,
    externs: &HashSet<&str>,
    is_native: &dyn Fn(&str) -> bool,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (index, function) in functions.list.iter().enumerate() {
        if refusals.len() >= MOST_REFUSALS {
            break;
        }
        let named = |chain: Vec<usize>, last: Option<&str>| -> Vec<String> {
            let ends = shortened(&chain).map(|index| match index {
                Some(index) => functions.list[index].name.clone(),
                None => "...".to_owned(),
            });
            ends.chain(last.map(names::owned)).collect()
        };
        let outside = outside(function);
        if owners.is_kernel(index) {
            for &symbol in &outside {
                if let Some(what) = in_kernel(object, symbol, externs) {
                    let chain = named(owners.kernel_chain(index), Some(object.symbols[symbol].name));
                    refusals.push(Refusal { what, chain });
                }
            }
            for what in in_verifier(object, function) {
                refusals.push(Refusal { what, chain: named(owners.kernel_chain(index), None) });
            }
        } else {
            let called = called(object, function);
            for &symbol in &outside {
                let name = object.symbols[symbol].name;
                if externs.contains(name) && called.contains(&symbol) && !is_native(name) && name != TRAP {
                    let what =
                        "the kernel's function cannot be called from user space, and the runtime has none of \
                                this name; call it in a kernel program"
                            .to_owned();
                    refusals.push(Refusal { what, chain: named(owners.user_chain(index), Some(name)) });
                }
            }
        }
    }
    refusals
}

/// The undefined symbols that a function refers to, each once.
fn outside(function: &Function) -> Vec<usize> {
    let mut known = HashSet::new();
    let outside = function.uses.iter().filter_map(|used| match used {
        Use::Outside(symbol) => Some(*symbol),
        Use::Function(_) | Use::Data(_) => None,
    });
    outside.filter(|symbol| known.insert(*symbol)).collect()
}

/// The first and the last functions of a chain of calls.
fn shortened(chain: &[usize]) -> impl Iterator<Item = Option<usize>> {
    let (first, last) = match chain.len() {
        0..=LONGEST_CHAIN => (chain, &[][..]),
        length => (&chain[..LONGEST_CHAIN / 2], &chain[length - LONGEST_CHAIN / 2..]),
    };
    let gap = (!last.is_empty()).then_some(None);
    first.iter().copied().map(Some).chain(gap).chain(last.iter().copied().map(Some))
}

/// The symbols that a function calls.
fn called(object: &Object<'_>, function: &Function) -> HashSet<usize> {
    let section = &object.sections[function.section];
    let relocations = super::functions::relocations_within(&section.relocations, function.start, function.end);
    let is_call = |relocation: &&RawRelocation| {
        let slot = instruction::Slot::at(section.data, relocation.offset, object.endianness());
        slot.is_some_and(instruction::Slot::is_call)
    };
    relocations.iter().filter(is_call).map(|relocation| relocation.symbol).collect()
}

/// Why the kernel half cannot refer to a symbol.
fn in_kernel(object: &Object<'_>, symbol: usize, externs: &HashSet<&str>) -> Option<String> {
    let symbol = &object.symbols[symbol];
    if symbol.home == SymbolHome::Common {
        return Some("the variable is COMMON, which libbpf does not take; compile with -fno-common".to_owned());
    }
    if externs.contains(symbol.name) || symbol.name == TRAP {
        return None;
    }
    Some(match libcalls::named(symbol.name) {
        Some(Libcall::Prefetch) => "the kernel has no prefetches for programs; leave `__builtin_prefetch` out".to_owned(),
        Some(_) => "the kernel has no floating point and no 128-bit arithmetic; do it in the user half".to_owned(),
        None => "a kernel program cannot reach what is outside of its object, but for helpers and kfuncs (`__ksym`); do it \
                 in the user half, or link the objects with `bpftool gen object`"
            .to_owned(),
    })
}

/// What the verifier refuses of any program.
fn in_verifier(object: &Object<'_>, function: &Function) -> Vec<String> {
    let section = &object.sections[function.section];
    let code = &section.data[function.start as usize..function.end as usize];
    let mut refused = Vec::new();
    let mut deepest = 0;
    let mut copied = None;
    for (index, slot) in instruction::slots(code, object.endianness()) {
        if slot.is_call_of_register() && refused.is_empty() {
            let at = function.start + (index * SLOT) as u64;
            refused.push(format!(
                "calls through a register at {at:#x}, which the verifier does not take; call the function by name"
            ));
        }
        deepest = deepest.min(slot.frame_offset(copied).unwrap_or(0));
        copied = slot.copies_frame_pointer();
    }
    if -deepest > MOST_FRAME {
        refused.push(format!(
            "has a frame of {} bytes, and the kernel takes {MOST_FRAME}; use a map for large variables",
            -deepest
        ));
    }
    refused
}
