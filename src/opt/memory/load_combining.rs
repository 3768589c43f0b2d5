//! Several loads of the parts of one number become one load; and what `byte_provenance.rs` sees besides.
//!
//! clang reads a field that may not be aligned byte by byte: `p[0] | p[1] << 8`. Where the bytes of a value come from
//! loads of consecutive places, in either order, the value is one load of them all, and a `bswap` in the other order.
//!
//! | value | becomes |
//! |---|---|
//! | 2, 4 or 8 bytes of adjacent loads | a load at the first one's place in the block, and `bswap` |
//! | a load that took part and is used otherwise too | the bytes out of that load |
//! | two bytes in the other order, one of which is used otherwise too | left: the bytes out of the load cost more than it saves |
//! | the bytes of another value in the other order, by shifts | `bswap` of it |
//! | exactly another value's bytes (a mask of what is 0 anyway, an extension of what is extended) | that value |
//!
//! Sound: the loads are in one block, and nothing but other plain loads and arithmetic is between them: so no
//! instruction could have written those bytes or seen the difference. Each byte is still read, and read once, where the
//! first of the loads read: no load is dropped, none is answered by what another one read, so a loop that polls a flag
//! polls. What is not kept is the order of plain loads among each other and their width. A fault happens if and only if
//! one would have.
//!
//! Not done across blocks: a byte that an earlier block has loaded would be read twice, or its fellows before it is known
//! that they are there. It would be 3 values of 54 programs (all of `xdp`), and 1 of 66 objects of the fixtures.
//!
//! One pass over the instructions, and one over the values that are needed, or two, if some loads are left; a value whose bytes are found makes nothing
//! of what it was made of needed.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{
    Endianness, Function, Inst, InstBuilder, MemFlagsData, Opcode, Type, Value, ValueDef, types,
};

use super::byte_provenance::{Byte, Bytes, Sources, size_of, type_of};
use crate::config::Need;
use crate::opt::ir::memory_accesses::{self, Access, each_operand, of_values};
use crate::opt::pass::PassContext;
use crate::opt::position;

/// A plain load.
struct Load {
    access: Access,
    /// Loads of one number have nothing between them that may write.
    epoch: usize,
    /// The wide load that it is part of.
    group: Option<usize>,
    /// Whether it is to be part of none.
    is_left: bool,
}

/// A load in the place of several.
struct Group {
    loads: Vec<usize>,
    part: Part,
    /// Whether its bytes are wanted in the other order.
    swapped: bool,
    /// The load in whose place it is.
    first: usize,
    /// Its result, a word, zero-extended.
    wide: Option<Value>,
}

/// A run of bytes in memory.
#[derive(Clone, Copy)]
struct Part {
    at: i64,
    size: u8,
}

/// What a value is replaced by.
enum Replacement {
    Part { group: usize, part: Part, swapped: bool },
    Swap { source: Value, size: u8 },
    Same(Value),
}

struct Finder<'f> {
    function: &'f Function,
    order: Endianness,
    sources: Sources,
    loads: Vec<Load>,
    /// One more than the index of the load that has this result.
    load_of: SecondaryMap<Value, u32>,
    groups: Vec<Group>,
    /// The instructions that do nothing but compute one value, and all others.
    pure: Vec<Inst>,
    others: Vec<Inst>,
}

/// Runs the pass. Where unaligned accesses may be slow, loads stay as they are.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (order, unaligned) = (context.facts.endianness, context.facts.has(Need::UnalignedAccess));
    let Some(sources) = Sources::of_parameters(function) else { return };
    let mut finder = Finder {
        function,
        order,
        sources,
        loads: Vec::new(),
        load_of: of_values(&function.dfg),
        groups: Vec::new(),
        pure: Vec::new(),
        others: Vec::new(),
    };
    finder.look(unaligned);
    let (mut needed, mut replacements) = finder.replacements();
    if finder.leave(&needed) {
        (needed, replacements) = finder.replacements();
    }
    let dead = finder.dead(&needed);
    let Finder { loads, groups, .. } = finder;
    for inst in dead {
        function.layout.remove_inst(inst);
    }
    apply(function, order, &loads, groups, &needed, replacements);
}

impl Finder<'_> {
    /// Looks at all instructions once, for what they are.
    fn look(&mut self, unaligned: bool) {
        let dfg = &self.function.dfg;
        let mut epoch = 0;
        for block in self.function.layout.blocks() {
            for inst in self.function.layout.block_insts(block) {
                self.sources.see(dfg, inst);
                let is_barrier = memory_accesses::is_barrier(dfg, inst);
                if !is_barrier && dfg.inst_results(inst).len() == 1 {
                    self.pure.push(inst);
                    continue;
                }
                self.others.push(inst);
                if !unaligned {
                    continue;
                }
                if let Some(access) = memory_accesses::load(dfg, inst) {
                    self.loads.push(Load { access, epoch, group: None, is_left: false });
                    self.load_of[dfg.first_result(inst)] = self.loads.len() as u32;
                } else if is_barrier {
                    epoch += 1;
                }
            }
        }
    }

    /// Goes from what has effects to what that needs: the values that are needed, and what replaces some of them.
    fn replacements(&mut self) -> (EntitySet<Value>, Vec<(Value, Replacement)>) {
        let function = self.function;
        let dfg = &function.dfg;
        let mut needed = EntitySet::with_capacity(dfg.num_values());
        let mut replacements = Vec::new();
        let mut work: Vec<Value> = Vec::new();
        for index in 0..self.others.len() {
            each_operand(dfg, self.others[index], |value| work.push(value));
            while let Some(value) = work.pop() {
                let value = dfg.resolve_aliases(value);
                if !needed.insert(value) {
                    continue;
                }
                let ValueDef::Result(inst, _) = dfg.value_def(value) else { continue };
                match self.replacement(inst, value) {
                    Some(replacement) => {
                        match replacement {
                            Replacement::Part { group, .. } => {
                                work.push(self.loads[self.groups[group].first].access.address);
                            }
                            Replacement::Swap { source, .. } | Replacement::Same(source) => work.push(source),
                        }
                        replacements.push((value, replacement));
                    }
                    None => each_operand(dfg, inst, |value| work.push(value)),
                }
            }
        }
        (needed, replacements)
    }

    /// Forgets all wide loads, and leaves those alone of which that would be more work; says whether there are any: two
    /// bytes that are swapped, one of which is needed as it is.
    fn leave(&mut self, needed: &EntitySet<Value>) -> bool {
        let is_needed =
            |load: &usize| needed.contains(self.function.dfg.first_result(self.loads[*load].access.inst));
        let is_more = |group: &&Group| group.swapped && group.part.size == 2 && group.loads.iter().any(is_needed);
        let left: Vec<usize> = self.groups.iter().filter(is_more).flat_map(|group| group.loads.clone()).collect();
        if left.is_empty() {
            return false;
        }
        left.iter().for_each(|&load| self.loads[load].is_left = true);
        self.loads.iter_mut().for_each(|load| load.group = None);
        self.groups.clear();
        true
    }

    /// The arithmetic that nothing needs: it may use loads that are not there for long.
    fn dead(&self, needed: &EntitySet<Value>) -> Vec<Inst> {
        let dfg = &self.function.dfg;
        self.pure.iter().copied().filter(|&inst| !needed.contains(dfg.first_result(inst))).collect()
    }

    fn replacement(&mut self, inst: Inst, value: Value) -> Option<Replacement> {
        let dfg = &self.function.dfg;
        let opcode = dfg.insts[inst].opcode();
        if !matches!(
            opcode,
            Opcode::Bor
                | Opcode::Bxor
                | Opcode::Iadd
                | Opcode::Band
                | Opcode::Uextend
                | Opcode::Ireduce
                | Opcode::Bswap
                | Opcode::Ishl
                | Opcode::Ushr
        ) {
            return None;
        }
        let ty = dfg.value_type(value);
        size_of(ty)?;
        let bytes = self.sources.of(dfg, value);
        let (source, _) = bytes[0].source()?;
        if source == value {
            return None;
        }
        if dfg.value_type(source) == ty && self.sources.of(dfg, source) == bytes {
            return Some(Replacement::Same(source));
        }
        let size = bytes.iter().rposition(|&byte| byte != Byte::ZERO).map_or(0, |last| last + 1) as u8;
        if size < 2 {
            return None;
        }
        type_of(size)?;
        let is_reversed = |index: u8| bytes[usize::from(index)].source() == Some((source, size - 1 - index));
        if matches!(opcode, Opcode::Bor | Opcode::Bxor | Opcode::Iadd) && (0..size).all(is_reversed) {
            return Some(Replacement::Swap { source, size });
        }
        self.part(&bytes, size)
    }

    /// The bytes as a part of a wide load, of one that there is already or of a new one.
    fn part(&mut self, bytes: &Bytes, size: u8) -> Option<Replacement> {
        let mut at = [0_i64; 8];
        let (mut all, mut count) = ([0_usize; 8], 0);
        for (index, byte) in bytes.iter().enumerate().take(usize::from(size)) {
            let (source, of_source) = byte.source()?;
            let load = (self.load_of[source] as usize).checked_sub(1)?;
            let access = &self.loads[load].access;
            // The bytes above those that were read are signs.
            if of_source >= access.size {
                return None;
            }
            at[index] = access.at.wrapping_add(i64::from(position(self.order, access.size, of_source)));
            if !all[..count].contains(&load) {
                all[count] = load;
                count += 1;
            }
        }
        let members = &all[..count];
        let (&one, others) = members.split_first()?;
        let (root, epoch) = (self.loads[one].access.root, self.loads[one].epoch);
        let together = |&load: &usize| self.loads[load].access.root == root && self.loads[load].epoch == epoch;
        if members.iter().any(|&load| self.loads[load].is_left) {
            return None;
        }
        if others.is_empty() || !others.iter().all(together) {
            return None;
        }
        let runs = |step: i64| (1..usize::from(size)).all(|index| at[index].wrapping_sub(at[index - 1]) == step);
        let (start, ascending) = match (runs(1), runs(-1)) {
            (true, _) => (at[0], true),
            (_, true) => (at[usize::from(size) - 1], false),
            _ => return None,
        };
        // All of each load, and each byte from one load only.
        let read: u32 = members.iter().map(|&load| u32::from(self.loads[load].access.size)).sum();
        if read != u32::from(size) {
            return None;
        }
        let part = Part { at: start, size };
        let swapped = ascending != (self.order == Endianness::Little);
        let group = self.group(members, part, swapped)?;
        Some(Replacement::Part { group, part, swapped })
    }

    fn group(&mut self, members: &[usize], part: Part, swapped: bool) -> Option<usize> {
        let group = self.loads[members[0]].group;
        if members.iter().any(|&load| self.loads[load].group != group) {
            return None;
        }
        if group.is_some() {
            return group;
        }
        let first = *members.iter().min()?;
        self.loads[first].access.offset_to(part.at)?;
        let group = self.groups.len();
        members.iter().for_each(|&load| self.loads[load].group = Some(group));
        self.groups.push(Group { loads: members.to_vec(), part, swapped, first, wide: None });
        Some(group)
    }
}

fn apply(
    function: &mut Function,
    order: Endianness,
    loads: &[Load],
    mut groups: Vec<Group>,
    needed: &EntitySet<Value>,
    replacements: Vec<(Value, Replacement)>,
) {
    for group in &mut groups {
        let access = &loads[group.first].access;
        let Some(offset) = access.offset_to(group.part.at) else { continue };
        let mut cursor = at(function, access.inst);
        let (flags, address) = (MemFlagsData::new(), access.address);
        let ins = cursor.ins();
        group.wide = Some(match group.part.size {
            2 => ins.uload16(types::I64, flags, address, offset),
            4 => ins.uload32(flags, address, offset),
            _ => ins.load(types::I64, flags, address, offset),
        });
    }
    for (value, replacement) in replacements {
        let ValueDef::Result(inst, _) = function.dfg.value_def(value) else { continue };
        let ty = function.dfg.value_type(value);
        let mut cursor = at(function, inst);
        let new = match replacement {
            Replacement::Same(source) => source,
            Replacement::Swap { source, size } => swap(&mut cursor, source, size, ty),
            Replacement::Part { group, part, swapped } => {
                let Some(word) = extract(&mut cursor, order, &groups[group], part) else { continue };
                if swapped { swap(&mut cursor, word, part.size, ty) } else { resize(&mut cursor, word, ty, false) }
            }
        };
        memory_accesses::replace(function, inst, new);
    }
    for group in groups.iter().filter(|group| group.wide.is_some()) {
        for &load in &group.loads {
            let access = &loads[load].access;
            let value = function.dfg.first_result(access.inst);
            if !needed.contains(value) {
                function.layout.remove_inst(access.inst);
                continue;
            }
            let ty = function.dfg.value_type(value);
            let signed = matches!(
                function.dfg.insts[access.inst].opcode(),
                Opcode::Sload8 | Opcode::Sload16 | Opcode::Sload32
            );
            let mut cursor = at(function, access.inst);
            let part = Part { at: access.at, size: access.size };
            let Some(word) = extract(&mut cursor, order, group, part) else { continue };
            let new = match type_of(access.size) {
                Some(narrow) if signed => {
                    let narrow = resize(&mut cursor, word, narrow, false);
                    resize(&mut cursor, narrow, ty, true)
                }
                _ => resize(&mut cursor, word, ty, false),
            };
            memory_accesses::replace(function, access.inst, new);
        }
    }
}

/// A cursor before an instruction, with its location.
fn at(function: &mut Function, inst: Inst) -> FuncCursor<'_> {
    let location = function.srcloc(inst);
    FuncCursor::new(function).at_inst(inst).with_srcloc(location)
}

/// A part of a wide load, as a zero-extended word.
fn extract(cursor: &mut FuncCursor<'_>, order: Endianness, group: &Group, part: Part) -> Option<Value> {
    let wide = group.wide?;
    let before = part.at.wrapping_sub(group.part.at) as u8;
    let bytes = match order {
        Endianness::Little => before,
        Endianness::Big => group.part.size - part.size - before,
    };
    let mut word = wide;
    if bytes > 0 {
        word = cursor.ins().ushr_imm_u(word, i64::from(bytes) * 8);
    }
    if bytes + part.size < group.part.size {
        let narrow = cursor.ins().ireduce(type_of(part.size)?, word);
        word = cursor.ins().uextend(types::I64, narrow);
    }
    Some(word)
}

/// The low `size` bytes in the other order, zero-extended.
fn swap(cursor: &mut FuncCursor<'_>, value: Value, size: u8, ty: Type) -> Value {
    let narrow = type_of(size).unwrap_or(ty);
    let value = resize(cursor, value, narrow, false);
    let value = cursor.ins().bswap(value);
    resize(cursor, value, ty, false)
}

fn resize(cursor: &mut FuncCursor<'_>, value: Value, ty: Type, signed: bool) -> Value {
    let from = cursor.func.dfg.value_type(value);
    let ins = cursor.ins();
    match from.bits().cmp(&ty.bits()) {
        std::cmp::Ordering::Less if signed => ins.sextend(ty, value),
        std::cmp::Ordering::Less => ins.uextend(ty, value),
        std::cmp::Ordering::Equal => value,
        std::cmp::Ordering::Greater => ins.ireduce(ty, value),
    }
}
