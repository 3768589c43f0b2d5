//! The state of lifting one function, and its registers.
//!
//! Owns what the other files of the folder share: each lifts instructions of one kind, as methods of [`Lifter`]; `mod.rs` goes
//! over the function and calls them.

use std::collections::HashMap;

use cranelift_codegen::ir::{
    Block, FuncRef, GlobalValue, Inst, InstBuilder, Signature, SourceLoc, StackSlot, Value,
};
use cranelift_frontend::{FunctionBuilder, Variable};
use cranelift_module::{DataId, FuncId};

use super::counted::{CountedEdge, CountedLoops};
use super::known_halves::LowHalves;
use crate::abi::{EntryValues, WORD};
use crate::config::TargetFacts;
use crate::declarations::Declarations;
use crate::decode::insn::{Operand, Reg};
use crate::graph::{BlockIndex, Graph, Instruction, RegSet};
use crate::plan::{ControlFlowPlan, PromotedSlots};
use crate::program::counters::FunctionCounters;
use crate::program::{DataSectionId, Endianness, Program};
use crate::resolution::Resolution;

/// The trap of control that leaves a function, or that LLVM says is unreachable.
pub const TRAP_OUTSIDE: u8 = 1;
/// The trap of a jump through a register to no label.
pub const TRAP_NO_LABEL: u8 = 2;
/// The trap of a call of a weak symbol that is not there.
pub const TRAP_NO_CALLEE: u8 = 3;

/// The trap of an instruction whose CO-RE relocation the target's types do not satisfy.
pub const TRAP_POISONED: u8 = 4;

/// What a function already refers to, so that each name is imported once.
#[derive(Default)]
pub(super) struct References {
    pub(super) functions: HashMap<(FuncId, Signature), FuncRef>,
    pub(super) data: HashMap<DataId, GlobalValue>,
    /// The instruction that prefetches, as a function.
    pub(super) prefetch: Option<FuncRef>,
    /// The jump tables among the data.
    pub(super) tables: HashMap<GlobalValue, DataSectionId>,
}

/// The results of expanded comparisons, each with a value that is 0 if and only if the result is.
pub(super) type ComparisonResults = HashMap<Value, Value>;

/// What the plan phase found for a function.
#[derive(Clone, Copy)]
pub(super) struct Plans<'a> {
    pub(super) slots: &'a PromotedSlots,
    pub(super) control_flow: &'a ControlFlowPlan,
    /// The widest access that `memcpy` and the like may become, in bytes; none if they stay calls.
    pub(super) widest: Option<u64>,
    /// What the target can do, if calls of C's functions of floats may become instructions.
    pub(super) float_calls: Option<TargetFacts>,
    /// Whether calls of C's functions of integers may become instructions.
    pub(super) integer_calls: bool,
    /// Whether a branch checks the index of a jump table; if not, the steps over x86-64 code add the check.
    pub(super) checks_tables: bool,
    /// Whether jumps by entries of jump tables go by the index.
    pub(super) by_index: bool,
}

/// The state of lifting one function.
pub(super) struct Lifter<'a, 'f> {
    pub(super) program: &'a Program,
    pub(super) resolution: &'a Resolution,
    pub(super) declarations: &'a Declarations,
    pub(super) graph: &'a Graph,
    pub(super) builder: &'a mut FunctionBuilder<'f>,
    pub(super) references: References,
    pub(super) registers: [Variable; 10],
    /// What is known of their halves.
    pub(super) low_halves: LowHalves,
    /// Those whose high half is zeros, at the start of each block.
    pub(super) zero_extended: Vec<RegSet>,
    /// The promoted frame slots.
    pub(super) slots: &'a PromotedSlots,
    /// Their variables.
    pub(super) slot_values: Vec<Variable>,
    /// Which blocks are lifted, and where edges lead.
    pub(super) control_flow: &'a ControlFlowPlan,
    /// As in [`Plans`].
    pub(super) widest: Option<u64>,
    /// As in [`Plans`].
    pub(super) float_calls: Option<TargetFacts>,
    /// As in [`Plans`].
    pub(super) integer_calls: bool,
    /// As in [`Plans`].
    pub(super) checks_tables: bool,
    /// As in [`Plans`].
    pub(super) by_index: bool,
    /// Loads of entries of jump tables that jumps do not need.
    pub(super) table_loads: Vec<Inst>,
    /// What is known of the target.
    pub(super) facts: &'a TargetFacts,
    /// The results of `memcmp` calls that were expanded.
    pub(super) compared: ComparisonResults,
    /// The BPF stack, if the function uses r10.
    pub(super) frame: Option<StackSlot>,
    /// Its end, where it needs a larger alignment than native frames have.
    pub(super) aligned_end: Option<Value>,
    /// CLIF blocks, by index of BPF block.
    pub(super) blocks: Vec<Block>,
    /// Whether all edges to a BPF block are there.
    pub(super) is_sealed: Vec<bool>,
    /// The function's parameters at entry, and where its result goes.
    pub(super) entry: EntryValues,
    /// Where control goes that leaves the function.
    pub(super) outside: Option<Block>,
    /// The budget of `may_goto`.
    pub(super) budget: Option<Variable>,
    /// The target of the next shared block of jumps through registers ([`graph::RegisterJump::is_shared`]).
    pub(super) jump_value: Option<Variable>,
    /// Stack arguments that came in: position 1 is index 0.
    pub(super) stack_parameters: Vec<Value>,
    /// Stack arguments for the next call.
    pub(super) stack_arguments: Vec<Variable>,
    /// What counts how often its parts run, if something does.
    pub(super) counters: Option<&'a FunctionCounters>,
    /// What is counted in the loops that count in registers.
    pub(super) counted_loops: CountedLoops,
    /// Blocks on counted edges that are not filled yet.
    pub(super) counted_edges: Vec<CountedEdge>,
    /// What counts instead of one: 0 or 1, in an arm of a select.
    pub(super) weight: Option<Value>,
    /// The block that is being lifted.
    pub(super) block: BlockIndex,
    /// The instruction that is being lifted.
    pub(super) at: Instruction,
    /// The earlier instructions of its block.
    pub(super) before: &'a [Instruction],
}

impl Lifter<'_, '_> {
    pub(super) fn set_location(&mut self) {
        // Sections of 4 GiB of code do not exist: their offsets fit.
        self.builder.set_srcloc(SourceLoc::new(self.at.offset as u32));
    }

    pub(super) fn is_big_endian(&self) -> bool {
        self.program.endianness == Endianness::Big
    }

    /// The value of a register.
    pub(super) fn get(&mut self, reg: Reg) -> Value {
        match (reg, self.frame) {
            (Reg::FRAME, Some(_)) => self.frame_address(0),
            // Read, but never as an address: any value will do.
            (Reg::FRAME, None) => self.builder.ins().iconst(WORD, 0),
            (reg, _) => {
                self.extend(reg);
                if let Some(known) = self.low_halves.known.whole[reg.index()].expand() {
                    return known;
                }
                let value = self.builder.use_var(self.registers[reg.index()]);
                self.low_halves.known.whole[reg.index()] = value.into();
                value
            }
        }
    }

    /// Gives a register a value; decoding leaves no instruction that writes r10.
    pub(super) fn set(&mut self, reg: Reg, value: Value) {
        self.low_halves.written(reg, value);
        self.builder.def_var(self.registers[reg.index()], value);
    }

    /// The 64-bit value of an operand.
    pub(super) fn operand(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(reg) => self.get(reg),
            Operand::Imm(imm) => self.builder.ins().iconst(WORD, i64::from(imm)),
        }
    }
}
