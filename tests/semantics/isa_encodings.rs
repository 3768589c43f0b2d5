//! Which bytes are an instruction: the tables `tests/isa/illegal.hex` and `legal.hex`, and the assembler's and the
//! disassembler's text for every instruction of the case tables.

use std::path::Path;

use crate::support::random::Seed;
use crate::support::{asm, cases, hex};
use bpf2native::decode::insn::Insn;
use bpf2native::decode::{DecodeError, SLOT, decode};
use bpf2native::program::Endianness;
use bpf2native::{Config, Jit, Program};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isa")
}

fn encodings(file: &str) -> Vec<(String, Vec<u8>)> {
    cases::encodings(&folder().join(file)).unwrap_or_else(|error| panic!("{error}"))
}

fn decode_all(mut code: &[u8]) -> Result<Vec<Insn>, DecodeError> {
    let mut instructions = Vec::new();
    while !code.is_empty() {
        let instruction = decode(code, Endianness::Little)?;
        code = &code[instruction.slots() * SLOT..];
        instructions.push(instruction);
    }
    Ok(instructions)
}

#[test]
fn illegal_encodings_are_refused() {
    let accepted = |(name, code): &(String, Vec<u8>)| Some(format!("{name}: {}", decode_all(code).ok()?[0]));
    let accepted: Vec<String> = encodings("illegal.hex").iter().filter_map(accepted).collect();
    assert!(accepted.is_empty(), "{} illegal encodings are accepted:\n{}", accepted.len(), accepted.join("\n"));
}

#[test]
fn legal_encodings_are_accepted() {
    let refused = |(name, code): &(String, Vec<u8>)| Some(format!("{name}: {}", decode_all(code).err()?));
    let refused: Vec<String> = encodings("legal.hex").iter().filter_map(refused).collect();
    assert!(refused.is_empty(), "{} legal encodings are refused:\n{}", refused.len(), refused.join("\n"));
}

/// All the way to machine code.
#[test]
fn legal_encodings_are_translated() {
    let jit = Jit::new(&Config::new()).expect("this machine");
    let linker = crate::support::engine::jit::linker();
    let refused = |(name, code): &(String, Vec<u8>)| {
        let program = Program::from_instructions(name, code).map_err(|error| error.to_string());
        let loaded = program.and_then(|program| jit.load(&program, &linker).map_err(|error| error.to_string()));
        Some(format!("{name}: {}", loaded.err()?))
    };
    let refused: Vec<String> = encodings("legal.hex").iter().filter_map(refused).collect();
    assert!(refused.is_empty(), "{} legal encodings are refused:\n{}", refused.len(), refused.join("\n"));
}

/// `code` with all registers and the stack slot below r10 written before it, and room to jump over behind it.
#[cfg(target_os = "linux")]
fn in_a_program(code: &[u8]) -> Vec<u8> {
    let registers = (0..=9).map(|register| format!("r{register} = 0\n")).collect::<String>();
    let before = asm::assemble(&(registers + "*(u64 *)(r10 - 8) = 0")).expect("it assembles");
    let after = asm::assemble(&("r0 = 0\n".repeat(40) + "exit")).expect("it assembles");
    [&before, code, &after].concat()
}

/// Whether the kernel takes a program; `None` where there is no kernel to ask, which is said.
#[cfg(target_os = "linux")]
fn kernel() -> Option<impl Fn(&[u8]) -> bool> {
    use crate::support::bpf::{accepts, load};
    match load(&in_a_program(&[])) {
        Ok(_) => Some(|code: &[u8]| accepts(&in_a_program(code))),
        Err(error) => {
            crate::support::absent("kernel", &error);
            None
        }
    }
}

/// The table is not stricter than the kernel's verifier.
#[test]
#[cfg(target_os = "linux")]
fn illegal_encodings_are_refused_by_the_kernel() {
    let Some(kernel) = kernel() else { return };
    let accepted = |(name, code): (String, Vec<u8>)| kernel(&code).then_some(name);
    let accepted: Vec<String> = encodings("illegal.hex").into_iter().filter_map(accepted).collect();
    assert!(accepted.is_empty(), "the kernel accepts:\n{}", accepted.join("\n"));
}

/// What the kernel's verifier accepts is an instruction: every opcode, with fields that mean something somewhere.
#[test]
#[cfg(target_os = "linux")]
fn what_the_kernel_accepts_is_accepted() {
    let Some(kernel) = kernel() else { return };
    let mut seed = Seed::new(0);
    let (mut refused, mut accepted) = (Vec::new(), 0);
    for opcode in 0..=255 {
        for _ in 0..100 {
            let dst = *seed.pick(&[0, 1, 10, 11]);
            let src = *seed.pick(&[0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 7, 10, 11]);
            let offset: i16 = *seed.pick(&[0, 0, 0, 0, 0, 1, -8, 8, 16, 32]);
            let imm: i32 =
                *seed.pick(&[0, 0, 0, 0, 0, 0, 1, 2, 8, 16, 32, 64, 0x100, 0x110, 0xe1, 0xf1, 0x51, 0x40, -1]);
            let mut code = vec![opcode, dst | src << 4];
            code.extend(offset.to_le_bytes());
            code.extend(imm.to_le_bytes());
            if opcode == 0x18 {
                code.extend([0; 8]);
            }
            if kernel(&code) {
                accepted += 1;
                refused.extend(decode_all(&code).err().map(|error| format!("{}: {error}", hex::encode(&code))));
            }
        }
    }
    assert!(accepted > 1_000, "the kernel has accepted only {accepted}");
    assert!(refused.is_empty(), "the kernel accepts:\n{}", refused.join("\n"));
}

/// Bytes to text to the same bytes, for every instruction of every case.
#[test]
fn text_goes_both_ways() {
    let table = cases::read(&folder()).unwrap_or_else(|error| panic!("{error}"));
    let mut failures = Vec::new();
    for case in table {
        let instructions = decode_all(&case.code).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let mut at = 0;
        for instruction in instructions {
            let bytes = &case.code[at..at + instruction.slots() * SLOT];
            at += bytes.len();
            // The old encoding of callx has the text of the new one.
            let old_callx = bytes[0] == 0x8d && bytes[4] != 0;
            match asm::assemble(&instruction.to_string()) {
                Ok(assembled) if assembled == bytes || old_callx => {}
                Ok(assembled) => failures.push(format!("`{instruction}`: {}", hex::encode(&assembled))),
                Err(error) => failures.push(format!("{}: {error}", hex::encode(bytes))),
            }
        }
    }
    failures.sort();
    failures.dedup();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
