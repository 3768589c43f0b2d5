//! Object files: ELF, Mach-O and COFF.
//!
//! In: a program and a configuration. Out: the bytes of a relocatable, position-independent object.
//!
//! Every function and data section has a local symbol, which the object's own references use: so references
//! go through a table of addresses only where they must, and a shared library needs no text relocations. The names that
//! other objects may use are additional symbols at the same places:
//!
//! | in the BPF object | native symbol |
//! |---|---|
//! | local function | local |
//! | global function or data | local, and global of default or hidden visibility |
//! | weak function or data | weak only: references go through it |
//! | function or data of a name of [`Program::local_names`] | local |
//!
//! In a shared library references go through global names of data too, and through those of functions where addresses are
//! taken.

use std::collections::HashMap;

use cranelift_object::ObjectProduct;
use object::write::{Symbol, SymbolId, SymbolSection};
use object::{SymbolFlags, SymbolKind, SymbolScope};

use super::translation::{Purpose, Translation, translate};
use super::{EmitError, debug, define, groups, profile, unwind};
use crate::cache::Cache;
use crate::codegen::{CompiledFunction, Keep};
use crate::config::{Config, Placement};
use crate::coverage::{self, Wanted};
use crate::lift::{Declarations, Imported};
use crate::program::names;
use crate::program::{Binding, Program, Visibility};
use crate::select::entry::EntryPoints;
use crate::times::{Phase, time};
use crate::warning::Warning;

/// A native object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Object {
    /// The file.
    pub bytes: Vec<u8>,
    /// What is odd about the program; what was odd when it was read is in [`Program::warnings`].
    pub warnings: Vec<Warning>,
}

/// Translates a program into an object; `name` is the file name that its symbol table gives.
///
/// # Errors
///
/// [`EmitError`] when a function cannot be translated.
pub fn object(program: &Program, config: &Config, purpose: Purpose, name: &str) -> Result<Object, EmitError> {
    translated(program, config, purpose, name, None)
}

/// As [`object()`], with functions from a cache where it has the program, and put there where it has not.
///
/// # Errors
///
/// As [`object()`].
#[cfg(feature = "cache")]
pub fn object_with_cache(
    program: &Program,
    config: &Config,
    purpose: Purpose,
    name: &str,
    cache: &Cache,
) -> Result<Object, EmitError> {
    translated(program, config, purpose, name, Some(cache))
}

fn translated(
    program: &Program,
    config: &Config,
    purpose: Purpose,
    name: &str,
    cache: Option<&Cache>,
) -> Result<Object, EmitError> {
    let [path, profile] =
        [&config.coverage_file, &config.profile_file].map(|path| path.as_os_str().as_encoded_bytes());
    let wanted = Wanted { coverage: config.coverage, profile: config.profile_generate };
    // A program that has counters already is somebody else's to read (`coverage/counted.rs`).
    let is_counted = program.counters.is_some();
    let counted = wanted.any() && !is_counted;
    let counted = counted.then(|| coverage::instrument_object(program, wanted, path, profile));
    let program = counted.as_ref().unwrap_or(program);
    let translation = translate(program, config, purpose, name, Keep::Code, cache)?;
    time(config.times.as_ref(), Phase::Emit, || write(program, config, translation))
}

/// Writes what was translated.
fn write(program: &Program, config: &Config, translation: Translation) -> Result<Object, EmitError> {
    let Translation { generators, declarations, functions, mut module, entry, mut warnings, .. } = translation;
    define(program, &declarations, &functions, &mut module, Placement::Object)?;
    let mut product = module.finish();
    if let object::FileFlags::MachO { flags } = &mut product.object.flags {
        // Data sections hold several symbols and must stay in one piece.
        *flags &= !object::macho::MH_SUBSECTIONS_VIA_SYMBOLS;
    }
    add_symbols(program, &declarations, &functions, &entry, &mut product);
    profile::write(program, &declarations, &mut product)?;
    groups::write(program, &declarations, &functions, &mut product);
    unwind::write(&functions, &*generators.main, &mut product)?;
    if config.debug || config.coverage {
        warnings.extend(debug::missing_lines(program));
    }
    if config.debug {
        debug::write(program, &functions, &*generators.main, &mut product)?;
    }
    let bytes = product.emit().map_err(|error| EmitError::Write(error.to_string()))?;
    Ok(Object { bytes, warnings })
}

/// Names the local symbols, and adds those that other objects may use.
fn add_symbols(
    program: &Program,
    declarations: &Declarations,
    functions: &[CompiledFunction],
    entry: &EntryPoints,
    product: &mut ObjectProduct,
) {
    // Names that code refers to are symbols already.
    let mut referred: HashMap<&str, SymbolId> = HashMap::new();
    for (&id, callee) in &declarations.exported {
        referred.insert(&program.functions[id].name, product.function_symbol(callee.id));
    }
    for (id, import) in program.imports.iter().filter(|(_, import)| import.alias_of.is_some()) {
        if let Imported::Function(callee) = &declarations.imports[id] {
            referred.insert(&import.name, product.function_symbol(callee.id));
        }
    }
    for compiled in functions {
        let Some(id) = compiled.function else { continue };
        let function = &program.functions[id];
        let symbol = product.function_symbol(compiled.id);
        let own = (function.name.as_str(), function.binding, function.visibility);
        let aliases =
            function.aliases.iter().map(|(name, binding, visibility)| (name.as_str(), *binding, *visibility));
        if declarations.function(id).replaceable {
            if function.visibility == Visibility::Hidden {
                product.object.symbol_mut(symbol).scope = SymbolScope::Linkage;
            }
            aliases.for_each(|alias| export(product, &referred, symbol, alias));
        } else {
            rename(product, symbol, &function.name);
            // A script's `main` is called by the `main` that is added.
            let is_hidden_main = entry.is_script() && entry.main == Some(id);
            let own = (!is_hidden_main).then_some(own);
            let names = own.into_iter().chain(aliases).filter(|(name, ..)| !program.local_names.contains(*name));
            names.for_each(|name| export(product, &referred, symbol, name));
        }
    }
    let adapters = declarations.adapters.iter().flat_map(|adapters| adapters.names(program));
    for (id, name) in adapters.chain(declarations.preserving.names()) {
        rename(product, product.function_symbol(id), &name);
    }
    for (id, data) in program.data.iter() {
        if let Some(declared) = declarations.data[id] {
            rename(product, product.data_symbol(declared.id), &data.name);
        }
    }
    for (id, symbol) in program.symbols.iter() {
        let Some(section) = declarations.data[symbol.section] else { continue };
        let section = product.data_symbol(section.id);
        let place = product.object.symbol(section);
        let is_local = program.local_names.contains(&symbol.name);
        let scope = if is_local { SymbolScope::Compilation } else { scope(symbol.visibility) };
        let defined = Symbol {
            name: names::raw(&symbol.name).as_bytes().to_vec(),
            value: place.value + symbol.offset,
            size: symbol.size,
            kind: SymbolKind::Data,
            scope,
            weak: symbol.binding == Binding::Weak,
            section: place.section,
            flags: SymbolFlags::None,
        };
        match declarations.symbols.get(&id) {
            Some(reference) => {
                let declared = product.object.symbol_mut(product.data_objects[reference.id].expect("declared").0);
                *declared = Symbol { name: std::mem::take(&mut declared.name), ..defined };
            }
            None => {
                product.object.add_symbol(defined);
            }
        }
    }
}

/// Names a local symbol.
fn rename(product: &mut ObjectProduct, symbol: SymbolId, name: &str) {
    let prefix = product.object.mangling().global_prefix();
    let name = prefix.into_iter().chain(names::raw(name).bytes()).collect();
    product.object.symbol_mut(symbol).name = name;
}

/// Adds a symbol that other objects may use, with the address of `symbol`.
fn export(
    product: &mut ObjectProduct,
    referred: &HashMap<&str, SymbolId>,
    symbol: SymbolId,
    (name, binding, visibility): (&str, Binding, Visibility),
) {
    if binding == Binding::Local {
        return;
    }
    let place = product.object.symbol(symbol);
    debug_assert!(
        !matches!(place.section, SymbolSection::Undefined),
        "functions are defined before they are named"
    );
    let exported = Symbol {
        name: names::raw(name).as_bytes().to_vec(),
        value: place.value,
        size: place.size,
        kind: place.kind,
        scope: scope(visibility),
        weak: binding == Binding::Weak,
        section: place.section,
        flags: SymbolFlags::None,
    };
    match referred.get(name) {
        Some(&referred) => {
            let referred = product.object.symbol_mut(referred);
            *referred = Symbol { name: std::mem::take(&mut referred.name), ..exported };
        }
        None => {
            product.object.add_symbol(exported);
        }
    }
}

fn scope(visibility: Visibility) -> SymbolScope {
    match visibility {
        Visibility::Default => SymbolScope::Dynamic,
        Visibility::Hidden => SymbolScope::Linkage,
    }
}
