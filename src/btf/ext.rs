//! `.BTF.ext`: what the compiler says of instructions.
//!
//! The section has three parts (CO-RE relocations are missing in old objects). Each part is: the size of a record,
//! then for every code section its name, the number of records, and the records. A record may be longer than what is
//! known of it; the rest is skipped.
//!
//! | part | record, in words | becomes |
//! |---|---|---|
//! | `func_info` | instruction, type | [`FunctionInfo`] |
//! | `line_info` | instruction, file, text, line << 10 \| column | [`Line`] |
//! | `core_relo` | instruction, type, access string, kind | [`CoreRelocation`] |
//!
//! Instructions are given as byte offsets in their section. Code sections are told apart by name only: two sections
//! of one name (as COMDAT groups may have) share one list.

use std::sync::Arc;

use super::reader::{Header, Reader};
use super::types::TypeId;
use super::{Btf, BtfError};
use crate::program::Line;

/// The records of one code section, sorted by the offset of their instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionRecords<T> {
    /// The code section.
    pub section: Arc<str>,
    /// Its records.
    pub records: Vec<T>,
}

/// What `.BTF.ext` says, for each code section.
#[derive(Clone, Debug, Default)]
pub struct BtfExt {
    functions: Vec<SectionRecords<FunctionInfo>>,
    lines: Vec<SectionRecords<Line>>,
    core: Vec<SectionRecords<CoreRelocation>>,
}

/// The type of the function that starts at an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Byte offset in the code section.
    pub offset: u64,
    /// The `FUNC`.
    pub ty: TypeId,
}

/// A CO-RE relocation, as it is recorded: see [`super::core`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreRelocation {
    /// Byte offset of the instruction in the code section.
    pub offset: u64,
    /// The type that is accessed.
    pub ty: TypeId,
    /// Which part of it: `0:1:2`.
    pub access: Arc<str>,
    /// `enum bpf_core_relo_kind`.
    pub kind: u32,
}

impl BtfExt {
    /// Reads a `.BTF.ext` section; `btf` is the `.BTF` section of the same object, which has the strings.
    ///
    /// # Errors
    ///
    /// If the section is cut off, or refers to a string or a type that is not there.
    pub fn parse(bytes: &[u8], btf: &Btf) -> Result<BtfExt, BtfError> {
        let header = Header::read(bytes, ".BTF.ext")?;
        if header.reader.endianness != btf.endianness {
            return Err(BtfError::ByteOrder);
        }
        let mut texts = Texts::new(btf);
        let functions = part(&header, 8, "func_info", &mut texts, |_, [offset, ty]| {
            let ty = TypeId(ty);
            btf.get(ty)?;
            Ok(FunctionInfo { offset: u64::from(offset), ty })
        })?;
        let lines = part(&header, 16, "line_info", &mut texts, |texts, [offset, file, text, place]| {
            let (file, text) = (texts.get(file)?, texts.get(text)?);
            Ok(Line { offset: u64::from(offset), file, text, line: place >> 10, column: place & 0x3ff })
        })?;
        let core = match header.length >= 32 {
            true => part(&header, 24, "core_relo", &mut texts, |texts, [offset, ty, access, kind]| {
                let ty = TypeId(ty);
                btf.get(ty)?;
                Ok(CoreRelocation { offset: u64::from(offset), ty, access: texts.get(access)?, kind })
            })?,
            false => Vec::new(),
        };
        Ok(BtfExt {
            functions: by_section(functions, |record| record.offset),
            lines: by_section(lines, |record| record.offset),
            core: by_section(core, |record| record.offset),
        })
    }

    /// Functions that start in the code section of this name.
    pub fn functions(&self, section: &str) -> &[FunctionInfo] {
        find(&self.functions, section)
    }

    /// All functions that start somewhere, as their `FUNC`s.
    pub fn defined(&self) -> impl Iterator<Item = TypeId> + '_ {
        self.functions.iter().flat_map(|section| &section.records).map(|function| function.ty)
    }

    /// Source lines of the code section of this name.
    pub fn lines(&self, section: &str) -> &[Line] {
        find(&self.lines, section)
    }

    /// CO-RE relocations of the code section of this name.
    pub fn core_relocations(&self, section: &str) -> &[CoreRelocation] {
        find(&self.core, section)
    }

    /// CO-RE relocations of all code sections.
    pub fn all_core_relocations(&self) -> impl Iterator<Item = &CoreRelocation> {
        self.core.iter().flat_map(|section| &section.records)
    }

    /// Source lines of all code sections, ordered by the section's name, to be taken apart.
    pub fn into_lines(self) -> Vec<SectionRecords<Line>> {
        self.lines
    }
}

/// Strings of the table, each made once.
struct Texts<'a> {
    btf: &'a Btf,
    /// For each offset, one more than the index of the string that begins there; 0 if it was not asked for yet.
    indices: Vec<u32>,
    made: Vec<Arc<str>>,
}

impl<'a> Texts<'a> {
    fn new(btf: &'a Btf) -> Self {
        Texts { btf, indices: vec![0; btf.strings.size()], made: Vec::new() }
    }

    fn get(&mut self, offset: u32) -> Result<Arc<str>, BtfError> {
        let index = self.indices.get_mut(offset as usize).ok_or(BtfError::String { offset })?;
        if let Some(known) = (*index as usize).checked_sub(1) {
            return Ok(Arc::clone(&self.made[known]));
        }
        let text: Arc<str> = self.btf.strings.get(offset)?.into();
        self.made.push(Arc::clone(&text));
        *index = self.made.len() as u32;
        Ok(text)
    }
}

/// Reads the part that the header describes at `field`; a record is at least `N` words.
fn part<T, const N: usize>(
    header: &Header<'_>,
    field: usize,
    what: &'static str,
    texts: &mut Texts<'_>,
    make: impl Fn(&mut Texts<'_>, [u32; N]) -> Result<T, BtfError>,
) -> Result<Vec<SectionRecords<T>>, BtfError> {
    let mut sections = Vec::new();
    let (start, bytes) = header.part(field, what)?;
    if bytes.is_empty() {
        return Ok(sections);
    }
    let end = start + bytes.len();
    let reader = Reader { bytes: &header.reader.bytes[..end], endianness: header.reader.endianness };
    let size = reader.u32(start, what)?;
    if (size as usize) < 4 * N || size % 4 != 0 {
        return Err(BtfError::Header { what: "the size of a record", value: size });
    }
    let mut offset = start + 4;
    while offset < end {
        let [name, count] = reader.words(offset, what)?;
        offset += 8;
        let section = texts.get(name)?;
        // No more than there are bytes for.
        let most = (end - offset) / size as usize;
        let mut records = Vec::with_capacity(most.min(count as usize));
        for _ in 0..count {
            records.push(make(texts, reader.words(offset, what)?)?);
            offset = offset.saturating_add(size as usize);
        }
        sections.push(SectionRecords { section, records });
    }
    Ok(sections)
}

/// Joins the lists of one section's name, and sorts.
fn by_section<T>(mut lists: Vec<SectionRecords<T>>, offset: impl Fn(&T) -> u64) -> Vec<SectionRecords<T>> {
    lists.sort_by(|left, right| left.section.cmp(&right.section));
    let mut sections: Vec<SectionRecords<T>> = Vec::new();
    for list in lists {
        match sections.last_mut() {
            Some(last) if last.section == list.section => last.records.extend(list.records),
            _ => sections.push(list),
        }
    }
    for section in &mut sections {
        section.records.sort_by_key(&offset);
    }
    sections
}

fn find<'a, T>(sections: &'a [SectionRecords<T>], name: &str) -> &'a [T] {
    match sections.binary_search_by(|section| (*section.section).cmp(name)) {
        Ok(index) => &sections[index].records,
        Err(_) => &[],
    }
}
