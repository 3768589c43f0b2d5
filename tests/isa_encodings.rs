//! Which bytes are an instruction: the tables `tests/isa/illegal.hex` and `legal.hex`, and the assembler's and the
//! disassembler's text for every instruction of the case tables.

mod support;

use std::path::Path;

use bpf2native::decode::insn::Insn;
use bpf2native::decode::{DecodeError, SLOT, decode};
use bpf2native::program::Endianness;
use support::{asm, cases, hex};

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

/// The kernel's verifier refuses them too: the table is not stricter than the kernel.
#[test]
#[cfg(target_os = "linux")]
fn illegal_encodings_are_refused_by_the_kernel() {
    use support::engine::kernel::load;
    let exit = [0x95, 0, 0, 0, 0, 0, 0, 0];
    // All registers hold a number, and the stack slot that is read is written.
    let registers = (0..=9).map(|register| format!("r{register} = 0\n")).collect::<String>();
    let prologue = asm::assemble(&(registers + "*(u64 *)(r10 - 8) = 0")).expect("the prologue assembles");
    if let Err(error) = load(&[&prologue, &exit[..]].concat()) {
        return support::absent("kernel", &error);
    }
    let accepted = |(name, code): (String, Vec<u8>)| load(&[&prologue, &code[..]].concat()).is_ok().then_some(name);
    let accepted: Vec<String> = encodings("illegal.hex").into_iter().filter_map(accepted).collect();
    assert!(accepted.is_empty(), "the kernel accepts:\n{}", accepted.join("\n"));
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
