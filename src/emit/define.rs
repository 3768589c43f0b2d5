//! Definitions in a Cranelift module: compiled functions, then data, in the order of the program.
//!
//! In: a program, its declarations, its compiled functions. Out: the module holds them all.
//!
//! | pointer in data | written as |
//! |---|---|
//! | to a function, to data, to an import | a relocation of 8 bytes |
//! | to a label, an absolute symbol | the number |
//!
//! Entries of jump tables are labels. What the kernel half shares with the user half begins on a page, and is alone on its pages.

use cranelift_module::{DataDescription, Init, Module, ModuleRelocTarget};
use target_lexicon::{Architecture, BinaryFormat, Triple};

use super::{EmitError, adapters, profile};
use crate::codegen::CompiledFunction;
use crate::config::Placement;
use crate::decode::SLOT;
use crate::graph::jump_table_entries;
use crate::lift::{AddressTable, DATA, Declarations, FUNCTIONS, Imported, Outside};
use crate::program::{Contents, DataKind, DataSection, Endianness, Program, Target, names};

/// Defines everything: functions first, then read-only data, then writable data.
///
/// # Errors
///
/// [`EmitError::Define`] when the module refuses one.
pub fn define(
    program: &Program,
    declarations: &Declarations,
    functions: &[CompiledFunction],
    module: &mut dyn Module,
    placement: Placement,
) -> Result<(), EmitError> {
    for compiled in functions {
        let defined =
            module.define_function_bytes(compiled.id, compiled.align, &compiled.code, &compiled.relocations);
        defined.map_err(|error| EmitError::Define {
            name: compiled.function.map_or_else(String::new, |id| program.functions[id].name.clone()),
            reason: error.to_string(),
        })?;
    }
    if let Some(table) = &declarations.addresses {
        module.define_data(table.data.id, &describe_addresses(table)).map_err(|error| EmitError::Define {
            name: "the table of addresses".to_owned(),
            reason: error.to_string(),
        })?;
    }
    adapters::define(declarations, module).map_err(|error| EmitError::Define {
        name: "the tables of adapters".to_owned(),
        reason: error.to_string(),
    })?;
    let format = module.isa().triple().binary_format;
    for writable in [false, true] {
        for (id, data) in program.data.iter() {
            let Some(declared) = declarations.data[id] else { continue };
            if crate::declare::is_writable(data.kind) != writable {
                continue;
            }
            let is_shared =
                writable && program.halves.as_ref().is_some_and(|halves| halves.shared.binary_search(&id).is_ok());
            let page = is_shared.then(|| page_size(module.isa().triple(), placement));
            let mut description = describe(program, declarations, data, placement, page);
            if placement == Placement::Object
                && let Some(section) = native_section(program, data, format)
            {
                description.set_custom_section(&section);
                description.set_used(data.retained && format == BinaryFormat::Elf);
                if let Contents::Zeros(size) = data.contents {
                    // Sections with these names have bytes.
                    description.init = Init::Bytes { contents: vec![0; size as usize].into_boxed_slice() };
                }
            }
            module
                .define_data(declared.id, &description)
                .map_err(|error| EmitError::Define { name: data.name.clone(), reason: error.to_string() })?;
        }
    }
    Ok(())
}

/// The largest pages that a target has in common use: memory that begins on one, and is alone on it, can be mapped.
fn page_size(triple: &Triple, placement: Placement) -> u64 {
    match (placement, triple.architecture) {
        // This process has its pages, and they are aligned so.
        (Placement::Memory, _) => 4096,
        (Placement::Object, Architecture::Aarch64(_)) => 64 << 10,
        (Placement::Object, _) => 4096,
    }
}

/// The most zero bytes that are written because a section's name demands bytes.
const MOST_ZEROS: u64 = 1 << 20;

/// The section for data: the one that the system's linker or loader knows for constructors and destructors, or the one
/// that the program chose.
fn native_section(program: &Program, data: &DataSection, format: BinaryFormat) -> Option<String> {
    let (elf, macho, coff, priority) = match data.kind {
        DataKind::Constructors(priority) => {
            (".init_array", "__DATA,__mod_init_func,mod_init_funcs", ".CRT$XCU", priority)
        }
        DataKind::Destructors(priority) => {
            (".fini_array", "__DATA,__mod_term_func,mod_term_funcs", ".CRT$XTU", priority)
        }
        DataKind::JumpTable(_) => return None,
        DataKind::Data | DataKind::ReadOnly | DataKind::Settable => {
            let in_group = data.group.is_some_and(|group| program.groups[group].is_comdat);
            let is_small = !matches!(data.contents, Contents::Zeros(size) if size > MOST_ZEROS);
            let is_own = format == BinaryFormat::Elf && is_small && (in_group || data.keeps_name());
            let name = names::raw(&data.name);
            return is_own.then(|| match name.strip_prefix(".bss") {
                Some(rest) => format!(".data{rest}"),
                None => name.into_owned(),
            });
        }
    };
    Some(match (format, priority) {
        (BinaryFormat::Macho, _) => macho.to_owned(),
        (BinaryFormat::Coff, _) => coff.to_owned(),
        (_, Some(priority)) => format!("{elf}.{priority:05}"),
        (_, None) => elf.to_owned(),
    })
}

fn describe_addresses(table: &AddressTable) -> DataDescription {
    let mut description = DataDescription::new();
    description.set_align(AddressTable::SLOT as u64);
    let mut size = 0;
    for (symbol, offset) in table.slots() {
        let symbol = match symbol {
            Outside::Function(id) => ModuleRelocTarget::user(FUNCTIONS, id.as_u32()),
            Outside::Data(id) => ModuleRelocTarget::user(DATA, id.as_u32()),
        };
        let global = description.import_global_value(symbol);
        description.write_data_addr(offset as u32, global, 0);
        size = size.max(offset + AddressTable::SLOT);
    }
    description.define(vec![0; size].into_boxed_slice());
    description
}

fn describe(
    program: &Program,
    declarations: &Declarations,
    data: &DataSection,
    placement: Placement,
    page: Option<u64>,
) -> DataDescription {
    let mut description = DataDescription::new();
    description.set_align(data.align.max(page.unwrap_or(1)));
    let padded = |size: u64| page.map_or(size, |page| size.next_multiple_of(page)) as usize;
    // Offsets are checked when relocations are read: they lie inside the section, which is smaller than 4 GiB.
    let mut numbers = Vec::new();
    for relocation in &data.relocations {
        if placement == Placement::Object && profile::is_distance(data, relocation) {
            continue;
        }
        let at = relocation.offset as u32;
        let (symbol, addend) = match relocation.target {
            Target::Function(function) => {
                // Constructors and destructors refer to the object's own functions.
                let runs = matches!(data.kind, DataKind::Constructors(_) | DataKind::Destructors(_));
                let callee = if runs { declarations.function(function) } else { declarations.address_of(function) };
                let id = callee.id;
                (ModuleRelocTarget::user(FUNCTIONS, id.as_u32()), 0)
            }
            Target::Data { section, offset } => {
                (ModuleRelocTarget::user(DATA, declarations.section(section).id.as_u32()), offset)
            }
            Target::Symbol { symbol, addend } => match declarations.symbols.get(&symbol) {
                Some(reference) => (ModuleRelocTarget::user(DATA, reference.id.as_u32()), addend),
                None => {
                    let symbol = &program.symbols[symbol];
                    let id = declarations.section(symbol.section).id;
                    let offset = (symbol.offset as i64).wrapping_add(addend);
                    (ModuleRelocTarget::user(DATA, id.as_u32()), offset)
                }
            },
            Target::Import { import, addend } => match &declarations.imports[import] {
                Imported::Function(callee) => (ModuleRelocTarget::user(FUNCTIONS, callee.id.as_u32()), addend),
                Imported::Data(reference) => (ModuleRelocTarget::user(DATA, reference.id.as_u32()), addend),
                Imported::Inline(_) | Imported::Unused => unreachable!("an import whose address is taken"),
            },
            Target::Label { section, offset } => {
                numbers.push((at, declarations.labels.value(section, offset)));
                continue;
            }
            Target::Absolute(value) => {
                numbers.push((at, value));
                continue;
            }
        };
        let global = description.import_global_value(symbol);
        description.write_data_addr(at, global, addend);
    }
    if let DataKind::JumpTable(section) = data.kind {
        let value = |label| declarations.labels.value(section, label);
        numbers.extend((0..).step_by(SLOT).zip(jump_table_entries(program, data).map(value)));
    }
    match &data.contents {
        Contents::Bytes(bytes) => {
            let mut bytes = bytes.clone();
            for (at, number) in numbers {
                let number = match program.endianness {
                    Endianness::Little => number.to_le_bytes(),
                    Endianness::Big => number.to_be_bytes(),
                };
                bytes[at as usize..][..number.len()].copy_from_slice(&number);
            }
            bytes.resize(padded(bytes.len() as u64), 0);
            description.define(bytes.into_boxed_slice());
        }
        // Sections without bytes have no relocations. The size fits: the parse phase bounds it.
        Contents::Zeros(size) => description.define_zeroinit(padded(*size)),
    }
    description
}
