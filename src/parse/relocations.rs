//! Relocations: what each address in code and data refers to.
//!
//! In: the objects with their symbols resolved, and the layout. Out: for each section the [`Address`]es in it, by
//! offset; the addends are taken out of data. [`super::functions`] then says which addresses are functions.
//!
//! S is the symbol's place, A the addend, which `SHT_REL` has in the field and `SHT_RELA` beside the type.
//!
//! | number | LLVM, newer binutils | binutils to 2.40 | field | refers to |
//! |---|---|---|---|---|
//! | 0 | `R_BPF_NONE` | the same | none | nothing |
//! | 1 | `R_BPF_64_64` | `R_BPF_INSN_64` | `imm` of an `ld_imm64` | S + A |
//! | 2 | `R_BPF_64_ABS64` | | 8 bytes of data | S + A |
//! | 3, 4 | `R_BPF_64_ABS32`, `R_BPF_64_NODYLD32` | | 4 bytes of data | S + A, a number only |
//! | 10 | `R_BPF_64_32` | `R_BPF_INSN_DISP32` | `imm` of a call | S + (`imm` + 1) * 8 |
//! | 11 | | `R_BPF_DATA_32` | 4 bytes of data | as 3 |
//! | 12 | | `R_BPF_DATA_64` | 8 bytes of data | as 2 |
//!
//! - LLVM writes 32 bits of an `ld_imm64`'s addend, binutils all 64: an upper half of 0 means that the lower is signed.
//! - The assembler of binutils to 2.40 has the symbol's value already in the field for a symbol that the object defines
//!   itself: `call g` with `g` at 0x30 has `imm` = 0x2f. [`has_values_in_place`] tells such objects.
//! - LLVM to 12 has numbers 1 and 10 in data, for 8 and 4 bytes.
//! - Numbers 2, 3, 4 in code are binutils' for fields that hold no address of a program: an error.

use object::elf;

use super::addresses::{Address, Symbols};
use super::error::{BadRelocation, ParseError};
use super::merge::SymbolRef;
use super::sections::{Home, Layout};
use crate::elf::instruction::{self, Slot};
use crate::elf::{Object, RawRelocation, Section, SymbolHome};
use crate::program::names;
use crate::program::{ArrayCall, CodeSectionId, Contents, DataSectionId, Endianness, IdVec, Place};

/// `R_BPF_*`, by LLVM's names, then binutils'.
const R_BPF_NONE: u32 = elf::R_BPF_NONE;
pub(super) const R_BPF_64_64: u32 = elf::R_BPF_64_64;
const R_BPF_64_ABS64: u32 = 2;
const R_BPF_64_ABS32: u32 = 3;
const R_BPF_64_NODYLD32: u32 = 4;
const R_BPF_64_32: u32 = elf::R_BPF_64_32;
const R_BPF_DATA_32: u32 = 11;
const R_BPF_DATA_64: u32 = 12;

/// How a field uses the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A call goes there.
    Call,
    /// A register or memory gets it.
    Address,
}

/// A relocated field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    /// Offset in its section.
    pub(super) offset: u64,
    pub(super) address: Address,
    pub(super) usage: Use,
    /// How a call passes its arguments, if not in registers.
    pub(super) array_call: Option<ArrayCall>,
}

/// The relocated fields of the whole program, by section and in order of offset.
pub(super) struct References {
    pub(super) code: IdVec<CodeSectionId, Vec<Reference>>,
    pub(super) data: IdVec<DataSectionId, Vec<Reference>>,
}

/// Reads all relocations. The fields in data become what `edit` gets: zero, or the number that they refer to.
pub(super) fn read(symbols: &Symbols<'_, '_>) -> Result<(References, Vec<Edit>), ParseError> {
    let layout = symbols.layout;
    let mut references = References {
        code: layout.code.iter().map(|_| Vec::new()).collect(),
        data: layout.data.iter().map(|_| Vec::new()).collect(),
    };
    let mut edits = Vec::new();
    for (object_index, object) in symbols.objects.iter().enumerate() {
        let values_in_place = has_values_in_place(object);
        for (section_index, section) in object.sections.iter().enumerate() {
            let endianness = object.endianness();
            let relocated = Relocated { symbols, object, object_index, section, values_in_place, endianness };
            match layout.home(object_index, section_index) {
                Home::Code(id) => {
                    references.code[id] = relocated.code()?;
                    add_code_addresses(section.data, endianness, id, &mut references.code[id]);
                }
                Home::Data(id) => references.data[id] = relocated.data(id, &mut edits)?,
                Home::JumpTables | Home::Nowhere | Home::Discarded => {}
            }
        }
    }
    Ok((references, edits))
}

/// Adds the `code_addr` loads of a section that have no relocation. They stay in order of offset.
fn add_code_addresses(
    code: &[u8],
    endianness: Endianness,
    section: CodeSectionId,
    references: &mut Vec<Reference>,
) {
    let relocated = references.len();
    for (offset, target) in instruction::code_addresses(code, endianness) {
        if references[..relocated].binary_search_by_key(&offset, |reference| reference.offset).is_err() {
            let address = Address::Code { section, offset: target, weak: None };
            references.push(Reference { offset, address, usage: Use::Address, array_call: None });
        }
    }
    references.sort_by_key(|reference| reference.offset);
}

/// Writes the fields that [`read`] changed.
pub(super) fn apply(edits: &[Edit], layout: &mut Layout) {
    for edit in edits {
        let Contents::Bytes(bytes) = &mut layout.data[edit.section].contents else { continue };
        if let Some(field) = bytes.get_mut(edit.offset..).and_then(|rest| rest.get_mut(..edit.size)) {
            field.copy_from_slice(&edit.bytes[..edit.size]);
        }
    }
}

/// Whether fields hold the values of the symbols that the object defines: what the assembler of binutils to 2.40 does.
///
/// Its numbers for data tell it. An object without them is of this kind if all fields that could show it do, and if it
/// is not LLVM's, which has one table for all names.
fn has_values_in_place(object: &Object<'_>) -> bool {
    let relocations =
        || object.sections.iter().flat_map(|section| section.relocations.iter().map(move |of| (section, of)));
    if relocations().any(|(_, relocation)| matches!(relocation.kind, R_BPF_DATA_32 | R_BPF_DATA_64)) {
        return true;
    }
    if object.one_string_table {
        return false;
    }
    let mut seen = false;
    for (section, relocation) in relocations().filter(|(_, relocation)| relocation.addend.is_none()) {
        let value = own_value(object, relocation);
        match in_place(section, relocation, object.endianness()) {
            Some(in_place) if value > 0 && in_place < value => return false,
            in_place => seen |= value > 0 && in_place.is_some(),
        }
    }
    seen
}

/// The value of the relocation's symbol, if the object defines it and it is not that of a section.
fn own_value(object: &Object<'_>, relocation: &RawRelocation) -> i64 {
    let symbol = &object.symbols[relocation.symbol];
    match symbol.home {
        SymbolHome::Section(_) if !symbol.is_section() => symbol.value.cast_signed(),
        _ => 0,
    }
}

/// What the field has, for a relocation that may have the symbol's value in it.
fn in_place(section: &Section<'_>, relocation: &RawRelocation, endianness: Endianness) -> Option<i64> {
    if let Some(size) = data_size(relocation.kind).filter(|_| !section.has(elf::SHF_EXECINSTR)) {
        let at = usize::try_from(relocation.offset).ok()?;
        return Some(number(section.data.get(at..)?.get(..size)?, endianness));
    }
    let slot = Slot::at(section.data, relocation.offset, endianness)?;
    if slot.is_call() {
        return Some(i64::from(slot.imm()) + 1);
    }
    slot.is_ld_imm64().then(|| instruction::ld_imm64_addend(section.data, relocation.offset, endianness))?
}

/// Size of the field in data, by the relocation's type.
fn data_size(kind: u32) -> Option<usize> {
    match kind {
        R_BPF_64_64 | R_BPF_64_ABS64 | R_BPF_DATA_64 => Some(8),
        R_BPF_64_32 | R_BPF_64_ABS32 | R_BPF_64_NODYLD32 | R_BPF_DATA_32 => Some(4),
        _ => None,
    }
}

/// A 4-byte or 8-byte field, with its sign.
fn number(field: &[u8], endianness: Endianness) -> i64 {
    let append = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = match endianness {
        Endianness::Little => field.iter().rev().fold(0, append),
        Endianness::Big => field.iter().fold(0, append),
    };
    if field.len() == 4 { i64::from(value as i32) } else { value.cast_signed() }
}

/// New bytes for a field of data.
pub(super) struct Edit {
    section: DataSectionId,
    offset: usize,
    size: usize,
    bytes: [u8; 8],
}

/// A section with relocations, and what they may refer to.
struct Relocated<'a, 'data> {
    symbols: &'a Symbols<'a, 'data>,
    object: &'a Object<'data>,
    object_index: usize,
    section: &'a Section<'data>,
    values_in_place: bool,
    endianness: Endianness,
}

impl Relocated<'_, '_> {
    fn code(&self) -> Result<Vec<Reference>, ParseError> {
        if self.object.symbols.is_empty() && self.calls_itself() {
            return Err(ParseError::Section {
                file: self.object.name.clone(),
                section: names::owned(self.section.name),
                what: "has calls whose relocations were stripped; strip with -g only".to_owned(),
            });
        }
        let mut list: Vec<Reference> = Vec::with_capacity(self.section.relocations.len());
        for relocation in self.live_relocations() {
            let slot = Slot::at(self.section.data, relocation.offset, self.endianness)
                .ok_or_else(|| self.error(relocation, "is at no instruction; compile the object again"))?;
            let usage = match relocation.kind {
                R_BPF_64_64 | R_BPF_64_32 if slot.is_call() => Use::Call,
                R_BPF_64_64 if slot.is_ld_imm64() => Use::Address,
                R_BPF_64_64 | R_BPF_64_32 => {
                    return Err(self.error(relocation, "is at an instruction that is no call and no `ld_imm64`"));
                }
                _ => return Err(self.error(relocation, "is of a type that is not known for instructions")),
            };
            if list.last().is_some_and(|last| last.offset == relocation.offset) {
                return Err(self.error(relocation, "is the second one of its instruction"));
            }
            let scale = if usage == Use::Call { 8 } else { 1 };
            let addend = self.addend(relocation, scale, "is at an `ld_imm64` that the section ends in")?;
            let address = self.address(relocation, addend)?;
            let array_call = self.array_call(relocation, usage)?;
            list.push(Reference { offset: relocation.offset, address, usage, array_call });
        }
        Ok(list)
    }

    fn data(&self, id: DataSectionId, edits: &mut Vec<Edit>) -> Result<Vec<Reference>, ParseError> {
        let mut list = Vec::with_capacity(self.section.relocations.len());
        let mut free = 0;
        for relocation in self.live_relocations() {
            let size = data_size(relocation.kind)
                .ok_or_else(|| self.error(relocation, "is of a type that is not known for data"))?;
            let addend = self.addend(relocation, 1, "is outside of the section's contents")?;
            if relocation.offset < free {
                return Err(self.error(relocation, "overlaps the one before it"));
            }
            free = relocation.offset + size as u64;
            let number = match self.address(relocation, addend)? {
                Address::Absolute(number) if size == 8 || u32::try_from(number).is_ok() => number,
                address if size == 8 => {
                    let array_call = self.array_call(relocation, Use::Address)?;
                    list.push(Reference { offset: relocation.offset, address, usage: Use::Address, array_call });
                    0
                }
                _ => {
                    return Err(
                        self.error(relocation, "needs 8 bytes, and the field has 4; use a pointer or `long`")
                    );
                }
            };
            let bytes = match self.endianness {
                Endianness::Little => number.to_le_bytes(),
                Endianness::Big => (number << (64 - 8 * size)).to_be_bytes(),
            };
            edits.push(Edit { section: id, offset: relocation.offset as usize, size, bytes });
        }
        Ok(list)
    }

    /// Whether some call without relocation goes to itself: what is left of a call of another section.
    fn calls_itself(&self) -> bool {
        let slots = self.section.data.as_chunks().0.iter().map(|&bytes| Slot::new(bytes, self.endianness));
        self.live_relocations().next().is_none() && slots.into_iter().any(|slot| slot.local_call() == Some(-1))
    }

    /// All but those of type `R_BPF_NONE`.
    fn live_relocations(&self) -> impl Iterator<Item = &RawRelocation> {
        self.section.relocations.iter().filter(|relocation| relocation.kind != R_BPF_NONE)
    }

    /// The addend in bytes, of a field in units of `scale` bytes.
    fn addend(&self, relocation: &RawRelocation, scale: i64, outside: &str) -> Result<i64, ParseError> {
        let in_place = in_place(self.section, relocation, self.endianness);
        let in_place = in_place.ok_or_else(|| self.error(relocation, outside))?;
        let value = if self.values_in_place { own_value(self.object, relocation) } else { 0 };
        if value != 0 && scale != 1 && in_place != value {
            let what = "is a call without its function's value in place, as `bpf-ld -r` leaves it; give the objects that \
                        it linked";
            return Err(self.error(relocation, what));
        }
        Ok(relocation.addend.unwrap_or(in_place.wrapping_sub(value).wrapping_mul(scale)))
    }

    /// How the call passes its arguments, if its symbol says that.
    fn array_call(&self, relocation: &RawRelocation, usage: Use) -> Result<Option<ArrayCall>, ParseError> {
        let array_call = self.object.symbols[relocation.symbol].array_call;
        if array_call.is_some() && usage == Use::Address {
            return Err(
                self.error(relocation, "takes the address of a function of bpf2native.h, which is no function")
            );
        }
        Ok(array_call.map(|(call, _)| call))
    }

    fn address(&self, relocation: &RawRelocation, addend: i64) -> Result<Address, ParseError> {
        let at = SymbolRef { object: self.object_index, symbol: relocation.symbol };
        self.symbols.address(at, addend).map_err(|what| self.error(relocation, &what))
    }

    fn error(&self, relocation: &RawRelocation, what: &str) -> ParseError {
        let symbol = &self.object.symbols[relocation.symbol];
        let symbol = match symbol.home {
            SymbolHome::Section(section) if symbol.is_section() => self.object.sections[section].name,
            _ => symbol.name,
        };
        ParseError::Relocation(Box::new(BadRelocation {
            place: Place {
                file: self.object.name.clone(),
                section: names::owned(self.section.name),
                function: None,
                offset: Some(relocation.offset),
            },
            kind: relocation.kind,
            symbol: names::owned(symbol),
            what: what.to_owned(),
        }))
    }
}
