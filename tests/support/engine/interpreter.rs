//! The independent interpreter as an engine.

use super::{Engine, HELPERS, Outcome, Problem};
use crate::support::cases::Case;
use crate::support::interp::{self, Fault, Order};

/// [`interp::run`].
pub struct Interpreter;

/// More than any case needs.
const FUEL: u64 = 10_000_000;

impl Engine for Interpreter {
    fn name(&self) -> &'static str {
        "interpreter"
    }

    fn run(&self, cases: &[Case]) -> Result<Vec<Result<Outcome, Problem>>, String> {
        Ok(cases.iter().map(run).collect())
    }
}

fn run(case: &Case) -> Result<Outcome, Problem> {
    let mut memory = case.memory.clone();
    match run_in(Order::Little, &case.code, &mut memory) {
        Ok(r0) => Ok(Outcome { r0, memory }),
        Err(fault) => Err(Problem::Failed(format!("{fault:?}"))),
    }
}

/// Runs a program that may call the helpers of the cases, on a machine of this byte order.
pub fn run_in(order: Order, code: &[u8], memory: &mut [u8]) -> Result<u64, Fault> {
    let helper = |number: i32, [a, b, c, d, e]: [u64; 5]| {
        let helper = HELPERS.iter().find(|helper| i64::from(helper.0) == i64::from(number))?;
        Some(helper.1(a, b, c, d, e))
    };
    interp::run_in(order, code, memory, &helper, FUEL)
}
