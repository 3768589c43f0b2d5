//! One ELF object, read and checked: what later steps index without another look at the file.
//!
//! In: the bytes. Out: [`Object`], whose tables have the ELF file's own indices and borrow from the bytes.
//!
//! Rule: what is read stays in proportion to the file. Sections may not overlap so much that they hold more bytes than
//! the file, nor names; so no later step has to fear a small file that unfolds. Debug information has a count of its own,
//! and where that is damaged or too much it is left out.

pub(crate) mod instruction;
pub(crate) mod section_names;

use object::elf::{self, FileHeader64, Rel64, Rela64, Sym64};
use object::read::elf::{FileHeader as _, Rel as _, Rela as _, SectionHeader as _, Sym as _};
use object::{Endianness, U32};

use crate::program::names;
use crate::program::{self, ArrayCall, Attached, Binding, MapDefinition, Visibility};
use section_names::{STACK_SIZES, is_dwarf};

type SectionTable<'data> = object::read::elf::SectionTable<'data, FileHeader64<Endianness>>;
type SymbolTable<'data> = object::read::elf::SymbolTable<'data, FileHeader64<Endianness>>;
type SectionHeader = elf::SectionHeader64<Endianness>;

/// An ELF object for BPF.
pub(crate) struct Object<'data> {
    /// The file's name, `lib.a(member.o)` for a member of an archive.
    pub(crate) name: String,
    /// Byte order.
    pub(crate) endian: Endianness,
    /// By ELF section index; the null section first.
    pub(crate) sections: Vec<Section<'data>>,
    /// By ELF symbol index; the null symbol first.
    pub(crate) symbols: Vec<Symbol<'data>>,
    /// Groups of sections.
    pub(crate) groups: Vec<RawGroup<'data>>,
    /// Names of sections and symbols are in the same section, as LLVM has them.
    pub(crate) one_string_table: bool,
    /// Its maps, by the indices of their symbols, and why their definitions cannot be read; not read here.
    pub(crate) maps: Vec<(usize, Result<MapDefinition, String>)>,
}

impl Object<'_> {
    /// Byte order as the program has it.
    pub(crate) fn endianness(&self) -> program::Endianness {
        match self.endian {
            Endianness::Little => program::Endianness::Little,
            Endianness::Big => program::Endianness::Big,
        }
    }
}

/// A section, of any kind.
pub(crate) struct Section<'data> {
    pub(crate) name: &'data str,
    /// `SHT_*`.
    pub(crate) kind: u32,
    /// `SHF_*`.
    pub(crate) flags: u64,
    /// In bytes; of `SHT_NOBITS` too.
    pub(crate) size: u64,
    /// As the file has it: 0 and 1 mean none.
    pub(crate) align: u64,
    /// `sh_link`; not checked.
    pub(crate) link: u32,
    /// Empty for `SHT_NOBITS`.
    pub(crate) data: &'data [u8],
    /// Those that apply to it, by offset; read only for sections of the program, and for DWARF.
    pub(crate) relocations: Vec<RawRelocation>,
}

impl Section<'_> {
    /// Whether all of these flags are set.
    pub(crate) fn has(&self, flags: u32) -> bool {
        self.flags & u64::from(flags) == u64::from(flags)
    }

    /// Whether any of it can become part of the program: debug information and BTF do not.
    pub(crate) fn is_of_program(&self) -> bool {
        let loaded = self.has(elf::SHF_ALLOC) || self.has(elf::SHF_EXECINSTR);
        let about_bpf = [".BTF", ".debug", ".eh_frame"].iter().any(|prefix| self.name.starts_with(prefix));
        loaded && !about_bpf && !self.has(elf::SHF_EXCLUDE)
    }
}

/// A symbol.
pub(crate) struct Symbol<'data> {
    /// For a call of `bpf2native.h`, the name of the function that is called.
    pub(crate) name: &'data str,
    /// How that passes its arguments, and the symbol's own name.
    pub(crate) array_call: Option<(ArrayCall, &'data str)>,
    pub(crate) home: SymbolHome,
    /// Offset in its section, or the alignment of a COMMON symbol.
    pub(crate) value: u64,
    pub(crate) size: u64,
    /// `STT_*`.
    pub(crate) kind: u8,
    pub(crate) binding: Binding,
    pub(crate) visibility: Visibility,
}

impl Symbol<'_> {
    /// Whether it stands for its whole section.
    pub(crate) fn is_section(&self) -> bool {
        self.kind == elf::STT_SECTION
    }
}

/// Where a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SymbolHome {
    Undefined,
    Absolute,
    Common,
    Section(usize),
}

/// A relocation as the file has it.
#[derive(Clone, Copy)]
pub(crate) struct RawRelocation {
    pub(crate) offset: u64,
    /// `R_BPF_*`.
    pub(crate) kind: u32,
    /// Index of the symbol; checked.
    pub(crate) symbol: usize,
    /// `SHT_RELA` only; `SHT_REL` has it in place.
    pub(crate) addend: Option<i64>,
}

/// Sections that are kept or left out together.
pub(crate) struct RawGroup<'data> {
    pub(crate) signature: &'data str,
    /// A program has one of this signature.
    pub(crate) is_comdat: bool,
    /// Section indices; checked.
    pub(crate) members: Vec<usize>,
}

/// A file that contradicts itself or the ELF format.
pub(crate) struct Damaged {
    /// The file.
    pub(crate) file: String,
    /// What does not fit.
    pub(crate) what: String,
}

/// Reads `bytes`, which the parse phase found to be an object.
///
/// # Errors
///
/// If the file contradicts itself or the ELF format.
pub(crate) fn read<'data>(name: String, bytes: &'data [u8]) -> Result<Object<'data>, Damaged> {
    let names = bytes.len().saturating_mul(16).saturating_add(1 << 16);
    let read = Reader { bytes, left: bytes.len(), debug_left: bytes.len(), names }.read();
    let mut object = read.map_err(|what| Damaged { file: name.clone(), what })?;
    object.name = names::owned(&name);
    Ok(object)
}

/// Reads one object and keeps count of what was taken.
struct Reader<'data> {
    bytes: &'data [u8],
    /// Bytes that sections may still hold.
    left: usize,
    /// Bytes that debug information may still hold.
    debug_left: usize,
    /// Bytes that names may still hold.
    names: usize,
}

impl<'data> Reader<'data> {
    fn read(&mut self) -> Result<Object<'data>, String> {
        let header = FileHeader64::<Endianness>::parse(self.bytes).map_err(text)?;
        let endian = header.endian().map_err(text)?;
        let table = header.sections(endian, self.bytes).map_err(text)?;
        let mut sections = Vec::with_capacity(table.len());
        for header in table.iter() {
            sections.push(self.section(endian, &table, header)?);
        }
        let symbol_table = table.symbols(endian, self.bytes, elf::SHT_SYMTAB).map_err(text)?;
        let symbols = self.symbols(endian, &table, &symbol_table)?;
        let symbol_strings = symbol_table.string_section().0 as u32;
        let mut groups = Vec::new();
        for (index, header) in table.enumerate() {
            match header.sh_type(endian) {
                elf::SHT_REL | elf::SHT_RELA => {
                    let target = header.info_link(endian).0;
                    if sections.get(target).is_some_and(Section::is_of_program) {
                        let link = header.link(endian);
                        if link != symbol_table.section() {
                            return Err(format!("relocation section {} is of symbol table {}", index.0, link.0));
                        }
                        let relocations = self.relocations(endian, header, symbols.len())?;
                        sections[target].relocations.extend(relocations);
                    } else if sections.get(target).is_some_and(|target| is_dwarf(target.name))
                        && header.link(endian) == symbol_table.section()
                    {
                        let all_left = std::mem::replace(&mut self.left, self.debug_left);
                        let relocations = self.relocations(endian, header, symbols.len());
                        self.debug_left = std::mem::replace(&mut self.left, all_left);
                        sections[target].relocations.extend(relocations.unwrap_or_default());
                    }
                }
                elf::SHT_GROUP => groups.extend(self.group(endian, header, &sections, &symbols)?),
                _ => {}
            }
        }
        for section in &mut sections {
            section.relocations.sort_by_key(|relocation| relocation.offset);
        }
        let one_string_table = header.shstrndx(endian, self.bytes).is_ok_and(|index| index == symbol_strings);
        Ok(Object { name: String::new(), endian, sections, symbols, groups, one_string_table, maps: Vec::new() })
    }

    /// Takes `count` bytes from what sections may hold.
    fn take(&mut self, count: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(count).ok_or("its sections overlap")?;
        Ok(())
    }

    /// A name, counted.
    fn text(&mut self, bytes: &'data [u8], what: &str) -> Result<&'data str, String> {
        self.names = self.names.checked_sub(bytes.len()).ok_or("its names overlap")?;
        std::str::from_utf8(bytes).map_err(|_| format!("a {what}'s name is not UTF-8"))
    }

    fn section(
        &mut self,
        endian: Endianness,
        table: &SectionTable<'data>,
        header: &'data SectionHeader,
    ) -> Result<Section<'data>, String> {
        let name = table.section_name(endian, header).map_err(text)?;
        let mut section = Section {
            name: self.text(name, "section")?,
            kind: header.sh_type(endian),
            flags: header.sh_flags(endian),
            size: header.sh_size(endian),
            align: header.sh_addralign(endian),
            link: header.sh_link(endian),
            data: &[],
            relocations: Vec::new(),
        };
        if section.is_of_program() || is_read(section.name) {
            section.data = header
                .data(endian, self.bytes)
                .map_err(|_| format!("section `{}` lies outside of the file", names::printable(section.name)))?;
            self.take(section.data.len())?;
        } else if is_dwarf(section.name)
            && !section.has(elf::SHF_COMPRESSED)
            && let Ok(data) = header.data(endian, self.bytes)
            && let Some(left) = self.debug_left.checked_sub(data.len())
        {
            (section.data, self.debug_left) = (data, left);
        }
        Ok(section)
    }

    fn symbols(
        &mut self,
        endian: Endianness,
        table: &SectionTable<'data>,
        symbols: &SymbolTable<'data>,
    ) -> Result<Vec<Symbol<'data>>, String> {
        self.take(size_of_val(symbols.symbols()))?;
        let mut list = Vec::with_capacity(symbols.len());
        for (index, symbol) in symbols.enumerate() {
            let name = symbols.symbol_name(endian, symbol).map_err(text)?;
            let name = self.text(name, "symbol")?;
            let home = match symbol.st_shndx(endian) {
                elf::SHN_UNDEF => SymbolHome::Undefined,
                elf::SHN_ABS => SymbolHome::Absolute,
                elf::SHN_COMMON => SymbolHome::Common,
                _ => {
                    let section = symbols.symbol_section(endian, symbol, index).map_err(text)?;
                    let section = section.filter(|section| section.0 < table.len());
                    SymbolHome::Section(
                        section.ok_or_else(|| format!("symbol `{}` is in no section", names::printable(name)))?.0,
                    )
                }
            };
            list.push(convert(endian, symbol, name, home)?);
        }
        Ok(list)
    }

    fn relocations(
        &mut self,
        endian: Endianness,
        header: &'data SectionHeader,
        symbols: usize,
    ) -> Result<Vec<RawRelocation>, String> {
        let check = |relocation: RawRelocation| {
            let known = relocation.symbol < symbols;
            known.then_some(relocation).ok_or_else(|| {
                format!(
                    "the relocation at {:#x} is to symbol {}, of {symbols}",
                    relocation.offset, relocation.symbol
                )
            })
        };
        let rel = header.rel(endian, self.bytes).map_err(text)?.map_or(&[][..], |(list, _)| list);
        let rela = header.rela(endian, self.bytes).map_err(text)?.map_or(&[][..], |(list, _)| list);
        self.take(size_of_val(rel).saturating_add(size_of_val(rela)))?;
        let rel = rel.iter().map(|rel: &Rel64<Endianness>| RawRelocation {
            offset: rel.r_offset(endian),
            kind: rel.r_type(endian),
            symbol: rel.r_sym(endian) as usize,
            addend: None,
        });
        let rela = rela.iter().map(|rela: &Rela64<Endianness>| RawRelocation {
            offset: rela.r_offset(endian),
            kind: rela.r_type(endian, false),
            symbol: rela.r_sym(endian, false) as usize,
            addend: Some(rela.r_addend(endian)),
        });
        rel.chain(rela).map(check).collect()
    }

    /// The group that a section lists.
    fn group(
        &mut self,
        endian: Endianness,
        header: &'data SectionHeader,
        sections: &[Section<'data>],
        symbols: &[Symbol<'data>],
    ) -> Result<Option<RawGroup<'data>>, String> {
        let Some((flags, members)) = header.group(endian, self.bytes).map_err(text)? else { return Ok(None) };
        self.take(size_of_val(members))?;
        let signature = symbols.get(header.sh_info(endian) as usize).ok_or("a group has no signature")?;
        let signature = match signature.home {
            SymbolHome::Section(section) if signature.is_section() => sections[section].name,
            _ => signature.name,
        };
        let members = members.iter().map(|member: &U32<Endianness>| {
            let member = member.get(endian) as usize;
            (member < sections.len())
                .then_some(member)
                .ok_or_else(|| format!("group `{}` has no section {member}", names::printable(signature)))
        });
        let is_comdat = flags & elf::GRP_COMDAT != 0;
        Ok(Some(RawGroup { signature, is_comdat, members: members.collect::<Result<_, _>>()? }))
    }
}

/// Sections that are no part of the program and are read.
fn is_read(name: &str) -> bool {
    Attached::NAMES.contains(&name) || matches!(name, ".jumptables" | ".BTF" | ".BTF.ext" | STACK_SIZES)
}

fn convert<'data>(
    endian: Endianness,
    symbol: &Sym64<Endianness>,
    name: &'data str,
    home: SymbolHome,
) -> Result<Symbol<'data>, String> {
    let binding = match symbol.st_bind() {
        elf::STB_LOCAL => Binding::Local,
        elf::STB_GLOBAL | elf::STB_GNU_UNIQUE => Binding::Global,
        elf::STB_WEAK => Binding::Weak,
        other => {
            return Err(format!(
                "symbol `{}` has binding {other}, which BPF does not define",
                names::printable(name)
            ));
        }
    };
    let visibility = match symbol.st_visibility() {
        elf::STV_HIDDEN | elf::STV_INTERNAL => Visibility::Hidden,
        _ => Visibility::Default,
    };
    let (value, size) = (symbol.st_value(endian), symbol.st_size(endian));
    let called = (home == SymbolHome::Undefined).then(|| ArrayCall::parse(name)).flatten();
    let (array_call, name) = match called {
        Some((call, function)) => (Some((call, name)), function),
        None => (None, name),
    };
    Ok(Symbol { name, array_call, home, value, size, kind: symbol.st_type(), binding, visibility })
}

/// What the `object` crate says, as the middle of a sentence.
pub(crate) fn text(error: object::read::Error) -> String {
    let text = error.to_string();
    match text.strip_prefix("Invalid") {
        Some(rest) => format!("invalid{rest}"),
        None => text,
    }
}
