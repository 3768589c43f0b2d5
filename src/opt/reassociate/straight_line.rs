//! The blocks of a function in lines: one after the other, of which each is the only way to the next.
//!
//! In: a function. Out: its [`Lines`]; what a line computes is there in the rest of it. The rule: within a line the blocks
//! have no parameters, but for the first one ([`remove_parameters`]).

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Value};

use crate::opt::loops::successors;

/// The blocks in lines: one after the other, of which each is the only way to the next.
pub(crate) struct Lines {
    /// The blocks, line by line.
    pub(crate) blocks: Vec<Block>,
    /// The line that a block is in.
    pub(crate) of_block: SecondaryMap<Block, u32>,
    pub(crate) count: usize,
}

impl Lines {
    pub(crate) fn new(function: &Function) -> Lines {
        let (dfg, layout) = (&function.dfg, &function.layout);
        let mut ways_in: SecondaryMap<Block, u32> = SecondaryMap::new();
        for branch in layout.blocks().filter_map(|block| layout.last_inst(block)) {
            for to in successors(function, branch) {
                ways_in[to] += 1;
            }
        }
        let next = |block| match dfg.insts[layout.last_inst(block)?] {
            InstructionData::Jump { destination, .. } => {
                let to = destination.block(&dfg.value_lists);
                (ways_in[to] == 1 && Some(to) != layout.entry_block()).then_some(to)
            }
            _ => None,
        };
        let mut is_inside: SecondaryMap<Block, bool> = SecondaryMap::new();
        for to in layout.blocks().filter_map(next) {
            is_inside[to] = true;
        }
        let mut lines = Lines { blocks: Vec::new(), of_block: SecondaryMap::new(), count: 0 };
        for start in layout.blocks().filter(|&block| !is_inside[block]) {
            for block in std::iter::successors(Some(start), |&block| next(block)) {
                lines.blocks.push(block);
                lines.of_block[block] = lines.count as u32;
            }
            lines.count += 1;
        }
        lines
    }

    /// The line that an instruction is in.
    pub(crate) fn of(&self, function: &Function, inst: Inst) -> Option<u32> {
        function.layout.inst_block(inst).map(|block| self.of_block[block])
    }
}

/// Replaces the parameters of blocks that there is one way to.
pub(crate) fn remove_parameters(function: &mut Function, lines: &Lines) {
    for pair in lines.blocks.windows(2) {
        let &[from, to] = pair else { continue };
        if lines.of_block[from] != lines.of_block[to] || function.dfg.num_block_params(to) == 0 {
            continue;
        }
        let Some(jump) = function.layout.last_inst(from) else { continue };
        let dfg = &mut function.dfg;
        let InstructionData::Jump { destination, .. } = &mut dfg.insts[jump] else { continue };
        let arguments: Option<Vec<Value>> = destination.args(&dfg.value_lists).map(|arg| arg.as_value()).collect();
        let Some(arguments) = arguments else { continue };
        destination.clear(&mut dfg.value_lists);
        for (parameter, argument) in
            dfg.detach_block_params(to).as_slice(&dfg.value_lists).to_vec().into_iter().zip(arguments)
        {
            dfg.change_to_alias(parameter, argument);
        }
    }
}
