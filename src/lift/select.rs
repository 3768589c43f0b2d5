//! If-converted branches ([`crate::plan::Select`]): both arms, one after the other, and a `select` for each register and slot
//! that one of them writes.

use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;

use super::error::LiftError;
use super::lifter::Lifter;
use crate::decode::insn::Reg;
use crate::graph::{BlockIndex, Edge};
use crate::plan::Select;

impl Lifter<'_, '_> {
    /// Ends a block whose last instruction is the branch.
    pub(super) fn select(&mut self, select: &Select) -> Result<(), LiftError> {
        self.lift_arms(select)?;
        let join = self.edge(Edge::Block(select.join));
        self.builder.ins().jump(join, &[]);
        Ok(())
    }

    /// Lifts both arms, and selects what they write.
    fn lift_arms(&mut self, select: &Select) -> Result<(), LiftError> {
        let branch = self.at;
        let condition = self.condition();
        self.give_up_dead();
        let registers = Reg::all().filter(|&reg| select.registers.contains(reg));
        let variables: Vec<Variable> = registers
            .map(|reg| self.registers[reg.index()])
            .chain(select.slots.iter().map(|&slot| self.slot_values[slot]))
            .collect();
        let before = self.values(&variables);
        let (block, weights) = (self.block, self.count_arms(condition));
        let [weight_of_taken, weight_of_fallthrough] = weights.arms;
        let taken = self.arm(select.taken, weight_of_taken, &variables)?;
        self.forget_low_halves();
        for (&variable, value) in variables.iter().zip(before) {
            self.builder.def_var(variable, value);
        }
        let fallthrough = self.arm(select.fallthrough, weight_of_fallthrough, &variables)?;
        self.forget_low_halves();
        (self.at, self.block, self.weight) = (branch, block, weights.branch);
        self.set_location();
        for ((variable, taken), fallthrough) in variables.into_iter().zip(taken).zip(fallthrough) {
            let value = self.builder.ins().select(condition, taken, fallthrough);
            self.builder.def_var(variable, value);
        }
        Ok(())
    }

    fn values(&mut self, variables: &[Variable]) -> Vec<Value> {
        variables.iter().map(|&variable| self.builder.use_var(variable)).collect()
    }

    /// Lifts an arm that counts so much; the variables' values after it.
    fn arm(
        &mut self,
        arm: Option<BlockIndex>,
        weight: Option<Value>,
        variables: &[Variable],
    ) -> Result<Vec<Value>, LiftError> {
        if let Some(arm) = arm {
            let (graph, control_flow) = (self.graph, self.control_flow);
            (self.block, self.weight) = (arm, weight);
            self.low_halves.zero_extended = self.zero_extended[arm];
            self.count_block();
            self.instructions(graph.blocks[arm].start..graph.blocks[arm].end)?;
            if let Some(inner) = control_flow.select(arm) {
                self.lift_arms(inner)?;
            }
            self.give_up_dead();
        }
        Ok(self.values(variables))
    }
}
