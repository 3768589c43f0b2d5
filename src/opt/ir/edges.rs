//! Edges between blocks: successors, block arguments, layout order, and leading an edge elsewhere.
//!
//! In: a function and a terminator. Out: what its edges lead to and pass. Whoever retargets an edge drops the cached analyses
//! (`analyses.rs`).

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, Function, Inst, Value};

/// The targets of a terminator, one for each of its edges.
pub(crate) fn successors(function: &Function, terminator: Inst) -> impl Iterator<Item = Block> + '_ {
    let dfg = &function.dfg;
    let calls = dfg.insts[terminator].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
    calls.iter().map(|call| call.block(&dfg.value_lists))
}

/// The values that an edge passes.
pub(crate) fn passed_values(function: &Function, edge: BlockCall) -> Vec<Value> {
    edge.args(&function.dfg.value_lists).filter_map(|argument| argument.as_value()).collect()
}

/// Values as block arguments.
pub(crate) fn block_args(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| value.into()).collect()
}

/// The argument that a terminator passes to parameter `index` of a block; none if two of its edges pass different ones.
pub(crate) fn argument(function: &Function, terminator: Inst, block: Block, index: usize) -> Option<Value> {
    let dfg = &function.dfg;
    let mut found = None;
    for call in dfg.insts[terminator].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
        if call.block(&dfg.value_lists) != block {
            continue;
        }
        match call.args(&dfg.value_lists).nth(index) {
            Some(BlockArg::Value(value)) if found.is_none_or(|found| found == value) => found = Some(value),
            _ => return None,
        }
    }
    found
}

/// Retargets the edges of a terminator that lead to `from`, and replaces their arguments if there are new ones.
pub(crate) fn retarget(
    function: &mut Function,
    terminator: Inst,
    from: Block,
    to: Block,
    arguments: Option<&[Value]>,
) {
    let dfg = &mut function.dfg;
    for call in dfg.insts[terminator].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables) {
        if call.block(&dfg.value_lists) != from {
            continue;
        }
        call.set_block(to, &mut dfg.value_lists);
        if let Some(arguments) = arguments {
            call.clear(&mut dfg.value_lists);
            call.extend(arguments.iter().map(|&value| BlockArg::Value(value)), &mut dfg.value_lists);
        }
    }
}

/// A value that an edge of a branch passes to a parameter.
#[derive(Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) parameter: Value,
    pub(crate) value: Value,
    /// The edge, and the place among its arguments.
    at: (usize, usize),
}

/// What a branch passes, edge by edge.
pub(crate) fn passed(function: &Function, branch: Inst) -> impl Iterator<Item = Passed> + '_ {
    let dfg = &function.dfg;
    let calls = dfg.insts[branch].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
    calls.iter().enumerate().flat_map(move |(edge, call)| {
        let parameters = dfg.block_params(call.block(&dfg.value_lists));
        let arguments = parameters.iter().zip(call.args(&dfg.value_lists)).enumerate();
        arguments.filter_map(move |(index, (&parameter, argument))| {
            Some(Passed { parameter, value: argument.as_value()?, at: (edge, index) })
        })
    })
}

/// Passes these values in place of what [`passed`] said, in its order.
pub(crate) fn pass_instead(function: &mut Function, branch: Inst, changed: &[Passed]) {
    let dfg = &mut function.stencil.dfg;
    let (tables, exceptions) = (&mut dfg.jump_tables, &mut dfg.exception_tables);
    let calls = dfg.insts[branch].branch_destination_mut(tables, exceptions);
    let mut changed = changed.iter().peekable();
    for (edge, call) in calls.iter_mut().enumerate() {
        let mut index = 0;
        call.update_args(&mut dfg.value_lists, |argument| {
            let new = changed.next_if(|passed| passed.at == (edge, index));
            index += 1;
            new.map_or(argument, |passed| passed.value.into())
        });
    }
}

/// Removes the arguments of a branch for removed parameters: the indices of each block's, the last one first.
pub(crate) fn remove_arguments(function: &mut Function, branch: Inst, removed: &SecondaryMap<Block, Vec<usize>>) {
    let dfg = &mut function.stencil.dfg;
    let (tables, exceptions) = (&mut dfg.jump_tables, &mut dfg.exception_tables);
    for call in dfg.insts[branch].branch_destination_mut(tables, exceptions) {
        for &index in &removed[call.block(&dfg.value_lists)] {
            call.remove(index, &mut dfg.value_lists);
        }
    }
}

/// The position of each block in the layout.
pub(crate) struct LayoutOrder(SecondaryMap<Block, usize>);

impl LayoutOrder {
    /// That of a function as it is laid out now.
    pub(crate) fn new(function: &Function) -> LayoutOrder {
        let mut positions: SecondaryMap<Block, usize> = SecondaryMap::new();
        function.layout.blocks().enumerate().for_each(|(position, block)| positions[block] = position);
        LayoutOrder(positions)
    }

    /// Whether an edge leads to the same block or one further up. Lifted code lies in the order of the program, so these
    /// are the back edges of its loops; an irreducible loop has one too.
    pub(crate) fn is_backward(&self, from: Block, to: Block) -> bool {
        self.0[to] <= self.0[from]
    }
}
