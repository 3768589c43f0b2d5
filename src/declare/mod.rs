//! The declarations of a program in a Cranelift module: each name once, before anything is lifted.
//!
//! Comes in: a program, what of it is selected, a module. Goes out: [`Declarations`], and the module knows all names.
//!
//! | what | declared as | reached |
//! |---|---|---|
//! | a function, a data section | anonymous; objects name it when they are finished | directly |
//! | a weak function or weak data, for an object | preemptible, by its name: a later link may replace it | by name |
//! | exported data of a shared library | the same | by name |
//! | an exported function of a shared library whose address is taken | as all functions, and imported by its name | calls: directly; its address: by name |
//! | a compiler-runtime function that is only called | not at all: it is lifted inline | |
//! | an import | imported by its name, preemptible when weak; libc's functions of `long double` by that of another (`long_double`) | by name |
//! | a helper, a kfunc by number, a function of the platform | imported by the symbol's name | by name |
//!
//! Where objects have an [`AddressTable`] (see [`has_address_table`]), calls by name are relative (the linker adds what
//! leads out of the object), and addresses of names are loaded from the table.

pub mod adapters;

use std::collections::BTreeMap;

use cranelift_codegen::ir::Signature;
use cranelift_module::{Linkage, Module, ModuleResult};
use target_lexicon::{Architecture, BinaryFormat};

use crate::abi::libc::NLDBL;
use crate::abi::libcalls;
use crate::abi::{Abi, AbiError, LARGEST_STRUCT, Platform, REGISTER_WORDS, long_double, word_count};
use crate::btf::{CType, Prototype};
use crate::config::{Placement, has_address_table};
use crate::declarations::preserving::Preserving;
use crate::graph::{Graph, LabelNumbers};
use crate::lift::{AddressTable, Callee, DataReference, Declarations, Imported, Outside};
use crate::program::StructResult;
use crate::program::names;
use crate::program::{DataKind, Function, FunctionId, IdVec, Import, ImportId, ImportKind, Program};
use crate::resolution::Resolution;
use crate::select::{Selection, Usage};
use crate::warning::{Warning, WarningKind};

/// Why a program cannot be declared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeclareError {
    /// An import has a type that cannot cross the border.
    #[error("`{name}`, which {files} refers to, cannot be called: {source}")]
    Import {
        /// The import.
        name: String,
        /// Who refers to it.
        files: String,
        /// Why.
        #[source]
        source: AbiError,
    },
    /// The module refuses a name.
    #[error("cannot declare `{name}`: {reason}")]
    Module {
        /// The name.
        name: String,
        /// The module's words.
        reason: String,
    },
}

/// Declares what is selected of `program`; `warnings` gets what is odd about it. `keeps_registers` says whether calls that are rare keep
/// all registers.
///
/// # Errors
///
/// [`DeclareError`] for a name or a type that cannot be used.
pub fn declare(
    program: &Program,
    selection: &Selection,
    module: &mut dyn Module,
    platform: Platform,
    placement: Placement,
    keeps_registers: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Declarations, DeclareError> {
    let triple = module.isa().triple();
    // Cranelift has no page-relative relocations for COFF on aarch64.
    let is_near =
        !(matches!(triple.architecture, Architecture::Aarch64(_)) && triple.binary_format == BinaryFormat::Coff);
    let has_table = has_address_table(triple, placement);
    let mut declarer =
        Declarer { program, resolution: &selection.resolution, module, platform, is_near, has_table, warnings };
    let mut functions: IdVec<FunctionId, Option<Callee>> = program.functions.ids().map(|_| None).collect();
    for graph in &selection.graphs {
        functions[graph.function] = Some(declarer.function(graph.function, graph)?);
    }
    let data = program.data.iter().map(|(id, data)| {
        let declared = selection.data[id].then(|| declarer.data(&data.name, is_writable(data.kind)));
        declared.transpose()
    });
    let data = data.collect::<Result<_, _>>()?;
    let mut symbols = BTreeMap::new();
    if placement == Placement::Object {
        for (id, symbol) in program.symbols.iter() {
            if selection.resolution.is_elsewhere(symbol) && selection.data[symbol.section] {
                symbols.insert(id, declarer.data_by_name(&symbol.name, Linkage::Preemptible)?);
            }
        }
    }
    let exported = declarer.exported(&functions)?;
    let imports =
        program.imports.iter().map(|(id, import)| declarer.import(id, import, selection.imports[id], &functions));
    let imports = imports.collect::<Result<IdVec<ImportId, Imported>, _>>()?;
    let runtime = declarer.runtime(selection, &functions, &imports)?;
    let (adapters, addresses) = (None, None);
    let preserving = match keeps_registers {
        true => Preserving::declare(called(&imports), declarer.module, is_near)
            .map_err(|error| DeclareError::Module { name: "sqrt".to_owned(), reason: error.to_string() })?,
        false => Preserving::default(),
    };
    let labels = LabelNumbers::new(program, &selection.graphs);
    let mut declarations = Declarations {
        platform,
        functions,
        data,
        symbols,
        exported,
        imports,
        adapters,
        preserving,
        runtime,
        addresses,
        labels,
    };
    let adapters = adapters::declare(program, selection, &declarations, declarer.module, is_near);
    declarations.adapters = adapters
        .map_err(|error| DeclareError::Module { name: "adapters".to_owned(), reason: error.to_string() })?;
    if has_table {
        declarations.addresses = declarer.addresses(selection, &declarations)?;
    }
    Ok(declarations)
}

/// The imports that are called.
fn called(imports: &IdVec<ImportId, Imported>) -> impl Iterator<Item = &Callee> {
    imports.as_slice().iter().filter_map(|import| match import {
        Imported::Function(callee) => Some(callee),
        Imported::Data(_) | Imported::Inline(_) | Imported::Unused => None,
    })
}

/// Whether a data section is written after it is loaded.
pub fn is_writable(kind: DataKind) -> bool {
    match kind {
        DataKind::Data | DataKind::Settable | DataKind::Constructors(_) | DataKind::Destructors(_) => true,
        DataKind::ReadOnly | DataKind::JumpTable(_) => false,
    }
}

struct Declarer<'a> {
    program: &'a Program,
    resolution: &'a Resolution,
    module: &'a mut dyn Module,
    platform: Platform,
    /// Own functions and data are reached by relative addresses.
    is_near: bool,
    /// Addresses of names are loaded from a table, and calls by name are relative.
    has_table: bool,
    warnings: &'a mut Vec<Warning>,
}

/// Adds the name to the module's error.
fn named<T>(name: &str, result: ModuleResult<T>) -> Result<T, DeclareError> {
    result.map_err(|error| DeclareError::Module { name: name.to_owned(), reason: error.to_string() })
}

impl Declarer<'_> {
    fn function(&mut self, id: FunctionId, graph: &Graph) -> Result<Callee, DeclareError> {
        let function = &self.program.functions[id];
        let abi = self.function_abi(function, graph);
        let signature = abi.signature(abi.words(0));
        if self.resolution.is_replaceable(function) {
            let id = self.module.declare_function(&names::raw(&function.name), Linkage::Preemptible, &signature);
            return Ok(Callee {
                id: named(&function.name, id)?,
                abi,
                in_registers: None,
                colocated: self.has_table,
                replaceable: true,
                c_function: None,
            });
        }
        let id = named(&function.name, self.module.declare_anonymous_function(&signature))?;
        Ok(Callee { id, abi, in_registers: None, colocated: self.is_near, replaceable: false, c_function: None })
    }

    /// The names of functions whose address is that of their name.
    fn exported(
        &mut self,
        functions: &IdVec<FunctionId, Option<Callee>>,
    ) -> Result<BTreeMap<FunctionId, Callee>, DeclareError> {
        let mut exported = BTreeMap::new();
        for (id, callee) in functions.iter() {
            let function = &self.program.functions[id];
            if let Some(callee) = callee
                && self.resolution.has_other_address(function)
            {
                let abi = callee.abi.clone();
                let signature = abi.signature(abi.words(0));
                exported.insert(id, self.callee_by_name(&function.name, abi, Linkage::Import, &signature)?);
            }
        }
        Ok(exported)
    }

    fn function_abi(&mut self, function: &Function, graph: &Graph) -> Abi {
        let on_stack = match graph.stack_parameters {
            0 => 0,
            count => REGISTER_WORDS + usize::from(count),
        };
        // What takes its place may look at all words.
        let is_replaceable = self.resolution.is_replaceable(function);
        let words = graph.live_in.parameters().max(on_stack).max(if is_replaceable { REGISTER_WORDS } else { 0 });
        let raw = match &function.prototype {
            _ if graph.has_second() => Abi::raw(self.platform, words).returning_two_words(),
            _ if !graph.has_result() => Abi::raw(self.platform, words).returning_nothing(),
            _ => Abi::raw(self.platform, words),
        };
        let raw = if is_replaceable { raw.taking_more() } else { raw };
        let name = &function.name;
        if function.is_reachable_from_native() {
            self.warn_of_long_double(name, function.prototype.as_deref());
        }
        match &function.prototype {
            // LLVM 23 declares a function that returns a struct as returning nothing, and the pointer is not counted.
            Some(prototype)
                if prototype.result == CType::Void
                    && graph.surely_read.parameters() > word_count(prototype)
                    && !graph.has_second() =>
            {
                if function.is_reachable_from_native() {
                    let what = "BTF does not say which struct it returns";
                    self.warn(format!("`{name}` is only callable from BPF code: {what}"));
                }
                raw
            }
            Some(prototype) if function.is_reachable_from_native() && !prototype.variadic => {
                let abi = match Abi::new(self.platform, prototype, graph.struct_result) {
                    Ok(abi) => abi,
                    Err(error) => {
                        self.warn(format!("`{name}` is only callable from BPF code: {error}"));
                        return raw;
                    }
                };
                // BTF says `void` of what returns structs.
                let is_open = prototype.result == CType::Void && graph.has_second();
                if is_open { abi.returning_two_words() } else { abi }
            }
            _ => raw,
        }
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(Warning::new(WarningKind::Calls, text));
    }

    fn warn_of_long_double(&mut self, name: &str, prototype: Option<&Prototype>) {
        if let Some((prototype, what)) =
            prototype.and_then(|prototype| Some((prototype, long_double::fault(prototype)?)))
        {
            self.warn(format!("`{name}` is declared as `{}`: {what}", prototype.declare(name)));
        }
    }

    fn data(&mut self, name: &str, writable: bool) -> Result<DataReference, DeclareError> {
        let id = named(name, self.module.declare_anonymous_data(writable, false))?;
        Ok(DataReference { id, colocated: self.is_near })
    }

    fn data_by_name(&mut self, name: &str, linkage: Linkage) -> Result<DataReference, DeclareError> {
        let id = named(name, self.module.declare_data(&names::raw(name), linkage, true, false))?;
        Ok(DataReference { id, colocated: false })
    }

    fn import(
        &mut self,
        id: ImportId,
        import: &Import,
        usage: Usage,
        functions: &IdVec<FunctionId, Option<Callee>>,
    ) -> Result<Imported, DeclareError> {
        if usage == Usage::default() {
            return Ok(Imported::Unused);
        }
        if let Some(function) = self.resolution.alias(import) {
            let callee = functions[function].clone().expect("what translated code refers to is selected");
            return Ok(Imported::Function(callee));
        }
        if let (false, Some(libcall)) = (usage.addressed, libcalls::named(&import.name)) {
            return Ok(Imported::Inline(libcall));
        }
        let linkage = if import.weak || import.alias_of.is_some() { Linkage::Preemptible } else { Linkage::Import };
        if import.kind == ImportKind::Data {
            return Ok(Imported::Data(self.data_by_name(&import.name, linkage)?));
        }
        let runtime = libcalls::prototype(&import.name);
        let prototype = import.prototype.as_deref().or(runtime.as_ref());
        let new = |prototype, structs| {
            Abi::new(self.platform, prototype, structs).map_err(|source| {
                let files = import.files.iter().map(|&file| self.program.files[file].as_str());
                let (name, files) = (import.name.clone(), files.collect::<Vec<_>>().join(", "));
                DeclareError::Import { name, files, source }
            })
        };
        let abi = match prototype {
            Some(prototype) => new(prototype, StructResult::Pointer)?,
            None => Abi::unknown(self.platform),
        };
        let returns_struct = |prototype: &&Prototype| matches!(&prototype.result, CType::Aggregate(aggregate) if aggregate.size <= LARGEST_STRUCT);
        let in_registers = prototype.filter(returns_struct);
        let in_registers = in_registers.map(|prototype| new(prototype, StructResult::Registers)).transpose()?;
        let signature = abi.signature(abi.words(0));
        let facts = self.resolution.facts(id);
        let name = facts.double_form.unwrap_or(&import.name);
        if facts.double_form.is_none() && !facts.is_registered && !name.starts_with(NLDBL) {
            self.warn_of_long_double(name, import.prototype.as_deref());
        }
        let callee = self.callee_by_name(name, abi, linkage, &signature)?;
        let (c_function, in_registers) = (facts.in_place(), in_registers.map(Box::new));
        Ok(Imported::Function(Callee { in_registers, c_function, ..callee }))
    }

    fn callee_by_name(
        &mut self,
        name: &str,
        abi: Abi,
        linkage: Linkage,
        signature: &Signature,
    ) -> Result<Callee, DeclareError> {
        let id = named(name, self.module.declare_function(&names::raw(name), linkage, signature))?;
        Ok(Callee { id, abi, in_registers: None, colocated: self.has_table, replaceable: true, c_function: None })
    }

    /// The table of the addresses of names that code uses.
    fn addresses(
        &mut self,
        selection: &Selection,
        declarations: &Declarations,
    ) -> Result<Option<AddressTable>, DeclareError> {
        let imports = declarations.imports.iter().filter_map(|(id, import)| match import {
            // A call of a weak one looks at its address first.
            Imported::Function(callee) if selection.imports[id].addressed || self.program.imports[id].weak => {
                Some(Outside::Function(callee.id))
            }
            Imported::Data(data) => Some(Outside::Data(data.id)),
            Imported::Function(_) | Imported::Inline(_) | Imported::Unused => None,
        });
        let functions = declarations.functions.iter().filter_map(|(id, callee)| {
            let is_preemptible = self.resolution.is_replaceable(&self.program.functions[id]);
            callee.as_ref().filter(|_| is_preemptible).map(|callee| Outside::Function(callee.id))
        });
        let exported = declarations.exported.values().map(|callee| Outside::Function(callee.id));
        let symbols = declarations.symbols.values().map(|data| Outside::Data(data.id));
        let outside: Vec<Outside> = imports.chain(functions).chain(exported).chain(symbols).collect();
        if outside.is_empty() {
            return Ok(None);
        }
        let data = self.data("the table of addresses", false)?;
        Ok(Some(AddressTable::new(data, outside)))
    }

    /// Functions that instructions call by number; the program may define or import the same name itself.
    fn runtime(
        &mut self,
        selection: &Selection,
        functions: &IdVec<FunctionId, Option<Callee>>,
        imports: &IdVec<ImportId, Imported>,
    ) -> Result<BTreeMap<String, Callee>, DeclareError> {
        let imported = imports.iter().filter_map(|(id, import)| match import {
            Imported::Function(callee) => Some((self.program.imports[id].name.as_str(), callee)),
            Imported::Data(_) | Imported::Inline(_) | Imported::Unused => None,
        });
        let imported: BTreeMap<&str, &Callee> = imported.collect();
        let mut callees = BTreeMap::new();
        for (name, &words) in &selection.runtime {
            let own = self.program.function_named(name).and_then(|id| functions[id].as_ref());
            let callee = match own.or_else(|| imported.get(name.as_str()).copied()) {
                Some(callee) => callee.clone(),
                None => {
                    let abi = Abi::raw(self.platform, words);
                    let signature = abi.signature(words);
                    self.callee_by_name(name, abi, Linkage::Import, &signature)?
                }
            };
            callees.insert(name.clone(), callee);
        }
        Ok(callees)
    }
}

#[cfg(test)]
mod tests {
    use crate::abi::helpers::LOAD_PACKET;
    use crate::decode::insn::{Insn, Size};
    use crate::lift::call::runtime_symbols;

    #[test]
    fn packet_loads_call_one_symbol() {
        let insn = Insn::LoadPacket { size: Size::H, index: None, offset: 12 };
        assert_eq!(runtime_symbols(insn), [LOAD_PACKET]);
    }
}
