//! Groups of sections in ELF objects: a linker keeps one COMDAT group of each name, with its code, its data, and its entries
//! in `.eh_frame`.
//!
//! In: a program and the sections that its functions and data are in. Out: groups of these. References to a member from
//! outside of its group are by a weak name, and so to the member that is kept; frame and line tables refer to sections, and
//! linkers discard entries for discarded sections.

use cranelift_object::ObjectProduct;
use object::write::{Comdat, SectionId, Symbol, SymbolSection};
use object::{ComdatKind, SectionFlags, SymbolFlags, SymbolKind, SymbolScope, elf};
use target_lexicon::{BinaryFormat, Triple};

use crate::codegen::CompiledFunction;
use crate::lift::Declarations;
use crate::program::{GroupId, IdVec, Program, names};

/// Whether functions have sections of their own, which is so where some are members of groups.
pub(super) fn has_groups(program: &Program, target: &Triple) -> bool {
    let is_member = |group: Option<GroupId>| group.is_some_and(|group| program.groups[group].is_comdat);
    target.binary_format == BinaryFormat::Elf && program.code.iter().any(|(_, code)| is_member(code.group))
}

/// Adds the groups; symbols have their names already.
pub(super) fn write(
    program: &Program,
    declarations: &Declarations,
    functions: &[CompiledFunction],
    product: &mut ObjectProduct,
) {
    let mut members: IdVec<GroupId, Vec<SectionId>> = program.groups.iter().map(|_| Vec::new()).collect();
    for compiled in functions {
        let Some(id) = compiled.function else { continue };
        let group = program.code[program.functions[id].section].group;
        let symbol = product.function_symbol(compiled.id);
        if let (Some(group), Some(section)) = (group, product.object.symbol(symbol).section.id()) {
            members[group].push(section);
        }
    }
    for (id, data) in program.data.iter() {
        let (Some(group), Some(declared)) = (data.group, declarations.data[id]) else { continue };
        let symbol = product.data_symbol(declared.id);
        if let Some(section) = product.object.symbol(symbol).section.id() {
            members[group].push(section);
        }
    }
    for (id, group) in program.groups.iter() {
        let mut sections = std::mem::take(&mut members[id]);
        sections.dedup();
        let Some(&first) = sections.first().filter(|_| group.is_comdat) else { continue };
        let name = names::raw(&group.signature).as_bytes().to_vec();
        let symbol = product.object.symbol_id(&name).unwrap_or_else(|| {
            product.object.add_symbol(Symbol {
                name,
                value: 0,
                size: 0,
                kind: SymbolKind::Label,
                scope: SymbolScope::Compilation,
                weak: false,
                section: SymbolSection::Section(first),
                flags: SymbolFlags::None,
            })
        });
        for &section in &sections {
            if let SectionFlags::Elf { sh_flags } = product.object.section_flags_mut(section) {
                *sh_flags |= u64::from(elf::SHF_GROUP);
            }
        }
        product.object.add_comdat(Comdat { kind: ComdatKind::Any, symbol, sections });
    }
}
