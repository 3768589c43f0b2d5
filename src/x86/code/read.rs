//! The code of a function, read back (disassembled into fragments).
//!
//! In: a compiled function, and where its instructions end, as Cranelift says. Out: its bytes as [`Fragments`], or a [`GivenUp`]
//! why they are not understood.
//!
//! The rule: each byte is one of these before anything moves, and nothing is left over.
//!
//! | what | where |
//! |---|---|
//! | instructions | from the start of each block to that of the next one, or the end of them all |
//! | a jump table | from an indirect jump, which refers to it, to the start of the next block, or the end of them all; each entry leads to an instruction |
//! | constants | behind all instructions: each from what an instruction refers to on, at least as far as it reads, to the next one |
//! | padding | zeros before the first constant, fewer than its alignment could ask for: they go |
//!
//! Branches lead to instructions, and addresses to tables and constants.

use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use super::decode::decode;
use super::effects::Transfer;
use super::fragments::{Fragment, FragmentKind, Fragments};
use super::instruction::{Form, Instruction};
use crate::codegen::compiled::{CompiledFunction, GivenUp};
use crate::declarations::FUNCTIONS;

/// The largest size and alignment of a constant.
const MAX_CONSTANT: u32 = 64;

/// Bytes of an entry of a jump table.
const ENTRY: u32 = 4;

/// Reads a function whose instructions end at `end`.
pub(crate) fn read(function: &CompiledFunction, end: u32) -> Result<Fragments, GivenUp> {
    let code = &function.code[..];
    let size = u32::try_from(code.len()).map_err(|_| GivenUp::Unaccounted)?;
    let mut starts: Vec<u32> = std::iter::once(0).chain(function.entries.iter().copied()).collect();
    starts.sort_unstable();
    starts.dedup();
    let is_own = |relocation: &ModuleReloc| matches!(relocation.name, ModuleRelocTarget::FunctionOffset(..));
    if function.relocations.iter().any(is_own) {
        return Err(GivenUp::Reference);
    }
    if end > size || starts.last().is_none_or(|&last| last >= end) {
        return Err(GivenUp::Unaccounted);
    }
    let mut reader = Reader::new(function, end);
    for (index, &start) in starts.iter().enumerate() {
        reader.block(start, starts.get(index + 1).copied().unwrap_or(end))?;
    }
    // Control must not fall through into data.
    if !reader.fragments.last().is_some_and(|fragment| fragment.is_data() || reader.ends) {
        return Err(GivenUp::Unaccounted);
    }
    reader.constants(size)?;
    let fragments = Fragments::new(reader.fragments, size);
    if refers_to_fragments(&fragments, code, end) { Ok(fragments) } else { Err(GivenUp::Reference) }
}

struct Reader<'a> {
    code: &'a [u8],
    end: u32,
    /// Where relocations are, in order, and whether each is of a call that keeps all registers.
    relocated: Vec<(u32, bool)>,
    /// How many of them lie before what is read.
    passed: usize,
    fragments: Vec<Fragment>,
    /// Whether the last instruction does not fall through.
    ends: bool,
    /// Whether it jumps to the address in a register.
    is_jump: bool,
    /// Where instructions refer to behind all of them, and how many bytes they read there; 0 where they only take the address.
    constants: Vec<(u32, u32)>,
}

impl<'a> Reader<'a> {
    fn new(function: &'a CompiledFunction, end: u32) -> Reader<'a> {
        let code = &function.code[..];
        let keeps = |name: &ModuleRelocTarget| match *name {
            ModuleRelocTarget::User { namespace: FUNCTIONS, index } => function.keeping.contains(&index),
            _ => false,
        };
        let relocations = function.relocations.iter();
        let mut relocated: Vec<(u32, bool)> =
            relocations.map(|relocation| (relocation.offset, keeps(&relocation.name))).collect();
        relocated.sort_unstable();
        Reader {
            code,
            end,
            relocated,
            passed: 0,
            fragments: Vec::with_capacity(code.len() / 4),
            ends: false,
            is_jump: false,
            constants: Vec::new(),
        }
    }

    /// Reads from the start of a block to that of the next one.
    fn block(&mut self, start: u32, next: u32) -> Result<(), GivenUp> {
        let mut at = start;
        // The farthest target of a branch in this block: some of Cranelift's instructions are sequences with branches inside.
        let mut inside = 0;
        self.ends = false;
        while at < next {
            let fragment = self.fragment(at, next)?;
            at = fragment.end();
            if let FragmentKind::Branch { to, .. } = fragment.kind
                && to < next
            {
                inside = inside.max(to);
            }
            self.fragments.push(fragment);
            if self.ends && inside < at {
                break;
            }
        }
        if at == next {
            return Ok(());
        }
        // A jump table follows its jump, and the address of the table comes before that.
        let is_referred =
            |fragment: &Fragment| matches!(fragment.kind, FragmentKind::PcRelative { to, .. } if to == at);
        let block = self.fragments.iter().rev().take_while(|fragment| fragment.label >= start);
        if !self.is_jump || !(next - at).is_multiple_of(ENTRY) || !block.into_iter().any(is_referred) {
            return Err(GivenUp::Unaccounted);
        }
        self.fragments.push(Fragment::data(at, next, FragmentKind::JumpTable));
        Ok(())
    }

    /// Reads an instruction.
    fn fragment(&mut self, at: u32, next: u32) -> Result<Fragment, GivenUp> {
        let Instruction { size, mut effects, form, ends } =
            self.code.get(at as usize..self.end as usize).and_then(decode).ok_or(GivenUp::Instruction)?;
        let end = at.checked_add(size).filter(|&end| end <= next && size > 0).ok_or(GivenUp::Instruction)?;
        (self.ends, self.is_jump) = (ends, form == Form::RegisterJump);
        while self.relocated.get(self.passed).is_some_and(|&(place, _)| place < at) {
            self.passed += 1;
        }
        let relocation = self.relocated.get(self.passed).filter(|&&(place, _)| place < end);
        let is_relocated = relocation.is_some();
        let kind = if is_relocated { FragmentKind::Instruction } else { kind(form, end)? };
        effects.keeps_registers = effects.transfer == Transfer::Call && relocation.is_some_and(|&(_, keeps)| keeps);
        if let (FragmentKind::PcRelative { to, .. }, Form::PcRelative { accessed, .. }) = (kind, form)
            && to >= self.end
        {
            self.constants.push((to, accessed));
        }
        Ok(Fragment { label: at, extent: size, start: at, size, kind, is_relocated, effects })
    }

    /// Reads what lies behind the instructions.
    fn constants(&mut self, size: u32) -> Result<(), GivenUp> {
        self.constants.sort_unstable();
        let Some(&(first, _)) = self.constants.first() else {
            return if self.end == size { Ok(()) } else { Err(GivenUp::Constants) };
        };
        let padding = self.code.get(self.end as usize..first as usize).ok_or(GivenUp::Constants)?;
        if padding.len() >= MAX_CONSTANT as usize || padding.iter().any(|&byte| byte != 0) {
            return Err(GivenUp::Constants);
        }
        let ends = self.constants[1..].iter().map(|&(next, _)| next).chain([size]);
        for (&(start, read), next) in self.constants.iter().zip(ends) {
            // A constant may be read by several instructions. Where one only takes the address, its size is not known.
            let is_one = start == next;
            let rest = start.checked_add(read).and_then(|end| next.checked_sub(end));
            if !is_one && read > 0 && rest.is_none_or(|rest| rest >= MAX_CONSTANT) {
                return Err(GivenUp::Constants);
            }
        }
        self.fragments.push(Fragment::data(first, size, FragmentKind::Constants));
        Ok(())
    }
}

/// Whether branches and tables lead to instructions, and addresses to tables and constants.
fn refers_to_fragments(fragments: &Fragments, code: &[u8], end: u32) -> bool {
    let is_instruction = |to: u32| fragments.index_of(to).is_some_and(|index| !fragments[index].is_data());
    fragments.iter().all(|fragment| match fragment.kind {
        FragmentKind::Branch { to, .. } => is_instruction(to),
        FragmentKind::PcRelative { to, .. } => {
            to >= end
                || fragments
                    .index_of(to)
                    .is_some_and(|index| matches!(fragments[index].kind, FragmentKind::JumpTable))
        }
        FragmentKind::JumpTable => fragment.entries(code).all(is_instruction),
        FragmentKind::Instruction | FragmentKind::Rewritten(_) | FragmentKind::Constants => true,
    })
}

/// What an instruction becomes that has no relocation and ends at `end`.
fn kind(form: Form, end: u32) -> Result<FragmentKind, GivenUp> {
    let to = |distance: i64| u32::try_from(i64::from(end) + distance).map_err(|_| GivenUp::Reference);
    Ok(match form {
        Form::Plain | Form::RegisterJump => FragmentKind::Instruction,
        Form::Branch { condition, distance } => FragmentKind::Branch { condition, to: to(distance)? },
        Form::PcRelative { at, distance, .. } => FragmentKind::PcRelative { to: to(distance)?, at },
        Form::Call => return Err(GivenUp::Instruction),
    })
}
