//! Unwind information of a compiled function, in a form that can be kept.
//!
//! In: Cranelift's, or rows. Out: entries of DWARF frame tables. Cranelift does not give access to its own rows, so they
//! are parsed from the table that it writes.

use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::isa::unwind::UnwindInfo;
use gimli::read::{CallFrameInstruction as Read, CieOrFde, UnwindSection};
use gimli::write::{Address, CallFrameInstruction, EhFrame, EndianVec, FrameDescriptionEntry, FrameTable};
use gimli::{BaseAddresses, Register, RunTimeEndian};

/// How to unwind a function.
#[derive(Clone)]
pub enum Unwind {
    /// Cranelift's form.
    Cranelift(UnwindInfo),
    /// As rows of a frame table.
    Rows(FrameRows),
}

/// Call frame instructions, each with the offset of code from which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameRows {
    /// Bytes of code.
    pub length: u32,
    /// In the order of offsets.
    pub rows: Vec<(u32, FrameRow)>,
}

/// A call frame instruction (DWARF 5, section 6.4.2), with registers by their DWARF numbers and offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameRow {
    /// The CFA is a register plus an offset.
    Cfa(u16, i32),
    /// The CFA is relative to another register.
    CfaRegister(u16),
    /// The CFA is at another offset.
    CfaOffset(i32),
    /// A register is saved at an offset from the CFA.
    Offset(u16, i32),
    /// A register holds the caller's value.
    SameValue(u16),
    /// A register has its initial rule.
    Restore(u16),
    /// All rules are pushed on a stack.
    RememberState,
    /// All rules are popped from the stack.
    RestoreState,
}

impl FrameRow {
    /// A number for the kind, a register and an offset.
    pub fn words(self) -> [u64; 3] {
        let word = |offset: i32| i64::from(offset).cast_unsigned();
        match self {
            FrameRow::Cfa(register, offset) => [0, u64::from(register), word(offset)],
            FrameRow::CfaRegister(register) => [1, u64::from(register), 0],
            FrameRow::CfaOffset(offset) => [2, 0, word(offset)],
            FrameRow::Offset(register, offset) => [3, u64::from(register), word(offset)],
            FrameRow::SameValue(register) => [4, u64::from(register), 0],
            FrameRow::Restore(register) => [5, u64::from(register), 0],
            FrameRow::RememberState => [6, 0, 0],
            FrameRow::RestoreState => [7, 0, 0],
        }
    }

    /// The inverse of [`Self::words`].
    pub fn of_words([kind, register, offset]: [u64; 3]) -> Option<FrameRow> {
        let (register, offset) = (u16::try_from(register).ok()?, i32::try_from(offset.cast_signed()).ok()?);
        Some(match kind {
            0 => FrameRow::Cfa(register, offset),
            1 => FrameRow::CfaRegister(register),
            2 => FrameRow::CfaOffset(offset),
            3 => FrameRow::Offset(register, offset),
            4 => FrameRow::SameValue(register),
            5 => FrameRow::Restore(register),
            6 => FrameRow::RememberState,
            7 => FrameRow::RestoreState,
            _ => return None,
        })
    }

    fn instruction(self) -> CallFrameInstruction {
        match self {
            FrameRow::Cfa(register, offset) => CallFrameInstruction::Cfa(Register(register), offset),
            FrameRow::CfaRegister(register) => CallFrameInstruction::CfaRegister(Register(register)),
            FrameRow::CfaOffset(offset) => CallFrameInstruction::CfaOffset(offset),
            FrameRow::Offset(register, offset) => CallFrameInstruction::Offset(Register(register), offset),
            FrameRow::SameValue(register) => CallFrameInstruction::SameValue(Register(register)),
            FrameRow::Restore(register) => CallFrameInstruction::Restore(Register(register)),
            FrameRow::RememberState => CallFrameInstruction::RememberState,
            FrameRow::RestoreState => CallFrameInstruction::RestoreState,
        }
    }
}

impl Unwind {
    /// The FDE, for a frame table; none where the platform has other tables.
    pub fn entry(&self, address: Address) -> Option<FrameDescriptionEntry> {
        match self {
            Unwind::Cranelift(UnwindInfo::SystemV(info)) => Some(info.to_fde(address)),
            Unwind::Cranelift(_) => None,
            Unwind::Rows(FrameRows { length, rows }) => {
                let mut entry = FrameDescriptionEntry::new(address, *length);
                rows.iter().for_each(|(offset, row)| entry.add_instruction(*offset, row.instruction()));
                Some(entry)
            }
        }
    }

    /// Whether [`Self::rows`] may have rows.
    pub fn has_rows(&self) -> bool {
        matches!(self, Unwind::Cranelift(UnwindInfo::SystemV(_)) | Unwind::Rows(_))
    }

    /// Its rows, if [`FrameRow`] can express all of them.
    pub fn rows(&self, isa: &dyn TargetIsa) -> Option<FrameRows> {
        if let Unwind::Rows(rows) = self {
            return Some(rows.clone());
        }
        let mut table = FrameTable::default();
        let mut cie = isa.create_systemv_cie()?;
        cie.fde_address_encoding = gimli::constants::DW_EH_PE_absptr;
        let cie = table.add_cie(cie);
        table.add_fde(cie, self.entry(Address::Constant(0))?);
        let endian = match isa.endianness() {
            cranelift_codegen::ir::Endianness::Little => RunTimeEndian::Little,
            cranelift_codegen::ir::Endianness::Big => RunTimeEndian::Big,
        };
        let mut section = EhFrame(EndianVec::new(endian));
        table.write_eh_frame(&mut section).ok()?;
        let section = gimli::read::EhFrame::new(section.0.slice(), endian);
        let bases = BaseAddresses::default();
        let mut entries = section.entries(&bases);
        loop {
            let CieOrFde::Fde(partial) = entries.next().ok()?? else { continue };
            let entry = partial.parse(gimli::read::EhFrame::cie_from_offset).ok()?;
            let factor = i32::try_from(entry.cie().data_alignment_factor()).ok()?;
            let scaled = |offset: i64| i32::try_from(offset).ok()?.checked_mul(factor);
            let mut instructions = entry.instructions(&section, &bases);
            let (mut offset, mut rows) = (0_u32, Vec::new());
            while let Some(instruction) = instructions.next().ok()? {
                let row = match instruction {
                    Read::AdvanceLoc { delta } => {
                        let delta = u64::from(delta).checked_mul(entry.cie().code_alignment_factor())?;
                        offset = offset.checked_add(u32::try_from(delta).ok()?)?;
                        continue;
                    }
                    Read::Nop => continue,
                    Read::DefCfa { register, offset } => FrameRow::Cfa(register.0, i32::try_from(offset).ok()?),
                    Read::DefCfaRegister { register } => FrameRow::CfaRegister(register.0),
                    Read::DefCfaOffset { offset } => FrameRow::CfaOffset(i32::try_from(offset).ok()?),
                    Read::Offset { register, factored_offset } => {
                        FrameRow::Offset(register.0, scaled(i64::try_from(factored_offset).ok()?)?)
                    }
                    Read::OffsetExtendedSf { register, factored_offset } => {
                        FrameRow::Offset(register.0, scaled(factored_offset)?)
                    }
                    Read::SameValue { register } => FrameRow::SameValue(register.0),
                    Read::Restore { register } => FrameRow::Restore(register.0),
                    Read::RememberState => FrameRow::RememberState,
                    Read::RestoreState => FrameRow::RestoreState,
                    _ => return None,
                };
                rows.push((offset, row));
            }
            return Some(FrameRows { length: u32::try_from(entry.len()).ok()?, rows });
        }
    }
}
