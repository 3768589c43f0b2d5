//! Store merging: adjacent stores of the parts of one number become one store.
//!
//! | adjacent stores in one block | become |
//! |---|---|
//! | of 2, 4 or 8 bytes of one value, in order | a store of that value, shifted right if they start further up |
//! | the same in reverse order | a store of its `bswap` |
//! | of constants | a store of the constant that they make up |
//!
//! Sound: between the stores there are only pure instructions and other stores with the same root, no two of which overlap;
//! the merged store is where the last of them was. So each byte is written once, with the value that it had, and no
//! instruction can observe memory between the stores. The order of these stores among each other, and their width, is not
//! kept.
//!
//! Not done across blocks: control may leave between the two stores, so that the second is never executed, and at the first
//! one nothing says that the second one's bytes are writable.
//!
//! One pass; at most [`MAX_RUN`] stores are merged at a time.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Endianness, Function, InstBuilder, MemFlagsData, Value};

use super::byte_provenance::{Byte, Bytes, Provenance, byte_offset};
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::memory_accesses::{self, MemoryAccess};
use crate::opt::ir::operands::{size_of, type_of};
use crate::opt::pass::PassContext;

/// The most stores that are considered together.
const MAX_RUN: usize = 16;

/// A store that may be merged with others.
struct Store {
    access: MemoryAccess,
    value: Value,
    /// What it writes, in memory order.
    bytes: Bytes,
}

/// The number that a run of bytes in memory is.
enum Merged {
    Constant(u64),
    Part { origin: Value, first: u8, swapped: bool },
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let order = context.facts.endianness;
    let runs = runs(function);
    if runs.is_empty() {
        return;
    }
    let Some(provenance) = Provenance::new(function) else { return };
    for mut run in runs {
        for store in &mut run {
            store.bytes = provenance.of(&function.dfg, store.value);
            if order == Endianness::Big {
                store.bytes[..usize::from(store.access.size)].reverse();
            }
        }
        merge(function, order, run);
    }
}

/// Finds runs of stores that may be merged, without looking at what they store.
fn runs(function: &Function) -> Vec<Vec<Store>> {
    let mut runs: Vec<Vec<Store>> = Vec::new();
    let mut run: Vec<Store> = Vec::new();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            let dfg = &function.dfg;
            let Some((access, value)) = memory_accesses::store(dfg, inst) else {
                if !is_pure(dfg, inst) {
                    end_run(&mut run, &mut runs);
                }
                continue;
            };
            let is_disjoint = |store: &Store| {
                let other = &store.access;
                let distance = other.at.checked_sub(access.at);
                let disjoint = |distance| distance >= i64::from(access.size) || distance <= -i64::from(other.size);
                other.root == access.root && distance.is_some_and(disjoint)
            };
            if !run.iter().all(is_disjoint) || run.len() == MAX_RUN {
                end_run(&mut run, &mut runs);
            }
            run.push(Store { access, value, bytes: [Byte::ZERO; 8] });
        }
        end_run(&mut run, &mut runs);
    }
    runs
}

/// Ends a run, and keeps it if it has two adjacent stores of less than 8 bytes.
fn end_run(run: &mut Vec<Store>, runs: &mut Vec<Vec<Store>>) {
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

/// Merges the stores of a run in address order: from each store on, as many as make up the largest number.
fn merge(function: &mut Function, order: Endianness, mut run: Vec<Store>) {
    // Indices into the run, which stays in program order.
    let mut sorted: Vec<usize> = (0..run.len()).collect();
    sorted.sort_by_key(|&store| run[store].access.at);
    let mut next = 0;
    while next < sorted.len() {
        let merged = [8, 4, 2].into_iter().find_map(|size| {
            let stores = covering(&run, &sorted[next..], size)?;
            let bytes = joined(&run, &sorted[next..next + stores]);
            let number = number(function, order, &bytes[..usize::from(size)])?;
            replace(function, &mut run, &sorted[next..next + stores], size, number)?;
            Some(stores)
        });
        next += merged.unwrap_or(1);
    }
}

/// How many adjacent stores from the first one on make up exactly `size` bytes; at least two.
fn covering(run: &[Store], sorted: &[usize], size: u8) -> Option<usize> {
    let start = run[*sorted.first()?].access.at;
    let mut at = start;
    for (count, &index) in sorted.iter().enumerate() {
        if at == start.checked_add(i64::from(size))? {
            return (count > 1).then_some(count);
        }
        if run[index].access.at != at {
            return None;
        }
        at = at.checked_add(i64::from(run[index].access.size))?;
    }
    (at == start.checked_add(i64::from(size))? && sorted.len() > 1).then_some(sorted.len())
}

/// The bytes that these stores write, in memory order.
fn joined(run: &[Store], sorted: &[usize]) -> Bytes {
    let mut joined = [Byte::ZERO; 8];
    let bytes = sorted.iter().flat_map(|&index| {
        let store = &run[index];
        &store.bytes[..usize::from(store.access.size)]
    });
    joined.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    joined
}

/// The number that bytes are, which are given in memory order.
fn number(function: &Function, order: Endianness, memory: &[Byte]) -> Option<Merged> {
    let size = memory.len() as u8;
    let byte = |index: u8| memory[usize::from(byte_offset(order, size, index))];
    if let Some((origin, first)) = byte(0).origin() {
        let available = size_of(function.dfg.value_type(origin))?;
        let runs = |step: i8| {
            (0..size).all(|index| {
                let expected = first.checked_add_signed(step * index as i8);
                byte(index).origin().map(|(value, of)| (value, Some(of))) == Some((origin, expected))
            })
        };
        if runs(1) && first + size <= available {
            return Some(Merged::Part { origin, first, swapped: false });
        }
        return runs(-1).then(|| Merged::Part { origin, first: first + 1 - size, swapped: true });
    }
    let mut value = 0;
    for index in (0..size).rev() {
        value = value << 8 | u64::from(byte(index).as_constant()?);
    }
    Some(Merged::Constant(value))
}

/// Replaces stores by one store where the last of them is.
fn replace(function: &mut Function, run: &mut [Store], sorted: &[usize], size: u8, number: Merged) -> Option<()> {
    let start = run[*sorted.first()?].access.at;
    let last = &run[*sorted.iter().max()?].access;
    let offset = last.offset_to(start)?;
    let (address, narrow) = (last.address, type_of(size)?);
    let location = function.srcloc(last.inst);
    let mut cursor = FuncCursor::new(function).at_inst(last.inst).with_srcloc(location);
    let value = match number {
        Merged::Constant(value) => cursor.ins().iconst(narrow, value as i64),
        Merged::Part { origin, first, swapped } => {
            let mut value = origin;
            if first > 0 {
                value = cursor.ins().ushr_imm_u(value, i64::from(first) * 8);
            }
            if cursor.func.dfg.value_type(origin) != narrow {
                value = cursor.ins().ireduce(narrow, value);
            }
            if swapped { cursor.ins().bswap(value) } else { value }
        }
    };
    cursor.ins().store(MemFlagsData::new(), value, address, offset);
    for &index in sorted {
        function.layout.remove_inst(run[index].access.inst);
    }
    Some(())
}
