//! `.BTF` and `.BTF.ext` as words, to be changed and written again: for loaders, who want the numbers of types and the offsets
//! of strings to stay.
//!
//! In: the bytes of a section. Out: its records as they are, and the bytes of a section with these records. What the words mean
//! is [`super::Btf`]'s to know. The rule: a type keeps its number, a string its offset; what is added comes behind.

use super::BtfError;
use super::reader::{Header, Reader};
use crate::program::endianness::Endianness;

/// What both sections begin with: magic number, version 1, no flags.
const START: [u16; 2] = [0xeb9f, 1];

/// `BTF_KIND_*`, of records that are told apart here.
pub(crate) mod kind {
    pub(crate) const INT: u32 = 1;
    pub(crate) const POINTER: u32 = 2;
    pub(crate) const ARRAY: u32 = 3;
    pub(crate) const STRUCT: u32 = 4;
    pub(crate) const ENUM: u32 = 6;
    pub(crate) const FUNCTION: u32 = 12;
    pub(crate) const VARIABLE: u32 = 14;
    pub(crate) const DATA_SECTION: u32 = 15;
    pub(crate) const DECL_TAG: u32 = 17;
}

/// A type: name, info, size or type, and what its kind adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawType {
    pub(crate) words: Vec<u32>,
}

impl RawType {
    /// `BTF_KIND_*`.
    pub(crate) fn kind(&self) -> u32 {
        self.words[1] >> 24 & 0x7f
    }

    /// Offset of the name.
    pub(crate) fn name(&self) -> u32 {
        self.words[0]
    }

    /// The linkage of a `FUNC` or a `VAR`: 0 static, 1 global, 2 extern.
    pub(crate) fn linkage(&self) -> u32 {
        match self.kind() {
            kind::VARIABLE => self.words.get(3).copied().unwrap_or(0),
            _ => self.words[1] & 0xffff,
        }
    }

    /// What it refers to, for kinds that refer to one type.
    pub(crate) fn target(&self) -> u32 {
        self.words[2]
    }

    /// The entries of a `DATASEC`: type, offset, size.
    pub(crate) fn entries(&self) -> impl Iterator<Item = [u32; 3]> {
        self.words[3..].chunks_exact(3).map(|entry| [entry[0], entry[1], entry[2]])
    }

    /// A type of this kind, with so many parts.
    pub(crate) fn new(name: u32, kind: u32, parts: u32, word: u32, added: &[u32]) -> RawType {
        let mut words = vec![name, kind << 24 | parts, word];
        words.extend(added);
        RawType { words }
    }
}

/// A `.BTF` section.
#[derive(Clone, Debug)]
pub(crate) struct RawBtf {
    pub(crate) endianness: Endianness,
    /// The first has number 1.
    pub(crate) types: Vec<RawType>,
    strings: Vec<u8>,
}

impl RawBtf {
    /// No types.
    pub(crate) fn new(endianness: Endianness) -> RawBtf {
        RawBtf { endianness, types: Vec::new(), strings: vec![0] }
    }

    /// Reads a section.
    ///
    /// # Errors
    ///
    /// If it is cut off, or has a kind of type that is not known: whoever loads it would not know it either.
    pub(crate) fn parse(bytes: &[u8]) -> Result<RawBtf, BtfError> {
        let header = Header::read(bytes, ".BTF")?;
        let (start, types) = header.part(8, "the type section")?;
        let (_, strings) = header.part(16, "the string section")?;
        let (Some(0), Some(0)) = (strings.first(), strings.last()) else { return Err(BtfError::StringTable) };
        let end = start + types.len();
        let reader = Reader { bytes: &bytes[..end], endianness: header.reader.endianness };
        let mut raw = RawBtf { endianness: reader.endianness, types: Vec::new(), strings: strings.to_vec() };
        let mut offset = start;
        while offset < end {
            let [name, info, word] = reader.words(offset, "a type")?;
            let added = added(info).ok_or_else(|| BtfError::Kind {
                id: super::TypeId(raw.types.len() as u32 + 1),
                offset,
                kind: (info >> 24) as u8 & 0x7f,
            })?;
            let mut words = vec![name, info, word];
            offset += 12;
            for _ in 0..added {
                words.push(reader.u32(offset, "a type")?);
                offset += 4;
            }
            raw.types.push(RawType { words });
        }
        Ok(raw)
    }

    /// The string at an offset; empty where there is none.
    pub(crate) fn string(&self, offset: u32) -> &[u8] {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// Adds a string; its offset.
    pub(crate) fn add_string(&mut self, text: &str) -> u32 {
        let offset = self.strings.len() as u32;
        self.strings.extend(text.bytes().filter(|&byte| byte != 0));
        self.strings.push(0);
        offset
    }

    /// Adds a type; its number.
    pub(crate) fn add(&mut self, ty: RawType) -> u32 {
        self.types.push(ty);
        self.types.len() as u32
    }

    /// The section.
    pub(crate) fn write(&self) -> Vec<u8> {
        let types: usize = self.types.iter().map(|ty| 4 * ty.words.len()).sum();
        let mut out = Writer::new(self.endianness, &[24, 0, types as u32, types as u32, self.strings.len() as u32]);
        self.types.iter().for_each(|ty| out.words(&ty.words));
        out.bytes.extend(&self.strings);
        out.bytes
    }
}

/// How many words a type adds to the three that each has.
fn added(info: u32) -> Option<usize> {
    let parts = (info & 0xff_ffff) as usize;
    Some(match info >> 24 & 0x7f {
        2 | 7..=12 | 16 | 18 => 0,
        1 | 14 | 17 => 1,
        3 => 3,
        4 | 5 | 15 | 19 => 3 * parts,
        6 | 13 => 2 * parts,
        _ => return None,
    })
}

/// A `.BTF.ext` section: functions, lines, CO-RE relocations.
pub(crate) struct RawExt {
    pub(crate) parts: [RawPart; 3],
    endianness: Endianness,
}

/// One of its parts.
#[derive(Default)]
pub(crate) struct RawPart {
    /// Words of a record.
    words: usize,
    pub(crate) sections: Vec<RawSection>,
}

/// The records of one code section; the first word of a record is the offset of an instruction.
pub(crate) struct RawSection {
    /// Offset of the section's name in the strings of `.BTF`.
    pub(crate) name: u32,
    pub(crate) records: Vec<Vec<u32>>,
}

impl RawExt {
    /// Reads a section.
    ///
    /// # Errors
    ///
    /// If it is cut off.
    pub(crate) fn parse(bytes: &[u8]) -> Result<RawExt, BtfError> {
        let header = Header::read(bytes, ".BTF.ext")?;
        let mut ext = RawExt { parts: Default::default(), endianness: header.reader.endianness };
        for (part, (field, least)) in ext.parts.iter_mut().zip([(8, 2), (16, 4), (24, 4)]) {
            if field + 8 <= header.length {
                *part = RawPart::parse(&header, field, least)?;
            }
        }
        Ok(ext)
    }

    /// The section; none if there are no records.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        let lengths = self.parts.each_ref().map(RawPart::length);
        let [functions, lines, core] = lengths;
        if lengths == [0; 3] {
            return None;
        }
        let fields = [32, 0, functions, functions, lines, functions + lines, core];
        let mut out = Writer::new(self.endianness, &fields);
        for part in self.parts.iter().filter(|part| part.length() > 0) {
            out.words(&[4 * part.words as u32]);
            for section in part.sections.iter().filter(|section| !section.records.is_empty()) {
                out.words(&[section.name, section.records.len() as u32]);
                section.records.iter().for_each(|record| out.words(record));
            }
        }
        Some(out.bytes)
    }
}

impl RawPart {
    fn parse(header: &Header<'_>, field: usize, least: usize) -> Result<RawPart, BtfError> {
        const WHAT: &str = "the records of instructions";
        let (start, bytes) = header.part(field, WHAT)?;
        if bytes.is_empty() {
            return Ok(RawPart::default());
        }
        let end = start + bytes.len();
        let reader = Reader { bytes: &header.reader.bytes[..end], endianness: header.reader.endianness };
        let size = reader.u32(start, WHAT)?;
        if (size as usize) < 4 * least || size % 4 != 0 {
            return Err(BtfError::Header { what: "the size of a record", value: size });
        }
        let mut part = RawPart { words: size as usize / 4, sections: Vec::new() };
        let mut offset = start + 4;
        while offset < end {
            let [name, count] = reader.words(offset, WHAT)?;
            offset += 8;
            let mut records = Vec::new();
            for _ in 0..count {
                let mut record = Vec::new();
                for _ in 0..part.words {
                    record.push(reader.u32(offset, WHAT)?);
                    offset += 4;
                }
                records.push(record);
            }
            part.sections.push(RawSection { name, records });
        }
        Ok(part)
    }

    /// Bytes of it.
    fn length(&self) -> u32 {
        let records: usize = self.sections.iter().map(|section| section.records.len()).sum();
        let sections = self.sections.iter().filter(|section| !section.records.is_empty()).count();
        if records == 0 { 0 } else { (4 + 8 * sections + 4 * self.words * records) as u32 }
    }
}

struct Writer {
    endianness: Endianness,
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins a section with a header of these words behind the common start.
    fn new(endianness: Endianness, header: &[u32]) -> Writer {
        let mut bytes = Vec::new();
        let [magic, version] = START;
        match endianness {
            Endianness::Little => bytes.extend(magic.to_le_bytes()),
            Endianness::Big => bytes.extend(magic.to_be_bytes()),
        }
        bytes.extend([version as u8, 0]);
        let mut writer = Writer { endianness, bytes };
        writer.words(header);
        writer
    }

    fn words(&mut self, words: &[u32]) {
        for &word in words {
            self.bytes.extend(self.endianness.word(word));
        }
    }
}
