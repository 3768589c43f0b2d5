//! The **lift** phase: one function's [`Graph`] to CLIF.
//!
//! In: a graph, and what the names of the program are declared as ([`Declarations`]). Out: a [`Lifted`] CLIF function. It does
//! not know whether that feeds the JIT or an object.
//!
//! | BPF | CLIF |
//! |---|---|
//! | r0 to r9 | one `i64` variable each; undefined at entry means 0; 32 bits of them: `low_halves.rs` |
//! | r10 | the end of one explicit stack slot: `frame.rs` |
//! | arithmetic | `alu.rs`; divisors that are never 0: `divisors.rs`; constants: `constants.rs` |
//! | loads, stores, atomics | `memory.rs`; of promoted frame slots: `slots.rs` |
//! | addresses and 64-bit immediates | `address.rs` |
//! | calls | `call.rs`; through registers: `pointers.rs`; of C's `memcpy` and the like for a few bytes: `memory_calls.rs`; of C's functions of floats: `float_calls.rs`; of `abs` and the like: `integer_calls.rs`; of the compiler's runtime: `libcalls.rs`; of `bpf2native.h`: `array_call.rs`; with doubles after `...`: `variadic.rs`; with formats: `formats.rs` |
//! | counters of coverage | `counters.rs`, over `counted.rs` |
//! | jumps | `control.rs`; branches that become selects: `select.rs`; jump tables from comparisons: `switch.rs`; jumps by entries of jump tables: `table_jumps.rs` |
//!
//! Every instruction carries its byte offset in the code section as its source location.

mod address;
mod alu;
mod array_call;
mod bit_counts;
pub(crate) mod call;
mod constants;
mod control;
mod counted;
mod counters;
mod divisors;
mod error;
mod exceptions;
mod float_calls;
pub mod formats;
mod frame;
mod input;
mod integer_calls;
mod known_halves;
mod libcalls;
mod lifter;
mod low_halves;
mod memory;
pub(crate) mod memory_calls;
mod pointers;
mod select;
mod slots;
mod switch;
mod table_jumps;
pub mod variadic;

use std::ops::Range;

use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, UserExternalName, UserFuncName, Value};
use cranelift_frontend::FunctionBuilder;

use crate::abi::{EntryValues, WORD};
use crate::config::{Need, Pass};
use crate::decode::insn::{Insn, Reg};
use crate::graph::{self, BlockIndex, Edge, Graph, Instruction, high_halves};
use crate::plan::{ControlFlowPlan, PromotedSlots};
use crate::times::{Phase, time};

use counted::CountedLoops;
pub use error::LiftError;
pub use input::{LiftContext, LiftInput};
use known_halves::{KnownHalves, LowHalves};
use lifter::TRAP_OUTSIDE;
use lifter::{ComparisonResults, Lifter, Plans, References};
pub use pointers::note_of;

pub use crate::declarations::{
    AddressTable, Callee, DATA, DataReference, Declarations, FUNCTIONS, Imported, Outside,
};

/// About how many instructions of CLIF there are for each one of BPF.
const CLIF_FOR_EACH: usize = 2;

/// What is lifted before a function's first block is in none.
const BEFORE_BLOCKS: graph::BlockIndex = graph::BlockIndex::MAX;

/// How many times an iteration's `may_goto` falls through before it jumps: the kernel's `BPF_MAX_LOOPS`.
const LOOP_BUDGET: i64 = 8 << 20;

/// A function in CLIF.
pub struct Lifted {
    /// The function.
    pub function: Function,
    /// It calls a function that may return twice (setjmp): it must be compiled without moving code across calls.
    pub returns_twice: bool,
    /// The section of its counters, if it has some.
    pub counters: Option<UserExternalName>,
}

/// Lifts a function.
///
/// # Errors
///
/// [`LiftError`], at the first instruction that has no meaning.
pub fn lift(input: LiftInput<'_>, graph: &Graph, context: &mut LiftContext) -> Result<Lifted, LiftError> {
    let LiftInput { program, resolution, declarations, generators, pointer_effects, calls_that_end, frequencies } =
        input;
    let mut function = declared(declarations, graph, context);
    let mut taken = std::mem::take(&mut context.builder);
    let mut builder = FunctionBuilder::new(&mut function, &mut taken);
    let returns_twice = call::returns_twice(resolution, graph);
    let passes = generators.passes_for(returns_twice);
    let (slots, control_flow) = time(generators.times(), Phase::Plan, || {
        let slots = if passes.contains(Pass::StackPromotion) {
            PromotedSlots::find(pointer_effects, graph)
        } else {
            PromotedSlots::none(graph)
        };
        let counters = program.counters.as_ref().and_then(|counters| counters.functions.get(&graph.function));
        let frequencies = frequencies.functions.get(&graph.function);
        let control_flow =
            ControlFlowPlan::find((resolution, calls_that_end), graph, &slots, (counters, frequencies), passes);
        (slots, control_flow)
    });
    let facts = generators.facts();
    let widest = if passes.contains(Pass::MemoryCalls) { facts.widest_unaligned } else { None };
    let float_calls = passes.contains(Pass::FloatCalls).then_some(*facts);
    let integer_calls = passes.contains(Pass::IntegerCalls);
    let is_checked_later = passes.contains(Pass::JumpTableBounds) && facts.has(Need::MachineCodeSteps);
    let checks_tables = !is_checked_later;
    let by_index = passes.contains(Pass::TableJumps);
    let slots = &slots;
    let control_flow = &control_flow;
    let plans = Plans { slots, control_flow, widest, float_calls, integer_calls, checks_tables, by_index };
    let loads = time(generators.times(), Phase::Lift, || {
        let loads = Lifter::new(input, graph, plans, &mut builder).function()?;
        builder.seal_all_blocks();
        builder.finalize(generators.main.frontend_config());
        Ok(loads)
    })?;
    context.builder = taken;
    table_jumps::remove_unused(&mut function, &loads);
    let counters = program.counters.as_ref().filter(|counters| counters.functions.contains_key(&graph.function));
    let counters = counters.map(|counters| declarations.section(counters.section).name());
    Ok(Lifted { function, returns_twice, counters })
}

/// A function without a body.
fn declared(declarations: &Declarations, graph: &Graph, context: &mut LiftContext) -> Function {
    let callee = declarations.function(graph.function);
    let mut function = context.old.take().unwrap_or_else(Function::new);
    function.clear();
    // All but these are cleared by that.
    function.dfg.exception_tables.clear();
    // Room for the locations of all instructions: growing one by one takes several times as long.
    function.srclocs.resize(CLIF_FOR_EACH * graph.instructions.len());
    function.name = UserFuncName::user(0, callee.id.as_u32());
    function.signature = callee.abi.signature(callee.abi.words(0));
    function
}

impl<'a, 'f> Lifter<'a, 'f> {
    fn new(
        LiftInput { program, resolution, declarations, generators, .. }: LiftInput<'a>,
        graph: &'a Graph,
        Plans { slots, control_flow, widest, float_calls, integer_calls, checks_tables, by_index }: Plans<'a>,
        builder: &'a mut FunctionBuilder<'f>,
    ) -> Self {
        let registers = std::array::from_fn(|_| builder.declare_var(WORD));
        let frame = frame::slot(declarations, graph, slots.frame_size, builder);
        let at = Instruction { offset: program.functions[graph.function].start, insn: Insn::Exit, target: None };
        Lifter {
            program,
            resolution,
            declarations,
            graph,
            builder,
            references: References::default(),
            registers,
            low_halves: LowHalves {
                at_ends: vec![KnownHalves::default(); graph.blocks.len()],
                ..LowHalves::default()
            },
            zero_extended: high_halves::at_starts(graph),
            slots,
            slot_values: Vec::new(),
            control_flow,
            widest,
            float_calls,
            integer_calls,
            checks_tables,
            by_index,
            table_loads: Vec::new(),
            facts: generators.facts(),
            compared: ComparisonResults::new(),
            frame,
            aligned_end: None,
            blocks: Vec::new(),
            is_sealed: vec![false; graph.blocks.len()],
            entry: EntryValues::default(),
            outside: None,
            budget: None,
            jump_value: None,
            stack_parameters: Vec::new(),
            stack_arguments: Vec::new(),
            counters: program.counters.as_ref().and_then(|counters| counters.functions.get(&graph.function)),
            counted_loops: CountedLoops::default(),
            counted_edges: Vec::new(),
            weight: None,
            block: BEFORE_BLOCKS,
            at,
            before: &[],
        }
    }

    /// Lifts the function; what may be removed from it if nothing needs the results is returned.
    fn function(mut self) -> Result<Vec<Inst>, LiftError> {
        let graph = self.graph;
        self.blocks = graph.blocks.iter().map(|_| self.builder.create_block()).collect();
        self.start();
        self.start_counting();
        if self.blocks.is_empty() {
            self.trap(TRAP_OUTSIDE);
        } else {
            let first = self.edge(Edge::Block(0));
            self.builder.ins().jump(first, &[]);
            self.count_outcomes();
            self.seal_completed(None);
        }
        for (index, block) in graph.blocks.iter().enumerate() {
            if !self.control_flow.is_lifted(index) {
                continue;
            }
            self.block = index;
            self.enter_block(index);
            self.builder.switch_to_block(self.blocks[index]);
            if self.control_flow.is_cold(index) {
                self.builder.set_cold_block(self.blocks[index]);
            }
            if self.control_flow.is_loop_header(index) {
                self.builder.ins().sequence_point();
            }
            self.count_block();
            let end = self.control_flow.end(index);
            self.instructions(block.start..end.map_or(block.end, |call| call + 1))?;
            match (end, self.control_flow.select(index), self.control_flow.switch(index)) {
                (Some(_), ..) => _ = self.trap(TRAP_OUTSIDE),
                (None, Some(select), _) => self.select(select)?,
                (None, None, Some(switch)) => self.switch(switch),
                (None, None, None) => self.terminator(&block.terminator),
            }
            self.leave_block(index);
            self.count_outcomes();
            self.seal_completed(Some(index));
        }
        if let Some(outside) = self.outside {
            self.builder.switch_to_block(outside);
            self.builder.set_cold_block(outside);
            self.trap(TRAP_OUTSIDE);
        }
        Ok(self.table_loads)
    }

    /// Seals the blocks whose predecessors are all there: a register that is read in a block which is not sealed becomes a
    /// parameter, that most often turns out to be one value and goes again.
    fn seal_completed(&mut self, block: Option<BlockIndex>) {
        let Lifter { control_flow, graph, builder, blocks, is_sealed, .. } = self;
        control_flow.completed_by(graph, block, |block| {
            if !std::mem::replace(&mut is_sealed[block], true) {
                builder.seal_block(blocks[block]);
            }
        });
    }

    /// Makes the entry block.
    fn start(&mut self) -> Block {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        self.set_location();
        self.enter(entry);
        if let Some(function) = self.program.tail_enter.filter(|_| self.graph.opens_run) {
            self.call_function(self.declarations.function(function), &[]);
        }
        self.enter_program();
        entry
    }

    /// Lifts a block's instructions, but for the jump at its end; all registers are extended then that somebody may read.
    fn instructions(&mut self, range: Range<usize>) -> Result<(), LiftError> {
        let instructions = &self.graph.instructions[range];
        for (index, instruction) in instructions.iter().enumerate() {
            self.at = *instruction;
            self.before = &instructions[..index];
            self.set_location();
            if low_halves::is_simple(instruction.insn) {
                self.instruction()?;
            } else {
                self.extend_all();
                self.instruction()?;
                self.forget_low_halves();
            }
            self.low_halves.zero_extended = high_halves::after(self.low_halves.zero_extended, instruction);
            self.count_return();
        }
        self.extend_live();
        Ok(())
    }

    /// Gives the registers their values at entry.
    fn enter(&mut self, entry: Block) {
        let zero = self.builder.ins().iconst(WORD, 0);
        for variable in self.registers {
            self.builder.def_var(variable, zero);
        }
        self.enter_slots();
        self.align_frame();
        let native: Vec<Value> = self.builder.block_params(entry).to_vec();
        let abi = &self.declarations.function(self.graph.function).abi;
        self.entry = abi.enter(self.builder, &native);
        let words = self.entry.words.clone();
        for (reg, word) in Reg::arguments().zip(&words) {
            if let Some(word) = *word {
                self.builder.def_var(self.registers[reg.index()], word);
            }
        }
        let on_stack = words.get(crate::abi::REGISTER_WORDS..).unwrap_or_default();
        self.stack_parameters = on_stack.iter().map(|word| word.unwrap_or(zero)).collect();

        let positions = self.graph.instructions.iter().filter_map(|instruction| match instruction.insn {
            Insn::StoreStackArgument { position, .. } => Some(position),
            _ => None,
        });
        for _ in 0..positions.max().unwrap_or(0) {
            let variable = self.builder.declare_var(WORD);
            self.builder.def_var(variable, zero);
            self.stack_arguments.push(variable);
        }
        if self.graph.instructions.iter().any(|instruction| matches!(instruction.insn, Insn::MayGoto { .. })) {
            let variable = self.builder.declare_var(WORD);
            let budget = self.builder.ins().iconst(WORD, LOOP_BUDGET);
            self.builder.def_var(variable, budget);
            self.budget = Some(variable);
        }
    }

    /// Lifts one instruction; a block's last jump is left to [`Self::terminator`].
    fn instruction(&mut self) -> Result<(), LiftError> {
        match self.at.insn {
            Insn::Alu { op, width, dst, src } => self.alu(op, width, dst, src),
            Insn::Neg { width, dst } => self.negate(width, dst),
            Insn::MovSx { width, from, dst, src } => self.move_signed(width, from, dst, src),
            Insn::AddrSpaceCast { dst, src, .. } => {
                let value = self.get(src);
                self.set(dst, value);
            }
            Insn::Endian { order, size, dst } => self.byte_order(order, size, dst),
            Insn::LoadImm { dst, value } => self.load_imm(dst, value),
            Insn::Load { size, signed, dst, base, offset } => self.load(size, signed, dst, base, offset),
            Insn::Store { size, base, offset, src } => self.store(size, base, offset, src),
            Insn::Atomic { op, width, fetch, base, offset, src } => {
                self.atomic(op, width, fetch, base, offset, src);
            }
            Insn::Xchg { width, base, offset, src } => self.exchange(width, base, offset, src),
            Insn::Cmpxchg { width, base, offset, src } => self.compare_exchange(width, base, offset, src),
            Insn::LoadAcquire { size, dst, base, offset } => self.load_acquire(size, dst, base, offset),
            Insn::StoreRelease { size, base, offset, src } => self.store_release(size, base, offset, src),
            Insn::LoadPacket { size, index, offset } => self.load_packet(size, index, offset),
            Insn::LoadStackArgument { dst, position } => {
                // An argument that the function's prototype does not have is never passed.
                let passed = self.stack_parameters.get(usize::from(position) - 1).copied();
                let value = passed.unwrap_or_else(|| self.builder.ins().iconst(WORD, 0));
                self.set(dst, value);
            }
            Insn::StoreStackArgument { position, src } => {
                let value = self.operand(src);
                self.builder.def_var(self.stack_arguments[usize::from(position) - 1], value);
            }
            Insn::Call(callee) => self.call(callee)?,
            Insn::Jump { .. }
            | Insn::JumpRegister { .. }
            | Insn::MayGoto { .. }
            | Insn::Branch { .. }
            | Insn::Exit => {}
        }
        Ok(())
    }
}
