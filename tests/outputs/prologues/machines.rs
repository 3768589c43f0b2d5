//! Follows the code of functions of aarch64, riscv64 and s390x, which have the frames that Cranelift gives them.
//!
//! In: an ELF object. Out: how many instructions were seen, or the first thing that is wrong. As in `follow.rs`: what unwinders are told
//! agrees with what the instructions before have done, on all ways that are direct; and what they are told to find in
//! memory is not below the stack pointer, where signal handlers write.

use std::collections::{BTreeMap, BTreeSet};

use bpf2native::compare::disasm::{Control, Disassembler, Instruction, Shape};
use target_lexicon::{Architecture, Triple};

use super::follow::{Described, Row, described};

/// A machine's registers.
struct Machine {
    stack: &'static str,
    frame: &'static str,
    link: &'static str,
    /// Bytes between the frame's address and the stack pointer where a function starts.
    bias: i64,
    architecture: Architecture,
}

/// What an instruction does to a frame.
#[derive(Debug)]
enum Effect {
    /// The stack pointer goes down by this.
    Take(i64),
    /// The frame pointer is the stack pointer.
    SetFrame,
    /// A register is stored at an offset from the stack pointer.
    Store(String, i64),
    /// A register is loaded from there.
    Load(String, i64),
    /// A register is written.
    Write(String),
    /// The stack pointer goes down by a register's value, in frames that are large.
    Other,
}

/// What is known before an instruction, as distances below the frame's address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    depth: i64,
    frame: Option<i64>,
    saved: BTreeMap<u16, i64>,
    changed: BTreeSet<u16>,
}

/// Follows all functions of an object.
pub fn object(bytes: &[u8], target: &Triple) -> Result<usize, String> {
    let machine = match target.architecture {
        Architecture::S390x => {
            Machine { stack: "%r15", frame: "", link: "%r14", bias: 160, architecture: target.architecture }
        }
        Architecture::Riscv64(_) => {
            Machine { stack: "sp", frame: "s0", link: "ra", bias: 0, architecture: target.architecture }
        }
        _ => Machine { stack: "sp", frame: "x29", link: "x30", bias: 0, architecture: target.architecture },
    };
    let disassembler = Disassembler::new(&target.to_string().parse().unwrap()).unwrap();
    let mut seen = 0;
    for Described { start, code, told } in described(bytes)? {
        let instructions = disassembler.function(&code, Shape::Entries(&[]));
        let followed = machine.function(&instructions, code.len(), &told);
        seen += followed.map_err(|error| format!("the function at {start:#x}: {error}"))?;
    }
    Ok(seen)
}

impl Machine {
    fn function(&self, instructions: &[Instruction], size: usize, told: &[Row]) -> Result<usize, String> {
        let at: BTreeMap<u32, &Instruction> = instructions.iter().map(|each| (each.offset, each)).collect();
        let mut states: BTreeMap<u32, State> = BTreeMap::new();
        let start = State { depth: self.bias, frame: None, saved: BTreeMap::new(), changed: BTreeSet::new() };
        let mut open = vec![(0, start)];
        while let Some((offset, mut state)) = open.pop() {
            if let Some(known) = states.get_mut(&offset) {
                if (known.depth, known.frame) != (state.depth, state.frame) {
                    return Err(format!("{offset:#x}: {known:?} on one way, {state:?} on another"));
                }
                if state.changed.is_subset(&known.changed) {
                    continue;
                }
                known.changed.extend(&state.changed);
                state = known.clone();
            } else {
                states.insert(offset, state.clone());
            }
            let Some(instruction) = at.get(&offset) else { return Err(format!("{offset:#x}: no instruction")) };
            let wrong =
                |error: String| format!("{offset:#x} ({}): {error}; {:?}", instruction.text, states[&offset]);
            let row = told.iter().find(|row| (row.start..row.end).contains(&u64::from(offset)));
            self.check(row.ok_or_else(|| wrong("no row".to_owned()))?, &state).map_err(wrong)?;
            match instruction.kind {
                Control::Return if state.depth != self.bias || !state.changed.is_empty() => {
                    return Err(wrong("it returns".to_owned()));
                }
                Control::Return | Control::Trap | Control::Data => continue,
                Control::Jump => {
                    open.extend(instruction.branch_target(size).map(|to| (to, state)));
                    continue;
                }
                Control::Branch => open.extend(instruction.branch_target(size).map(|to| (to, state.clone()))),
                Control::Call => state.write(self.number(self.link)),
                Control::Plain => {
                    let effects = self.effects(&instruction.text);
                    if effects.iter().any(|effect| matches!(effect, Effect::Other)) {
                        return Ok(0);
                    }
                    for effect in effects {
                        self.step(&mut state, effect).map_err(wrong)?;
                    }
                }
            }
            open.push((instruction.end(), state));
        }
        Ok(states.len())
    }

    fn check(&self, row: &Row, state: &State) -> Result<(), String> {
        let (register, offset) = row.cfa;
        let is_there = if Some(register) == self.number(self.stack) {
            state.depth == offset
        } else {
            Some(register) == self.number(self.frame) && state.frame == Some(offset)
        };
        let lost = state.changed.iter().any(|register| !row.saved.contains_key(register));
        let wrong = row.saved.iter().any(|(register, depth)| state.saved.get(register) != Some(depth));
        let below = row.saved.values().any(|&depth| depth > state.depth);
        if !is_there || lost || wrong || below {
            return Err(format!("unwinders are told CFA {:?} and {:?}", row.cfa, row.saved));
        }
        Ok(())
    }

    fn step(&self, state: &mut State, effect: Effect) -> Result<(), String> {
        match effect {
            Effect::Other => {}
            Effect::Take(size) => state.depth += size,
            Effect::SetFrame => {
                state.write(self.number(self.frame));
                state.frame = Some(state.depth);
            }
            Effect::Store(register, offset) => {
                let free = self.number(&register).filter(|number| !state.changed.contains(number));
                if let Some(number) = free {
                    state.saved.entry(number).or_insert(state.depth - offset);
                }
            }
            Effect::Load(register, offset) => match self.number(&register) {
                Some(number) if state.saved.get(&number) == Some(&(state.depth - offset)) => {
                    state.changed.remove(&number);
                    if register == self.stack {
                        state.depth = self.bias;
                    }
                }
                number => state.write(number),
            },
            Effect::Write(register) if register == self.stack => {
                return Err("the stack pointer is written".to_owned());
            }
            Effect::Write(register) => state.write(self.number(&register)),
        }
        Ok(())
    }

    /// What an instruction does, in the order in which it does it.
    fn effects(&self, text: &str) -> Vec<Effect> {
        let (mnemonic, operands) = text.split_once(' ').unwrap_or((text, ""));
        let (registers, memory) = match operands.find(['[', '(']) {
            // An offset stands before the parenthesis.
            Some(at) => operands.split_at(operands[..at].rfind(", ").map_or(at, |comma| comma + 2).min(at)),
            None => (operands, ""),
        };
        let registers: Vec<&str> = registers.split(", ").map(str::trim).filter(|each| !each.is_empty()).collect();
        let first = registers.first().copied().unwrap_or_default();
        match self.architecture {
            Architecture::S390x => self.effects_s390x(mnemonic, &registers, memory),
            Architecture::Riscv64(_) => match (mnemonic, registers.as_slice()) {
                ("addi", ["sp", "sp", size]) => vec![Effect::Take(-number(size))],
                ("add" | "sub", ["sp", ..]) => vec![Effect::Other],
                ("mv", ["s0", "sp"]) => vec![Effect::SetFrame],
                ("sd" | "fsd", [register]) if memory.ends_with("(sp)") => {
                    vec![Effect::Store((*register).to_owned(), number(memory.trim_end_matches("(sp)")))]
                }
                ("ld" | "fld", [register]) if memory.ends_with("(sp)") => {
                    vec![Effect::Load((*register).to_owned(), number(memory.trim_end_matches("(sp)")))]
                }
                ("sb" | "sh" | "sw" | "sd" | "fsd" | "fsw" | "fence", _) => Vec::new(),
                _ => vec![Effect::Write(first.to_owned())],
            },
            _ => self.effects_aarch64(mnemonic, &registers, memory),
        }
    }

    fn effects_aarch64(&self, mnemonic: &str, registers: &[&str], memory: &str) -> Vec<Effect> {
        let each = |offset: i64, made: fn(String, i64) -> Effect| {
            let places = registers.iter().zip((0..).map(move |index| offset + 8 * index));
            places.map(|(register, offset)| made((*register).to_owned(), offset)).collect::<Vec<_>>()
        };
        let constant = |text: &str| number(text.trim_matches(['[', ']', '!', ',', ' ']).trim_start_matches('#'));
        let is_indexed = memory.matches(", ").nth(1).is_some() || memory.contains(", x") || memory.contains(", w");
        let base = memory.strip_prefix("[sp").filter(|_| !is_indexed);
        match (mnemonic, registers, base) {
            ("sub" | "add", ["sp", "sp", size, ..], _) if !size.starts_with('#') || registers.len() > 3 => {
                vec![Effect::Other]
            }
            ("sub", ["sp", "sp", size], _) => vec![Effect::Take(constant(size))],
            ("add", ["sp", "sp", size], _) => vec![Effect::Take(-constant(size))],
            ("mov", ["x29", "sp"], _) => vec![Effect::SetFrame],
            ("stp" | "str", _, Some(rest)) if rest.ends_with('!') => {
                let mut effects = vec![Effect::Take(-constant(rest))];
                effects.extend(each(0, Effect::Store));
                effects
            }
            ("ldp" | "ldr", _, Some(rest)) if rest.starts_with("], ") => {
                let mut effects = each(0, Effect::Load);
                effects.push(Effect::Take(-constant(&rest[1..])));
                effects
            }
            ("stp" | "str" | "stur", _, Some(rest)) => each(constant(rest), Effect::Store),
            ("ldp" | "ldr" | "ldur", _, Some(rest)) => each(constant(rest), Effect::Load),
            ("ldp", ..) => registers.iter().map(|register| Effect::Write((*register).to_owned())).collect(),
            _ if mnemonic.starts_with("st") && !mnemonic.starts_with("stlxr") && !mnemonic.starts_with("stxr") => {
                Vec::new()
            }
            ("cmp" | "cmn" | "tst" | "ccmp" | "ccmn" | "fcmp" | "dmb", ..) => Vec::new(),
            _ => registers.first().map(|register| Effect::Write((*register).to_owned())).into_iter().collect(),
        }
    }

    fn effects_s390x(&self, mnemonic: &str, registers: &[&str], memory: &str) -> Vec<Effect> {
        let offset = memory.strip_suffix("(%r15)").map(number);
        let range = || {
            let [from, to] = [0, 1].map(|index| number(registers[index].trim_start_matches("%r")));
            let last = if to < from { to + 16 } else { to };
            (from..=last).map(|each| each % 16)
        };
        match (mnemonic, registers, offset) {
            ("aghi" | "agfi", ["%r15", size], _) => vec![Effect::Take(-number(size))],
            ("stmg", [..], Some(offset)) => range()
                .zip(0..)
                .map(|(each, index)| Effect::Store(format!("%r{each}"), offset + 8 * index))
                .collect(),
            ("lmg", [..], Some(offset)) => {
                let mut effects: Vec<Effect> = range()
                    .zip(0..)
                    .filter(|(each, _)| *each != 15)
                    .map(|(each, index)| Effect::Load(format!("%r{each}"), offset + 8 * index))
                    .collect();
                if let Some(index) = range().position(|each| each == 15) {
                    effects.push(Effect::Load("%r15".to_owned(), offset + 8 * index as i64));
                }
                effects
            }
            ("stg" | "std", [register], Some(offset)) => vec![Effect::Store((*register).to_owned(), offset)],
            ("lg" | "ld", [register], Some(offset)) => vec![Effect::Load((*register).to_owned(), offset)],
            _ if mnemonic.starts_with("st") || (mnemonic.starts_with('c') && !mnemonic.starts_with("cs")) => {
                Vec::new()
            }
            _ if mnemonic.starts_with("mv") || mnemonic.starts_with("tm") => Vec::new(),
            _ => registers.first().map(|register| Effect::Write((*register).to_owned())).into_iter().collect(),
        }
    }

    /// The DWARF number of a register that a caller wants back, of the stack pointer and of the frame pointer.
    fn number(&self, register: &str) -> Option<u16> {
        let parsed = |prefix: &str| register.strip_prefix(prefix).and_then(|number| number.parse::<u16>().ok());
        match self.architecture {
            Architecture::S390x => match parsed("%f") {
                Some(number @ 8..16) => Some(24 + (number - 8) / 2 + 4 * (number % 2)),
                _ => parsed("%r").filter(|number| (6..16).contains(number)),
            },
            Architecture::Riscv64(_) => match register {
                "ra" => Some(1),
                "sp" => Some(2),
                _ => match (parsed("s"), parsed("fs")) {
                    (Some(number @ (0 | 1)), _) => Some(8 + number),
                    (Some(number @ 2..12), _) => Some(16 + number),
                    // Cranelift 0.135.8 takes fs1 for a register that calls may change.
                    (_, Some(0)) => Some(40),
                    (_, Some(number @ 2..12)) => Some(48 + number),
                    _ => None,
                },
            },
            _ => match (register, parsed("x").or(parsed("w")), parsed("d")) {
                ("sp", ..) => Some(31),
                (_, Some(number @ 19..31), _) => Some(number),
                (_, _, Some(number @ 8..16)) => Some(64 + number),
                _ => None,
            },
        }
    }
}

impl State {
    fn write(&mut self, register: Option<u16>) {
        self.changed.extend(register);
    }
}

/// A number as capstone writes it.
fn number(text: &str) -> i64 {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let value = match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => {
            if digits.is_empty() {
                Ok(0)
            } else {
                digits.parse()
            }
        }
    };
    sign * value.unwrap_or_else(|error| panic!("`{text}`: {error}"))
}
