//! Halves: an object whose programs run in the kernel, and whose other functions run natively around them.
//!
//! In: one object. Out: which half each of its functions belongs to, and the kernel's copy: the ELF object that libbpf gets; or what
//! one of the halves cannot do, all of it at once.
//!
//! | file | what |
//! |---|---|
//! | `names` | what names say: kernel programs, functions of scripts |
//! | `functions` | the functions of an object, and what they refer to |
//! | `owner` | who reaches what |
//! | `refusals` | what is not for this half |
//! | `kernel_copy/` | the object for libbpf |
//!
//! What the user half is told of the kernel half, the parse phase makes of this (`crate::parse::script`).
//!
//! The rule: the object alone decides; what other objects define is not the kernel's.

mod functions;
mod kernel_copy;
pub(crate) mod names;
mod owner;
mod refusals;

use std::collections::HashSet;

use object::elf;

use crate::btf::{Btf, Kind};
use crate::elf::{Object, SymbolHome};
use crate::program::{Binding, Half, ScriptKind};
use functions::Functions;
use owner::Owners;

pub use refusals::Refusal;

/// The two halves of an object.
pub(crate) struct Split {
    /// All functions, by section and start.
    pub(crate) functions: Vec<SplitFunction>,
    functions_found: Functions,
    owners: Owners,
}

/// A function of one of the halves.
pub(crate) struct SplitFunction {
    /// ELF index of its section.
    pub(crate) section: usize,
    /// Byte offset in it.
    pub(crate) start: u64,
    pub(crate) half: Half,
}

/// What the kernel gets.
pub(crate) struct KernelHalf {
    /// The ELF object for libbpf.
    pub(crate) object: Vec<u8>,
    /// ELF indices of the data sections that libbpf makes maps of.
    pub(crate) data: Vec<usize>,
}

/// Why an object has no two halves.
pub(crate) enum Unsplit {
    /// One of the halves cannot do something.
    Refused(Vec<Refusal>),
    /// The kernel's copy cannot be made.
    Copy(String),
}

impl Split {
    /// Finds the halves of an object.
    pub(crate) fn new(object: &Object<'_>) -> Split {
        let found = Functions::new(object);
        let owners = Owners::new(object, &found);
        let split = found.list.iter().enumerate().map(|(index, function)| SplitFunction {
            section: function.section,
            start: function.start,
            half: owners.half(index),
        });
        Split { functions: split.collect(), functions_found: found, owners }
    }

    /// Makes the kernel's copy; `is_native` says which of the kernel's functions user space has too.
    ///
    /// # Errors
    ///
    /// What one of the halves cannot do, or why there is no copy.
    pub(crate) fn kernel_half(
        &self,
        object: &Object<'_>,
        is_native: &dyn Fn(&str) -> bool,
    ) -> Result<KernelHalf, Unsplit> {
        let btf = object.sections.iter().find(|section| section.name == ".BTF" && !section.data.is_empty());
        let btf = btf.map(|section| Btf::parse(section.data)).transpose();
        let btf = btf.map_err(|error| Unsplit::Copy(format!("its BTF is damaged: {error}")))?;
        let externs = btf.as_ref().map(externs).unwrap_or_default();
        let refused = refusals::find(object, &self.functions_found, &self.owners, &externs, is_native);
        if !refused.is_empty() {
            return Err(Unsplit::Refused(refused));
        }
        let copy = kernel_copy::make(object, &self.functions_found, &self.owners).map_err(Unsplit::Copy)?;
        Ok(KernelHalf { object: copy.bytes, data: copy.data })
    }
}

/// Names that the kernel defines: of `.kconfig` and `.ksyms`.
fn externs(btf: &Btf) -> HashSet<&str> {
    let mut names = HashSet::new();
    for (_, ty) in btf.types() {
        let Kind::DataSection { entries, .. } = ty.kind else { continue };
        if matches!(btf.name(ty.name), ".kconfig" | ".ksyms") {
            let entries = btf.section_entries(entries).iter();
            names.extend(entries.filter_map(|entry| Some(btf.name(btf.get(entry.ty).ok()?.name))));
        }
    }
    names
}

/// Whether an object has kernel programs.
pub(crate) fn has_kernel_programs(object: &Object<'_>) -> bool {
    object.symbols.iter().any(|symbol| {
        let SymbolHome::Section(section) = symbol.home else { return false };
        let section = &object.sections[section];
        symbol.kind == elf::STT_FUNC && section.has(elf::SHF_EXECINSTR) && names::of_kernel(section.name).is_some()
    })
}

/// The functions of an object that make it a script: their names, and what they are for.
pub(crate) fn script_functions<'a>(object: &'a Object<'_>) -> impl Iterator<Item = (&'a str, ScriptKind)> {
    object.symbols.iter().filter_map(|symbol| {
        let SymbolHome::Section(section) = symbol.home else { return None };
        let section = object.sections[section].name;
        let is_seen = symbol.binding != Binding::Local || names::is_of_script(section);
        let (kind, _) = names::of_script(symbol.name, section)?;
        (symbol.kind == elf::STT_FUNC && is_seen).then_some((symbol.name, kind))
    })
}
