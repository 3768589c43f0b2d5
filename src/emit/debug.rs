//! LinedFunction lines for debuggers: DWARF 5, from the line information that compilers put in `.BTF.ext`.
//!
//! In: a program's lines, and the machine code of its instructions. Out: sections of an ELF object, or of the image that a
//! debugger gets of a program in memory.
//!
//! | DWARF | from |
//! |---|---|
//! | a unit | a BPF object with lines; named after the file of its first line |
//! | a subprogram | a function: name, address, first line |
//! | a sequence of `.debug_line` | a function: a row where the line changes |
//!
//! Files are as the compiler recorded them, so `-fdebug-compilation-dir=.` makes the result the same anywhere.
//! There are no types and no variables: BPF registers have no fixed places in machine code.

use std::collections::HashMap;

use cranelift_codegen::isa::TargetIsa;
use gimli::write::{
    Address, AttributeValue, Dwarf, EndianVec, FileId, LineProgram, LineString, Range, RangeList, RelocationTarget,
    Sections, Unit, UnitId,
};
use gimli::{Encoding, Format, LineEncoding, SectionId};
use object::write::Relocation as ObjectRelocation;
use object::{BinaryFormat, RelocationEncoding, RelocationFlags, RelocationKind, SectionKind};

use super::EmitError;
use super::relocate::{Writer, endianness, fixed_place};
use crate::codegen::CompiledFunction;
use crate::program::{self, Binding, Function, Line, Program};
use crate::warning::{Warning, WarningKind};

/// The folder that relative file names start from: the debugger's.
const COMPILATION_DIRECTORY: &str = ".";

/// The name of a file whose name the compiler did not record.
const NO_NAME: &str = "<unknown>";

const ENCODING: Encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 5 };

/// A position in the source, for a row of the line table.
type Position = (FileId, u64, u64);

/// A function that has lines.
#[derive(Clone, Copy)]
struct LinedFunction<'a> {
    program: &'a Program,
    function: &'a Function,
    compiled: &'a CompiledFunction,
    address: Address,
    /// The line of its first instruction.
    first: &'a Line,
}

impl<'a> LinedFunction<'a> {
    fn new(program: &'a Program, address: Address, compiled: &'a CompiledFunction) -> Option<LinedFunction<'a>> {
        let function = &program.functions[compiled.function?];
        let first = line_in(program, function, function.start)?;
        Some(LinedFunction { program, function, compiled, address, first })
    }

    fn length(&self) -> u64 {
        self.compiled.code.len() as u64
    }
}

/// The line of an instruction, if it is of this function: a function without lines does not get its neighbour's.
fn line_in<'p>(program: &'p Program, function: &Function, offset: u64) -> Option<&'p Line> {
    program.line(function.section, offset).filter(|line| line.offset >= function.start)
}

/// A unit being built.
struct UnitBuilder {
    id: UnitId,
    files: HashMap<String, FileId>,
    ranges: Vec<Range>,
}

/// The DWARF of the functions that have lines; `address` gives each function's. None if no function has any.
fn dwarf<'a>(program: &Program, functions: impl Iterator<Item = (Address, &'a CompiledFunction)>) -> Option<Dwarf> {
    let mut dwarf = Dwarf::new();
    let mut units: HashMap<program::FileId, UnitBuilder> = HashMap::new();
    let mut order = Vec::new();
    for source in functions.filter_map(|(address, compiled)| LinedFunction::new(program, address, compiled)) {
        let object = program.code[source.function.section].file;
        let unit = units.entry(object).or_insert_with(|| {
            order.push(object);
            unit(&mut dwarf, source.first)
        });
        unit.function(&mut dwarf, source);
    }
    for object in &order {
        let unit = units.remove(object).expect("every object in the order has a unit");
        let id = unit.id;
        let unit_ranges = unit.ranges;
        let unit = dwarf.units.get_mut(id);
        let ranges = unit.ranges.add(RangeList(unit_ranges));
        let root = unit.root();
        unit.get_mut(root).set(gimli::DW_AT_ranges, AttributeValue::RangeListRef(ranges));
    }
    (!order.is_empty()).then_some(dwarf)
}

/// A file's name as DWARF can hold it; debuggers put the unit's folder before a relative one themselves.
fn file_name(line: &Line) -> &str {
    let name = line.file.strip_prefix("./").unwrap_or(&line.file);
    if name.is_empty() || name.contains('\0') { NO_NAME } else { name }
}

/// Starts the unit of an object.
fn unit(dwarf: &mut Dwarf, first: &Line) -> UnitBuilder {
    let name = file_name(first);
    let directory = LineString::new(COMPILATION_DIRECTORY, ENCODING, &mut dwarf.line_strings);
    let main = LineString::new(name, ENCODING, &mut dwarf.line_strings);
    let mut lines = LineProgram::new(ENCODING, LineEncoding::default(), directory, None, main.clone(), None);
    let main = lines.add_file(main, lines.default_directory(), None);
    let id = dwarf.units.add(Unit::new(ENCODING, lines));
    let strings = &mut dwarf.strings;
    let unit = dwarf.units.get_mut(id);
    let root = unit.root();
    let root = unit.get_mut(root);
    root.set(gimli::DW_AT_producer, AttributeValue::StringRef(strings.add("bpf2native")));
    root.set(gimli::DW_AT_language, AttributeValue::Language(gimli::DW_LANG_C11));
    root.set(gimli::DW_AT_name, AttributeValue::StringRef(strings.add(name)));
    root.set(gimli::DW_AT_comp_dir, AttributeValue::StringRef(strings.add(COMPILATION_DIRECTORY)));
    root.set(gimli::DW_AT_stmt_list, AttributeValue::LineProgramRef);
    // The base of the ranges.
    root.set(gimli::DW_AT_low_pc, AttributeValue::Address(Address::Constant(0)));
    UnitBuilder { id, files: HashMap::from([(name.to_owned(), main)]), ranges: Vec::new() }
}

impl UnitBuilder {
    /// Adds a function.
    fn function(&mut self, dwarf: &mut Dwarf, source: LinedFunction<'_>) {
        self.ranges.push(Range::StartLength { begin: source.address, length: source.length() });
        let (file, line, _) = self.position(dwarf, source.first);
        let name = dwarf.strings.add(source.function.name.as_str());
        let unit = dwarf.units.get_mut(self.id);
        let root = unit.root();
        let entry = unit.add(root, gimli::DW_TAG_subprogram);
        let entry = unit.get_mut(entry);
        entry.set(gimli::DW_AT_name, AttributeValue::StringRef(name));
        entry.set(gimli::DW_AT_decl_file, AttributeValue::FileIndex(Some(file)));
        entry.set(gimli::DW_AT_decl_line, AttributeValue::Udata(line));
        entry.set(gimli::DW_AT_low_pc, AttributeValue::Address(source.address));
        entry.set(gimli::DW_AT_high_pc, AttributeValue::Udata(source.length()));
        if source.function.binding != Binding::Local {
            entry.set(gimli::DW_AT_external, AttributeValue::FlagPresent);
        }
        self.lines(dwarf, source);
    }

    /// Adds a function's rows. The machine's prologue has the function's first line; what follows it starts a row of
    /// its own, even on the same line, so that a debugger can tell where the frame is set up.
    fn lines(&mut self, dwarf: &mut Dwarf, source: LinedFunction<'_>) {
        dwarf.units.get_mut(self.id).line_program.begin_sequence(Some(source.address));
        let mut last = self.position(dwarf, source.first);
        self.row(dwarf, 0, last, false);
        let mut is_prologue = true;
        for range in &source.compiled.locations {
            let start = u64::from(range.start);
            let position = match line_in(source.program, source.function, range.offset) {
                Some(line) => self.position(dwarf, line),
                None => (last.0, 0, 0),
            };
            if position != last || (is_prologue && start > 0) {
                self.row(dwarf, start, position, is_prologue);
            }
            is_prologue = false;
            last = position;
        }
        dwarf.units.get_mut(self.id).line_program.end_sequence(source.length());
    }

    fn row(&self, dwarf: &mut Dwarf, offset: u64, (file, line, column): Position, ends_prologue: bool) {
        let lines = &mut dwarf.units.get_mut(self.id).line_program;
        let row = lines.row();
        row.address_offset = offset;
        row.file = file;
        row.line = line;
        row.column = column;
        row.prologue_end = ends_prologue;
        lines.generate_row();
    }

    /// A line as the line table numbers it.
    fn position(&mut self, dwarf: &mut Dwarf, line: &Line) -> Position {
        let name = file_name(line);
        let file = match self.files.get(name) {
            Some(&file) => file,
            None => {
                let string = LineString::new(name, ENCODING, &mut dwarf.line_strings);
                let lines = &mut dwarf.units.get_mut(self.id).line_program;
                let file = lines.add_file(string, lines.default_directory(), None);
                self.files.insert(name.to_owned(), file);
                file
            }
        };
        (file, u64::from(line.line), u64::from(line.column))
    }
}

/// The warning for a program without lines, where they are wanted.
pub(crate) fn missing_lines(program: &Program) -> Option<Warning> {
    let has_none = program.code.iter().all(|(_, code)| code.lines.is_empty() || program.is_of_runtime(code.file));
    let text = "there are no source lines to keep: compile the objects with -g";
    has_none.then(|| Warning::new(WarningKind::Lines, text))
}

/// The names and bytes of the sections, for functions at these addresses; none if no function has lines.
pub(crate) fn in_memory<'a>(
    program: &Program,
    isa: &dyn TargetIsa,
    functions: impl Iterator<Item = (u64, &'a CompiledFunction)>,
) -> Result<Vec<(&'static str, Vec<u8>)>, EmitError> {
    let functions = functions.map(|(address, compiled)| (Address::Constant(address), compiled));
    let Some(mut dwarf) = dwarf(program, functions) else { return Ok(Vec::new()) };
    let mut sections = Sections::new(EndianVec::new(endianness(isa)));
    dwarf.write(&mut sections).map_err(|error| EmitError::Write(error.to_string()))?;
    let mut named = Vec::new();
    for_each(&sections, |id, section: &EndianVec<_>| {
        if !section.slice().is_empty() {
            named.push((id.name(), section.slice().to_vec()));
        }
    });
    Ok(named)
}

/// Adds the sections to an ELF object.
///
/// # Errors
///
/// [`EmitError::Debug`] for an object of another format.
pub(super) fn write(
    program: &Program,
    functions: &[CompiledFunction],
    isa: &dyn TargetIsa,
    product: &mut cranelift_object::ObjectProduct,
) -> Result<(), EmitError> {
    if product.object.format() != BinaryFormat::Elf {
        return Err(EmitError::Debug { target: isa.triple().to_string() });
    }
    let symbols: Vec<_> = functions.iter().map(|function| product.function_symbol(function.id)).collect();
    let addressed = functions
        .iter()
        .enumerate()
        .map(|(index, function)| (Address::Symbol { symbol: index, addend: 0 }, function));
    let Some(mut dwarf) = dwarf(program, addressed) else { return Ok(()) };
    let mut sections = Sections::new(Writer::new(endianness(isa)));
    dwarf.write(&mut sections).map_err(|error| EmitError::Write(error.to_string()))?;

    let mut added = HashMap::new();
    for_each(&sections, |id, section: &Writer| {
        if !section.bytes.slice().is_empty() {
            let native = product.object.add_section(Vec::new(), id.name().into(), SectionKind::Debug);
            product.object.append_section_data(native, section.bytes.slice(), 1);
            added.insert(id, native);
        }
    });
    let mut relocations = Vec::new();
    for_each(&sections, |id, section: &Writer| {
        relocations.extend(section.relocations.iter().map(|relocation| (id, *relocation)));
    });
    for (id, relocation) in relocations {
        let symbol = match relocation.target {
            RelocationTarget::Symbol(index) => symbols[index],
            RelocationTarget::Section(target) => product.object.section_symbol(added[&target]),
        };
        let (symbol, addend) = fixed_place(&mut product.object, symbol, relocation.addend);
        let flags = RelocationFlags::Generic {
            kind: RelocationKind::Absolute,
            encoding: RelocationEncoding::Generic,
            size: relocation.size * 8,
        };
        let relocation = ObjectRelocation { offset: relocation.offset as u64, symbol, addend, flags };
        product
            .object
            .add_relocation(added[&id], relocation)
            .map_err(|error| EmitError::Write(error.to_string()))?;
    }
    Ok(())
}

/// Calls `tell` for each section.
fn for_each<'s, W: gimli::write::Writer>(sections: &'s Sections<W>, mut tell: impl FnMut(SectionId, &'s W)) {
    let done: Result<(), std::convert::Infallible> = sections.for_each(|id, section| {
        tell(id, section);
        Ok(())
    });
    match done {
        Ok(()) => {}
        Err(never) => match never {},
    }
}
