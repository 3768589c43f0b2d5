//! Floats stay in registers of floats: words that hold one all their life get its type.
//!
//! BPF's registers hold integers, so that a lifted float is made of an integer before each operation, and becomes one after it.
//! `webs.rs` finds the values that are better floats; here they become such.
//!
//! | value | becomes |
//! |---|---|
//! | a block parameter, a select | one of floats; the arguments and operands too |
//! | a load, `band` with all but the sign bit, `bxor` with the sign bit | `load`, `fabs`, `fneg` of floats |
//! | `bitcast` of the bits of a float, a store of these | the float, a store of it |
//! | `bitcast` of a constant | a constant |
//! | operands of instructions | as `operands.rs` says |
//!
//! In: a function. Out: the same with floats. Sound: each float has the bits that the word had, whichever register they are in:
//! `bitcast`, moves, loads, stores, selects, `fabs` and `fneg` keep or set bits and look at none, so signalling NaNs stay what they
//! are. An access reads or writes the same bytes. The integer is made of the float where it was defined, for uses that want it;
//! words of an `f32` whose high half is used are known to have none. One pass over the blocks, dominators first.
//!
//! Tried, and not kept: joining blocks that follow each other on every path, so that more loads are operands of what uses them (no
//! program took another time: Cranelift takes only the last load before an instruction from memory).

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{
    Block, Function, Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, Value, types,
};

use super::halves::forward;
use super::operands::arrange;
use super::webs::{Copy, Format, bitcast, copy, floats};
use crate::opt::ir::dead_code::remove_dead_code;
use crate::opt::ir::edges::{Passed, pass_instead, passed};
use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{constant, replace_inst, value_map};
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let is_bitcast = |inst: Inst| function.dfg.insts[inst].opcode() == Opcode::Bitcast;
    if !insts(function).any(is_bitcast) {
        return;
    }
    forward(function);
    let analyses = context.analyses.control_flow(function);
    let mut blocks: Vec<Block> = analyses.dominators.cfg_rpo().copied().collect();
    let formats = floats(function, analyses.loops);
    // Blocks that are not reached pass arguments too.
    let mut reached: EntitySet<Block> = EntitySet::with_capacity(function.dfg.num_blocks());
    blocks.iter().for_each(|&block| {
        reached.insert(block);
    });
    blocks.extend(function.layout.blocks().filter(|&block| !reached.contains(block)));
    let twins = value_map(&function.dfg);
    let mut rewriter = Rewriter { function, formats, twins };
    blocks.iter().for_each(|&block| rewriter.parameters(block));
    for block in blocks {
        let insts: Vec<Inst> = rewriter.function.layout.block_insts(block).collect();
        insts.into_iter().for_each(|inst| rewriter.inst(inst));
    }
    arrange(function, analyses.loops, context.facts);
    remove_dead_code(function);
}

struct Rewriter<'f> {
    function: &'f mut Function,
    /// The integers that are to be floats.
    formats: SecondaryMap<Value, Option<Format>>,
    /// The float that has the bits of an integer, which is defined wherever that is.
    twins: SecondaryMap<Value, PackedOption<Value>>,
}

/// The integer that holds a float, of one of the two types that can.
fn word(cursor: &mut FuncCursor<'_>, float: Value, format: Format, wide: bool) -> Value {
    let bits = cursor.ins().bitcast(format.bits(), MemFlagsData::new(), float);
    if wide && format == Format::F32 { cursor.ins().uextend(types::I64, bits) } else { bits }
}

impl Rewriter<'_> {
    fn cursor(&mut self, inst: Inst) -> FuncCursor<'_> {
        let location = self.function.srcloc(inst);
        FuncCursor::new(self.function).at_inst(inst).with_srcloc(location)
    }

    /// Gives parameters of a block their types.
    fn parameters(&mut self, block: Block) {
        for parameter in self.function.dfg.block_params(block).to_vec() {
            let Some(format) = self.formats[parameter] else { continue };
            let wide = self.function.dfg.value_type(parameter) == types::I64;
            let float = self.function.dfg.replace_block_param(parameter, format.float());
            let mut cursor = FuncCursor::new(self.function).at_first_insertion_point(block);
            let word = word(&mut cursor, float, format, wide);
            self.function.dfg.change_to_alias(parameter, word);
            self.twins[word] = float.into();
            self.formats[float] = Some(format);
        }
    }

    /// The float with a value's bits, if it is there already.
    fn twin(&self, value: Value, format: Format) -> Option<Value> {
        let dfg = &self.function.dfg;
        let twin = self.twins[dfg.resolve_aliases(value)].expand()?;
        (dfg.value_type(twin) == format.float()).then_some(twin)
    }

    /// The float with a value's bits, before an instruction.
    fn float(&mut self, value: Value, format: Format, before: Inst) -> Value {
        if let Some(twin) = self.twin(value, format) {
            return twin;
        }
        let number = constant(&self.function.dfg, value);
        let mut cursor = self.cursor(before);
        match (number, format) {
            (Some(number), Format::F64) => cursor.ins().f64const(Ieee64::with_bits(number)),
            (Some(number), Format::F32) => cursor.ins().f32const(Ieee32::with_bits(number as u32)),
            (None, _) => {
                let is_narrow = cursor.func.dfg.value_type(value) == format.bits();
                let bits = if is_narrow { value } else { cursor.ins().ireduce(format.bits(), value) };
                cursor.ins().bitcast(format.float(), MemFlagsData::new(), bits)
            }
        }
    }

    fn inst(&mut self, inst: Inst) {
        let dfg = &self.function.dfg;
        if let [result] = *dfg.inst_results(inst) {
            if let Some(format) = self.formats[result] {
                return self.copy(inst, result, format);
            }
            for format in [Format::F32, Format::F64] {
                // The bits of a float, and the float of bits.
                if let Some(float) = bitcast(dfg, result, format.float()) {
                    self.twins[result] = float.into();
                    return;
                }
                if let Some(bits) = bitcast(dfg, result, format.bits()) {
                    if dfg.value_type(result) == format.float()
                        && (self.twin(bits, format).is_some() || constant(dfg, bits).is_some())
                    {
                        let float = self.float(bits, format, inst);
                        replace_inst(self.function, inst, float);
                    }
                    return;
                }
            }
        }
        match dfg.insts[inst] {
            InstructionData::Store { opcode, args: [value, address], flags, offset } => {
                let format = match (opcode, dfg.value_type(value)) {
                    (Opcode::Store, types::I64) => Format::F64,
                    (Opcode::Store, types::I32) | (Opcode::Istore32, _) => Format::F32,
                    _ => return,
                };
                let Some(float) = self.twin(value, format) else { return };
                let flags = self.function.dfg.mem_flags[flags];
                self.cursor(inst).ins().store(flags, float, address, offset);
                self.function.layout.remove_inst(inst);
            }
            data if data.opcode().is_branch() => self.arguments(inst),
            _ => {}
        }
    }

    /// Replaces an instruction that copies a float.
    fn copy(&mut self, inst: Inst, result: Value, format: Format) {
        let Some(copied) = copy(&self.function.dfg, inst, format) else { return };
        let float = match copied {
            Copy::Select(operands) => {
                let condition = self.function.dfg.inst_args(inst)[0];
                let [one, another] = operands.map(|operand| self.float(operand, format, inst));
                self.cursor(inst).ins().select(condition, one, another)
            }
            Copy::Load => {
                let InstructionData::Load { arg, flags, offset, .. } = self.function.dfg.insts[inst] else {
                    return;
                };
                let flags = self.function.dfg.mem_flags[flags];
                self.cursor(inst).ins().load(format.float(), flags, arg, offset)
            }
            Copy::Absolute(operand) => {
                let operand = self.float(operand, format, inst);
                self.cursor(inst).ins().fabs(operand)
            }
            Copy::Negate(operand) => {
                let operand = self.float(operand, format, inst);
                self.cursor(inst).ins().fneg(operand)
            }
            Copy::Resize(operand) => {
                self.twins[result] = self.float(operand, format, inst).into();
                return;
            }
        };
        let wide = self.function.dfg.value_type(result) == types::I64;
        let word = word(&mut self.cursor(inst), float, format, wide);
        replace_inst(self.function, inst, word);
        self.twins[word] = float.into();
    }

    /// Passes floats where a branch's targets take them.
    fn arguments(&mut self, branch: Inst) {
        let is_float = |passed: &Passed| self.formats[passed.parameter].is_some();
        let mut changed: Vec<Passed> = passed(self.function, branch).filter(is_float).collect();
        if changed.is_empty() {
            return;
        }
        for passed in &mut changed {
            if let Some(format) = self.formats[passed.parameter] {
                passed.value = self.float(passed.value, format, branch);
            }
        }
        pass_instead(self.function, branch, &changed);
    }
}
