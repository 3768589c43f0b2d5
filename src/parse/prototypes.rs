//! The C types of functions and of undefined symbols: what of BTF, DWARF and the table of libc's functions is believed.
//!
//! In: the objects, their types, and the program without types. Out: `prototype` of functions and imports, `kind` of
//! imports, and warnings.
//!
//! | of | type |
//! |---|---|
//! | a function | of the `FUNC` that `.BTF.ext` has for its first instruction, else of one of its name that is no `extern` |
//! | an import | of the `extern` `FUNC` of its name, or of what a call by way of `bpf2native.h` says, in the first object that says what its parameters are; else of the table |
//!
//! BTF has functions by their unmangled names and knows no type that the kernel does not, so in these cases DWARF is
//! asked, by the symbol's name:
//!
//! | in BTF | may be |
//! |---|---|
//! | several `extern` functions of one name, or one that a mangled name has in it (`mangled`) | another function |
//! | a last parameter of type `void` | `...`, or a complex number or a C++ reference |
//! | another parameter of type `void` | a complex number or a C++ reference |
//! | a result of type `void` | a struct (LLVM 23), or a complex number |
//! | an array by value | a vector: that has no prototype |
//! | an array in a struct | of vectors; of complex numbers, with elements of any type |
//!
//! - A `FUNC` makes an import a function, even if only its address is used.
//! - `int f()` without parameters says nothing of them, and gives way to a declaration that does.
//! - Where an object and the table disagree on how to call a function, the object is right, and a warning names both.
//! - bpf-gcc says `static` of every `FUNC`: there, those that nothing defines are `extern`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::btf::{ObjectTypes, Types};
use super::dwarf::{self, Described, Names};
use super::kconfig::KCONFIG;
use super::mangled;
use crate::abi::libc;
use crate::btf::{Btf, BtfError, CType, Kind, Linkage, Prototype, Prototypes, Symbol, SymbolKind, TypeId};
use crate::elf::Object;
use crate::program::{
    FileId, Function, FunctionId, Id, Import, ImportId, ImportKind, Program, PrototypeSource, kinds,
};
use crate::warning::{Warning, WarningKind};

/// The section of what the kernel is to define.
const KSYMS: &str = ".ksyms";

/// By object and name of a function, the symbol of `bpf2native.h` that calls it.
type ArrayCalls<'a> = HashMap<(usize, &'a str), &'a str>;

/// The types of one object, as prototypes.
struct Known<'a> {
    types: &'a ObjectTypes,
    prototypes: Prototypes<'a>,
    /// The `FUNC`s that [`Known::defined`] has found, by name.
    found: HashMap<String, Option<TypeId>>,
    /// The parts of its undefined symbols' mangled names, if there are any: BTF's names are not those of symbols then.
    mangled: Option<HashSet<&'a str>>,
}

impl Known<'_> {
    /// The `FUNC`s of this name that the object does not define.
    fn declared(&self, name: &str) -> Vec<TypeId> {
        let is_declared = |symbol: &Symbol<'_>| {
            let is_of_gcc = symbol.linkage == Linkage::Static && !self.types.defined.contains(&symbol.id);
            symbol.kind == SymbolKind::Function && (symbol.linkage == Linkage::Extern || is_of_gcc)
        };
        self.types.btf.symbols_named(name).filter(is_declared).map(|symbol| symbol.id).collect()
    }

    /// The `FUNC` of this name that the object may define.
    fn defined(&mut self, name: &str) -> Option<TypeId> {
        // Many local functions may have one name.
        if let Some(&found) = self.found.get(name) {
            return found;
        }
        let mut symbols = self.types.btf.symbols_named(name);
        let is_defined =
            |symbol: &Symbol<'_>| symbol.kind == SymbolKind::Function && symbol.linkage != Linkage::Extern;
        let found = symbols.find(is_defined).map(|symbol| symbol.id);
        self.found.insert(name.to_owned(), found);
        found
    }

    /// The variable of this name that the object does not define. bpf-gcc says `global` of all.
    fn variable(&self, name: &str) -> Option<TypeId> {
        let btf = &self.types.btf;
        let is_declared = |symbol: &Symbol<'_>| {
            symbol.kind == SymbolKind::Variable
                && (symbol.linkage == Linkage::Extern || btf.section_of(symbol.id).is_none())
        };
        btf.symbols_named(name).find(is_declared).map(|symbol| symbol.id)
    }

    /// Whether the kernel is to define this name.
    fn is_of_kernel(&self, name: &str) -> bool {
        let btf = &self.types.btf;
        btf.symbols_named(name).any(|symbol| btf.section_of(symbol.id) == Some(KSYMS))
    }
}

/// What is not certain of an import.
#[derive(Default)]
struct Doubt {
    /// Some object has a variable of its name.
    is_variable: bool,
    /// An object with mangled names refers to it, or none has a type for it: DWARF knows better.
    is_mangled: bool,
    /// Its type in BTF may be that of a function with a mangled name.
    is_ambiguous: bool,
    /// The first object whose BTF has no type for it that could be called, and why.
    failed: Option<(FileId, String)>,
}

/// Sets the prototypes of functions and imports, and makes imports functions.
pub(super) fn add(objects: &[Object<'_>], types: &Types, program: &mut Program) {
    let known = objects.iter().zip(&types.objects).map(|(object, types)| {
        types.as_ref().map(|types| Known {
            types,
            prototypes: Prototypes::new(&types.btf),
            found: HashMap::new(),
            mangled: mangled::names(object),
        })
    });
    let mut known: Vec<Option<Known<'_>>> = known.collect();
    let mut asked = Names::new();
    let functions = functions(types, &mut known, program, &mut asked);
    let imports = imports(&mut known, &array_calls(objects), program, &mut asked);
    let described = dwarf::read(objects, asked);
    for (id, failed) in functions {
        let function = &mut program.functions[id];
        let said = described.get(&program.code[function.section].file).and_then(|of| of.get(&function.name));
        let vector = settle_function(function, failed, said);
        if let (Some(what), true) = (vector, function.is_reachable_from_native()) {
            let text = format!("`{}` is only callable from BPF code: {what}", function.name);
            program.warnings.push(Warning::new(WarningKind::Calls, text));
        }
    }
    for (id, doubt) in imports {
        let import = &mut program.imports[id];
        let said = import.files.iter().find_map(|file| described.get(file)?.get(&import.name));
        let failed = settle_import(import, &doubt, said);
        if !doubt.is_variable {
            add_table(import, &mut program.warnings);
        }
        if let (Some((file, what)), None) = (failed, &import.prototype) {
            let text = format!(
                "{}: the type of `{}` cannot be called natively: {what}; its registers are passed as they are",
                program.files[file], import.name
            );
            program.warnings.push(Warning::new(WarningKind::Types, text));
        }
    }
}

/// The symbols of each object that call a function by way of `bpf2native.h`, by the object and that function's name.
fn array_calls<'a>(objects: &'a [Object<'_>]) -> ArrayCalls<'a> {
    let symbols = objects.iter().enumerate().flat_map(|(object, of)| {
        of.symbols.iter().filter_map(move |symbol| Some(((object, symbol.name), symbol.array_call?.1)))
    });
    symbols.collect()
}

/// Sets the prototypes of functions as BTF has them; those in doubt, with why there is none.
fn functions(
    types: &Types,
    known: &mut [Option<Known<'_>>],
    program: &mut Program,
    asked: &mut Names,
) -> Vec<(FunctionId, Option<BtfError>)> {
    let mut doubts = Vec::new();
    for id in program.functions.ids() {
        let function = &mut program.functions[id];
        let file = program.code[function.section].file;
        let Some(known) = &mut known[file.index()] else { continue };
        let by_place = types.places.get(&(function.section, function.start)).copied();
        let Some(ty) = by_place.or_else(|| known.defined(&function.name)) else { continue };
        let failed = match known.prototypes.get(ty) {
            // A context and a number in registers: what is known is what they all have.
            Ok(prototype) if kinds::is_untyped_program(&program.code[function.section].name, &prototype) => {
                continue;
            }
            Ok(prototype) => {
                let is_certain = !is_doubtful(&prototype);
                function.prototype = Some(prototype);
                if is_certain {
                    continue;
                }
                None
            }
            Err(source) => Some(source),
        };
        asked.entry(file).or_default().insert(function.name.clone());
        doubts.push((id, failed));
    }
    doubts
}

/// Sets the prototypes of imports as BTF has them, and what is not certain of each.
fn imports(
    known: &mut [Option<Known<'_>>],
    array_calls: &ArrayCalls<'_>,
    program: &mut Program,
    asked: &mut Names,
) -> Vec<(ImportId, Doubt)> {
    let mut doubts = Vec::with_capacity(program.imports.len());
    for id in program.imports.ids() {
        let import = &mut program.imports[id];
        if import.alias_of.is_some() {
            continue;
        }
        let mut doubt = Doubt::default();
        for &file in &import.files {
            let Some(known) = &mut known[file.index()] else { continue };
            let mut is_asked = known.mangled.is_some();
            let mut types = known.declared(&import.name);
            if types.is_empty() {
                let symbol = array_calls.get(&(file.index(), import.name.as_str()));
                types.extend(symbol.and_then(|symbol| called_type(&known.types.btf, symbol)));
            }
            if types.is_empty() {
                let variable = known.variable(&import.name);
                doubt.is_variable |= variable.is_some();
                let section = variable.and_then(|variable| known.types.btf.section_of(variable));
                import.kconfig |= section == Some(KCONFIG);
            } else {
                import.kind = ImportKind::Function;
            }
            import.ksym |= known.is_of_kernel(&import.name);
            let all: Result<Vec<_>, _> = types.into_iter().map(|ty| known.prototypes.get(ty)).collect();
            match all.as_deref() {
                Ok([first, others @ ..]) if others.iter().all(|other| other == first) => {
                    is_asked |= is_doubtful_import(first, &import.name);
                    if says_more(first, import.prototype.as_deref()) {
                        doubt.is_mangled = known.mangled.is_some();
                        let names = known.mangled.as_ref();
                        doubt.is_ambiguous = names.is_some_and(|names| names.contains(&*import.name));
                        import.prototype = Some(Arc::clone(first));
                        import.prototype_from = PrototypeSource::Btf;
                    }
                }
                Ok([]) => {}
                Ok(_) => {
                    is_asked = true;
                    doubt.failed.get_or_insert_with(|| (file, SEVERAL.to_owned()));
                }
                Err(_) => is_asked = true,
            }
            if let Err(source) = all {
                doubt.failed.get_or_insert_with(|| (file, source.to_string()));
            }
            if is_asked {
                asked.entry(file).or_default().insert(import.name.clone());
            }
        }
        doubt.is_mangled |= import.prototype.is_none();
        doubts.push((id, doubt));
    }
    doubts
}

/// The type of the function that a symbol of `bpf2native.h` calls: what its first parameter points to.
fn called_type(btf: &Btf, symbol: &str) -> Option<TypeId> {
    let (_, ty) = btf.resolve(btf.function(symbol)?.id).ok()?;
    let Kind::Function { prototype, .. } = ty.kind else { return None };
    let (_, ty) = btf.resolve(prototype).ok()?;
    let Kind::FunctionPrototype(prototype) = ty.kind else { return None };
    let (_, ty) = btf.resolve(btf.parameters(prototype).first()?.ty).ok()?;
    let Kind::Pointer(pointee) = ty.kind else { return None };
    Some(pointee)
}

/// Whether BTF may have left something out.
fn is_doubtful(prototype: &Prototype) -> bool {
    prototype.variadic || prototype.result == CType::Void || has_array(prototype)
}

/// The same of an import. Most that are variadic are so in libc too.
fn is_doubtful_import(prototype: &Prototype, name: &str) -> bool {
    let is_libc_s = || libc::prototype(name).is_some_and(|table| libc::is_same_call(prototype, &table));
    is_doubtful(prototype) && !(prototype.variadic && is_libc_s())
}

fn has_array(prototype: &Prototype) -> bool {
    let types = prototype.parameters.iter().map(|parameter| &parameter.ty).chain([&prototype.result]);
    types.into_iter().any(is_with_array)
}

fn is_with_array(ty: &CType) -> bool {
    matches!(ty, CType::Aggregate(aggregate) if aggregate.has_array)
}

/// Decides what a function's type is; says what vector it takes, if that leaves none.
fn settle_function(function: &mut Function, failed: Option<BtfError>, said: Option<&Described>) -> Option<String> {
    match (&function.prototype, said) {
        (Some(prototype), Some(said)) if said.has_vector && has_array(prototype) => {
            function.prototype = None;
            return Some(VECTOR_INSIDE.to_owned());
        }
        (Some(prototype), Some(said)) => function.prototype = Some(completed(prototype, said)),
        (None, Some(Described { prototype: Some(whole), .. })) => {
            function.prototype = Some(Arc::new(whole.clone()));
        }
        _ => {}
    }
    let failed = failed.filter(|source| matches!(source, BtfError::Vector { .. }) && function.prototype.is_none());
    failed.map(|source| source.to_string())
}

/// Decides what an import's type is, as far as objects say it; what is wrong with it, if that leaves none.
fn settle_import(import: &mut Import, doubt: &Doubt, said: Option<&Described>) -> Option<(FileId, String)> {
    let file = *import.files.first()?;
    let whole = said.and_then(|said| said.prototype.as_ref());
    match (&import.prototype, said) {
        (Some(_), None) if doubt.is_ambiguous => {
            import.prototype = None;
            import.prototype_from = PrototypeSource::None;
            return Some((file, SEVERAL.to_owned()));
        }
        (Some(prototype), Some(said)) if said.has_vector && has_array(prototype) => {
            import.prototype = None;
            import.prototype_from = PrototypeSource::None;
            return Some((file, VECTOR_INSIDE.to_owned()));
        }
        (Some(prototype), Some(said)) => {
            let unmangled = doubt.is_mangled.then_some(whole).flatten();
            let better = unmangled.map_or_else(|| completed(prototype, said), |whole| named_as(whole, prototype));
            import.prototype = Some(better);
        }
        (None, _) => {
            if let Some(whole) = whole {
                import.kind = ImportKind::Function;
                import.prototype = Some(Arc::new(whole.clone()));
                import.prototype_from = PrototypeSource::Dwarf;
            }
        }
        (Some(_), None) => {}
    }
    doubt.failed.clone()
}

/// What may be meant by a name of BTF.
const SEVERAL: &str =
    "BTF has several functions of this name, and there is no DWARF to tell them apart (strip nothing)";

/// What a struct with a vector in it is said to be.
const VECTOR_INSIDE: &str = "a struct has a vector in it, which native code passes in another way than BPF";

/// What BTF says, with what only DWARF has.
fn completed(prototype: &Arc<Prototype>, said: &Described) -> Arc<Prototype> {
    let mut better = Arc::clone(prototype);
    if let Some(whole) = &said.prototype {
        if prototype.variadic && !whole.variadic {
            return named_as(whole, prototype);
        }
        if has_array(prototype) && whole.parameters.len() == prototype.parameters.len() {
            let better = Arc::make_mut(&mut better);
            for (parameter, whole) in better.parameters.iter_mut().zip(&whole.parameters) {
                if is_with_array(&parameter.ty) {
                    parameter.ty = whole.ty.clone();
                }
            }
            if is_with_array(&better.result) {
                better.result = whole.result.clone();
            }
        }
    }
    // Of what else BTF leaves out, a C++ reference is one word.
    if let (CType::Void, Some(result @ CType::Aggregate(_))) = (&prototype.result, &said.result) {
        Arc::make_mut(&mut better).result = result.clone();
    }
    better
}

/// What DWARF says, with BTF's names, and what it says that pointers point to.
fn named_as(whole: &Prototype, names: &Prototype) -> Arc<Prototype> {
    let mut whole = whole.clone();
    let is_pointer = |ty: &CType| matches!(ty, CType::Pointer(_));
    for (parameter, named) in whole.parameters.iter_mut().zip(&names.parameters) {
        if is_pointer(&parameter.ty) == is_pointer(&named.ty) {
            parameter.name.clone_from(&named.name);
        }
        if is_pointer(&parameter.ty) && is_pointer(&named.ty) {
            parameter.ty = named.ty.clone();
        }
    }
    if is_pointer(&whole.result) && is_pointer(&names.result) {
        whole.result = names.result.clone();
    }
    Arc::new(whole)
}

/// Takes the prototype of libc's function for an import whose own says nothing, or says that they differ.
fn add_table(import: &mut Import, warnings: &mut Vec<Warning>) {
    let Some(table) = libc::prototype(&import.name) else { return };
    match &import.prototype {
        // clang 22 says `int f(void)` of `int f()` too.
        Some(declared) if !declared.parameters.is_empty() || table.parameters.is_empty() => {
            if !libc::is_same_call(declared, &table) {
                let name = &import.name;
                let (declared, known) = (declared.declare(name), table.declare(name));
                let text = format!(
                    "`{name}` is declared as `{declared}`, and in libc it is `{known}`: calls are by the declaration"
                );
                warnings.push(Warning::new(WarningKind::Types, text));
            }
        }
        _ => {
            import.kind = ImportKind::Function;
            import.prototype = Some(Arc::new(table));
            import.prototype_from = PrototypeSource::Table;
        }
    }
}

/// Whether `new` is to replace what is known.
fn says_more(new: &Prototype, known: Option<&Prototype>) -> bool {
    known.is_none_or(|known| is_empty(known) && !is_empty(new))
}

/// `int f()`, which says nothing of the parameters.
fn is_empty(prototype: &Prototype) -> bool {
    prototype.variadic && prototype.parameters.is_empty()
}
