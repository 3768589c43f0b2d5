//! What BTF adds to the program: C types of functions, and source lines.
//!
//! In: the sections `.BTF` and `.BTF.ext` of each object, and the program without types. Out: `prototype` of functions
//! and imports, `kind` of imports, `lines` of code sections.
//!
//! | of | type |
//! |---|---|
//! | a function | of the `func_info` for its first instruction, else of the `FUNC` of its name |
//! | an import | of the `FUNC` of its name, in the first object that says what its parameters are |
//!
//! - A `FUNC` makes an import a function, even if only its address is used.
//! - `int f()` without parameters says nothing of them, and gives way to a declaration that does.
//! - `.BTF.ext` tells sections apart by name: nothing is taken from it for a name that two sections of an object have.

use std::collections::HashMap;

use super::error::ParseError;
use super::object::Object;
use crate::btf::{Btf, BtfError, BtfExt, Prototype, Prototypes, TypeId};
use crate::program::{CodeSectionId, Id, ImportKind, Program};

const BTF: &str = ".BTF";
const BTF_EXT: &str = ".BTF.ext";

/// Adds what the objects' BTF says to `program`, which was made of them.
pub(super) fn add(objects: &[Object<'_>], program: &mut Program) -> Result<(), ParseError> {
    let sections = sections_by_name(objects.len(), program);
    let mut infos: HashMap<(CodeSectionId, u64), TypeId> = HashMap::new();
    let mut types = Vec::with_capacity(objects.len());
    for (object, sections) in objects.iter().zip(sections) {
        let damaged = |source| ParseError::Btf { file: object.name.clone(), source };
        let Some((btf, ext)) = read(object).map_err(damaged)? else {
            types.push(None);
            continue;
        };
        for (name, section) in &sections {
            let Some(section) = *section else { continue };
            infos.extend(ext.functions(name).iter().map(|info| ((section, info.offset), info.ty)));
        }
        for records in ext.into_lines() {
            if let Some(&Some(section)) = sections.get(&*records.section) {
                program.code[section].lines = records.records;
            }
        }
        types.push(Some(btf));
    }
    let mut prototypes: Vec<Option<(&Btf, Prototypes<'_>)>> =
        types.iter().map(|btf| btf.as_ref().map(|btf| (btf, Prototypes::new(btf)))).collect();
    for id in program.functions.ids() {
        let function = &program.functions[id];
        let file = program.code[function.section].file;
        let Some((btf, prototypes)) = &mut prototypes[file.index()] else { continue };
        let info = infos.get(&(function.section, function.start)).copied();
        let Some(ty) = info.or_else(|| btf.function(&function.name).map(|symbol| symbol.id)) else { continue };
        let prototype = prototypes.get(ty).ok();
        program.functions[id].prototype = prototype;
    }
    for id in program.imports.ids() {
        let import = &mut program.imports[id];
        for file in &import.files {
            let Some((btf, prototypes)) = &mut prototypes[file.index()] else { continue };
            let Some(symbol) = btf.function(&import.name) else { continue };
            import.kind = ImportKind::Function;
            match prototypes.get(symbol.id) {
                Ok(prototype) if says_more(&prototype, import.prototype.as_deref()) => {
                    import.prototype = Some(prototype);
                }
                Ok(_) => {}
                Err(source) => program.warnings.push(format!(
                    "{}: the type of `{}` cannot be called natively: {source}; its registers are passed as they are",
                    program.files[*file], import.name
                )),
            }
        }
    }
    Ok(())
}

/// Whether `new` is to replace what is known.
fn says_more(new: &Prototype, known: Option<&Prototype>) -> bool {
    let is_empty = |prototype: &Prototype| prototype.variadic && prototype.parameters.is_empty();
    known.is_none_or(|known| is_empty(known) && !is_empty(new))
}

/// The types of an object, if it has any.
fn read(object: &Object<'_>) -> Result<Option<(Btf, BtfExt)>, BtfError> {
    let section =
        |name: &str| object.sections.iter().find(|section| section.name == name && !section.data.is_empty());
    let Some(types) = section(BTF) else { return Ok(None) };
    let btf = Btf::parse(types.data)?;
    let ext = section(BTF_EXT).map(|section| BtfExt::parse(section.data, &btf)).transpose()?;
    Ok(Some((btf, ext.unwrap_or_default())))
}

/// For each object, its code sections by name; none for a name that two have.
fn sections_by_name(objects: usize, program: &Program) -> Vec<HashMap<String, Option<CodeSectionId>>> {
    let mut sections = vec![HashMap::new(); objects];
    for (id, code) in program.code.iter() {
        let of_object: &mut HashMap<_, _> = &mut sections[code.file.index()];
        of_object.entry(code.name.clone()).and_modify(|section| *section = None).or_insert(Some(id));
    }
    sections
}
