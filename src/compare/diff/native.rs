//! The functions of a native object, as gcc and clang make them.
//!
//! In: the bytes of a relocatable object, a shared library or an executable. Out: a row for each function that its
//! symbol table gives a size. In ELF objects, mapping symbols (`$d`, `$x`) tell data from code.

use std::collections::BTreeMap;
use std::ops::Range;

use object::{Architecture as Machine, Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};
use rayon::prelude::*;
use target_lexicon::{Aarch64Architecture, Architecture, Riscv64Architecture};

use super::error::CompareError;
use crate::compare::disasm::Disassembler;
use crate::compare::measure::{self, Foreign, ForeignRelocation, Want};
use crate::compare::report::{Row, Status};
use crate::program::names;

/// The functions of a native object.
#[derive(Clone, Debug)]
pub struct Native {
    /// The machine.
    pub architecture: Architecture,
    /// The functions, by address.
    pub rows: Vec<Row>,
}

/// A function's range in a section.
struct FunctionRange {
    name: String,
    /// Bytes from the section's start.
    range: Range<u64>,
}

/// Measures the functions of a native object; `file` is for errors and rows.
///
/// # Errors
///
/// [`CompareError::Native`] for bytes that are no native object for a supported machine.
pub fn native_report(file: &str, bytes: &[u8], want: Want) -> Result<Native, CompareError> {
    let failed = |reason: String| CompareError::Native { file: file.to_owned(), reason };
    let object = object::File::parse(bytes).map_err(|error| failed(error.to_string()))?;
    let architecture = match object.architecture() {
        Machine::X86_64 => Architecture::X86_64,
        Machine::Aarch64 => Architecture::Aarch64(Aarch64Architecture::Aarch64),
        Machine::Riscv64 => Architecture::Riscv64(Riscv64Architecture::Riscv64gc),
        Machine::S390x => Architecture::S390x,
        Machine::Bpf => return Err(failed("it is a BPF object: give it as OLD or NEW".to_owned())),
        other => return Err(failed(format!("there is no disassembler for {other:?}"))),
    };
    Disassembler::new(architecture).map_err(|error| failed(error.to_string()))?;
    let is_macho = object.format() == object::BinaryFormat::MachO;
    let mut places: BTreeMap<usize, Vec<FunctionRange>> = BTreeMap::new();
    let mut marks: BTreeMap<usize, Vec<(u64, bool)>> = BTreeMap::new();
    for symbol in object.symbols() {
        let Some(section) = symbol.section_index().and_then(|index| object.section_by_index(index).ok()) else {
            continue;
        };
        let name = symbol.name().unwrap_or_default();
        let start = symbol.address().wrapping_sub(section.address());
        if name == "$d" || name.starts_with("$d.") {
            marks.entry(section.index().0).or_default().push((start, true));
        } else if name.starts_with("$x") {
            marks.entry(section.index().0).or_default().push((start, false));
        }
        if symbol.kind() == SymbolKind::Text && symbol.size() > 0 {
            let name = if is_macho { name.strip_prefix('_').unwrap_or(name) } else { name };
            let range = start..start.saturating_add(symbol.size());
            places.entry(section.index().0).or_default().push(FunctionRange { name: names::owned(name), range });
        }
    }
    let mut rows = Vec::new();
    for (index, mut functions) in places {
        let Ok(section) = object.section_by_index(object::SectionIndex(index)) else { continue };
        let data = section.uncompressed_data().map_err(|error| failed(error.to_string()))?;
        functions.sort_by(|left, right| (left.range.start, &left.name).cmp(&(right.range.start, &right.name)));
        let mut marks = marks.remove(&index).unwrap_or_default();
        marks.sort_unstable();
        let relocations = relocations(&object, &section);
        let measure = |disassembler: &mut Result<Disassembler, _>, place: &FunctionRange| {
            let (Ok(disassembler), Some(code)) = (disassembler, bytes_of(&data, &place.range)) else {
                let what = "its bytes are outside of its section".to_owned();
                return Row::new(file, &place.name, Status::Failed(what));
            };
            let within = |offset: u64| offset.checked_sub(place.range.start).map(|offset| offset as u32);
            let first = relocations.partition_point(|relocation| relocation.0 < place.range.start);
            let own = relocations[first..].iter().take_while(|relocation| relocation.0 < place.range.end);
            let own = own.filter_map(|(offset, name, is_import)| {
                Some(ForeignRelocation { offset: within(*offset)?, name: name.clone(), is_import: *is_import })
            });
            let own: Vec<ForeignRelocation> = own.collect();
            let data = data_ranges(&marks, &place.range);
            let function = Foreign { code, data: &data, relocations: &own };
            Row::new(file, &place.name, Status::Ok).with(measure::foreign(disassembler, &function, want))
        };
        let measured = functions.par_iter().map_init(|| Disassembler::new(architecture), measure);
        rows.extend(measured.collect::<Vec<Row>>());
    }
    Ok(Native { architecture, rows })
}

fn bytes_of<'a>(data: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    data.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// The ranges of data in a function, by the mapping symbols before and in it; offsets are from its start.
fn data_ranges(marks: &[(u64, bool)], function: &Range<u64>) -> Vec<Range<u32>> {
    let first = marks.partition_point(|(offset, _)| *offset <= function.start);
    let mut is_data = first.checked_sub(1).is_some_and(|before| marks[before].1);
    let mut start = function.start;
    let mut ranges = Vec::new();
    let inside = marks[first..].iter().take_while(|(offset, _)| *offset < function.end).copied();
    for (offset, next) in inside.chain([(function.end, false)]) {
        if is_data {
            ranges.push((start - function.start) as u32..(offset - function.start) as u32);
        }
        (start, is_data) = (offset, next);
    }
    ranges
}

/// What the linker writes into a section, sorted by offset: names, and whether another object defines them.
fn relocations<'a>(object: &object::File<'a>, section: &object::Section<'a, '_>) -> Vec<(u64, String, bool)> {
    let mut relocations = Vec::new();
    for (offset, relocation) in section.relocations() {
        let (name, is_import) = match relocation.target() {
            RelocationTarget::Symbol(index) => match object.symbol_by_index(index) {
                Ok(symbol) if symbol.kind() == SymbolKind::Section => {
                    let section = symbol.section_index().and_then(|index| object.section_by_index(index).ok());
                    let name = section.and_then(|section| section.name().ok().map(names::owned));
                    (name.unwrap_or_default(), false)
                }
                Ok(symbol) => (names::owned(symbol.name().unwrap_or_default()), symbol.is_undefined()),
                Err(_) => continue,
            },
            // Hints to the linker, such as those for relaxation on riscv64, name nothing.
            _ => continue,
        };
        if !name.is_empty() {
            relocations.push((offset, name, is_import));
        }
    }
    relocations.sort();
    relocations.dedup_by(|next, first| next.0 == first.0);
    relocations
}

#[cfg(test)]
mod tests {
    use super::data_ranges;

    #[test]
    fn marks_before_a_function_count_in_it() {
        let marks = [(0, false), (8, true), (16, false), (40, true)];
        assert_eq!(data_ranges(&marks, &(0..48)), [8..16, 40..48]);
        assert_eq!(data_ranges(&marks, &(12..44)), [0..4, 28..32]);
        assert_eq!(data_ranges(&[], &(0..8)), []);
    }
}
