//! Straight-line chains: blocks one after the other, each of which is the only predecessor of the next.
//!
//! In: a function. Out: its [`Chains`]; what a chain computes is available in the rest of it. The rule: within a chain only the
//! first block has parameters ([`remove_parameters`]).

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Value};

use crate::opt::ir::edges::successors;

/// The blocks of a function in chains.
pub(crate) struct Chains {
    /// The blocks, chain by chain.
    pub(crate) blocks: Vec<Block>,
    /// The chain of each block.
    pub(crate) of_block: SecondaryMap<Block, u32>,
    /// How many chains there are.
    pub(crate) count: usize,
}

impl Chains {
    /// Finds the chains of a function.
    pub(crate) fn new(function: &Function) -> Chains {
        let (dfg, layout) = (&function.dfg, &function.layout);
        let mut predecessors: SecondaryMap<Block, u32> = SecondaryMap::new();
        for branch in layout.blocks().filter_map(|block| layout.last_inst(block)) {
            for to in successors(function, branch) {
                predecessors[to] += 1;
            }
        }
        let next = |block| match dfg.insts[layout.last_inst(block)?] {
            InstructionData::Jump { destination, .. } => {
                let to = destination.block(&dfg.value_lists);
                (predecessors[to] == 1 && Some(to) != layout.entry_block()).then_some(to)
            }
            _ => None,
        };
        let mut is_continuation: SecondaryMap<Block, bool> = SecondaryMap::new();
        for to in layout.blocks().filter_map(next) {
            is_continuation[to] = true;
        }
        let mut chains = Chains { blocks: Vec::new(), of_block: SecondaryMap::new(), count: 0 };
        for start in layout.blocks().filter(|&block| !is_continuation[block]) {
            for block in std::iter::successors(Some(start), |&block| next(block)) {
                chains.blocks.push(block);
                chains.of_block[block] = chains.count as u32;
            }
            chains.count += 1;
        }
        chains
    }

    /// The chain of an instruction.
    pub(crate) fn of(&self, function: &Function, inst: Inst) -> Option<u32> {
        function.layout.inst_block(inst).map(|block| self.of_block[block])
    }
}

/// Replaces the parameters of all blocks of a chain but the first by their arguments.
pub(crate) fn remove_parameters(function: &mut Function, chains: &Chains) {
    for pair in chains.blocks.windows(2) {
        let &[from, to] = pair else { continue };
        if chains.of_block[from] != chains.of_block[to] || function.dfg.num_block_params(to) == 0 {
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
