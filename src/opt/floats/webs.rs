//! Which integers are floats all their life: webs of values that are copies of each other.
//!
//! In: a function, the loops. Out: the values that are to have the type of a float.
//!
//! A web is what block parameters and selects join: their operands and results. Loads, masks of the sign bit, and for `f32` the
//! extensions and reductions between 32 and 64 bits, belong to it too. A web has one type.
//!
//! | | speaks for a float | for an integer | for neither |
//! |---|---|---|---|
//! | made by | `bitcast` of a float | anything else | a load, a constant |
//! | used by | `bitcast` to a float | anything else | a store |
//!
//! Each of the first two counts as often as its loops run, taken to be [`ITERATIONS`] times each: so often bits are moved between the
//! two kinds of registers if the web has the other type. The rule: a web is of floats if that moves fewer. Whatever the choice,
//! the program does the same; `values.rs` inserts what the choice needs. A web in which the high 32 bits of a word with
//! an `f32` are both unknown and used is one of integers. Time is almost linear (union-find).

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{BlockArg, DataFlowGraph, Function, Inst, InstructionData, Opcode, Type, Value, types};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::opt::ir::memory_accesses;
use crate::opt::ir::operands::{constant, each_operand, unary, value_map};

/// How often a loop is taken to run.
const ITERATIONS: u64 = 8;

/// Loops that lie deeper count as if they lay so deep.
const DEEPEST: usize = 6;

/// A format of floats, as the types of the words that hold one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `f32`, in the low half of a word.
    F32,
    /// `f64`.
    F64,
}

impl Format {
    /// The float's type.
    pub(super) fn float(self) -> Type {
        match self {
            Format::F32 => types::F32,
            Format::F64 => types::F64,
        }
    }

    /// That of an integer as wide.
    pub(super) fn bits(self) -> Type {
        match self {
            Format::F32 => types::I32,
            Format::F64 => types::I64,
        }
    }

    /// The sign bit of such an integer.
    pub(super) fn sign(self) -> u64 {
        1 << (self.bits().bits() - 1)
    }

    fn may_hold(self, ty: Type) -> bool {
        ty == types::I64 || ty == self.bits()
    }
}

/// What an instruction does with floats, whichever registers they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// Selects one of its last two operands.
    Select([Value; 2]),
    /// Loads one.
    Load,
    /// Clears the sign bit.
    Absolute(Value),
    /// Flips the sign bit.
    Negate(Value),
    /// Extends or reduces the word that an `f32` is the low half of.
    Resize(Value),
}

/// An instruction as a copy of floats of a format.
pub(super) fn copy(dfg: &DataFlowGraph, inst: Inst, format: Format) -> Option<Copy> {
    let &[result] = dfg.inst_results(inst) else { return None };
    let ty = dfg.value_type(result);
    if !format.may_hold(ty) {
        return None;
    }
    let is_float_wide = ty == format.bits();
    let other = |args: [Value; 2], wanted: u64| {
        let mask = format.sign() | (format.sign() - 1);
        let is = |value| constant(dfg, value).is_some_and(|number| number & mask == wanted);
        match args.map(is) {
            [false, true] => Some(args[0]),
            [true, false] => Some(args[1]),
            _ => None,
        }
    };
    match dfg.insts[inst] {
        InstructionData::Ternary { opcode: Opcode::Select, args: [_, one, another] } => {
            Some(Copy::Select([one, another]))
        }
        InstructionData::Load { opcode, flags, .. } => {
            let is_wanted = match opcode {
                Opcode::Load => is_float_wide,
                Opcode::Uload32 => format == Format::F32,
                _ => false,
            };
            let is_plain = is_wanted && !dfg.mem_flags[flags].notrap();
            (is_plain && memory_accesses::load(dfg, inst).is_some()).then_some(Copy::Load)
        }
        InstructionData::Binary { opcode: Opcode::Band, args } if is_float_wide => {
            other(args, format.sign() - 1).map(Copy::Absolute)
        }
        InstructionData::Binary { opcode: Opcode::Bxor, args } if is_float_wide => {
            other(args, format.sign()).map(Copy::Negate)
        }
        InstructionData::Unary { opcode: Opcode::Ireduce | Opcode::Uextend, arg }
            if format == Format::F32 && format.may_hold(dfg.value_type(arg)) =>
        {
            Some(Copy::Resize(arg))
        }
        _ => None,
    }
}

/// The operand of a `bitcast` from or to a type.
pub(super) fn bitcast(dfg: &DataFlowGraph, value: Value, from: Type) -> Option<Value> {
    let inst = dfg.value_def(dfg.resolve_aliases(value)).inst()?;
    match dfg.insts[inst] {
        InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. } => {
            let arg = dfg.resolve_aliases(arg);
            (dfg.value_type(arg) == from).then_some(arg)
        }
        _ => None,
    }
}

/// What is known of a web, kept at its representative.
#[derive(Clone, Copy, Default)]
struct Evidence {
    /// Moves between registers if it is one of integers.
    as_integers: u64,
    /// Moves between registers if it is one of floats.
    as_floats: u64,
    /// A word of which the high half is not known to be 0 is copied.
    is_high_unknown: bool,
    /// The high half of a word is used.
    is_high_used: bool,
    /// It cannot be of floats.
    is_refused: bool,
}

/// What is known of one value of a web.
#[derive(Clone, Copy, Default)]
struct Member {
    is_member: bool,
    has_float_use: bool,
    has_integer_use: bool,
    weight: u64,
}

struct Webs<'f> {
    function: &'f Function,
    format: Format,
    /// Values that are floats of the other format already.
    taken: &'f SecondaryMap<Value, Option<Format>>,
    /// The value that stands for its web, by way of others; none if it is that itself.
    parents: SecondaryMap<Value, PackedOption<Value>>,
    members: SecondaryMap<Value, Member>,
    evidence: SecondaryMap<Value, Evidence>,
}

/// The values that are to be floats, of which format.
pub(super) fn floats(function: &Function, loops: &LoopAnalysis) -> SecondaryMap<Value, Option<Format>> {
    let dfg = &function.dfg;
    let mut found: SecondaryMap<Value, Option<Format>> = value_map(dfg);
    for format in [Format::F64, Format::F32] {
        let mut webs = Webs {
            function,
            format,
            taken: &found,
            parents: value_map(dfg),
            members: value_map(dfg),
            evidence: value_map(dfg),
        };
        let Some(members) = webs.find(loops) else { continue };
        let chosen: Vec<Value> = members.into_iter().filter(|&member| webs.is_float(member)).collect();
        chosen.into_iter().for_each(|member| found[member] = Some(format));
    }
    found
}

impl Webs<'_> {
    /// Finds the webs; their members, or none if there is no float of this format.
    fn find(&mut self, loops: &LoopAnalysis) -> Option<Vec<Value>> {
        let function = self.function;
        let dfg = &function.dfg;
        let entry = function.layout.entry_block();
        let weight = |block| ITERATIONS.pow(loops.loop_level(block).level().min(DEEPEST) as u32);
        let mut members = Vec::new();
        let mut has_float = false;
        for block in function.layout.blocks() {
            let weight = weight(block);
            let parameters = dfg.block_params(block).iter().filter(|_| Some(block) != entry);
            let parameters = parameters.copied().filter(|&value| self.format.may_hold(dfg.value_type(value)));
            let insts = function.layout.block_insts(block);
            let copies = insts.filter(|&inst| copy(dfg, inst, self.format).is_some());
            for value in parameters.chain(copies.map(|inst| dfg.first_result(inst))) {
                if self.taken[value].is_none() {
                    self.members[value] = Member { is_member: true, weight, ..Member::default() };
                    members.push(value);
                }
            }
            has_float |= function.layout.block_insts(block).any(|inst| {
                dfg.insts[inst].opcode() == Opcode::Bitcast
                    && dfg.value_type(dfg.inst_args(inst)[0]) == self.format.bits()
            });
        }
        if !has_float {
            return None;
        }
        for block in function.layout.blocks() {
            for inst in function.layout.block_insts(block) {
                self.visit(inst, weight(block));
            }
        }
        for &value in &members {
            let member = self.members[value];
            let root = self.root(value);
            let evidence = &mut self.evidence[root];
            evidence.as_integers += if member.has_float_use { member.weight } else { 0 };
            evidence.as_floats += if member.has_integer_use { member.weight } else { 0 };
        }
        Some(members)
    }

    fn is_float(&mut self, member: Value) -> bool {
        let root = self.root(member);
        let evidence = self.evidence[root];
        let is_wide = evidence.is_high_unknown && evidence.is_high_used;
        !evidence.is_refused && !is_wide && evidence.as_integers > 0 && evidence.as_floats <= evidence.as_integers
    }

    /// Counts what an instruction does with its operands.
    fn visit(&mut self, inst: Inst, weight: u64) {
        let dfg = &self.function.dfg;
        match copy(dfg, inst, self.format).filter(|_| self.members[dfg.first_result(inst)].is_member) {
            Some(Copy::Select(operands)) => {
                operands.into_iter().for_each(|operand| self.join(dfg.first_result(inst), Some(operand), weight));
                return self.used_as_integer(dfg.inst_args(inst)[0]);
            }
            Some(Copy::Absolute(operand) | Copy::Negate(operand) | Copy::Resize(operand)) => {
                return self.join(dfg.first_result(inst), Some(operand), weight);
            }
            Some(Copy::Load) | None => {}
        }
        match dfg.insts[inst] {
            InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. }
                if dfg.value_type(dfg.first_result(inst)) == self.format.float() =>
            {
                self.members[dfg.resolve_aliases(arg)].has_float_use = true;
            }
            InstructionData::Store { opcode, args: [value, address], .. } => {
                let ty = dfg.value_type(value);
                let is_float_wide = match opcode {
                    Opcode::Store => ty == self.format.bits(),
                    Opcode::Istore32 => self.format == Format::F32,
                    _ => false,
                };
                if !is_float_wide {
                    self.used_as_integer(value);
                }
                self.used_as_integer(address);
            }
            data if data.opcode().is_terminator() => {
                for &value in dfg.inst_args(inst) {
                    self.used_as_integer(value);
                }
                for call in data.branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                    let parameters = dfg.block_params(call.block(&dfg.value_lists));
                    for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                        let argument = match argument {
                            BlockArg::Value(value) => Some(value),
                            BlockArg::TryCallRet(_) | BlockArg::TryCallExn(_) => None,
                        };
                        match argument {
                            _ if self.members[parameter].is_member => self.join(parameter, argument, weight),
                            Some(value) => self.used_as_integer(value),
                            None => {}
                        }
                    }
                }
            }
            _ => each_operand(dfg, inst, |value| self.used_as_integer(value)),
        }
    }

    /// A value is an operand of something that wants an integer.
    fn used_as_integer(&mut self, value: Value) {
        let dfg = &self.function.dfg;
        let value = dfg.resolve_aliases(value);
        if !self.members[value].is_member {
            return;
        }
        self.members[value].has_integer_use = true;
        if dfg.value_type(value) != self.format.bits() {
            let root = self.root(value);
            self.evidence[root].is_high_used = true;
        }
    }

    /// A value is copied to a member of a web; none is a value that is no operand.
    fn join(&mut self, to: Value, from: Option<Value>, weight: u64) {
        let dfg = &self.function.dfg;
        let Some(from) = from.map(|from| dfg.resolve_aliases(from)) else {
            let root = self.root(to);
            self.evidence[root].is_refused = true;
            return;
        };
        if self.members[from].is_member {
            return self.unite(to, from);
        }
        let is_float = bitcast(dfg, from, self.format.float()).is_some();
        let number = constant(dfg, from);
        let is_high_zero = dfg.value_type(from) == self.format.bits()
            || number.is_some_and(|number| u32::try_from(number).is_ok())
            || matches!(unary(dfg, from), Some((Opcode::Uextend, _)));
        // A reduced word is made of an integer, and nobody asks for its high half here.
        let is_reduced = dfg.value_type(to) == self.format.bits();
        let root = self.root(to);
        let evidence = &mut self.evidence[root];
        evidence.is_high_unknown |= !is_high_zero && !is_reduced;
        match (is_float, number) {
            (true, _) => evidence.as_integers += weight,
            (false, None) => evidence.as_floats += weight,
            (false, Some(_)) => {}
        }
    }

    fn root(&mut self, value: Value) -> Value {
        let mut root = value;
        while let Some(parent) = self.parents[root].expand() {
            // Halving the path keeps it short.
            if let Some(grandparent) = self.parents[parent].expand() {
                self.parents[root] = grandparent.into();
            }
            root = parent;
        }
        root
    }

    fn unite(&mut self, one: Value, other: Value) {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        let of = self.evidence[other];
        let evidence = &mut self.evidence[one];
        evidence.as_integers += of.as_integers;
        evidence.as_floats += of.as_floats;
        evidence.is_high_unknown |= of.is_high_unknown;
        evidence.is_high_used |= of.is_high_used;
        evidence.is_refused |= of.is_refused;
        self.parents[other] = one.into();
    }
}
