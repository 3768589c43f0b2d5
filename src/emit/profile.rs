//! Profiles by counters and coverage (`-fprofile-instr-generate -fcoverage-mapping`): what the profile runtime and llvm-cov
//! look for in a program, in ELF.
//!
//! In: a program with such instrumentation. Out: additional contents of its object:
//!
//! | section | what |
//! |---|---|
//! | `__llvm_prf_data` | says of each function how far away its counters are. LLVM's BPF backend has no relocation for a distance, and writes the one for an address: these fields are distances here |
//! | `__llvm_covmap`, `__llvm_covfun` | are not loaded, and are as in the BPF object |
//!
//! The runtime (`libclang_rt.profile`) has to be linked by the user; the object has an undefined symbol that pulls it in.

use cranelift_object::ObjectProduct;
use object::write::{Relocation as ObjectRelocation, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, RelocationFlags, SectionFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
    elf,
};

use super::EmitError;
use crate::lift::Declarations;
use crate::program::{DataSection, Program, Relocation, Target};

/// The section of records of functions, which refer to their counters.
const DATA: &str = "__llvm_prf_data";

/// The symbol that pulls in the runtime.
const RUNTIME: &[u8] = b"__llvm_profile_runtime";

/// Whether a pointer in data is a distance: the second and the third word of a function's 64 bytes, behind two hashes (LLVM's
/// `InstrProfData.inc`).
pub(super) fn is_distance(data: &DataSection, relocation: &Relocation) -> bool {
    /// Bytes of a function.
    const RECORD: u64 = 64;
    data.name == DATA && matches!(relocation.offset % RECORD, 16 | 24)
}

/// Adds these contents to an object.
pub(super) fn write(
    program: &Program,
    declarations: &Declarations,
    product: &mut ObjectProduct,
) -> Result<(), EmitError> {
    if product.object.format() != BinaryFormat::Elf {
        return Ok(());
    }
    let mut counts = false;
    for (id, data) in program.data.iter().filter(|(_, data)| data.name == DATA) {
        let Some(declared) = declarations.data[id] else { continue };
        counts = true;
        let place = product.object.symbol(product.data_symbol(declared.id));
        let (Some(section), start) = (place.section.id(), place.value) else { continue };
        for relocation in data.relocations.iter().filter(|relocation| is_distance(data, relocation)) {
            let Some((symbol, addend)) = symbol(program, declarations, product, relocation.target) else {
                continue;
            };
            let r_type = distance(product.object.architecture()).ok_or_else(|| {
                let what = "this machine's objects have no distances of 64 bits, which profiles by counters want";
                EmitError::Write(format!("{what}: compile without -fprofile-instr-generate"))
            })?;
            let flags = RelocationFlags::Elf { r_type };
            let added = ObjectRelocation { offset: start + relocation.offset, symbol, addend, flags };
            let added = product.object.add_relocation(section, added);
            added.map_err(|error| EmitError::Write(error.to_string()))?;
        }
    }
    if counts {
        product.object.add_symbol(Symbol {
            name: RUNTIME.to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Data,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
    }
    for attached in &program.attached {
        let name = attached.name.clone().into_bytes();
        let section = product.object.add_section(Vec::new(), name, SectionKind::OtherString);
        *product.object.section_flags_mut(section) = SectionFlags::Elf { sh_flags: u64::from(elf::SHF_GNU_RETAIN) };
        product.object.append_section_data(section, &attached.bytes, attached.align);
    }
    Ok(())
}

/// The type of a relocation that is a distance of 64 bits.
fn distance(architecture: Architecture) -> Option<u32> {
    match architecture {
        Architecture::X86_64 => Some(elf::R_X86_64_PC64),
        Architecture::Aarch64 => Some(elf::R_AARCH64_PREL64),
        Architecture::S390x => Some(elf::R_390_PC64),
        _ => None,
    }
}

/// A symbol for an address, and the distance from it.
fn symbol(
    program: &Program,
    declarations: &Declarations,
    product: &ObjectProduct,
    target: Target,
) -> Option<(SymbolId, i64)> {
    match target {
        Target::Symbol { symbol, addend } => match declarations.symbols.get(&symbol) {
            Some(reference) => Some((product.data_symbol(reference.id), addend)),
            None => {
                let (section, offset) = program.data_place(target)?;
                Some((product.data_symbol(declarations.section(section).id), offset))
            }
        },
        Target::Data { section, offset } => Some((product.data_symbol(declarations.section(section).id), offset)),
        _ => None,
    }
}
