//! rbpf's interpreter as an engine, for the part of the instruction set that it knows.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Engine, HELPERS, Outcome, Problem};
use crate::support::cases::Case;

/// rbpf.
pub struct Rbpf;

impl Engine for Rbpf {
    fn name(&self) -> &'static str {
        "rbpf"
    }

    fn run(&self, cases: &[Case]) -> Result<Vec<Result<Outcome, Problem>>, String> {
        Ok(cases.iter().map(run).collect())
    }
}

fn run(case: &Case) -> Result<Outcome, Problem> {
    let wrong = || WRONG.iter().find(|wrong| case.name.starts_with(wrong.0)).map(|wrong| wrong.1);
    if let Some(lack) = super::slots(&case.code).find_map(lack).or_else(|| too_long(&case.code)).or_else(wrong) {
        return Err(Problem::Unsupported(lack.to_owned()));
    }
    // rbpf sets only r1.
    let length = i32::try_from(case.memory.len()).expect("the memory is small").to_le_bytes();
    let mut code = vec![0xb7, 2, 0, 0];
    code.extend_from_slice(&length);
    code.extend_from_slice(&case.code);
    let mut memory = case.memory.clone();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut vm = rbpf::EbpfVmRaw::new(None)?;
        vm.set_verifier(|_| Ok(()))?;
        for (number, helper) in HELPERS {
            vm.register_helper(number, helper)?;
        }
        vm.set_program(&code)?;
        vm.execute_program(&mut memory)
    }));
    match result {
        Ok(Ok(r0)) => Ok(Outcome { r0, memory }),
        Ok(Err(error)) => Err(Problem::Failed(error.to_string())),
        Err(_) => Err(Problem::Failed("it panicked".to_owned())),
    }
}

/// Cases that rbpf 0.4.1 gets wrong, by the start of their names: the fault is rbpf's, as the specification and the
/// kernel say.
const WRONG: [(&str, &str); 6] = [
    ("neg64/mem 0x8000000000000000", "it panics at the negative of the smallest number"),
    ("neg64/const 0x8000000000000000", "it panics at the negative of the smallest number"),
    ("div32.by-zero/mem %= 0xffffffff00000005", "its 32-bit modulo by zero keeps the high half"),
    ("div32.by-zero/imm %= 0xffffffff00000005", "its 32-bit modulo by zero keeps the high half"),
    ("div32.wide %= 0xdeadbeef00000007", "its 32-bit modulo by zero keeps the high half"),
    ("generated.deep-calls", "it has eight frames"),
];

/// What rbpf 0.4.1 has not, read in its source: it looks at the opcode alone.
fn lack([opcode, registers, offset, _, .., top]: [u8; 8]) -> Option<&'static str> {
    let (dst, src) = (registers & 0xf, registers >> 4);
    let negative = top & 0x80 != 0;
    match opcode & 7 {
        _ if dst > 10 || src > 10 => Some("stack arguments"),
        0 if opcode != 0x18 => Some("packets in network byte order"),
        0 if src != 0 => Some("addresses of functions"),
        1 if opcode & 0xe0 == 0x80 => Some("sign-extending loads"),
        3 if opcode & 0xe0 == 0xc0 => Some("atomics"),
        4 | 7 if matches!(opcode, 0x34 | 0x3c | 0x94 | 0x9c | 0x37 | 0x3f | 0x97 | 0x9f) && offset == 1 => {
            Some("signed division")
        }
        4 | 7 if offset != 0 => Some("sign-extending moves, address space casts"),
        7 if opcode & 0xf0 == 0xd0 => Some("unconditional byte swaps"),
        5 if opcode == 0xe5 => Some("may_goto"),
        5 if opcode == 0x0d => Some("gotox"),
        5 if opcode == 0x8d => Some("callx"),
        5 if opcode == 0x85 && src == 1 && negative => Some("calls backward"),
        // ==, !=, >, >=, <, <=: it zero-extends the immediate.
        5 if matches!(opcode, 0x15 | 0x55 | 0x25 | 0x35 | 0xa5 | 0xb5) && negative => {
            Some("unsigned comparison with a negative immediate")
        }
        6 if opcode == 0x06 => Some("gotol"),
        _ => None,
    }
}

fn too_long(code: &[u8]) -> Option<&'static str> {
    (code.len() / 8 >= 1 << 15).then_some("programs of 32768 instructions and more")
}
