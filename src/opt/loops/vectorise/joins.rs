//! Branches in a loop that only choose between values.
//!
//! In: a loop with branches inside. Out: for each block where two paths meet, what each passes and which condition decides: a
//! parameter of it is a select. The rule: on the paths there is nothing but what may be computed in any case.

use std::collections::HashMap;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Opcode, Value};

use crate::opt::ir::edges::{argument, passed_values, remove_arguments, successors};
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;

/// Where two paths of a loop meet.
#[derive(Debug)]
pub(super) struct Join {
    /// The condition of the first path.
    pub(super) condition: Value,
    /// What the first and the second path pass.
    pub(super) passed: [Vec<Value>; 2],
    /// The block of the branch.
    from: Block,
}

/// The joins of a loop.
pub(super) type Joins = HashMap<Block, Join>;

/// The joins of a loop; none if it has other branches.
pub(super) fn find(function: &Function, inner: &Loop) -> Option<Joins> {
    let mut joins = Joins::new();
    if inner.always.iter().all(|&always| always) {
        return Some(joins);
    }
    let dfg = &function.dfg;
    for (&block, &always) in inner.blocks.iter().zip(&inner.always).skip(1) {
        let is_plain = |inst: Inst| {
            is_pure(dfg, inst)
                || matches!(dfg.insts[inst].opcode(), Opcode::Jump | Opcode::Brif | Opcode::SequencePoint)
        };
        if !always && !function.layout.block_insts(block).all(is_plain) {
            return None;
        }
        let edges: Vec<(Block, usize)> = incoming(function, inner, block);
        match edges[..] {
            [_] => {}
            [one, other] => {
                let join = join(function, inner, &joins, [one, other])?;
                joins.insert(block, join);
            }
            _ => return None,
        }
    }
    Some(joins)
}

/// The blocks and edges that lead to a block of a loop which is not its header.
fn incoming(function: &Function, inner: &Loop, block: Block) -> Vec<(Block, usize)> {
    let mut found = Vec::new();
    for &from in &inner.blocks {
        let Some(last) = function.layout.last_inst(from) else { continue };
        found.extend(
            successors(function, last).enumerate().filter(|&(_, to)| to == block).map(|(edge, _)| (from, edge)),
        );
    }
    found
}

fn join(function: &Function, inner: &Loop, joins: &Joins, edges: [(Block, usize); 2]) -> Option<Join> {
    let [one, other] = [branch(function, inner, joins, edges[0])?, branch(function, inner, joins, edges[1])?];
    if one.0 != other.0 || one.1 == other.1 {
        return None;
    }
    let InstructionData::Brif { arg, .. } = function.dfg.insts[function.layout.last_inst(one.0)?] else {
        return None;
    };
    let arguments = |(block, edge): (Block, usize)| {
        let dfg = &function.dfg;
        let last = function.layout.last_inst(block)?;
        let calls = dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
        Some(passed_values(function, *calls.get(edge)?))
    };
    let [first, second] = if one.1 == 0 { edges } else { [edges[1], edges[0]] };
    Some(Join { condition: arg, passed: [arguments(first)?, arguments(second)?], from: one.0 })
}

/// The two-way branch that an edge comes from, and which of its edges that is.
fn branch(
    function: &Function,
    inner: &Loop,
    joins: &Joins,
    (mut block, mut edge): (Block, usize),
) -> Option<(Block, usize)> {
    for _ in &inner.blocks {
        let last = function.layout.last_inst(block)?;
        if function.dfg.insts[last].opcode() == Opcode::Brif {
            return Some((block, edge));
        }
        // Through a block that everything leads through, the branch of which is not seen behind it.
        match (joins.get(&block), &incoming(function, inner, block)[..]) {
            (Some(join), _) => {
                let before = incoming(function, inner, join.from);
                let &[(from, of)] = &before[..] else { return None };
                (block, edge) = (from, of);
            }
            (None, &[(from, of)]) => (block, edge) = (from, of),
            _ => return None,
        }
    }
    None
}

/// Removes parameters in the loops that are always one value, where there are branches. Out: whether there were any.
pub(super) fn remove_equal_parameters(function: &mut Function, loops: &[Loop]) -> bool {
    let mut has_changed = false;
    for inner in loops.iter().filter(|inner| inner.always.contains(&false)) {
        for &block in &inner.blocks[1..] {
            let edges = incoming(function, inner, block);
            let mut removed = Vec::new();
            for index in (0..function.dfg.num_block_params(block)).rev() {
                let passed = edges.iter().map(|&(from, _)| {
                    let last = function.layout.last_inst(from)?;
                    argument(function, last, block, index)
                });
                let mut passed = passed.map(|value| value.map(|value| function.dfg.resolve_aliases(value)));
                let Some(Some(value)) = passed.next() else { continue };
                if !passed.all(|other| other == Some(value)) {
                    continue;
                }
                let parameter = function.dfg.block_params(block)[index];
                function.dfg.remove_block_param(parameter);
                function.dfg.change_to_alias(parameter, value);
                removed.push(index);
            }
            if removed.is_empty() {
                continue;
            }
            has_changed = true;
            let mut of_block: cranelift_codegen::entity::SecondaryMap<Block, Vec<usize>> = Default::default();
            of_block[block] = removed;
            let mut seen: EntitySet<Block> = EntitySet::new();
            for (from, _) in edges {
                if let Some(last) = function.layout.last_inst(from)
                    && seen.insert(from)
                {
                    remove_arguments(function, last, &of_block);
                }
            }
        }
    }
    has_changed
}
