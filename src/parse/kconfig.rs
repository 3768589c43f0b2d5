//! Variables of the kernel's configuration: `extern ... __attribute__((section(".kconfig")))`, as libbpf has them.
//!
//! In: an object. Out: those that are weak, and that no object defines, are zeros of their size: made COMMON symbols, so
//! that one block of zeros is made for each name. Those that are not weak stay undefined, to be defined by the user.
//!
//! clang puts the variables into the `DATASEC` `.kconfig` of the object's BTF, and nothing of them into the ELF file but
//! undefined symbols.

use super::object::{Object, SymbolHome};
use crate::btf::Btf;
use crate::program::Binding;

/// The section's name.
pub(super) const KCONFIG: &str = ".kconfig";

/// The largest alignment that a variable has.
const ALIGN: u64 = 16;

/// Makes the weak ones zeros.
pub(super) fn define_weak(object: &mut Object<'_>) {
    let is_weak = |binding, home| binding == Binding::Weak && home == SymbolHome::Undefined;
    if !object.symbols.iter().any(|symbol| is_weak(symbol.binding, symbol.home)) {
        return;
    }
    let types = object.sections.iter().find(|section| section.name == ".BTF").map(|section| section.data);
    // Damaged types are an error elsewhere.
    let Some(btf) = types.and_then(|types| Btf::parse(types).ok()) else { return };
    for symbol in object.symbols.iter_mut().filter(|symbol| is_weak(symbol.binding, symbol.home)) {
        let Some(variable) = btf.variable(symbol.name) else { continue };
        if btf.section_of(variable.id) != Some(KCONFIG) {
            continue;
        }
        let Ok(Some(size)) = btf.size_of(variable.ty) else { continue };
        (symbol.home, symbol.value, symbol.size) = (SymbolHome::Common, ALIGN, size);
    }
}
