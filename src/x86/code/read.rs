//! The code of a function, read back.
//!
//! In: a compiled function, and where its instructions end, as Cranelift says. Out: its bytes as [`Items`], or a [`Reason`]
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
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpKind};

use super::effects::Uses;
use super::pieces::{Item, Items, Kind};
use crate::codegen::CompiledFunction;
use crate::x86::Reason;

/// No constant is longer, or has a greater alignment.
const LARGEST: u32 = 64;

/// Bytes of an entry of a jump table.
const ENTRY: u32 = 4;

/// Reads a function whose instructions end at `end`.
pub(crate) fn read(function: &CompiledFunction, end: u32) -> Result<Items, Reason> {
    let code = &function.code[..];
    let size = u32::try_from(code.len()).map_err(|_| Reason::Unaccounted)?;
    let mut starts: Vec<u32> = std::iter::once(0).chain(function.entries.iter().copied()).collect();
    starts.sort_unstable();
    starts.dedup();
    let is_own = |relocation: &ModuleReloc| matches!(relocation.name, ModuleRelocTarget::FunctionOffset(..));
    if function.relocations.iter().any(is_own) {
        return Err(Reason::Reference);
    }
    if end > size || starts.last().is_none_or(|&last| last >= end) {
        return Err(Reason::Unaccounted);
    }
    let mut reader = Reader::new(function, end)?;
    for (index, &start) in starts.iter().enumerate() {
        reader.block(start, starts.get(index + 1).copied().unwrap_or(end))?;
    }
    // Control does not run into what is no code.
    if !reader.items.last().is_some_and(|item| item.is_data() || reader.ends) {
        return Err(Reason::Unaccounted);
    }
    reader.constants(size)?;
    let items = Items::new(reader.items, size);
    if leads_to_items(&items, code, end) { Ok(items) } else { Err(Reason::Reference) }
}

struct Reader<'a> {
    code: &'a [u8],
    end: u32,
    /// Where relocations are, in order.
    relocated: Vec<u32>,
    decoder: Decoder<'a>,
    instruction: Instruction,
    factory: InstructionInfoFactory,
    items: Vec<Item>,
    /// Whether control does not go on behind the last instruction.
    ends: bool,
    /// What instructions refer to behind all of them, and how many bytes they read there; none where they do not say.
    constants: Vec<(u32, u32)>,
}

impl<'a> Reader<'a> {
    fn new(function: &'a CompiledFunction, end: u32) -> Result<Reader<'a>, Reason> {
        let code = &function.code[..];
        let mut relocated: Vec<u32> = function.relocations.iter().map(|relocation| relocation.offset).collect();
        relocated.sort_unstable();
        let instructions = code.get(..end as usize).ok_or(Reason::Unaccounted)?;
        Ok(Reader {
            code,
            end,
            relocated,
            decoder: Decoder::with_ip(64, instructions, 0, DecoderOptions::NONE),
            instruction: Instruction::default(),
            factory: InstructionInfoFactory::new(),
            items: Vec::with_capacity(code.len() / 4),
            ends: false,
            constants: Vec::new(),
        })
    }

    /// Reads what lies from the start of a block to the next one's.
    fn block(&mut self, start: u32, next: u32) -> Result<(), Reason> {
        let mut at = start;
        self.decoder.set_position(at as usize).map_err(|_| Reason::Unaccounted)?;
        self.decoder.set_ip(u64::from(at));
        // The farthest place that a branch of this block leads to: some instructions of Cranelift's have branches inside.
        let mut inside = 0;
        self.ends = false;
        while at < next {
            let item = self.item(at, next)?;
            at = item.end();
            if let Kind::Branch { to, .. } = item.kind
                && to < next
            {
                inside = inside.max(to);
            }
            self.items.push(item);
            self.ends = matches!(self.instruction.mnemonic(), Mnemonic::Jmp | Mnemonic::Ret | Mnemonic::Ud2);
            if self.ends && inside < at {
                break;
            }
        }
        if at == next {
            return Ok(());
        }
        // A jump table follows its jump, and the address of the table comes before that.
        let is_jump = self.instruction.code() == Code::Jmp_rm64 && self.instruction.op0_kind() == OpKind::Register;
        let is_referred = |item: &Item| matches!(item.kind, Kind::Relative { to, .. } if to == at);
        let block = self.items.iter().rev().take_while(|item| item.name >= start);
        if !is_jump || !(next - at).is_multiple_of(ENTRY) || !block.into_iter().any(is_referred) {
            return Err(Reason::Unaccounted);
        }
        self.items.push(Item::data(at, next, Kind::Table));
        Ok(())
    }

    /// Reads an instruction.
    fn item(&mut self, at: u32, next: u32) -> Result<Item, Reason> {
        let instruction = &mut self.instruction;
        self.decoder.decode_out(instruction);
        let size = u32::try_from(instruction.len()).map_err(|_| Reason::Instruction)?;
        let end = at.checked_add(size).filter(|&end| end <= next && size > 0).ok_or(Reason::Instruction)?;
        let bytes = self.code.get(at as usize..end as usize).ok_or(Reason::Instruction)?;
        let first = self.relocated.get(self.relocated.partition_point(|&place| place < at));
        let is_relocated = first.is_some_and(|&place| place < end);
        if instruction.is_invalid() {
            return Err(Reason::Instruction);
        }
        let kind = if is_relocated {
            Kind::Plain
        } else {
            let displacement = self.decoder.get_constant_offsets(instruction).displacement_offset();
            kind(instruction, bytes, displacement)?
        };
        if let Kind::Relative { to, .. } = kind
            && to >= self.end
        {
            self.constants.push((to, u32::try_from(instruction.memory_size().size()).unwrap_or(0)));
        }
        let uses = Uses::new(&mut self.factory, instruction);
        Ok(Item { name: at, extent: size, start: at, size, kind, is_relocated, uses })
    }

    /// Reads what lies behind all instructions.
    fn constants(&mut self, size: u32) -> Result<(), Reason> {
        self.constants.sort_unstable();
        let Some(&(first, _)) = self.constants.first() else {
            return if self.end == size { Ok(()) } else { Err(Reason::Constants) };
        };
        let padding = self.code.get(self.end as usize..first as usize).ok_or(Reason::Constants)?;
        if padding.len() >= LARGEST as usize || padding.iter().any(|&byte| byte != 0) {
            return Err(Reason::Constants);
        }
        let ends = self.constants[1..].iter().map(|&(next, _)| next).chain([size]);
        for (&(start, read), next) in self.constants.iter().zip(ends) {
            // Those that are read more than once are one; all that follows is read where nothing says how much is.
            let is_one = start == next;
            let rest = start.checked_add(read).and_then(|end| next.checked_sub(end));
            if !is_one && read > 0 && rest.is_none_or(|rest| rest >= LARGEST) {
                return Err(Reason::Constants);
            }
        }
        self.items.push(Item::data(first, size, Kind::Data));
        Ok(())
    }
}

/// Whether all branches, tables and addresses lead to what they can lead to.
fn leads_to_items(items: &Items, code: &[u8], end: u32) -> bool {
    let is_instruction = |to: u32| items.index_of(to).is_some_and(|index| !items[index].is_data());
    items.iter().all(|item| match item.kind {
        Kind::Branch { to, .. } => is_instruction(to),
        Kind::Relative { to, .. } => {
            to >= end || items.index_of(to).is_some_and(|index| matches!(items[index].kind, Kind::Table))
        }
        Kind::Table => item.entries(code).all(is_instruction),
        Kind::Plain | Kind::Short(_) | Kind::Data => true,
    })
}

/// What is done with an instruction that no relocation is in.
fn kind(instruction: &Instruction, bytes: &[u8], displacement: usize) -> Result<Kind, Reason> {
    let is_near = (0..instruction.op_count()).any(|operand| {
        matches!(instruction.op_kind(operand), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64)
    });
    if is_near {
        let to = u32::try_from(instruction.near_branch_target()).map_err(|_| Reason::Reference)?;
        let condition = match bytes {
            [0x0f, second, ..] if second & 0xf0 == 0x80 => Some(second & 0xf),
            [first, _] if first & 0xf0 == 0x70 => Some(first & 0xf),
            [0xe9, ..] | [0xeb, _] => None,
            _ => return Err(Reason::Instruction),
        };
        return Ok(Kind::Branch { condition, to });
    }
    if instruction.is_ip_rel_memory_operand() {
        let to = u32::try_from(instruction.ip_rel_memory_address()).map_err(|_| Reason::Reference)?;
        let at = u8::try_from(displacement).map_err(|_| Reason::Instruction)?;
        return Ok(Kind::Relative { to, at });
    }
    Ok(Kind::Plain)
}
