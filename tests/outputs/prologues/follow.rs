//! Follows the code of an object's functions.
//!
//! In: an ELF object of x86-64. Out: what was seen, or the first thing that is wrong. State is the distance of the stack
//! pointer from the caller's, which of the registers that a caller wants back are saved where, and which were written. The
//! rule: it is the same on all ways to an instruction, agrees with the unwind information there, and is as at the start at
//! each `ret`. What only an indirect jump leads to is not followed.

use std::collections::{BTreeMap, BTreeSet};

use gimli::{BaseAddresses, CfaRule, EhFrame, RegisterRule, RunTimeEndian, UnwindContext, UnwindSection};
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub instructions: usize,
    /// Functions with a frame pointer.
    pub frame_pointers: usize,
    /// Registers that are pushed.
    pub pushes: usize,
    /// Returns without a frame of functions that have one elsewhere.
    pub bare_returns: usize,
    /// Functions that are not followed: they probe a large frame.
    pub probed: usize,
}

impl Seen {
    pub fn add(&mut self, other: Seen) {
        self.instructions += other.instructions;
        self.frame_pointers += other.frame_pointers;
        self.pushes += other.pushes;
        self.bare_returns += other.bare_returns;
        self.probed += other.probed;
    }
}

/// A register by its DWARF number (System V psABI for x86-64, figure 3.36), if a caller wants it back.
fn kept(register: Register) -> Option<u16> {
    let name = format!("{register:?}");
    let of = |names: &[&str]| names.contains(&name.as_str());
    let numbered = |number: &str| name.strip_prefix(number).is_some_and(|size| ["", "D", "W", "L"].contains(&size));
    Some(match () {
        () if of(&["RBX", "EBX", "BX", "BL", "BH"]) => 3,
        () if of(&["RBP", "EBP", "BP", "BPL"]) => 6,
        () if numbered("R12") => 12,
        () if numbered("R13") => 13,
        () if numbered("R14") => 14,
        () if numbered("R15") => 15,
        () => return None,
    })
}

/// What is known before an instruction. Distances are bytes below the caller's frame (the CFA).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Of the stack pointer.
    depth: i64,
    /// Of the frame pointer, if it is set up.
    frame: Option<i64>,
    /// Of saved registers.
    saved: BTreeMap<u16, i64>,
    /// Registers that have other values than the caller's.
    changed: BTreeSet<u16>,
}

impl State {
    /// After an instruction that does not end the function.
    fn step(&mut self, instruction: &Instruction) -> Result<(), String> {
        let register = instruction.op0_register();
        let constant = || instruction.immediate64().cast_signed();
        let is_slot = instruction.memory_base() == Register::RSP && instruction.memory_index() == Register::None;
        let slot = self.depth - instruction.memory_displacement64().cast_signed();
        match instruction.code() {
            Code::Push_r64 => {
                self.depth += 8;
                self.save(register, self.depth);
            }
            Code::Pop_r64 => {
                self.load(register, self.depth)?;
                self.depth -= 8;
            }
            Code::Mov_rm64_r64 if register == Register::RSP => {
                let from_frame = self.frame.filter(|_| instruction.op1_register() == Register::RBP);
                self.depth = from_frame.ok_or("the stack pointer is set")?;
            }
            Code::Mov_rm64_r64 if register == Register::RBP && instruction.op1_register() == Register::RSP => {
                self.write(register)?;
                self.frame = Some(self.depth);
            }
            Code::Mov_rm64_r64 if instruction.op0_kind() == OpKind::Memory && is_slot => {
                self.save(instruction.op1_register(), slot);
            }
            Code::Mov_r64_rm64 if instruction.op1_kind() == OpKind::Memory && is_slot => {
                match kept(register).map(|number| self.saved.get(&number) == Some(&slot)) {
                    Some(true) => self.load(register, slot)?,
                    _ => self.write(register)?,
                }
            }
            _ if register == Register::RSP && instruction.op0_kind() == OpKind::Register => {
                match instruction.mnemonic() {
                    Mnemonic::Sub => self.depth += constant(),
                    Mnemonic::Add => self.depth -= constant(),
                    _ => return Err("the stack pointer is written".to_owned()),
                }
            }
            _ if matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test) => {}
            _ if instruction.op0_kind() == OpKind::Register => self.write(register)?,
            _ => {}
        }
        if self.depth < 8 { Err("the stack pointer is above the return address".to_owned()) } else { Ok(()) }
    }

    /// A register is stored.
    fn save(&mut self, register: Register, depth: i64) {
        if let Some(number) = kept(register).filter(|number| !self.changed.contains(number)) {
            self.saved.entry(number).or_insert(depth);
        }
    }

    /// A register is loaded from where it was saved.
    fn load(&mut self, register: Register, depth: i64) -> Result<(), String> {
        let Some(number) = kept(register) else { return Ok(()) };
        if self.saved.get(&number) != Some(&depth) {
            return Err(format!("{register:?} was not saved there"));
        }
        self.changed.remove(&number);
        if register == Register::RBP {
            self.frame = None;
        }
        Ok(())
    }

    fn write(&mut self, register: Register) -> Result<(), String> {
        let Some(number) = kept(register) else { return Ok(()) };
        if !self.saved.contains_key(&number) {
            return Err(format!("{register:?} is written and not saved"));
        }
        self.changed.insert(number);
        Ok(())
    }
}

/// What an unwinder knows from an offset on.
pub struct Row {
    pub start: u64,
    pub end: u64,
    pub cfa: (u16, i64),
    pub saved: BTreeMap<u16, i64>,
}

impl Row {
    fn check(&self, state: &State) -> Result<(), String> {
        let (register, offset) = self.cfa;
        let is_there = match register {
            7 => state.depth == offset,
            6 => state.frame == Some(offset),
            _ => false,
        };
        let tells = || format!("unwinders are told CFA {:?} and {:?}", self.cfa, self.saved);
        if !is_there || state.changed.iter().any(|register| !self.saved.contains_key(register)) {
            return Err(tells());
        }
        let wrong = self.saved.iter().any(|(register, depth)| state.saved.get(register) != Some(depth));
        if wrong { Err(tells()) } else { Ok(()) }
    }
}

/// Follows all functions of an object.
pub fn object(bytes: &[u8]) -> Result<Seen, String> {
    let mut seen = Seen::default();
    for Described { start, code, told } in described(bytes)? {
        seen.add(function(&code, &told).map_err(|error| format!("the function at {start:#x}: {error}"))?);
    }
    Ok(seen)
}

/// A function, and what unwinders are told of it.
pub struct Described {
    pub start: u64,
    pub code: Vec<u8>,
    pub told: Vec<Row>,
}

/// The functions of an object that has rows for each.
pub fn described(bytes: &[u8]) -> Result<Vec<Described>, String> {
    let file = object::File::parse(bytes).unwrap();
    let has_code = file.section_by_name(".text").is_some_and(|text| text.size() > 0);
    let Some(section) = file.section_by_name(".eh_frame") else {
        return if has_code { Err("no .eh_frame".to_owned()) } else { Ok(Vec::new()) };
    };
    let begins: BTreeMap<u64, (object::SectionIndex, u64)> = section
        .relocations()
        .map(|(offset, relocation)| {
            let addend = relocation.addend().cast_unsigned();
            let place = match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    let symbol = file.symbol_by_index(index).unwrap();
                    (symbol.section_index().unwrap(), symbol.address().wrapping_add(addend))
                }
                RelocationTarget::Section(index) => (index, addend),
                other => panic!("{other:?}"),
            };
            (offset, place)
        })
        .collect();
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    // Return addresses that the processor pushes are no registers.
    let pushed = (file.architecture() == object::Architecture::X86_64).then_some(16);
    let table = EhFrame::new(section.data().unwrap(), endian);
    let bases = BaseAddresses::default().set_eh_frame(0);
    let mut functions = Vec::new();
    let mut entries = table.entries(&bases);
    while let Some(entry) = entries.next().unwrap() {
        let gimli::CieOrFde::Fde(partial) = entry else { continue };
        let entry = partial.parse(EhFrame::cie_from_offset).unwrap();
        // Behind the length and the distance of the CIE is the address.
        let (text, start) = begins[&(entry.offset() as u64 + 8)];
        let mut context = UnwindContext::new();
        let mut rows = entry.rows(&table, &bases, &mut context).unwrap();
        let mut told = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else {
                return Err("a CFA".to_owned());
            };
            let saved = row.registers().filter_map(|(register, rule)| match rule {
                RegisterRule::Offset(offset) if Some(register.0) != pushed => Some((register.0, -offset)),
                _ => None,
            });
            let from = |address: u64| address.wrapping_sub(entry.initial_address());
            let (start, end) = (from(row.start_address()), from(row.end_address()));
            told.push(Row { start, end, cfa: (register.0, offset), saved: saved.collect() });
        }
        let data = file.section_by_index(text).unwrap().data().unwrap();
        let code = data[start as usize..(start + entry.len()) as usize].to_vec();
        functions.push(Described { start, code, told });
    }
    Ok(functions)
}

/// Follows a function.
fn function(code: &[u8], told: &[Row]) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let mut states: BTreeMap<u64, State> = BTreeMap::new();
    let mut returns = BTreeMap::new();
    let mut open = vec![(0, State { depth: 8, ..State::default() })];
    while let Some((at, mut state)) = open.pop() {
        if let Some(known) = states.get_mut(&at) {
            let is_same = |known: &State| (known.depth, known.frame) == (state.depth, state.frame);
            if !is_same(known) || known.saved != state.saved {
                return Err(format!("{at:#x}: {known:?} on one way, {state:?} on another"));
            }
            if state.changed.is_subset(&known.changed) {
                continue;
            }
            known.changed.extend(&state.changed);
            state = known.clone();
        } else {
            states.insert(at, state.clone());
        }
        let mut decoder = Decoder::with_ip(64, &code[at as usize..], at, DecoderOptions::NONE);
        let instruction = decoder.decode();
        let wrong = |error: String| format!("{at:#x} ({:?}): {error}; {:?}", instruction.code(), states[&at]);
        if instruction.is_invalid() {
            return Err(wrong("no instruction".to_owned()));
        }
        let row =
            told.iter().find(|row| (row.start..row.end).contains(&at)).ok_or_else(|| wrong("no row".into()))?;
        let sets = instruction.op0_register();
        let from_stack = instruction.code() == Code::Mov_rm64_r64 && instruction.op1_register() == Register::RSP;
        // A loop moves the stack pointer.
        if from_stack && sets == Register::R11 {
            return Ok(Seen { probed: 1, ..Seen::default() });
        }
        row.check(&state).map_err(wrong)?;
        let target = instruction.near_branch_target();
        let is_near = instruction.op0_kind() == OpKind::NearBranch64;
        match instruction.mnemonic() {
            Mnemonic::Ret => {
                if state.depth != 8 || !state.changed.is_empty() {
                    return Err(wrong("it returns".to_owned()));
                }
                returns.insert(at, state.saved.is_empty());
                continue;
            }
            Mnemonic::Jmp => {
                if is_near {
                    open.push((target, state));
                }
                continue;
            }
            Mnemonic::Ud2 => continue,
            Mnemonic::Call if state.depth % 16 != 0 => return Err(wrong("the stack is not aligned".to_owned())),
            Mnemonic::Call => {}
            _ if is_near => open.push((target, state.clone())),
            _ => {
                state.step(&instruction).map_err(wrong)?;
                seen.pushes += usize::from(instruction.code() == Code::Push_r64);
                seen.frame_pointers += usize::from(from_stack && sets == Register::RBP);
            }
        }
        open.push((instruction.next_ip(), state));
    }
    seen.instructions = states.len();
    let has_frame = states.values().any(|state| !state.saved.is_empty());
    seen.bare_returns = returns.values().filter(|&&is_bare| is_bare && has_frame).count();
    Ok(seen)
}
