//! The early exits of a function, to be put into its callers ([`crate::inline::Prefix`]).
//!
//! | BPF | CLIF |
//! |---|---|
//! | an edge to a block of the prefix | as ever |
//! | an edge to anywhere else | a block that calls the function itself, with the parameters as they came, and returns what it does |

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value};

use super::{LiftError, Lifter};
use crate::graph::{Edge, Terminator};
use crate::inline::Prefix;

impl Lifter<'_, '_> {
    /// Lifts the prefix as a function.
    pub(super) fn prefix(&mut self, prefix: &Prefix) -> Result<(), LiftError> {
        let entry = self.start();
        let parameters = self.builder.block_params(entry).to_vec();
        let rest = self.builder.create_block();
        let blocks: Vec<(usize, Block)> =
            prefix.blocks().iter().map(|&index| (index, self.builder.create_block())).collect();
        let target = |from: usize, edge: Edge| match edge {
            Edge::Block(to) if prefix.keeps(from, edge) => {
                blocks.iter().find(|(index, _)| *index == to).map_or(rest, |&(_, block)| block)
            }
            _ => rest,
        };
        let first = blocks.first().map_or(rest, |&(_, block)| block);
        self.builder.ins().jump(first, &[]);
        let graph = self.graph;
        for &(index, block) in &blocks {
            self.builder.switch_to_block(block);
            self.instructions(&graph.blocks[index])?;
            match &graph.blocks[index].terminator {
                Terminator::Goto(edge) => {
                    self.builder.ins().jump(target(index, *edge), &[]);
                }
                Terminator::Branch { taken, fallthrough } => {
                    let condition = self.condition();
                    let (taken, fallthrough) = (target(index, *taken), target(index, *fallthrough));
                    if fallthrough == rest {
                        // Cranelift lets control fall through to what comes last: so the call is jumped to.
                        let condition = self.builder.ins().icmp_imm_u(IntCC::Equal, condition, 0);
                        self.builder.ins().brif(condition, rest, &[], taken, &[]);
                    } else {
                        self.builder.ins().brif(condition, taken, &[], fallthrough, &[]);
                    }
                }
                terminator @ (Terminator::Return | Terminator::Register(_)) => self.terminator(terminator),
            }
        }
        self.builder.switch_to_block(rest);
        self.call_itself(&parameters);
        Ok(())
    }

    /// Goes on in the function itself.
    fn call_itself(&mut self, parameters: &[Value]) {
        let callee = self.declarations.function(self.graph.function);
        let reference = self.function_reference(callee, callee.abi.signature(callee.abi.words(0)));
        let call = self.builder.ins().call(reference, parameters);
        let results = self.builder.inst_results(call).to_vec();
        self.builder.ins().return_(&results);
    }
}
