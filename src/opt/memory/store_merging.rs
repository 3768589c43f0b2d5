//! Several stores of the parts of one number become one store.
//!
//! | stores, side by side in memory, in one block | become |
//! |---|---|
//! | 2, 4 or 8 bytes of one value, in order | a store of that value, shifted down if they start further up |
//! | the same in the other order | a store of its `bswap` |
//! | constants | a store of the constant that they make |
//!
//! Sound: between the stores there are only other stores, all from one root, of which no two overlap, and arithmetic that
//! cannot trap; the one store is where the last of them was. So each byte is written once, with the value that it had,
//! and no instruction sees the time between. What is not kept is the order of such stores among each other and their
//! width.
//!
//! Not done across blocks: on the way from one to the other control may go elsewhere, where the second is not made, and to
//! the first the second's bytes may not be known to be writable.
//!
//! One pass; a run of stores ends after [`RUN`].

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Endianness, Function, InstBuilder, MemFlagsData, Value};

use super::byte_provenance::{Byte, Bytes, Sources, size_of, type_of};
use crate::opt::ir::memory_accesses::{self, Access};
use crate::opt::pass::PassContext;
use crate::opt::position;

/// The most stores that are looked at together.
const RUN: usize = 16;

/// A store whose fellows are looked for.
struct Store {
    access: Access,
    value: Value,
    /// What it writes, in the order of memory.
    bytes: Bytes,
}

/// What a run of bytes in memory is, as one number.
enum Number {
    Constant(u64),
    Part { source: Value, first: u8, swapped: bool },
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let order = context.facts.endianness;
    let runs = runs(function);
    if runs.is_empty() {
        return;
    }
    let Some(sources) = Sources::new(function) else { return };
    for mut run in runs {
        for store in &mut run {
            store.bytes = sources.of(&function.dfg, store.value);
            if order == Endianness::Big {
                store.bytes[..usize::from(store.access.size)].reverse();
            }
        }
        merge(function, order, run);
    }
}

/// Finds the runs in which something may be merged; bytes are not looked at.
fn runs(function: &Function) -> Vec<Vec<Store>> {
    let mut runs: Vec<Vec<Store>> = Vec::new();
    let mut run: Vec<Store> = Vec::new();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            let dfg = &function.dfg;
            let Some((access, value)) = memory_accesses::store(dfg, inst) else {
                if memory_accesses::is_barrier(dfg, inst) {
                    end(&mut run, &mut runs);
                }
                continue;
            };
            let is_apart = |store: &Store| {
                let other = &store.access;
                let distance = other.at.checked_sub(access.at);
                let apart = |distance| distance >= i64::from(access.size) || distance <= -i64::from(other.size);
                other.root == access.root && distance.is_some_and(apart)
            };
            if !run.iter().all(is_apart) || run.len() == RUN {
                end(&mut run, &mut runs);
            }
            run.push(Store { access, value, bytes: [Byte::ZERO; 8] });
        }
        end(&mut run, &mut runs);
    }
    runs
}

/// Keeps a run in which something may be merged: two stores side by side, not both of words.
fn end(run: &mut Vec<Store>, runs: &mut Vec<Vec<Store>>) {
    let small = |store: &&Store| store.access.size < 8;
    let is_next = |store: &Store| {
        let next = store.access.at.checked_add(i64::from(store.access.size));
        run.iter().filter(small).any(|other| Some(other.access.at) == next)
    };
    if run.iter().filter(small).any(is_next) {
        runs.push(std::mem::take(run));
    } else {
        run.clear();
    }
}

/// Merges what can be of a run: from each store on, the largest number that the next ones in memory make.
fn merge(function: &mut Function, order: Endianness, mut run: Vec<Store>) {
    // Those that come first in time keep their numbers.
    let mut places: Vec<usize> = (0..run.len()).collect();
    places.sort_by_key(|&store| run[store].access.at);
    let mut next = 0;
    while next < places.len() {
        let merged = [8, 4, 2].into_iter().find_map(|size| {
            let stores = window(&run, &places[next..], size)?;
            let bytes = joined(&run, &places[next..next + stores]);
            let number = number(function, order, &bytes[..usize::from(size)])?;
            replace(function, &mut run, &places[next..next + stores], size, number)?;
            Some(stores)
        });
        next += merged.unwrap_or(1);
    }
}

/// How many stores from here make up exactly `size` bytes; two at least.
fn window(run: &[Store], places: &[usize], size: u8) -> Option<usize> {
    let start = run[*places.first()?].access.at;
    let mut at = start;
    for (count, &place) in places.iter().enumerate() {
        if at == start.checked_add(i64::from(size))? {
            return (count > 1).then_some(count);
        }
        if run[place].access.at != at {
            return None;
        }
        at = at.checked_add(i64::from(run[place].access.size))?;
    }
    (at == start.checked_add(i64::from(size))? && places.len() > 1).then_some(places.len())
}

/// The bytes that these stores write, in the order of memory.
fn joined(run: &[Store], places: &[usize]) -> Bytes {
    let mut joined = [Byte::ZERO; 8];
    let bytes = places.iter().flat_map(|&place| {
        let store = &run[place];
        &store.bytes[..usize::from(store.access.size)]
    });
    joined.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    joined
}

/// The number that these bytes, in the order of memory, are.
fn number(function: &Function, order: Endianness, memory: &[Byte]) -> Option<Number> {
    let size = memory.len() as u8;
    let byte = |index: u8| memory[usize::from(position(order, size, index))];
    if let Some((source, first)) = byte(0).source() {
        let available = size_of(function.dfg.value_type(source))?;
        let runs = |step: i8| {
            (0..size).all(|index| {
                let expected = first.checked_add_signed(step * index as i8);
                byte(index).source().map(|(value, of)| (value, Some(of))) == Some((source, expected))
            })
        };
        if runs(1) && first + size <= available {
            return Some(Number::Part { source, first, swapped: false });
        }
        return runs(-1).then(|| Number::Part { source, first: first + 1 - size, swapped: true });
    }
    let mut value = 0;
    for index in (0..size).rev() {
        value = value << 8 | u64::from(byte(index).as_constant()?);
    }
    Some(Number::Constant(value))
}

/// Puts one store in the place of the last of these.
fn replace(function: &mut Function, run: &mut [Store], places: &[usize], size: u8, number: Number) -> Option<()> {
    let start = run[*places.first()?].access.at;
    let last = &run[*places.iter().max()?].access;
    let offset = last.offset_to(start)?;
    let (address, narrow) = (last.address, type_of(size)?);
    let location = function.srcloc(last.inst);
    let mut cursor = FuncCursor::new(function).at_inst(last.inst).with_srcloc(location);
    let value = match number {
        Number::Constant(value) => cursor.ins().iconst(narrow, value as i64),
        Number::Part { source, first, swapped } => {
            let mut value = source;
            if first > 0 {
                value = cursor.ins().ushr_imm_u(value, i64::from(first) * 8);
            }
            if cursor.func.dfg.value_type(source) != narrow {
                value = cursor.ins().ireduce(narrow, value);
            }
            if swapped { cursor.ins().bswap(value) } else { value }
        }
    };
    cursor.ins().store(MemFlagsData::new(), value, address, offset);
    for &place in places {
        function.layout.remove_inst(run[place].access.inst);
    }
    Some(())
}
