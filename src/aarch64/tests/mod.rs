//! The steps over small functions, instruction by instruction.

mod combining;
mod copies;
mod reading;

use cranelift_module::FuncId;

use super::*;
use crate::codegen::compiled::{CodeRange, NativeFrame, StepOutcome};
use crate::compare::disasm::{Disassembler, Shape};
use crate::config::Pass;

const RET: u32 = 0xd65f_03c0;

/// A function of these words, whose blocks start at these slots.
fn function(words: &[u32], entries: &[u32]) -> CompiledFunction {
    CompiledFunction {
        id: FuncId::from_u32(0),
        function: None,
        code: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        align: 16,
        relocations: Vec::new(),
        unwind: None,
        locations: Vec::new(),
        entries: entries.iter().map(|entry| entry * 4).collect(),
        frame: NativeFrame::default(),
        keeping: Vec::new(),
        optimised: None,
        steps: StepOutcome::default(),
    }
}

fn isa() -> cranelift_codegen::isa::OwnedTargetIsa {
    let isa = cranelift_codegen::isa::lookup_by_name("aarch64-linux").unwrap();
    isa.finish(cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder())).unwrap()
}

/// Runs steps over a function whose instructions end there.
fn run_to(mut function: CompiledFunction, end: u32, passes: &[Pass]) -> CompiledFunction {
    let passes = passes.iter().fold(Passes::NONE, |passes, &pass| passes.with(pass));
    let calls = CallRegisters { results: 0b11, ..CallRegisters::default() };
    run(&mut function, end * 4, &*isa(), calls, (passes, None));
    function
}

/// The instructions that one step makes of these words.
fn made(words: &[u32], entries: &[u32], pass: Pass) -> Vec<String> {
    text(&run_to(function(words, entries), words.len() as u32, &[pass]))
}

/// Its instructions.
fn text(function: &CompiledFunction) -> Vec<String> {
    let disassembler = Disassembler::new(&"aarch64".parse().unwrap()).unwrap();
    let instructions = disassembler.function(&function.code, Shape::Entries(&function.entries));
    instructions
        .iter()
        .map(|instruction| instruction.text.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}
