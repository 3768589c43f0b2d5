//! Loops that fill, copy or compute memory, element by element, do 16 bytes at once.
//!
//! The loop has one way out, no jumps inside, one store and some loads, plain and at addresses that grow (or fall) by
//! what is accessed; all that goes round is counters. With `e` the number of the round that leaves (`trip_count.rs`), and `w` the
//! bytes of an access, what is before the loop becomes
//!
//! | the loop stores | if | what becomes | of rounds |
//! |---|---|---|---|
//! | the same byte again and again | `e w` is a constant of at least [`FEWEST`] | a loop of stores of 16 bytes, or of four such from [`LARGE`] bytes on; then what is left | 0 to `e - 1` |
//! | the same byte again and again | `e w >=` [`FEWEST`] | a loop of stores of 16 bytes | as many as are whole such groups |
//! | what it loads, upwards | the same, and `to - from >= 16`, unsigned | a loop of loads and stores of 16 bytes | as many as are whole such groups |
//! | the same downwards | the same, and `from - to >= 16`, unsigned | the same, from the end | the same |
//! | what it computes of what it loads, upwards (`lanes.rs`) | the same of each load, or `to == from` | the same, in vectors | the same |
//!
//! and then the loop goes on with the next round (else with its first): so it leaves as it did, and what is used after it is
//! there.
//!
//! Sound: rounds before `e` do not leave, and all that they do is these stores. Upwards, a round loads what an earlier one
//! stored only if that is further up; it is 16 bytes at least, so it is stored by an earlier group. What lies less than 16
//! bytes further down is loaded with its group, before that is stored. `e` is found only where the test holds in round 0
//! and the distance to the bound is a multiple of the step where that matters, so the counter does not wrap before the
//! bound. Each byte is loaded and stored as often as before, by one access that has the whole element
//! (`docs/memory-model.md`): another thread may take a lock as soon as it is let go.
//!
//! Measured: `transpose`, which adds a matrix to another one, takes 0.74 of clang's scalar code, where it took 1.02.
//!
//! Tried, and not kept: calls of C's `memset` and `memcpy`, which store some bytes twice (and a call in a function costs each
//! of its loops moves, since what lives across the call is kept in other registers); copies of unknown length inside of other loops (LZ's are short: 2.0 for 1.05).
//!
//! Loops that compare stay: they stop at the first difference, and `memcmp` may read all bytes, also those that are in no
//! memory. LLVM wants to know that all can be read (its patch for such loops finds few that it may change), or looks at each
//! page's end before it reads more (AArch64's and RISC-V's vectors). BPF says of no address how much is there.

use cranelift_codegen::ir::{Function, Inst, Opcode, Value, ValueDef};

use super::discovery::Loop;
use super::induction::{self, Steps};
use super::lanes::Lanes;
use super::trip_count::Test;
use super::unrolling::{leave, start};
use super::vectoriser::Maker;
use crate::opt::ir::memory_accesses::{self, Access};
use crate::opt::memory::byte_provenance::constant;

/// The fewest bytes for which it pays.
pub(crate) const FEWEST: i64 = 64;

/// The fewest bytes for which a group of [`SEVERAL`] pays.
pub(crate) const LARGE: i64 = 512;

/// Bytes that are stored at once.
pub(crate) const WIDE: i64 = 16;

/// Bytes that are stored in each round of a large fill.
pub(crate) const SEVERAL: i64 = 64;

/// More rounds than these are left to the loop as it was.
pub(crate) const MOST: i64 = 0x7fff_0000;

/// The largest step of a counter: distances below 0 are more than [`MOST`] such steps.
const LARGEST_STEP: u64 = 64;

/// How many instructions of a loop are copied before it at most for each address.
const DEPTH: usize = 16;

/// What a loop does.
pub(crate) struct Idiom {
    /// The store.
    pub(crate) to: Access,
    /// The bytes that it writes.
    pub(crate) size: i64,
    /// Whether the address grows.
    pub(crate) up: bool,
    pub(crate) source: Source,
}

pub(crate) enum Source {
    /// A byte.
    Byte(Value),
    Constant(u8),
    /// What is computed of what is at some addresses.
    Lanes(Lanes),
}

impl Idiom {
    fn find(function: &Function, inner: &Loop, steps: &Steps, test: &Test) -> Option<Idiom> {
        let dfg = &function.dfg;
        let (mut store, mut loads) = (None, 0);
        for inst in inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block)) {
            if let Some(found) = memory_accesses::store(dfg, inst) {
                if store.replace(found).is_some() {
                    return None;
                }
            } else if memory_accesses::load(dfg, inst).is_some() {
                loads += 1;
            } else if !induction::is_pure(dfg, inst)
                && inst != test.branch
                && !matches!(dfg.insts[inst].opcode(), Opcode::Jump | Opcode::SequencePoint)
            {
                return None;
            }
        }
        let (store, value) = store?;
        let size = i64::from(store.size);
        let step = steps.of_inside(store.address).filter(|step| step.abs() == size)?;
        let source = match loads {
            1.. => {
                let lanes = Lanes::find(function, inner, steps, value, store.size)?;
                let goes_along = |load: &Access| {
                    steps.of_inside(load.address) == Some(step)
                        && (lanes.is_copy() || step > 0 && is_apart(&store, load) != Some(false))
                };
                // Each round does all loads once.
                if lanes.loads.len() != loads || !lanes.loads.iter().all(goes_along) {
                    return None;
                }
                Source::Lanes(lanes)
            }
            0 => match constant(dfg, value) {
                Some(number) => {
                    let bytes = number.to_le_bytes();
                    let is_same = bytes[..usize::from(store.size)].iter().all(|&byte| byte == bytes[0]);
                    is_same.then_some(Source::Constant(bytes[0]))?
                }
                None if size == 1 && steps.of(function, inner, value) == Some(0) => Source::Byte(value),
                None => return None,
            },
        };
        Some(Idiom { to: store, size, up: step > 0, source })
    }
}

/// Whether 16 bytes may be loaded before they are stored, if the distance is known: no earlier round stores what a later
/// one loads.
pub(crate) fn is_apart(store: &Access, load: &Access) -> Option<bool> {
    (store.address == load.address).then(|| {
        let distance = i64::from(store.offset) - i64::from(load.offset);
        distance <= 0 || distance >= WIDE
    })
}

/// Puts what does the most of a loop before it, if it is one of these.
pub(crate) fn widen(function: &mut Function, inner: &Loop, is_clear: &dyn Fn(Value) -> bool) -> bool {
    if function.layout.is_cold(inner.head()) || inner.always.contains(&false) {
        return false;
    }
    let mut steps = Steps::new(function, inner, &[]);
    let Some(test) = Test::find(function, inner, &steps) else { return false };
    let Some(order) = test.order() else { return false };
    if !(test.step.unsigned_abs().is_power_of_two() && test.step.unsigned_abs() <= LARGEST_STEP) {
        return false;
    }
    if steps.halves.contains_key(&test.counter) {
        if order != order.unsigned() || !is_clear(test.counter) {
            return false;
        }
        steps = Steps::new(function, inner, &[test.counter]);
    } else if test.is_half() {
        return false;
    }
    let is_known = |value: &Value| steps.of_inside(*value).is_some() || steps.halves.contains_key(value);
    if !function.dfg.block_params(inner.head()).iter().all(is_known) {
        return false;
    }
    let Some(idiom) = Idiom::find(function, inner, &steps, &test) else { return false };
    let first = start(function, inner, test.index).map(|start| induction::wrapped(start, test.ty));
    let bound = induction::signed(&function.dfg, test.bound);
    let rounds = first.zip(bound).and_then(|(start, bound)| test.last_round(start, bound));
    let is_copy = matches!(idiom.source, Source::Lanes(_));
    match rounds.map(|rounds| i64::try_from(rounds).ok()?.checked_mul(idiom.size)) {
        // Copies of unknown length inside of other loops are mostly short.
        None if inner.is_nested && is_copy => return false,
        Some(None | Some(..FEWEST)) => return false,
        _ => {}
    }
    let mut wanted = vec![idiom.to.address];
    match &idiom.source {
        Source::Byte(value) => wanted.push(*value),
        Source::Constant(_) => {}
        Source::Lanes(lanes) => {
            wanted.extend(lanes.loads.iter().map(|load| load.address));
            wanted.extend(&lanes.same);
        }
    }
    wanted.extend(rounds.is_none().then_some(test.bound));
    let Some(order) = order_of_copies(function, inner, wanted.into_iter()) else { return false };
    let maker = Maker::new(function, inner, &steps, &test, &order);
    maker.make(&idiom, rounds);
    // Only the round that leaves is left where there is no other way to the loop.
    if !is_copy && rounds.is_some() {
        leave(function, inner, &test);
    }
    true
}

/// The loop's instructions that values need, each after its operands; none if they cannot be copied out of it.
fn order_of_copies(function: &Function, inner: &Loop, values: impl Iterator<Item = Value>) -> Option<Vec<Inst>> {
    let dfg = &function.dfg;
    let mut order: Vec<Inst> = Vec::new();
    for value in values {
        let mut found = Vec::new();
        let mut pending = vec![value];
        while let Some(value) = pending.pop() {
            let home = induction::home(function, value)?;
            if inner.place(home).is_none() {
                continue;
            }
            match dfg.value_def(value) {
                ValueDef::Param(block, _) if block == inner.head() => {}
                ValueDef::Result(inst, _) if induction::is_pure(dfg, inst) && found.len() < DEPTH => {
                    found.push(inst);
                    pending.extend(dfg.inst_values(inst));
                }
                _ => return None,
            }
        }
        order.extend(found.into_iter().rev());
    }
    Some(order)
}
