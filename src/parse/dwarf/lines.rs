//! Source lines, by DWARF's line table (`.debug_line`), of code that `.BTF.ext` says none of: of compilers that were asked for
//! DWARF alone, and of objects that were stripped of BTF.
//!
//! In: the objects, and the program with the lines of `.BTF.ext`. Out: `lines` of the code sections that have none.
//!
//! | row of the table | [`Line`] |
//! |---|---|
//! | a line | from its address on; of several at one address, the last one |
//! | line 0, the end of a sequence | none: the line before goes on, as in `.BTF.ext` |
//! | a file's name, unless it is absolute | behind its directory, and that behind the directory of compilation |
//!
//! As with `.BTF.ext`, nothing is said of sections whose name two have. The work is in proportion to the sections: each line table
//! is read once, and names have a count of their own, since files share directories.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gimli::{AttributeValue, ColumnType, DebugLine, DebugLineOffset, LineProgramHeader};

use super::{Header, PLACE_BITS, Reader, Sections, Slice};
use crate::elf::Object;
use crate::program::{CodeSectionId, FileId, Id, Line, Program, names};

/// Bytes of names of files that are read of one object, at most.
const MOST_NAMES: usize = 16 << 20;

/// A unit's line table, and the directory that its files are relative to.
struct UnitLines {
    table: DebugLineOffset,
    directory: Option<String>,
}

/// The code sections of one object that have no lines, by name; none for a name that two sections have.
type Unlined<'a> = BTreeMap<&'a str, Option<CodeSectionId>>;

/// Adds to `program`, which was made of `objects`. The code sections that got lines.
pub(in crate::parse) fn add(objects: &[Object<'_>], program: &mut Program) -> Vec<CodeSectionId> {
    let mut unlined: BTreeMap<FileId, Unlined<'_>> = BTreeMap::new();
    for (id, code) in program.code.iter() {
        let of_object = unlined.entry(code.file).or_default();
        let of_name = of_object.entry(&code.name).and_modify(|section| *section = None);
        of_name.or_insert((code.lines.is_empty() && !code.bytes.is_empty()).then_some(id));
    }
    let mut found: BTreeMap<CodeSectionId, Vec<Line>> = BTreeMap::new();
    for (file, sections) in unlined.iter().filter(|(_, sections)| sections.values().any(Option::is_some)) {
        let Some(object) = objects.get(file.index()) else { continue };
        let Some(dwarf) = Sections::new(object) else { continue };
        dwarf.lines(|address, line| {
            let section =
                (address >> PLACE_BITS).checked_sub(1).and_then(|index| object.sections.get(index as usize));
            if let Some(&Some(id)) = section.and_then(|section| sections.get(section.name)) {
                found.entry(id).or_default().push(line);
            }
        });
    }
    for (&id, lines) in &mut found {
        // Of several at one address, which stay in their order, the last one counts.
        lines.sort_by_key(|line| line.offset);
        program.code[id].lines = std::mem::take(lines);
    }
    found.into_keys().collect()
}

impl Sections<'_> {
    /// Calls `each` with the address of each row that has a line: one more than the index of its section, above [`PLACE_BITS`]
    /// bits of a place in it.
    fn lines(&self, mut each: impl FnMut(u64, Line)) {
        let none = BTreeSet::new();
        let (mut reader, mut units) = self.reader(&none);
        let [.., lines] = &self.data;
        let (tables, mut lines_left) = (DebugLine::new(lines, self.endian), lines.len());
        let (mut names_left, mut known) = (MOST_NAMES, BTreeSet::new());
        let text = Arc::from("");
        while let Ok(Some(unit)) = units.next() {
            let Some(UnitLines { table, directory }) = reader.unit_lines(&unit) else { continue };
            if !known.insert(table.0) {
                continue;
            }
            let Ok(table) = tables.program(table, unit.address_size(), None, None) else { continue };
            // Damaged tables may lie in one another.
            let Some(rest) = lines_left.checked_sub(table.header().unit_length()) else { return };
            lines_left = rest;
            let mut files: HashMap<u64, Option<Arc<str>>> = HashMap::new();
            let mut rows = table.rows();
            while let Ok(Some((header, row))) = rows.next_row() {
                let Some(line) = row.line().filter(|_| !row.end_sequence()) else { continue };
                let index = row.file_index();
                let file = files.entry(index).or_insert_with(|| {
                    let name = reader.file_name(&unit, header, index, directory.as_deref())?;
                    names_left = names_left.checked_sub(name.len())?;
                    Some(Arc::from(names::owned(&name)))
                });
                let (Some(file), Ok(line)) = (file, u32::try_from(line.get())) else { continue };
                let column = match row.column() {
                    ColumnType::LeftEdge => 0,
                    ColumnType::Column(column) => u32::try_from(column.get()).unwrap_or(0),
                };
                let offset = row.address() & ((1 << PLACE_BITS) - 1);
                each(row.address(), Line { offset, file: Arc::clone(file), text: Arc::clone(&text), line, column });
            }
        }
    }
}

impl<'a> Reader<'a, '_> {
    /// Where a unit's line table is; none where it has none, or is damaged.
    fn unit_lines(&mut self, header: &Header<'a>) -> Option<UnitLines> {
        let (attributes, base) = self.unit_attributes(header)?;
        let value = |name| attributes.iter().find(|attribute| attribute.name() == name).map(|found| found.value());
        let AttributeValue::DebugLineRef(table) = value(gimli::DW_AT_stmt_list)? else { return None };
        let directory = value(gimli::DW_AT_comp_dir).and_then(|value| self.texts.of(header, base, &value));
        Some(UnitLines { table, directory })
    }

    /// The name of a file of a line table, as `.BTF.ext` would have it.
    fn file_name(
        &self,
        unit: &Header<'a>,
        header: &LineProgramHeader<Slice<'a>>,
        index: u64,
        of_unit: Option<&str>,
    ) -> Option<String> {
        let text = |value: AttributeValue<Slice<'a>>| self.texts.of(unit, 0, &value);
        let file = header.file(index)?;
        let name = text(file.path_name())?;
        if name.starts_with('/') {
            return Some(name);
        }
        let directory = match file.directory_index() {
            // In DWARF 5 it is in the table, too.
            0 => of_unit.map(str::to_owned).or_else(|| file.directory(header).and_then(text)),
            _ => match file.directory(header).and_then(text) {
                Some(directory) if !directory.starts_with('/') => Some(behind(of_unit, &directory)),
                directory => directory,
            },
        };
        Some(behind(directory.as_deref(), &name))
    }
}

/// A path behind a directory.
fn behind(directory: Option<&str>, path: &str) -> String {
    match directory {
        Some(directory) if !directory.is_empty() => format!("{directory}/{path}"),
        _ => path.to_owned(),
    }
}
