//! What becomes of each section of each object.
//!
//! In: the objects and the COMDAT groups' choice. Out: [`Layout`]: the program's code and data sections without their
//! relocations, and where each ELF section went.
//!
//! | section | becomes |
//! |---|---|
//! | `SHF_EXECINSTR` | code; its size a multiple of 8 |
//! | `.init_array[.N]`, `.fini_array[.N]`, `.preinit_array` | constructors and destructors |
//! | `.ctors[.N]`, `.dtors[.N]` | the same, turned round: they run from the last to the first, and N is 65535 less |
//! | `SHF_ALLOC` with `SHF_WRITE` | data |
//! | `SHF_ALLOC`, and `.data.rel.ro` | read-only data |
//! | `SHT_NOBITS` | zeros |
//! | `.jumptables` | see [`super::jump_tables`] |
//! | `.BTF*`, `.debug*`, `.eh_frame`, the rest | nothing |

use object::elf;

use super::error::ParseError;
use super::merge::Globals;
use crate::elf::instruction;
use crate::elf::section_names::JUMP_TABLES;
use crate::elf::{Object, Section, SymbolHome};
use crate::program::names;
use crate::program::{
    Attached, COMMON, CodeSection, CodeSectionId, Contents, DataKind, DataSection, DataSectionId, FileId, Group,
    GroupId, Id, IdVec,
};

/// The greatest alignment that a native section can be trusted with.
const MAX_ALIGN: u64 = 64 << 10;

/// A link keeps the section (ELF gABI of 2021).
const SHF_GNU_RETAIN: u32 = 1 << 21;

/// The most zero bytes that a program may ask for.
const MAX_ZEROS: u64 = 4 << 30;

/// Where an ELF section went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Code(CodeSectionId),
    Data(DataSectionId),
    /// Its tables went to sections of their own.
    JumpTables,
    /// Empty, or not part of a program.
    Nowhere,
    /// A COMDAT group left it out.
    Discarded,
}

/// The program's sections.
pub(super) struct Layout {
    pub(super) code: IdVec<CodeSectionId, CodeSection>,
    pub(super) data: IdVec<DataSectionId, DataSection>,
    /// For each object, for each ELF section.
    homes: Vec<Vec<Home>>,
    /// For each code section, its object and ELF section.
    code_origins: Vec<(usize, usize)>,
    pub(super) groups: IdVec<GroupId, Group>,
    /// Zero bytes so far.
    zeros: u64,
}

impl Layout {
    /// Sorts the sections of all objects.
    pub(super) fn new(objects: &[Object<'_>], globals: &Globals<'_>) -> Result<Self, ParseError> {
        let mut layout = Self {
            code: IdVec::new(),
            data: IdVec::new(),
            homes: Vec::with_capacity(objects.len()),
            code_origins: Vec::new(),
            groups: IdVec::new(),
            zeros: 0,
        };
        for (object_index, object) in objects.iter().enumerate() {
            let mut named = vec![false; object.sections.len()];
            let mut ends_empty = vec![false; object.sections.len()];
            for symbol in &object.symbols {
                if let (SymbolHome::Section(section), false) = (symbol.home, symbol.is_section()) {
                    named[section] = true;
                    ends_empty[section] |=
                        symbol.kind == elf::STT_FUNC && symbol.value == object.sections[section].size;
                }
            }
            let group_of = layout.add_groups(object);
            let mut homes = Vec::with_capacity(object.sections.len());
            for (index, section) in object.sections.iter().enumerate() {
                let home = if globals.is_section_discarded(object_index, index) {
                    Home::Discarded
                } else if section.name == JUMP_TABLES {
                    Home::JumpTables
                } else if !section.is_of_program() || (section.size == 0 && !named[index]) {
                    Home::Nowhere
                } else {
                    layout.place(object, section, (object_index, index), group_of[index])?
                };
                // A function without instructions behind the last one: it gets one.
                if let (Home::Code(id), true) = (home, ends_empty[index]) {
                    layout.code[id].bytes.extend(instruction::trap(object.endian));
                }
                homes.push(home);
            }
            layout.homes.push(homes);
        }
        Ok(layout)
    }

    /// The group of each of an object's sections.
    fn add_groups(&mut self, object: &Object<'_>) -> Vec<Option<GroupId>> {
        let mut group_of = vec![None; object.sections.len()];
        for group in &object.groups {
            let signature = names::owned(group.signature);
            let id = self.groups.push(Group { signature, is_comdat: group.is_comdat });
            group.members.iter().for_each(|&member| group_of[member] = Some(id));
        }
        group_of
    }

    /// Where a section of an object went.
    pub(super) fn home(&self, object: usize, section: usize) -> Home {
        self.homes[object][section]
    }

    /// The object and the ELF section that a code section is.
    pub(super) fn code_origin(&self, section: CodeSectionId) -> (usize, usize) {
        self.code_origins[section.index()]
    }

    /// Adds zeros for a COMMON symbol.
    pub(super) fn add_common(
        &mut self,
        object: usize,
        file: &str,
        size: u64,
        align: u64,
    ) -> Result<DataSectionId, ParseError> {
        let what = |what: String| ParseError::Section { file: file.to_owned(), section: COMMON.to_owned(), what };
        let align = checked_align(align).map_err(what)?;
        self.count_zeros(size).map_err(what)?;
        Ok(self.data.push(DataSection {
            file: FileId::new(object),
            name: COMMON.to_owned(),
            group: None,
            retained: false,
            kind: DataKind::Data,
            align,
            contents: Contents::Zeros(size),
            relocations: Vec::new(),
        }))
    }

    /// Makes a section of the program from `section`.
    fn place(
        &mut self,
        object: &Object<'_>,
        section: &Section<'_>,
        at: (usize, usize),
        group: Option<GroupId>,
    ) -> Result<Home, ParseError> {
        let what = |what: String| ParseError::Section {
            file: object.name.clone(),
            section: names::owned(section.name),
            what,
        };
        check_flags(section).map_err(what)?;
        let file = FileId::new(at.0);
        let name = names::owned(section.name);
        if section.has(elf::SHF_EXECINSTR) {
            if section.kind == elf::SHT_NOBITS {
                return Err(what("is executable and has no contents; compile the object again".to_owned()));
            }
            if !section.data.len().is_multiple_of(8) {
                let size = section.data.len();
                return Err(what(format!(
                    "has {size} bytes, and instructions are 8 bytes each; move data out of executable sections"
                )));
            }
            self.code_origins.push(at);
            let bytes = section.data.to_vec();
            let (relocations, array_calls, lines) = (Vec::new(), Vec::new(), Vec::new());
            let code = CodeSection { file, name, group, bytes, relocations, array_calls, lines };
            return Ok(Home::Code(self.code.push(code)));
        }
        let align = checked_align(section.align).map_err(what)?;
        let contents = if section.kind == elf::SHT_NOBITS {
            self.count_zeros(section.size).map_err(what)?;
            Contents::Zeros(section.size)
        } else {
            Contents::Bytes(section.data.to_vec())
        };
        let data = DataSection {
            file,
            name,
            group,
            retained: section.has(SHF_GNU_RETAIN),
            kind: data_kind(section),
            align,
            contents,
            relocations: Vec::new(),
        };
        Ok(Home::Data(self.data.push(data)))
    }

    fn count_zeros(&mut self, size: u64) -> Result<(), String> {
        let total = self.zeros.checked_add(size).filter(|&total| total <= MAX_ZEROS);
        self.zeros = total.ok_or_else(|| {
            format!(
                "asks for {size:#x} zero bytes, and a program may have 4 GiB in all; use malloc for large arrays"
            )
        })?;
        Ok(())
    }
}

/// The sections that tools read in a file.
pub(super) fn attached(objects: &[Object<'_>], globals: &Globals<'_>) -> Vec<Attached> {
    let mut attached = Vec::new();
    for (object_index, object) in objects.iter().enumerate() {
        for (index, section) in object.sections.iter().enumerate() {
            let is_kept = !section.is_of_program() && !globals.is_section_discarded(object_index, index);
            if is_kept && Attached::NAMES.contains(&section.name) {
                let align = if section.align.is_power_of_two() { section.align.min(MAX_ALIGN) } else { 1 };
                attached.push(Attached { name: section.name.to_owned(), align, bytes: section.data.to_vec() });
            }
        }
    }
    attached
}

/// Refuses what has no native counterpart here.
fn check_flags(section: &Section<'_>) -> Result<(), String> {
    let refused = [
        (elf::SHF_TLS, "is thread-local, which BPF does not have; use an ordinary variable"),
        (elf::SHF_COMPRESSED, "is compressed; compile without compressing it"),
    ];
    match refused.iter().find(|&&(flag, _)| section.has(flag)) {
        Some((_, what)) => Err((*what).to_owned()),
        None => Ok(()),
    }
}

/// `sh_addralign` as a power of two.
fn checked_align(align: u64) -> Result<u64, String> {
    let align = align.max(1);
    if !align.is_power_of_two() {
        return Err(format!("has alignment {align:#x}, which is no power of two; compile the object again"));
    }
    if align > MAX_ALIGN {
        return Err(format!("has alignment {align:#x}; 64 KiB is the most"));
    }
    Ok(align)
}

/// What a section is for: its type and name decide, then its flags.
fn data_kind(section: &Section<'_>) -> DataKind {
    let (base, number) = match section.name.rsplit_once('.') {
        Some((base, number)) if !base.is_empty() => (base, number.parse::<u16>().ok()),
        _ => (section.name, None),
    };
    match (section.kind, base) {
        (elf::SHT_PREINIT_ARRAY, _) | (_, ".preinit_array") => DataKind::Constructors(Some(0)),
        (elf::SHT_INIT_ARRAY, _) | (_, ".init_array") => DataKind::Constructors(number),
        (elf::SHT_FINI_ARRAY, _) | (_, ".fini_array") => DataKind::Destructors(number),
        (_, ".ctors") => DataKind::Constructors(number.map(|number| u16::MAX - number)),
        (_, ".dtors") => DataKind::Destructors(number.map(|number| u16::MAX - number)),
        _ if section.has(elf::SHF_WRITE) && !is_relro(section.name) => DataKind::Data,
        _ => DataKind::ReadOnly,
    }
}

/// Whether only relocation writes to the section: constant data with pointers.
fn is_relro(name: &str) -> bool {
    name.strip_prefix(".data.rel.ro").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether the pointers of a section of constructors or destructors are in the opposite order of `.init_array`.
pub(super) fn is_reversed(section: &DataSection) -> bool {
    let of =
        |base: &str| section.name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let runs = matches!(section.kind, DataKind::Constructors(_) | DataKind::Destructors(_));
    runs && (of(".ctors") || of(".dtors"))
}

/// Turns the pointers of `section` round.
pub(super) fn reverse(section: &mut DataSection) -> Result<(), String> {
    let size = section.contents.len();
    if !size.is_multiple_of(8) || section.relocations.iter().any(|relocation| !relocation.offset.is_multiple_of(8))
    {
        return Err("is not a list of pointers; compile the object again".to_owned());
    }
    section.relocations.reverse();
    for relocation in &mut section.relocations {
        relocation.offset = size - 8 - relocation.offset;
    }
    if let Contents::Bytes(bytes) = &mut section.contents {
        bytes.reverse();
        bytes.chunks_exact_mut(8).for_each(<[u8]>::reverse);
    }
    Ok(())
}
