//! Ends of sections in memory: `__start_NAME` and `__stop_NAME`, as a linker resolves them.
//!
//! In: a program. Out: the same, where all sections of a name whose ends are referred to are merged into one section, and
//! the references are to offsets in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::program::{Contents, DataKind, DataSectionId, Edge, Program, Target, edge};

/// The program, with such sections merged.
pub(super) fn placed(program: &Program) -> Cow<'_, Program> {
    let wanted: BTreeSet<&str> =
        program.imports.iter().filter_map(|(_, import)| edge(&import.name)).map(|(_, section)| section).collect();
    let mut named: BTreeMap<&str, Vec<DataSectionId>> = BTreeMap::new();
    for (id, data) in program.data.iter() {
        if data.keeps_name() && wanted.contains(data.name.as_str()) {
            named.entry(&data.name).or_default().push(id);
        }
    }
    if named.is_empty() {
        return Cow::Borrowed(program);
    }
    let mut whole = program.clone();
    let mut moved = BTreeMap::new();
    let mut sizes = BTreeMap::new();
    for (name, ids) in named {
        let first = ids[0];
        let size = join(&mut whole, &ids, &mut moved);
        sizes.insert(name, (first, size));
    }
    let place = |target: Target| match target {
        Target::Data { section, offset } => match moved.get(&section) {
            Some(&(section, delta)) => Target::Data { section, offset: offset.wrapping_add_unsigned(delta) },
            None => target,
        },
        Target::Import { import, addend } => {
            let end = edge(&program.imports[import].name);
            match end.and_then(|(edge, name)| Some((edge, sizes.get(name)?))) {
                Some((Edge::Start, &(section, _))) => Target::Data { section, offset: addend },
                Some((Edge::Stop, &(section, size))) => {
                    Target::Data { section, offset: addend.wrapping_add_unsigned(size) }
                }
                None => target,
            }
        }
        _ => target,
    };
    for id in whole.code.ids() {
        whole.code[id].relocations.iter_mut().for_each(|relocation| relocation.target = place(relocation.target));
    }
    for id in whole.data.ids() {
        whole.data[id].relocations.iter_mut().for_each(|relocation| relocation.target = place(relocation.target));
    }
    for id in whole.symbols.ids() {
        let symbol = &mut whole.symbols[id];
        if let Some(&(section, delta)) = moved.get(&symbol.section) {
            (symbol.section, symbol.offset) = (section, symbol.offset.wrapping_add(delta));
        }
    }
    for map in &mut whole.maps {
        if let Some(&(section, delta)) = moved.get(&map.section) {
            (map.section, map.offset) = (section, map.offset.wrapping_add(delta));
        }
    }
    Cow::Owned(whole)
}

/// Appends sections to the first of them, in order; returns the offset of each, and the total size.
fn join(
    program: &mut Program,
    ids: &[DataSectionId],
    moved: &mut BTreeMap<DataSectionId, (DataSectionId, u64)>,
) -> u64 {
    let first = ids[0];
    let (mut bytes, mut relocations) = (Vec::new(), Vec::new());
    let (mut align, mut kind) = (1, DataKind::ReadOnly);
    for &id in ids {
        let section = &mut program.data[id];
        let delta = (bytes.len() as u64).next_multiple_of(section.align);
        moved.insert(id, (first, delta));
        bytes.resize(delta as usize, 0);
        match std::mem::replace(&mut section.contents, Contents::Zeros(0)) {
            Contents::Bytes(more) => bytes.extend(more),
            Contents::Zeros(size) => bytes.resize(bytes.len() + size as usize, 0),
        }
        align = align.max(section.align);
        kind = match (kind, section.kind) {
            (_, DataKind::Data) => DataKind::Data,
            (DataKind::ReadOnly, DataKind::Settable) => DataKind::Settable,
            (kind, _) => kind,
        };
        relocations.extend(std::mem::take(&mut section.relocations).into_iter().map(|mut relocation| {
            relocation.offset += delta;
            relocation
        }));
    }
    let size = bytes.len() as u64;
    let section = &mut program.data[first];
    (section.align, section.kind, section.relocations) = (align, kind, relocations);
    section.contents = Contents::Bytes(bytes);
    size
}
