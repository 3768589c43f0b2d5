//! What BTF adds to the program: C types of functions, source lines, and code that fits a target's types.
//!
//! In: the sections `.BTF` and `.BTF.ext` of each object, the target's types if there are any, and the program without
//! types. Out: `prototype` of functions and imports, `kind` of imports, `lines` of code sections; and `bytes` of code
//! sections with CO-RE relocations applied. Without a target, code keeps the values that were compiled in.
//!
//! | of | type |
//! |---|---|
//! | a global or weak function | of the `FUNC` of its name, else as a local one |
//! | a local function, whose name may repeat | of the `func_info` for its first instruction, else of its name |
//! | an import | of the `FUNC` of its name, or of what a call by way of `bpf2native.h` says, in the first object that says what its parameters are; else of the table of libc's and libm's functions |
//!
//! - A `FUNC` makes an import a function, even if only its address is used.
//! - `int f()` without parameters says nothing of them, and gives way to a declaration that does.
//! - Where an object and the table disagree on how to call a function, the object is right, and a warning names both.
//! - `.BTF.ext` tells sections apart by name: nothing is taken from it for a name that two sections of an object have.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Options;
use super::error::ParseError;
use super::kconfig::KCONFIG;
use super::object::Object;
use crate::abi::libc;
use crate::btf::core::{CoreError, Relocator};
use crate::btf::{Btf, BtfError, BtfExt, Kind, Prototype, Prototypes, TypeId};

use crate::program::prefix::{PrefixMap, mapped};
use crate::program::{Binding, CodeSectionId, Id, Import, ImportKind, Line, Program, PrototypeSource};

const BTF: &str = ".BTF";
const BTF_EXT: &str = ".BTF.ext";

/// By object and name of a function, the symbol of `bpf2native.h` that calls it.
type ListCalls<'a> = HashMap<(usize, &'a str), &'a str>;

/// The types of one object.
struct Types {
    btf: Btf,
    ext: BtfExt,
}

/// Adds what the objects' BTF says to `program`, which was made of them, and fits it to the options' target.
pub(super) fn add(objects: &[Object<'_>], options: &Options, program: &mut Program) -> Result<(), ParseError> {
    let sections = sections_by_name(objects.len(), program);
    let mut infos: HashMap<(CodeSectionId, u64), TypeId> = HashMap::new();
    let mut types = Vec::with_capacity(objects.len());
    for (object, sections) in objects.iter().zip(sections) {
        let damaged = |source| ParseError::Btf { file: object.name.clone(), source };
        let Some(of_object) = read(object).map_err(damaged)? else {
            types.push(None);
            continue;
        };
        if let Some(target) = &options.btf {
            let unfit = |source| ParseError::Core { file: object.name.clone(), source };
            relocate(&of_object, target, &object.name, &sections, program).map_err(unfit)?;
        }
        for (name, section) in &sections {
            let Some(section) = *section else { continue };
            infos.extend(of_object.ext.functions(name).iter().map(|info| ((section, info.offset), info.ty)));
        }
        for records in of_object.ext.into_lines() {
            if let Some(&Some(section)) = sections.get(&*records.section) {
                program.code[section].lines = records.records;
                map_files(&options.prefixes, &mut program.code[section].lines);
            }
        }
        types.push(Some(of_object.btf));
    }
    add_prototypes(&types, &infos, &list_calls(objects), program);
    Ok(())
}

/// Gives the paths of source files other prefixes.
fn map_files(prefixes: &[PrefixMap], lines: &mut [Line]) {
    if prefixes.is_empty() {
        return;
    }
    let mut known: HashMap<Arc<str>, Arc<str>> = HashMap::new();
    for line in lines {
        let mapped = known
            .entry(Arc::clone(&line.file))
            .or_insert_with(|| mapped(prefixes, &line.file).map_or_else(|| Arc::clone(&line.file), Arc::from));
        line.file = Arc::clone(mapped);
    }
}

/// The symbols of each object that call a function by way of `bpf2native.h`, by the object and that function's name.
fn list_calls<'a>(objects: &'a [Object<'_>]) -> ListCalls<'a> {
    let symbols = objects.iter().enumerate().flat_map(|(object, of)| {
        of.symbols.iter().filter_map(move |symbol| Some(((object, symbol.name), symbol.list_call?.1)))
    });
    symbols.collect()
}

/// Applies the CO-RE relocations of one object.
fn relocate(
    types: &Types,
    target: &Btf,
    file: &str,
    sections: &BTreeMap<String, Option<CodeSectionId>>,
    program: &mut Program,
) -> Result<(), CoreError> {
    let mut relocator = None;
    for (name, section) in sections {
        let records = types.ext.core_relocations(name);
        if records.is_empty() {
            continue;
        }
        let Some(section) = *section else {
            let warning = format!("{file}: several sections `{name}`: their CO-RE relocations are not applied");
            program.warnings.push(warning);
            continue;
        };
        let relocator = match &mut relocator {
            Some(relocator) => relocator,
            none => none.insert(Relocator::new(&types.btf, target)?),
        };
        let warnings = relocator.relocate(name, records, &mut program.code[section].bytes)?;
        program.warnings.extend(warnings.into_iter().map(|warning| format!("{file}: {warning}")));
    }
    Ok(())
}

/// Sets the prototypes of functions and imports, and makes imports functions.
fn add_prototypes(
    types: &[Option<Btf>],
    infos: &HashMap<(CodeSectionId, u64), TypeId>,
    list_calls: &ListCalls<'_>,
    program: &mut Program,
) {
    let mut prototypes: Vec<Option<(&Btf, Prototypes<'_>)>> =
        types.iter().map(|btf| btf.as_ref().map(|btf| (btf, Prototypes::new(btf)))).collect();
    for id in program.functions.ids() {
        let function = &program.functions[id];
        let file = program.code[function.section].file;
        let Some((btf, prototypes)) = &mut prototypes[file.index()] else { continue };
        let by_name = btf.function(&function.name).map(|symbol| symbol.id);
        let by_place = infos.get(&(function.section, function.start)).copied();
        let found = if function.binding == Binding::Local { by_place.or(by_name) } else { by_name.or(by_place) };
        let Some(ty) = found else { continue };
        let prototype = prototypes.get(ty).ok();
        program.functions[id].prototype = prototype;
    }
    for id in program.imports.ids() {
        let import = &mut program.imports[id];
        if import.alias_of.is_some() {
            continue;
        }
        let mut is_variable = false;
        for file in &import.files {
            let Some((btf, prototypes)) = &mut prototypes[file.index()] else { continue };
            let by_name = btf.function(&import.name).map(|symbol| symbol.id);
            let by_list = || list_calls.get(&(file.index(), import.name.as_str()));
            let Some(ty) = by_name.or_else(|| by_list().and_then(|symbol| called_type(btf, symbol))) else {
                let variable = btf.variable(&import.name);
                is_variable |= variable.is_some();
                import.kconfig |= variable.is_some_and(|variable| btf.section_of(variable.id) == Some(KCONFIG));
                continue;
            };
            import.kind = ImportKind::Function;
            match prototypes.get(ty) {
                Ok(prototype) if says_more(&prototype, import.prototype.as_deref()) => {
                    import.prototype = Some(prototype);
                    import.prototype_from = PrototypeSource::Btf;
                }
                Ok(_) => {}
                Err(source) => program.warnings.push(format!(
                    "{}: the type of `{}` cannot be called natively: {source}; its registers are passed as they are",
                    program.files[*file], import.name
                )),
            }
        }
        if !is_variable {
            add_table(import, &mut program.warnings);
        }
    }
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

/// Takes the prototype of libc's function for an import whose own says nothing, or says that they differ.
fn add_table(import: &mut Import, warnings: &mut Vec<String>) {
    let Some(table) = libc::prototype(&import.name) else { return };
    match &import.prototype {
        // clang 22 says `int f(void)` of `int f()` too.
        Some(declared) if !declared.parameters.is_empty() || table.parameters.is_empty() => {
            if !libc::is_same_call(declared, &table) {
                let name = &import.name;
                let (declared, known) = (declared.declare(name), table.declare(name));
                warnings.push(format!(
                    "`{name}` is declared as `{declared}`, and in libc it is `{known}`: calls are by the declaration"
                ));
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

/// The types of an object, if it has any.
fn read(object: &Object<'_>) -> Result<Option<Types>, BtfError> {
    let section =
        |name: &str| object.sections.iter().find(|section| section.name == name && !section.data.is_empty());
    let Some(types) = section(BTF) else { return Ok(None) };
    let btf = Btf::parse(types.data)?;
    let ext = section(BTF_EXT).map(|section| BtfExt::parse(section.data, &btf)).transpose()?;
    Ok(Some(Types { btf, ext: ext.unwrap_or_default() }))
}

/// For each object, its code sections by name; none for a name that two have.
fn sections_by_name(objects: usize, program: &Program) -> Vec<BTreeMap<String, Option<CodeSectionId>>> {
    let mut sections = vec![BTreeMap::new(); objects];
    for (id, code) in program.code.iter() {
        let of_object: &mut BTreeMap<_, _> = &mut sections[code.file.index()];
        of_object.entry(code.name.clone()).and_modify(|section| *section = None).or_insert(Some(id));
    }
    sections
}
