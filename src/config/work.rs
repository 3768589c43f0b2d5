//! How much work a function is for Cranelift, and which of its phases that is too much for.
//!
//! In: a function's CLIF. Out: a [`Work`]. The rule: what is counted is what Cranelift sees, after lifting: a division is
//! a few blocks. Each limit is where a phase that takes more than linear time takes half a second to a second, and such that many
//! functions just below it are in proportion too: 100,000 of BPF's instructions take less than ten seconds.
//!
//! | what is counted | the phase | grows with |
//! |---|---|---|
//! | edges between blocks | the optimiser; past more of them, register allocation | the square |
//! | for each instruction, the square of how many loops it is in | the optimiser, which asks of each operand which of them it is in | that |
//! | for each value, the square of how often it is used | register allocation, which looks at all uses when it splits one | that |
//! | the same, of values that are passed as block arguments taken together | the same: it allocates them together if it can | that |
//! | instructions | register allocation | the square, for values that live throughout |

use cranelift_codegen::Context;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, BlockCall, Function};
use cranelift_codegen::loop_analysis::Loop;

/// Functions of more edges than this are not optimised: Cranelift's pass takes time and memory that grow with the square
/// of the blocks that dominate each other, here about as much as all the rest together, 40 times as much for 50,000.
pub(super) const MOST_EDGES: usize = 6000;

/// Functions of more edges than this have their registers allocated in a single pass: the time of the backtracking
/// allocator and of its dominator tree grows with the square in nested branches and loops, from under a second here to
/// minutes for 100,000 blocks.
const MOST_EDGES_TO_ALLOCATE: usize = 12_000;

/// And functions of more instructions than this: values that are live throughout cost the backtracking allocator a look
/// at all uses whenever one is split, from a third of a second here to ten for 200,000 instructions.
const MOST_INSTRUCTIONS: usize = 48 << 10;

/// Functions are not optimised where the square of the depth in loops is more than this, on average over the
/// instructions: the optimiser takes a nanosecond for each, and here as long as all the rest together.
const MOST_NESTING: u64 = 4096;

/// Functions whose sum of squared uses is greater have their registers allocated in a single pass.
const MOST_USES: u64 = 40_000_000;

/// And those whose sum for values that are passed to each other is greater. In 3100 loops one after the other, 15,500 instructions just
/// below the limit, registers take 0.68 s, and the code is an eighth of what a single pass makes of it (620 kB). Interpreters are below
/// it: that of QuickJS, with 386 million, has a third of the code and a frame of 1 KiB in place of 64.
const MOST_SHARED_USES: u64 = 500_000_000;

/// What Cranelift may do for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Registers in a single pass.
    SinglePass,
    /// All but its optimiser.
    Unoptimised,
    /// All.
    Full,
}

/// Counts of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Instructions.
    pub instructions: usize,
    /// Blocks.
    pub blocks: usize,
    /// Edges between them.
    pub edges: usize,
    /// The sum of the squares of instructions' depths in loops; an upper bound, where that is small.
    pub nesting: u64,
    /// The sum of the squares of values' uses; an upper bound, where that is small.
    pub uses: u64,
    /// The same, where values that are passed to each other as block arguments count as one.
    pub shared_uses: u64,
}

impl Work {
    /// Counts a function, with `context`'s allocations.
    pub fn of(function: &Function, context: &mut Context) -> Work {
        let mut work = Work::default();
        let mut order: SecondaryMap<Block, u32> = SecondaryMap::with_capacity(function.dfg.num_blocks());
        let mut headers: SecondaryMap<Block, bool> = SecondaryMap::with_capacity(function.dfg.num_blocks());
        let mut operands = 0;
        for (index, block) in (1..).zip(function.layout.blocks()) {
            order[block] = index;
            work.blocks += 1;
            for inst in function.layout.block_insts(block) {
                work.instructions += 1;
                operands += function.dfg.inst_args(inst).len() as u64;
            }
            for call in branches(function, block) {
                work.edges += 1;
                operands += call.len(&function.dfg.value_lists) as u64;
                // Blocks that come later have no number yet.
                let to = call.block(&function.dfg.value_lists);
                headers[to] |= order[to] != 0;
            }
        }
        // No sum is larger than if one value had all uses.
        work.uses = operands.saturating_mul(operands);
        work.shared_uses = work.uses;
        if work.uses > MOST_USES.min(MOST_SHARED_USES) {
            (work.uses, work.shared_uses) = uses(function);
        }
        let headers = headers.values().filter(|is_header| **is_header).count() as u64;
        work.nesting = (work.instructions as u64).saturating_mul(headers.saturating_mul(headers));
        if work.is_nested_deep() && work.edges <= MOST_EDGES {
            work.nesting = nesting(function, context);
        }
        work
    }

    fn is_nested_deep(&self) -> bool {
        self.nesting > MOST_NESTING.saturating_mul(self.instructions as u64)
    }

    /// What Cranelift may do for it.
    pub fn effort(&self) -> Effort {
        if self.edges > MOST_EDGES_TO_ALLOCATE
            || self.instructions > MOST_INSTRUCTIONS
            || self.uses > MOST_USES
            || self.shared_uses > MOST_SHARED_USES
        {
            Effort::SinglePass
        } else if self.edges > MOST_EDGES || self.is_nested_deep() {
            Effort::Unoptimised
        } else {
            Effort::Full
        }
    }
}

/// The branches from a block to others.
fn branches(function: &Function, block: Block) -> &[BlockCall] {
    let Some(last) = function.layout.last_inst(block) else { return &[] };
    let tables = &function.stencil.dfg.jump_tables;
    function.dfg.insts[last].branch_destination(tables, &function.stencil.dfg.exception_tables)
}

/// The sums of the squares of values' uses, and of those where values that are passed to each other count as one.
fn uses(function: &Function) -> (u64, u64) {
    let dfg = &function.dfg;
    let mut uses: Vec<u32> = vec![0; dfg.num_values()];
    let mut sets = ValueSets::new(dfg.num_values());
    for block in function.layout.blocks() {
        for value in function.layout.block_insts(block).flat_map(|inst| dfg.inst_values(inst)) {
            uses[dfg.resolve_aliases(value).as_u32() as usize] += 1;
        }
        for call in branches(function, block) {
            let parameters = dfg.block_params(call.block(&dfg.value_lists));
            for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                if let Some(value) = argument.as_value() {
                    sets.join(parameter.as_u32(), dfg.resolve_aliases(value).as_u32());
                }
            }
        }
    }
    let mut shared = vec![0u32; uses.len()];
    for (value, &uses) in (0..).zip(&uses) {
        let all = &mut shared[sets.of(value) as usize];
        *all = all.saturating_add(uses);
    }
    let sum_of_squares = |uses: &[u32]| uses.iter().map(|&uses| u64::from(uses).pow(2)).sum();
    (sum_of_squares(&uses), sum_of_squares(&shared))
}

/// Sets of values that are passed to each other: a union-find forest.
struct ValueSets {
    parents: Vec<u32>,
}

impl ValueSets {
    fn new(values: usize) -> ValueSets {
        ValueSets { parents: (0..values as u32).collect() }
    }

    /// The root of a value's tree; the path to it is halved.
    fn of(&mut self, mut value: u32) -> u32 {
        while self.parents[value as usize] != value {
            let parent = self.parents[value as usize];
            self.parents[value as usize] = self.parents[parent as usize];
            value = parent;
        }
        value
    }

    fn join(&mut self, left: u32, right: u32) {
        let (left, right) = (self.of(left), self.of(right));
        // The older value is the root: results do not depend on the order.
        self.parents[left.max(right) as usize] = left.min(right);
    }
}

/// The sum of the squares of instructions' depths in loops.
fn nesting(function: &Function, context: &mut Context) -> u64 {
    let Context { cfg: graph, domtree: dominators, loop_analysis: loops, .. } = context;
    graph.compute(function);
    dominators.compute(function, graph);
    loops.compute(function, graph, dominators);
    // Cranelift's own levels end at 254. A loop comes after the one that it is in.
    let mut depths: SecondaryMap<Loop, u64> = SecondaryMap::new();
    for inner in loops.loops() {
        depths[inner] = 1 + loops.loop_parent(inner).map_or(0, |outer| depths[outer]);
    }
    let of_block = |block| {
        let depth = loops.innermost_loop(block).map_or(0, |inner| depths[inner]);
        depth.pow(2).saturating_mul(function.layout.block_insts(block).count() as u64)
    };
    let sum = function.layout.blocks().map(of_block).fold(0, u64::saturating_add);
    graph.clear();
    dominators.clear();
    loops.clear();
    sum
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::Context;
    use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, MemFlagsData, Value, types};
    use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
    use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
    use target_lexicon::PointerWidth;

    use super::{Effort, Work};

    /// The work of a function of one parameter with this body.
    fn work(body: impl FnOnce(&mut FunctionBuilder<'_>, Value)) -> Work {
        let (mut function, mut context) = (Function::new(), FunctionBuilderContext::new());
        function.signature.params.push(AbiParam::new(types::I64));
        let mut builder = FunctionBuilder::new(&mut function, &mut context);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let parameter = builder.block_params(entry)[0];
        body(&mut builder, parameter);
        builder.ins().return_(&[]);
        builder.seal_all_blocks();
        builder.finalize(TargetFrontendConfig {
            default_call_conv: CallConv::SystemV,
            pointer_width: PointerWidth::U64,
            page_size_align_log2: 12,
        });
        Work::of(&function, &mut Context::new())
    }

    /// Loops that are nested, or follow each other.
    fn loops(count: usize, are_nested: bool) -> Work {
        work(|builder, value| {
            let mut headers = Vec::new();
            for _ in 0..count {
                let header = builder.create_block();
                builder.ins().jump(header, &[]);
                builder.switch_to_block(header);
                headers.push(header);
                if !are_nested {
                    let after = builder.create_block();
                    builder.ins().brif(value, header, &[], after, &[]);
                    builder.switch_to_block(after);
                }
            }
            for header in headers.into_iter().rev().filter(|_| are_nested) {
                let after = builder.create_block();
                builder.ins().brif(value, header, &[], after, &[]);
                builder.switch_to_block(after);
            }
        })
    }

    #[test]
    fn nested_loops_are_not_optimised_and_sequences_of_loops_are() {
        assert_eq!(loops(1000, false).effort(), Effort::Full);
        assert_eq!(loops(100, true).effort(), Effort::Full);
        assert_eq!(loops(1000, true).effort(), Effort::Unoptimised);
        // Cranelift counts up to 254 of them.
        assert_eq!(loops(500, true).effort(), Effort::Unoptimised);
        assert!(loops(500, true).nesting > 2 * 500 * 254 * 254);
    }

    #[test]
    fn a_value_that_is_used_often_has_its_registers_in_a_single_pass() {
        let uses = |count: usize| {
            work(|builder, value| {
                for _ in 0..count {
                    builder.ins().load(types::I64, MemFlagsData::new(), value, 8);
                }
            })
        };
        assert_eq!(uses(2000).effort(), Effort::Full);
        assert_eq!(uses(20_000).effort(), Effort::SinglePass);
    }

    #[test]
    fn values_that_are_passed_as_block_arguments_count_together() {
        let passed_on = |count: usize| {
            work(|builder, mut value| {
                for _ in 0..count {
                    let next = builder.create_block();
                    builder.append_block_param(next, types::I64);
                    for _ in 0..8 {
                        builder.ins().load(types::I64, MemFlagsData::new(), value, 8);
                    }
                    builder.ins().jump(next, &[value.into()]);
                    builder.switch_to_block(next);
                    value = builder.block_params(next)[0];
                }
            })
        };
        assert_eq!(passed_on(100).effort(), Effort::Full);
        assert_eq!(passed_on(3000).effort(), Effort::SinglePass);
        assert_eq!(passed_on(3000).edges, 3000);
    }
}
