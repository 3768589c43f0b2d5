//! Variables of the kernel's configuration: `extern ... __attribute__((section(".kconfig")))`, as libbpf has them.
//!
//! In: objects, and a configuration ([`Kconfig`]; where none is given, an empty one, which has what no configuration says). Out: variables that it has a value for, and that no object
//! defines, are read-only data; those that are weak and have none are zeros of their size: made COMMON symbols, so that one
//! block of zeros is made for each name. Others stay undefined, to be defined by the user.
//!
//! clang puts the variables into the `DATASEC` `.kconfig` of the object's BTF, and nothing of them into the ELF file but
//! undefined symbols.

mod config;
mod value;

use std::collections::{BTreeMap, HashMap};

pub use config::Kconfig;

use super::error::ParseError;
use crate::btf::Btf;
use crate::elf::{Object, SymbolHome};
use crate::program::names;
use crate::program::{
    Binding, Contents, DataKind, DataSection, DataSectionId, FileId, ImportId, Program, Relocation, Target,
};

/// The section's name.
pub(super) const KCONFIG: &str = ".kconfig";

/// The largest alignment that a variable has.
const ALIGN: u64 = 16;

/// The largest text.
const LARGEST: u64 = 1 << 16;

/// The values of variables, by name.
pub(super) type Values = BTreeMap<String, Vec<u8>>;

/// Finds the values that a configuration has for the objects' variables, and makes weak ones zeros that have none.
///
/// # Errors
///
/// [`ParseError::Kconfig`] for a value that does not fit its variable.
pub(super) fn values(objects: &mut [Object<'_>], config: Option<&Kconfig>) -> Result<Values, ParseError> {
    let mut values = Values::new();
    for object in objects {
        of_object(object, config, &mut values)?;
    }
    Ok(values)
}

fn of_object(object: &mut Object<'_>, config: Option<&Kconfig>, values: &mut Values) -> Result<(), ParseError> {
    let is_asked = |name: &str, binding, home| {
        let may_have_value = config.is_some_and(|config| !config.is_empty() || name.starts_with(config::VIRTUAL));
        let is_undefined = home == SymbolHome::Undefined;
        is_undefined && (binding == Binding::Weak || may_have_value && binding == Binding::Global)
    };
    if !object.symbols.iter().any(|symbol| is_asked(symbol.name, symbol.binding, symbol.home)) {
        return Ok(());
    }
    let types = object.sections.iter().find(|section| section.name == ".BTF").map(|section| section.data);
    // Damaged types are an error elsewhere.
    let Some(btf) = types.and_then(|types| Btf::parse(types).ok()) else { return Ok(()) };
    let (file, endianness) = (object.name.clone(), object.endianness());
    for symbol in object.symbols.iter_mut().filter(|symbol| is_asked(symbol.name, symbol.binding, symbol.home)) {
        let Some(variable) = btf.variable(symbol.name) else { continue };
        if btf.section_of(variable.id) != Some(KCONFIG) {
            continue;
        }
        let Ok(Some(size)) = btf.size_of(variable.ty) else { continue };
        let error = |what| ParseError::Kconfig { file: file.clone(), name: names::owned(symbol.name), what };
        match config.and_then(|config| config.get(symbol.name)) {
            Some(_) if size > LARGEST => return Err(error(format!("has {size} bytes"))),
            Some(value) => {
                let bytes = value::bytes(&btf, variable.ty, &value, endianness).map_err(error)?;
                match values.get(symbol.name) {
                    Some(known) if *known != bytes => {
                        return Err(error("has another type in another object".to_owned()));
                    }
                    _ => values.insert(symbol.name.to_owned(), bytes),
                };
            }
            None if symbol.binding == Binding::Weak => {
                (symbol.home, symbol.value, symbol.size) = (SymbolHome::Common, ALIGN, size);
            }
            None => {}
        }
    }
    Ok(())
}

/// Defines the variables that have values, where no object does.
pub(super) fn define(values: &Values, program: &mut Program) {
    if values.is_empty() {
        return;
    }
    let mut defined: HashMap<ImportId, DataSectionId> = HashMap::new();
    let imports: Vec<(ImportId, &Vec<u8>, FileId)> = program
        .imports
        .iter()
        .filter_map(|(id, import)| Some((id, values.get(&*names::raw(&import.name))?, *import.files.first()?)))
        .collect();
    for (import, bytes, file) in imports {
        let section = program.data.push(DataSection {
            file,
            name: KCONFIG.to_owned(),
            group: None,
            retained: false,
            kind: DataKind::ReadOnly,
            align: ALIGN,
            contents: Contents::Bytes(bytes.clone()),
            relocations: Vec::new(),
        });
        defined.insert(import, section);
    }
    let refer = |relocation: &mut Relocation| {
        if let Target::Import { import, addend } = relocation.target
            && let Some(&section) = defined.get(&import)
        {
            relocation.target = Target::Data { section, offset: addend };
        }
    };
    for id in program.code.ids() {
        program.code[id].relocations.iter_mut().for_each(refer);
    }
    for id in program.data.ids() {
        program.data[id].relocations.iter_mut().for_each(refer);
    }
}
