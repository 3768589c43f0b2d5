//! The kernel's copy: the ELF object that libbpf gets, made of an object with both halves.
//!
//! In: the object, its functions and their owners. Out: [`Copy`]: an object that libbpf 1.1 and later load, with the data
//! sections that both halves have.
//!
//! | part | in the copy |
//! |---|---|
//! | sections of kernel programs, `.maps`, `.struct_ops`, `license`, `version` | all of them |
//! | code and data that kernel programs reach | whole sections; without relocations in functions that they do not reach |
//! | other sections, DWARF | not there |
//! | symbols | of kernel functions, of data that is there; undefined ones that something refers to |
//! | names of perf's events | libbpf's (`super::names`) |
//! | `SEC("maps")` | `.maps` with BTF (`legacy_maps`) |
//! | `.BTF`, `.BTF.ext` | without what is not there (`types`) |
//!
//! The rule: a place in a section that is there has the offset that it had.

mod kept;
mod legacy_maps;
mod types;
mod write;

use object::elf;

use super::functions::Functions;
use super::owner::Owners;
use crate::btf::raw::RawBtf;
use crate::elf::{Object, Section};
use kept::Kept;
use legacy_maps::LegacyMaps;
use write::{OutSection, Output};

/// The kernel's copy of an object.
pub(super) struct Copy {
    pub(super) bytes: Vec<u8>,
    /// ELF indices, in the object, of the data sections that libbpf makes maps of.
    pub(super) data: Vec<usize>,
}

/// Makes the copy.
///
/// # Errors
///
/// What of the object libbpf could not be given, with the cure.
pub(super) fn make(object: &Object<'_>, functions: &Functions, owners: &Owners) -> Result<Copy, String> {
    let mut btf = match section_data(object, ".BTF") {
        Some(bytes) => Some(RawBtf::parse(bytes).map_err(|error| format!("its BTF is damaged: {error}"))?),
        None => None,
    };
    let legacy = LegacyMaps::new(object)?;
    let kept = Kept::new(object, functions, owners, &legacy);
    let mut output = Output::new(object.endian);
    kept.sections(&legacy, &mut output)?;
    kept.symbols(&legacy, &mut output)?;
    if let Some(btf) = &mut btf {
        types::keep(&kept, btf);
    }
    if !legacy.is_empty() {
        legacy.describe(btf.get_or_insert_with(|| RawBtf::new(object.endianness())));
    }
    let ext = match (&mut btf, section_data(object, ".BTF.ext")) {
        (Some(btf), Some(bytes)) => types::keep_ext(&kept, btf, bytes)?,
        _ => None,
    };
    if let Some(btf) = btf {
        output.sections.push(OutSection::plain(".BTF", btf.write()));
    }
    if let Some(bytes) = ext {
        output.sections.push(OutSection::plain(".BTF.ext", bytes));
    }
    let data = kept.sections.iter().copied().filter(|&index| is_global_data(&object.sections[index])).collect();
    Ok(Copy { bytes: output.write()?, data })
}

/// Whether a data section has variables that libbpf makes a map of. What a linker may merge are constants without a name.
fn is_global_data(section: &Section<'_>) -> bool {
    if section.has(elf::SHF_MERGE) {
        return false;
    }
    [".data", ".rodata", ".bss"]
        .iter()
        .any(|base| section.name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn section_data<'data>(object: &Object<'data>, name: &str) -> Option<&'data [u8]> {
    object.sections.iter().find(|section| section.name == name && !section.data.is_empty()).map(|found| found.data)
}
