//! What BTF adds to the program: source lines, and code that fits a target's types. The types of functions are
//! [`super::prototypes`]'s.
//!
//! In: the sections `.BTF` and `.BTF.ext` of each object, the target's types if there are any, and the program without
//! types. Out: [`Types`]; `lines` of code sections; and `bytes` of code sections with CO-RE relocations applied. Without
//! a target, code keeps the values that were compiled in. Where an object calls `bpf_obj_new`, its numbers of types get the
//! types' sizes, and where a program prints values by their types, the numbers are those of `type_tables`
//! (`btf::core::number_types`). Objects of the runtime that ask for types of the kernel (`kfuncs/tcp.c`) are
//! fitted to those of the program, which it has its memory by, unless a target is given.
//!
//! `.BTF.ext` tells sections apart by name: nothing is taken from it for a name that two sections of an object have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Options;
use super::error::ParseError;
use super::map_types::{self, MapTypes};
use super::type_tables;
use crate::btf::core::{CoreError, Description, Relocator, TypeNumbers, number_types};
use crate::btf::{Btf, BtfError, BtfExt, Kind, TypeId};
use crate::elf::Object;
use crate::program::prefix::{PrefixMap, mapped};
use crate::program::{self, CodeSectionId, Id, Line, Program, names};
use crate::warning::{Warning, WarningKind};

const BTF: &str = ".BTF";
const BTF_EXT: &str = ".BTF.ext";

/// The kfuncs whose argument is the number of a type, and of which the runtime's wants its size too.
const OBJECT_MAKERS: [&str; 2] = ["bpf_obj_new_impl", "bpf_percpu_obj_new_impl"];
/// The most bytes of a text that are listed.
const LONGEST_TEXT: usize = 256;

/// The types of the objects.
pub(super) struct Types {
    /// Of each object that has any.
    pub(super) objects: Vec<Option<ObjectTypes>>,
    /// The `FUNC` of what starts at a place.
    pub(super) places: HashMap<(CodeSectionId, u64), TypeId>,
}

/// The types of one object.
pub(super) struct ObjectTypes {
    pub(super) btf: Btf,
    /// The `FUNC`s of what it defines.
    pub(super) defined: HashSet<TypeId>,
}

/// The sections of one object.
struct Sections {
    btf: Btf,
    ext: BtfExt,
}

/// Adds what the objects' BTF says to `program`, which was made of them, and fits it to the options' target.
pub(super) fn add(
    objects: &[Object<'_>],
    options: &Options,
    has_maps: bool,
    program: &mut Program,
) -> Result<Types, ParseError> {
    let sections = sections_by_name(objects.len(), program);
    let mut places: HashMap<(CodeSectionId, u64), TypeId> = HashMap::new();
    let mut types = Vec::with_capacity(objects.len());
    let has_tables = type_tables::are_wanted(program);
    // How many types the tables have before those of an object.
    let mut base = options.btf.as_ref().map_or(0, Btf::count);
    for (object, sections) in objects.iter().zip(sections) {
        let damaged = |source| ParseError::Btf { file: object.name.clone(), source };
        let Some(of_object) = read(object).map_err(damaged)? else {
            types.push(None);
            continue;
        };
        let map_types = if has_maps { map_types::types(&of_object.btf) } else { None };
        let of_program = || program_types(&of_object, types.get(..program.given_files)?);
        let is_runtimes = types.len() >= program.given_files;
        let others = options.btf.as_ref().or_else(|| if is_runtimes { of_program() } else { None });
        let targets = Targets { maps: map_types.as_ref(), others };
        let unfit = |source| ParseError::Core { file: object.name.clone(), source };
        relocate(&of_object, targets, &object.name, &sections, program).map_err(unfit)?;
        let wanted = TypeNumbers {
            base: if has_tables && !is_runtimes { base } else { 0 },
            sizes: options.runtime && object.symbols.iter().any(|symbol| OBJECT_MAKERS.contains(&symbol.name)),
            no_target: options.btf.is_none(),
        };
        base = base.saturating_add(of_object.btf.count());
        if options.core_relocations {
            list(&of_object, &sections, &mut program.core_relocations);
        }
        for (name, section) in &sections {
            let Some(section) = *section else { continue };
            let records = of_object.ext.core_relocations(name);
            number_types(&of_object.btf, records, wanted, &mut program.code[section].bytes);
            places.extend(of_object.ext.functions(name).iter().map(|info| ((section, info.offset), info.ty)));
        }
        let defined = of_object.ext.defined().collect();
        for records in of_object.ext.into_lines() {
            if let Some(&Some(section)) = sections.get(&*records.section) {
                program.code[section].lines = records.records;
                map_files(&options.prefixes, &mut program.code[section].lines);
            }
        }
        types.push(Some(ObjectTypes { btf: of_object.btf, defined }));
    }
    let given = types.iter().take(program.given_files).flatten().map(|types: &ObjectTypes| &types.btf);
    type_tables::add(options.btf.iter().chain(given), program);
    program.core_relocations.sort_by_key(|relocation| (relocation.section, relocation.offset));
    Ok(Types { objects: types, places })
}

/// Lists the CO-RE relocations of one object.
fn list(
    types: &Sections,
    sections: &BTreeMap<String, Option<CodeSectionId>>,
    relocations: &mut Vec<program::CoreRelocation>,
) {
    // Many records ask for the same.
    let mut known: HashMap<(TypeId, u32, Arc<str>), Asked> = HashMap::new();
    let text = |text: &str| Arc::from(names::owned(cut(text)));
    for (name, section) in sections {
        let Some(section) = *section else { continue };
        for record in types.ext.core_relocations(name) {
            let key = (record.ty, record.kind, Arc::clone(&record.access));
            let asked = known.entry(key).or_insert_with(|| {
                let Description { kind, ty, path } = Description::new(&types.btf, record);
                Asked {
                    kind: text(&kind),
                    ty: text(&ty),
                    path: path.as_deref().map(text),
                    access: text(&record.access),
                }
            });
            let Asked { kind, ty, path, access } = asked.clone();
            relocations.push(program::CoreRelocation { section, offset: record.offset, kind, ty, path, access });
        }
    }
}

/// What a relocation asks for.
#[derive(Clone)]
struct Asked {
    kind: Arc<str>,
    ty: Arc<str>,
    path: Option<Arc<str>>,
    access: Arc<str>,
}

/// The start of a text; accesses that are longer make no sense.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}

/// Gives the paths of source files other prefixes.
pub(super) fn map_files(prefixes: &[PrefixMap], lines: &mut [Line]) {
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

/// The types that an object of the runtime is fitted to: those of the first given object that has all that it asks for.
fn program_types<'a>(of_runtime: &Sections, given: &'a [Option<ObjectTypes>]) -> Option<&'a Btf> {
    let names = of_runtime.ext.all_core_relocations().filter_map(|record| {
        let ty = of_runtime.btf.get(record.ty).ok()?;
        Some(of_runtime.btf.name(ty.name))
    });
    let names: BTreeSet<&str> = names.collect();
    let has_all = |btf: &&Btf| {
        let structs = btf.types().filter(|(_, ty)| matches!(ty.kind, Kind::Struct(_)));
        let found: BTreeSet<&str> =
            structs.map(|(_, ty)| btf.name(ty.name)).filter(|name| names.contains(name)).collect();
        found.len() == names.len()
    };
    if names.is_empty() {
        return None;
    }
    given.iter().flatten().map(|types| &types.btf).find(has_all)
}

/// What code is fitted to.
#[derive(Clone, Copy)]
struct Targets<'a> {
    /// The types of maps' descriptors.
    maps: Option<&'a Btf>,
    /// The types of the machine that the program will run on.
    others: Option<&'a Btf>,
}

/// Applies the CO-RE relocations of one object.
fn relocate(
    types: &Sections,
    targets: Targets<'_>,
    file: &str,
    sections: &BTreeMap<String, Option<CodeSectionId>>,
    program: &mut Program,
) -> Result<(), CoreError> {
    let mut relocator = None;
    let mut maps = targets.maps.map(|maps| MapTypes::new(&types.btf, maps)).transpose()?;
    for (name, section) in sections {
        let records = types.ext.core_relocations(name);
        if records.is_empty() {
            continue;
        }
        let Some(section) = *section else {
            if targets.others.is_none() {
                continue;
            }
            let text = format!("{file}: several sections `{name}`: their CO-RE relocations are not applied");
            program.warnings.push(Warning::new(WarningKind::Types, text));
            continue;
        };
        let code = &mut program.code[section].bytes;
        let rest = maps.as_mut().map(|maps| maps.take(name, records, code)).transpose()?;
        let records = rest.as_deref().unwrap_or(records);
        let Some(target) = targets.others else { continue };
        let relocator = match &mut relocator {
            Some(relocator) => relocator,
            none => none.insert(Relocator::new(&types.btf, target)?),
        };
        let warnings = relocator.relocate(name, records, code)?;
        let warning = |warning| Warning::new(WarningKind::Types, format!("{file}: {warning}"));
        program.warnings.extend(warnings.into_iter().map(warning));
    }
    Ok(())
}

/// The types of an object, if it has any.
fn read(object: &Object<'_>) -> Result<Option<Sections>, BtfError> {
    let section =
        |name: &str| object.sections.iter().find(|section| section.name == name && !section.data.is_empty());
    let Some(types) = section(BTF) else { return Ok(None) };
    let btf = Btf::parse(types.data)?;
    let ext = section(BTF_EXT).map(|section| BtfExt::parse(section.data, &btf)).transpose()?;
    Ok(Some(Sections { btf, ext: ext.unwrap_or_default() }))
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
