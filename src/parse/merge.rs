//! Symbol resolution: which definition each name of each object means.
//!
//! In: the objects, in order. Out: [`Globals`]: every name that is seen between objects, once, with its definition; and
//! the sections that are left out.
//!
//! | definitions of a name | the name means |
//! |---|---|
//! | one global | that one |
//! | two globals | an error, with all such names at once |
//! | a global, and weak or COMMON ones | the global |
//! | COMMON ones | one block of the largest size and alignment |
//! | weak ones | the first |
//! | none | an import |
//! | in a section that is left out (`once.rs`) | a reference to the kept one's |
//!
//! What the translator's own objects have of libraries is another name than that which the program defines (`libraries.rs`).
//!
//! Jump tables have global symbols, `BPF.JT.<function>.<table>`, with the same names in every object: they count as
//! local.

use std::collections::{BTreeSet, HashMap};

use super::error::{Duplicate, ParseError};
use super::once;
use crate::elf::section_names::JUMP_TABLES;
use crate::elf::{Object, Symbol, SymbolHome};
use crate::program::names;
use crate::program::{Binding, Visibility};

/// A symbol of an object, by the indices of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SymbolRef {
    pub(super) object: usize,
    pub(super) symbol: usize,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Definition {
    /// No object defines it.
    None,
    /// This symbol.
    Symbol(SymbolRef, Binding),
    /// A block of zeros, made for COMMON symbols, of which this is the largest.
    Common { at: SymbolRef, size: u64, align: u64 },
}

/// A name that is seen between objects.
pub(super) struct Global<'data> {
    pub(super) name: &'data str,
    pub(super) definition: Definition,
    /// The most constraining one of all its symbols.
    pub(super) visibility: Visibility,
    /// Every reference to it so far is weak.
    pub(super) weak_only: bool,
}

/// All names that are seen between objects.
pub(super) struct Globals<'data> {
    /// In order of first appearance.
    pub(super) list: Vec<Global<'data>>,
    /// For each object, for each symbol: its index in `list`, unless it is local.
    by_symbol: Vec<Vec<Option<usize>>>,
    /// For each object, for each section: another one is kept.
    discarded: Vec<Vec<bool>>,
}

impl<'data> Globals<'data> {
    /// Resolves all symbols of `objects`; from object `ours` on, `library_names` are those of libraries.
    pub(super) fn resolve(
        objects: &[Object<'data>],
        ours: usize,
        library_names: &BTreeSet<&str>,
    ) -> Result<Self, ParseError> {
        let mut globals = Self { list: Vec::new(), by_symbol: Vec::new(), discarded: once::discarded(objects)? };
        let mut by_name = HashMap::new();
        let mut duplicates = Vec::new();
        for (object_index, object) in objects.iter().enumerate() {
            let mut row = vec![None; object.symbols.len()];
            for (symbol_index, symbol) in object.symbols.iter().enumerate() {
                if !is_shared(object, symbol) {
                    continue;
                }
                let of_library = object_index >= ours && library_names.contains(symbol.name);
                let global = *by_name.entry((symbol.name, of_library)).or_insert_with(|| {
                    globals.list.push(Global {
                        name: symbol.name,
                        definition: Definition::None,
                        visibility: Visibility::Default,
                        weak_only: true,
                    });
                    globals.list.len() - 1
                });
                row[symbol_index] = Some(global);
                let at = SymbolRef { object: object_index, symbol: symbol_index };
                let discarded = globals.is_discarded(at.object, symbol);
                if let Err(first) = globals.list[global].add(symbol, at, discarded) {
                    duplicates.push(Duplicate {
                        symbol: names::owned(symbol.name),
                        first: objects[first.object].name.clone(),
                        second: object.name.clone(),
                    });
                }
            }
            globals.by_symbol.push(row);
        }
        for &name in library_names {
            if let Some(&global) = by_name.get(&(name, false)) {
                globals.list[global].make_local();
            }
        }
        if duplicates.is_empty() { Ok(globals) } else { Err(ParseError::Duplicates(duplicates)) }
    }

    /// The shared name of a symbol, as an index of `list`.
    pub(super) fn of(&self, at: SymbolRef) -> Option<usize> {
        self.by_symbol[at.object][at.symbol]
    }

    /// Whether this symbol is what its name means.
    pub(super) fn is_definition(&self, at: SymbolRef) -> bool {
        let global = self.of(at).map(|index| self.list[index].definition);
        matches!(global, Some(Definition::Symbol(chosen, _)) if chosen == at)
    }

    /// Whether another section is kept in its place.
    pub(super) fn is_section_discarded(&self, object: usize, section: usize) -> bool {
        self.discarded[object][section]
    }

    fn is_discarded(&self, object: usize, symbol: &Symbol<'_>) -> bool {
        matches!(symbol.home, SymbolHome::Section(section) if self.discarded[object][section])
    }
}

impl Global<'_> {
    /// Nothing that is linked later has a part in what it means.
    fn make_local(&mut self) {
        self.visibility = Visibility::Hidden;
        if let Definition::Symbol(_, binding) = &mut self.definition {
            *binding = Binding::Global;
        }
    }

    /// Adds a symbol of this name; in case of a second global definition says where the first is.
    fn add(&mut self, symbol: &Symbol<'_>, at: SymbolRef, discarded: bool) -> Result<(), SymbolRef> {
        if symbol.visibility == Visibility::Hidden {
            self.visibility = Visibility::Hidden;
        }
        let weak = symbol.binding == Binding::Weak;
        let new = match symbol.home {
            _ if discarded => Definition::None,
            SymbolHome::Undefined => Definition::None,
            SymbolHome::Common => Definition::Common { at, size: symbol.size, align: symbol.value.max(1) },
            SymbolHome::Absolute | SymbolHome::Section(_) => Definition::Symbol(at, symbol.binding),
        };
        self.definition = match (self.definition, new) {
            (old, Definition::None) => {
                self.weak_only &= weak;
                old
            }
            (Definition::None, new) => new,
            (Definition::Symbol(first, Binding::Global), Definition::Symbol(_, Binding::Global)) => {
                return Err(first);
            }
            (_, new @ Definition::Symbol(_, Binding::Global)) => new,
            (old @ Definition::Symbol(_, Binding::Global), _) => old,
            (
                Definition::Common { at, size, align },
                Definition::Common { at: other, size: more, align: wider },
            ) => {
                let at = if more > size { other } else { at };
                Definition::Common { at, size: size.max(more), align: align.max(wider) }
            }
            (_, common @ Definition::Common { .. }) => common,
            (old, _) => old,
        };
        Ok(())
    }
}

/// Whether other objects see the symbol.
pub(super) fn is_shared(object: &Object<'_>, symbol: &Symbol<'_>) -> bool {
    let table = matches!(symbol.home, SymbolHome::Section(section) if object.sections[section].name == JUMP_TABLES);
    symbol.binding != Binding::Local && !symbol.name.is_empty() && !table
}
