//! Load combining: narrow loads of the parts of one number become one load; and other simplifications that
//! `byte_provenance.rs` shows.
//!
//! clang reads a field that may not be aligned byte by byte: `p[0] | p[1] << 8`. Where the bytes of a value come from loads of
//! consecutive addresses, in either order, the value becomes one load of them all, and a `bswap` if they are reversed.
//!
//! | value | becomes |
//! |---|---|
//! | 2, 4 or 8 bytes of adjacent loads | a wide load where the first of them is, and `bswap` if they are reversed |
//! | a load that was combined and has other uses | the bytes extracted from the wide load |
//! | two reversed bytes, one of which has other uses | left: extracting the byte costs more than is saved |
//! | the reversed bytes of another value, by shifts | `bswap` of it |
//! | exactly another value's bytes, or its low ones (a mask of what is 0 anyway, an extension of what is extended) | that value, or its reduction |
//!
//! Sound: the loads are in one block, with only pure instructions and other plain loads between them, so no instruction could
//! have written those bytes or observed the difference. Each byte is still read, and read once, where the first of the loads
//! was: no load is dropped, and none is answered by what another one read, so a loop that polls a flag polls. The order of
//! plain loads among each other, and their width, is not kept. A fault happens if and only if one would have.
//!
//! Not done across blocks: a byte that an earlier block has loaded would be read twice, or the others would be read before the
//! program has checked that they are there. It would be 3 values of 54 programs (all of `xdp`), and 1 of 66 objects of the
//! fixtures.
//!
//! One pass over the instructions, and one over the needed values, or two if some loads are left alone. A value whose
//! provenance is known does not make the values between needed.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{
    Endianness, Function, Inst, InstBuilder, MemFlagsData, Opcode, Type, Value, ValueDef, types,
};

use super::byte_provenance::{Byte, Bytes, Provenance, byte_offset};
use crate::config::Need;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::memory_accesses::{self, MemoryAccess};
use crate::opt::ir::operands::{each_operand, replace_inst, size_of, type_of, value_map};
use crate::opt::pass::PassContext;

/// A plain load.
struct Load {
    access: MemoryAccess,
    /// The same for loads with nothing between them that may write.
    epoch: usize,
    /// The wide load that it is combined into.
    wide: Option<usize>,
    /// Whether it must not be combined.
    is_excluded: bool,
}

/// A wide load that replaces several.
struct WideLoad {
    loads: Vec<usize>,
    bytes: ByteRange,
    /// Whether its bytes are used in reverse order.
    swapped: bool,
    /// The load where it is inserted.
    first: usize,
    /// Its result, zero-extended to 64 bits.
    result: Option<Value>,
}

/// A run of bytes in memory, from the loads' root.
#[derive(Clone, Copy)]
struct ByteRange {
    at: i64,
    size: u8,
}

/// What a value is replaced by.
enum Replacement {
    Loaded {
        wide: usize,
        bytes: ByteRange,
        swapped: bool,
    },
    Swap {
        origin: Value,
        size: u8,
    },
    /// This value, or its low bits.
    Same(Value),
}

struct Combiner<'f> {
    function: &'f Function,
    order: Endianness,
    provenance: Provenance,
    loads: Vec<Load>,
    /// One more than the index of the load that has this result.
    load_of: SecondaryMap<Value, u32>,
    wide_loads: Vec<WideLoad>,
    /// The pure instructions of one result.
    pure: Vec<Inst>,
    /// All other instructions, which are needed.
    roots: Vec<Inst>,
}

/// Runs the pass. Where unaligned accesses may be slow, no loads are combined.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (order, unaligned) = (context.facts.endianness, context.facts.has(Need::UnalignedAccess));
    let Some(provenance) = Provenance::of_parameters(function) else { return };
    let mut combiner = Combiner {
        function,
        order,
        provenance,
        loads: Vec::new(),
        load_of: value_map(&function.dfg),
        wide_loads: Vec::new(),
        pure: Vec::with_capacity(function.dfg.num_insts()),
        roots: Vec::with_capacity(function.dfg.num_insts()),
    };
    combiner.classify(unaligned);
    let (mut needed, mut replacements) = combiner.replacements();
    if combiner.exclude_unprofitable(&needed) {
        (needed, replacements) = combiner.replacements();
    }
    let dead = combiner.dead(&needed);
    let Combiner { loads, wide_loads, .. } = combiner;
    for inst in dead {
        function.layout.remove_inst(inst);
    }
    apply(function, order, &loads, wide_loads, &needed, replacements);
}

impl Combiner<'_> {
    /// Visits all instructions, and classifies them.
    fn classify(&mut self, unaligned: bool) {
        let dfg = &self.function.dfg;
        let mut epoch = 0;
        for block in self.function.layout.blocks() {
            for inst in self.function.layout.block_insts(block) {
                self.provenance.visit(dfg, inst);
                let is_pure = is_pure(dfg, inst);
                if is_pure && dfg.inst_results(inst).len() == 1 {
                    self.pure.push(inst);
                    continue;
                }
                self.roots.push(inst);
                if !unaligned {
                    continue;
                }
                if let Some(access) = memory_accesses::load(dfg, inst) {
                    self.loads.push(Load { access, epoch, wide: None, is_excluded: false });
                    self.load_of[dfg.first_result(inst)] = self.loads.len() as u32;
                } else if !is_pure {
                    epoch += 1;
                }
            }
        }
    }

    /// Finds the values that instructions with effects need, directly or not, and what replaces some of them.
    fn replacements(&mut self) -> (EntitySet<Value>, Vec<(Value, Replacement)>) {
        let function = self.function;
        let dfg = &function.dfg;
        let mut needed = EntitySet::with_capacity(dfg.num_values());
        let mut replacements = Vec::new();
        let mut work: Vec<Value> = Vec::with_capacity(64);
        for index in 0..self.roots.len() {
            each_operand(dfg, self.roots[index], |value| work.push(value));
            while let Some(value) = work.pop() {
                let value = dfg.resolve_aliases(value);
                if !needed.insert(value) {
                    continue;
                }
                let ValueDef::Result(inst, _) = dfg.value_def(value) else { continue };
                match self.replacement(inst, value) {
                    Some(replacement) => {
                        match replacement {
                            Replacement::Loaded { wide, .. } => {
                                work.push(self.loads[self.wide_loads[wide].first].access.address);
                            }
                            Replacement::Swap { origin, .. } | Replacement::Same(origin) => work.push(origin),
                        }
                        replacements.push((value, replacement));
                    }
                    None => each_operand(dfg, inst, |value| work.push(value)),
                }
            }
        }
        (needed, replacements)
    }

    /// Excludes the loads for which combining does not pay: two reversed bytes, one of which is needed as it is. If there
    /// are any, forgets all wide loads and returns true.
    fn exclude_unprofitable(&mut self, needed: &EntitySet<Value>) -> bool {
        let is_needed =
            |load: &usize| needed.contains(self.function.dfg.first_result(self.loads[*load].access.inst));
        let does_not_pay =
            |wide: &&WideLoad| wide.swapped && wide.bytes.size == 2 && wide.loads.iter().any(is_needed);
        let unprofitable = self.wide_loads.iter().filter(does_not_pay);
        let excluded: Vec<usize> = unprofitable.flat_map(|wide| wide.loads.clone()).collect();
        if excluded.is_empty() {
            return false;
        }
        excluded.iter().for_each(|&load| self.loads[load].is_excluded = true);
        self.loads.iter_mut().for_each(|load| load.wide = None);
        self.wide_loads.clear();
        true
    }

    /// The pure instructions that nothing needs. They have to go, since they may use loads that are about to be removed.
    fn dead(&mut self, needed: &EntitySet<Value>) -> Vec<Inst> {
        let dfg = &self.function.dfg;
        let mut dead = std::mem::take(&mut self.pure);
        dead.retain(|&inst| !needed.contains(dfg.first_result(inst)));
        dead
    }

    /// What replaces the result of an instruction, if anything.
    fn replacement(&mut self, inst: Inst, value: Value) -> Option<Replacement> {
        let dfg = &self.function.dfg;
        let opcode = dfg.insts[inst].opcode();
        let joins = matches!(opcode, Opcode::Bor | Opcode::Bxor | Opcode::Iadd);
        let converts = matches!(opcode, Opcode::Uextend | Opcode::Ireduce | Opcode::Bswap);
        if !(joins || converts || matches!(opcode, Opcode::Band | Opcode::Ishl | Opcode::Ushr)) {
            return None;
        }
        let ty = dfg.value_type(value);
        size_of(ty)?;
        // A value that is its own origin stays.
        let bytes = *self.provenance.known(value)?;
        let (origin, _) = bytes[0].origin()?;
        if origin == value {
            return None;
        }
        let (whole, of_origin) = (dfg.value_type(origin), self.provenance.of(dfg, origin));
        if whole == ty && of_origin == bytes {
            return Some(Replacement::Same(origin));
        }
        // A reduction of it is what this would become.
        let low = ty.bytes() as usize;
        if opcode != Opcode::Ireduce && whole.bits() > ty.bits() && of_origin[..low] == bytes[..low] {
            return Some(Replacement::Same(origin));
        }
        let size = bytes.iter().rposition(|&byte| byte != Byte::ZERO).map_or(0, |last| last + 1) as u8;
        if size < 2 {
            return None;
        }
        type_of(size)?;
        let is_reversed = |index: u8| bytes[usize::from(index)].origin() == Some((origin, size - 1 - index));
        if joins && (0..size).all(is_reversed) {
            return Some(Replacement::Swap { origin, size });
        }
        self.combined(&bytes, size)
    }

    /// The bytes as those of a wide load, an existing or a new one.
    fn combined(&mut self, bytes: &Bytes, size: u8) -> Option<Replacement> {
        let mut at = [0_i64; 8];
        let (mut all, mut count) = ([0_usize; 8], 0);
        for (index, byte) in bytes.iter().enumerate().take(usize::from(size)) {
            let (origin, index_in_load) = byte.origin()?;
            let load = (self.load_of[origin] as usize).checked_sub(1)?;
            let access = &self.loads[load].access;
            // The bytes above those that were loaded are a sign extension.
            if index_in_load >= access.size {
                return None;
            }
            at[index] = access.at.wrapping_add(i64::from(byte_offset(self.order, access.size, index_in_load)));
            if !all[..count].contains(&load) {
                all[count] = load;
                count += 1;
            }
        }
        let members = &all[..count];
        let (&one, others) = members.split_first()?;
        let (root, epoch) = (self.loads[one].access.root, self.loads[one].epoch);
        let together = |&load: &usize| self.loads[load].access.root == root && self.loads[load].epoch == epoch;
        if members.iter().any(|&load| self.loads[load].is_excluded) {
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
        let bytes = ByteRange { at: start, size };
        let swapped = ascending != (self.order == Endianness::Little);
        let wide = self.wide_load(members, bytes, swapped)?;
        Some(Replacement::Loaded { wide, bytes, swapped })
    }

    /// The wide load of exactly these loads, an existing or a new one.
    fn wide_load(&mut self, members: &[usize], bytes: ByteRange, swapped: bool) -> Option<usize> {
        let wide = self.loads[members[0]].wide;
        if members.iter().any(|&load| self.loads[load].wide != wide) {
            return None;
        }
        if wide.is_some() {
            return wide;
        }
        let first = *members.iter().min()?;
        self.loads[first].access.offset_to(bytes.at)?;
        let wide = self.wide_loads.len();
        members.iter().for_each(|&load| self.loads[load].wide = Some(wide));
        self.wide_loads.push(WideLoad { loads: members.to_vec(), bytes, swapped, first, result: None });
        Some(wide)
    }
}

/// Inserts the wide loads, and replaces values and the loads that were combined.
fn apply(
    function: &mut Function,
    order: Endianness,
    loads: &[Load],
    mut wide_loads: Vec<WideLoad>,
    needed: &EntitySet<Value>,
    replacements: Vec<(Value, Replacement)>,
) {
    for wide in &mut wide_loads {
        let access = &loads[wide.first].access;
        let Some(offset) = access.offset_to(wide.bytes.at) else { continue };
        let mut cursor = at(function, access.inst);
        let (flags, address) = (MemFlagsData::new(), access.address);
        let ins = cursor.ins();
        wide.result = Some(match wide.bytes.size {
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
            Replacement::Same(origin) => resize(&mut cursor, origin, ty, false),
            Replacement::Swap { origin, size } => swap(&mut cursor, origin, size, ty),
            Replacement::Loaded { wide, bytes, swapped } => {
                let Some(part) = extract(&mut cursor, order, &wide_loads[wide], bytes) else { continue };
                if swapped { swap(&mut cursor, part, bytes.size, ty) } else { resize(&mut cursor, part, ty, false) }
            }
        };
        replace_inst(function, inst, new);
    }
    for wide in wide_loads.iter().filter(|wide| wide.result.is_some()) {
        for &load in &wide.loads {
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
            let bytes = ByteRange { at: access.at, size: access.size };
            let Some(part) = extract(&mut cursor, order, wide, bytes) else { continue };
            let new = match type_of(access.size) {
                Some(narrow) if signed => {
                    let narrow = resize(&mut cursor, part, narrow, false);
                    resize(&mut cursor, narrow, ty, true)
                }
                _ => resize(&mut cursor, part, ty, false),
            };
            replace_inst(function, access.inst, new);
        }
    }
}

/// A cursor before an instruction, with its source location.
fn at(function: &mut Function, inst: Inst) -> FuncCursor<'_> {
    let location = function.srcloc(inst);
    FuncCursor::new(function).at_inst(inst).with_srcloc(location)
}

/// Some bytes of a wide load, zero-extended to 64 bits.
fn extract(cursor: &mut FuncCursor<'_>, order: Endianness, wide: &WideLoad, bytes: ByteRange) -> Option<Value> {
    let mut value = wide.result?;
    let before = bytes.at.wrapping_sub(wide.bytes.at) as u8;
    let below = match order {
        Endianness::Little => before,
        Endianness::Big => wide.bytes.size - bytes.size - before,
    };
    if below > 0 {
        value = cursor.ins().ushr_imm_u(value, i64::from(below) * 8);
    }
    if below + bytes.size < wide.bytes.size {
        let narrow = cursor.ins().ireduce(type_of(bytes.size)?, value);
        value = cursor.ins().uextend(types::I64, narrow);
    }
    Some(value)
}

/// The low `size` bytes in reverse order, zero-extended.
fn swap(cursor: &mut FuncCursor<'_>, value: Value, size: u8, ty: Type) -> Value {
    let narrow = type_of(size).unwrap_or(ty);
    let value = resize(cursor, value, narrow, false);
    let value = cursor.ins().bswap(value);
    resize(cursor, value, ty, false)
}

/// Extends or reduces a value to a type.
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
