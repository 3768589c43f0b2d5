//! Who defines what a program's names refer to, and so what may be believed of that.
//!
//! In: a program, whether its code stays in memory, and then what the linker says. Out: [`Resolution`], which every
//! analysis asks that concludes something from a callee.
//!
//! | a call of | in memory | in an object |
//! |---|---|---|
//! | a weak function of the program | of its body, which is final | of any function of its type: calls go by its name, with all that its type says, or with all registers |
//! | another function of the program | of its body | of its body: calls go to it directly, also where a program defines the name of one that a shared library exports (`-Bsymbolic-functions`, and clang's `-fno-semantic-interposition`) |
//! | a weak other name of a function | of that function | of any function, as for an undefined symbol without a definer |
//! | an undefined symbol | of libc's function, if the linker finds that one | of libc's function, if the object's BTF has libc's type for it ([`Facts`]) |
//!
//! And where its names are:
//!
//! | the address of | in memory | in an object | in a shared library |
//! |---|---|---|---|
//! | weak data | its place | by name | by name |
//! | other data of default visibility | its place | its place | by name: a program may have a copy of it, which is then the one (R_X86_64_COPY) |
//! | a function of default visibility | its code | its code | by name: a program may have an entry for it that is then its address everywhere |
//! | what is local or hidden | its place | its place | its place |
//!
//! So an object (`-c`) is made as compilers do it for programs (`-fPIE`): the definitions that it has are the ones.
//!
//! An executable is an object here: a definition in an archive may take the place of a weak one of the program.

use crate::abi::helpers;
use crate::abi::libc::{Definer, Facts};
use crate::config::Placement;
use crate::program::{
    Binding, DataSymbol, Function, FunctionId, IdVec, Import, ImportId, Program, Target, Visibility,
};

/// Who defines the names of a program.
#[derive(Clone, Debug, Hash)]
pub struct Resolution {
    placement: Placement,
    /// A program that is linked with it has the last word on where exported names are.
    exports: bool,
    /// The embedder has a `bpf_tail_call` of its own, which returns as other helpers do.
    has_own_tail_call: bool,
    facts: IdVec<ImportId, Facts>,
}

impl Resolution {
    /// For an object, which others are linked with.
    pub fn of_object(program: &Program) -> Resolution {
        Resolution::new(program, Placement::Object, |_| Definer::Link)
    }

    /// For an object that becomes a shared library.
    pub fn of_shared_library(program: &Program) -> Resolution {
        Resolution { exports: true, ..Resolution::of_object(program) }
    }

    /// For code in this process; `definer` says who defines a name that the program does not.
    pub fn in_memory(program: &Program, definer: impl Fn(&str) -> Definer) -> Resolution {
        Resolution::new(program, Placement::Memory, definer)
    }

    fn new(program: &Program, placement: Placement, definer: impl Fn(&str) -> Definer) -> Resolution {
        let facts = |import: &Import| match import.alias_of {
            None => Facts::of(import, &definer),
            Some(_) => Facts::default(),
        };
        let facts = program.imports.iter().map(|(_, import)| facts(import)).collect();
        let has_own_tail_call = definer(helpers::TAIL_CALL_IN_C) == Definer::Embedder;
        Resolution { placement, exports: false, has_own_tail_call, facts }
    }

    /// Whether another definition may take the place of a function, so that nothing may be concluded from its body.
    pub fn is_replaceable(&self, function: &Function) -> bool {
        self.placement == Placement::Object && function.binding == Binding::Weak
    }

    /// Whether data is where the link or the loader puts what has its name, and not where the object has it.
    pub fn is_elsewhere(&self, symbol: &DataSymbol) -> bool {
        let is_exported = self.exports && symbol.visibility == Visibility::Default;
        self.placement == Placement::Object && (symbol.binding == Binding::Weak || is_exported)
    }

    /// Whether a function that nothing replaces may have another address than that of its code: in a program that is not
    /// position independent, the address of a function of a library is one of the program's own.
    pub fn has_other_address(&self, function: &Function) -> bool {
        self.exports
            && function.address_taken
            && function.binding == Binding::Global
            && function.visibility == Visibility::Default
    }

    /// The function of the program that an import is for certain.
    pub fn alias(&self, import: &Import) -> Option<FunctionId> {
        import.alias_of.filter(|_| self.placement == Placement::Memory)
    }

    /// Whether a call of helper 12 finds a function, to be called in place of the caller's rest. What somebody has defined by its
    /// name in C is a function as others: it returns.
    pub fn finds_tail_call(&self, program: &Program, target: Option<Target>) -> bool {
        match target {
            Some(Target::Function(function)) => program.functions[function].name != helpers::TAIL_CALL_IN_C,
            _ => !self.has_own_tail_call,
        }
    }

    /// What may be believed of an undefined symbol.
    pub fn facts(&self, import: ImportId) -> Facts {
        self.facts[import]
    }

    /// What may be believed of what a target calls, beside its body.
    pub fn facts_of(&self, target: Option<Target>) -> Facts {
        match target {
            Some(Target::Import { import, addend: 0 }) => self.facts(import),
            _ => Facts::default(),
        }
    }
}
