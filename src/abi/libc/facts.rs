//! What is known of a function of C's library beside its type, and when that may be believed of an undefined symbol.
//!
//! In: the last column of the table, a declaration, who defines the name. Out: [`Facts`]. This is the only place that
//! concludes something from the name of an undefined symbol, apart from the compilers' runtime
//! ([`crate::abi::libcalls`]).
//!
//! | fact | in the table | what it is for |
//! |---|---|---|
//! | it does not return | `noreturn` | calls of it, and what leads only there, lie out of the way; if it surely is libc's, there is nothing behind |
//! | it may return twice | `twice` | registers are kept in memory around it, and no code moves |
//! | it reaches nothing below its pointers, and keeps none | `upwards` | frame slots below such a pointer are values |
//! | it has a form with a `va_list` | `v=NAME` | calls with doubles that BPF passes as words |
//! | it has a form for `double` ([`long_double`]) | | calls with a `long double` of BPF |
//! | it prints or scans by a format (`formats.rs`) | | an `L` before a floating-point conversion in it |
//! | it does to floats what an instruction does (`float_calls.rs`) | | that instruction in place of the call |
//! | a few bytes are done in place | `copy`, `fill`, `compare` | loads and stores in place of the call |
//! | its result is its argument without the sign | `absolute32`, `absolute64` | an instruction in place of the call |
//!
//! With C11 7.1.3 a program cannot define functions of these names itself. Programs for hosts of their own do, and so:
//!
//! | who defines it | facts |
//! |---|---|
//! | libc, in this process, and it is declared as the same call | all |
//! | a link that is to come; the object's BTF says libc's type, what pointers point to among it | all |
//! | the same, and no BTF says a type | those that are only about speed are left, but for functions that compilers call on their own, whose meaning cannot be another (`memcpy`, `memmove`, `memset`, `memcmp`; `sqrt`, `floor`, ...) |
//! | the embedder, a library | that it may return twice; its form with a `va_list`, if that is theirs too |
//!
//! That a function may return twice is believed by its name alone: it costs little where it is wrong. That it does not
//! return only says where code lies, unless libc defines it, or a link and the program declares it so ([`Facts::ends`]): then control
//! does not come to what lies behind a call, which compilers leave out, so that it is some other code.

use super::super::table::find;
use super::agree::{has_same_parameters, is_same_type};
use super::float_calls::{self, FloatCall};
use super::formats::{self, Format, VForm};
use super::{TABLE, columns, is_same_call, prototype};
use crate::abi::long_double;
use crate::btf::Prototype;
use crate::program::{Import, PrototypeSource};

/// Who defines what an undefined symbol refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Definer {
    /// Libc or libm.
    Libc,
    /// Who loads the program, by a function that is registered.
    Embedder,
    /// A library, or what else is in the process.
    Library,
    /// A link that is to come, of which nothing is known.
    Link,
}

/// What may be believed of an undefined symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// It does not return.
    pub no_return: bool,
    /// The same, by more than its name.
    pub ends: bool,
    /// It may return more than once.
    pub returns_twice: bool,
    /// It reaches nothing below the pointers that it is given, and keeps none. If it returns a pointer, that is one of
    /// them, or above it.
    pub upwards: bool,
    /// Its form with a `va_list`.
    pub v_form: Option<VForm>,
    /// Its format, if it prints or scans.
    pub format: Option<Format>,
    /// It is libc's, by all that is known.
    pub is_libc: bool,
    /// Who loads the program has registered it.
    pub is_registered: bool,
    /// Its form for `double`, of a function of `long double`.
    pub double_form: Option<&'static str>,
    /// A few bytes are done in place.
    pub memory: Option<MemoryCall>,
    /// It is done in place where the machine has an instruction.
    pub float: Option<FloatCall>,
    /// It is the absolute value of an integer of so many bits.
    pub absolute: Option<u8>,
}

/// A C function that may be done in place, of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InPlace {
    /// Of bytes.
    Memory(MemoryCall),
    /// Of floats.
    Float(FloatCall),
    /// The absolute value of an integer of so many bits.
    Absolute(u8),
}

/// A C function that may be done in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemoryCall {
    /// `memcpy`, `memmove`
    Copy,
    /// `memset`
    Fill,
    /// `memcmp`
    Compare,
}

impl Facts {
    /// What may be believed of an undefined symbol. `definer` says who defines a name.
    pub fn of(import: &Import, definer: impl Fn(&str) -> Definer) -> Facts {
        let Some(libc) = prototype(&import.name) else {
            // Of a type of its own, that only matters for a `long double`.
            let is_asked = import.prototype.as_deref().and_then(long_double::fault).is_some();
            let is_registered = is_asked && definer(&import.name) == Definer::Embedder;
            return Facts { is_registered, ..Facts::default() };
        };
        let facts = table(&import.name).unwrap_or_default();
        let facts = Facts { float: float_calls::named(&import.name), ..facts };
        let declared = match import.prototype_from {
            PrototypeSource::Btf | PrototypeSource::Dwarf => import.prototype.as_deref(),
            PrototypeSource::Table | PrototypeSource::None => None,
        };
        let by_name = Facts { returns_twice: facts.returns_twice, ..Facts::default() };
        let defined_by = definer(&import.name);
        let is_libc = matches!(defined_by, Definer::Libc | Definer::Link)
            && declared.is_none_or(|declared| is_same_call(declared, &libc));
        let double_form = long_double::form(&import.name).filter(|_| is_libc);
        let format = if is_libc { format_of(&import.name) } else { None };
        let is_registered = defined_by == Definer::Embedder;
        let same_result = |declared: &Prototype| is_same_type(&declared.result, &libc.result);
        let found = match (defined_by, declared) {
            (Definer::Libc, None) => facts,
            (Definer::Libc, Some(declared)) if is_same_call(declared, &libc) => facts,
            // The result may be one that the program does not name.
            (Definer::Libc, Some(declared)) if declared.variadic => Facts { v_form: facts.v_form, ..by_name },
            (Definer::Link, Some(declared)) if has_same_parameters(declared, &libc) => {
                match same_result(declared) {
                    true => facts,
                    false => Facts { v_form: facts.v_form, ..by_name },
                }
            }
            (Definer::Link, None) => {
                Facts { upwards: facts.upwards && facts.memory.is_some(), absolute: None, ..facts }
            }
            (Definer::Embedder | Definer::Library, _) => {
                let is_theirs = |form: &VForm| definer(form.name) == defined_by;
                let is_declared = declared.is_none_or(|declared| has_same_parameters(declared, &libc));
                Facts { v_form: facts.v_form.filter(is_theirs).filter(|_| is_declared), ..by_name }
            }
            (Definer::Libc | Definer::Link, Some(_)) => by_name,
        };
        // One that may be missing is called, and traps.
        let memory = found.memory.filter(|_| !import.weak);
        let float = found.float.filter(|_| !import.weak);
        let absolute = found.absolute.filter(|_| !import.weak);
        let ends = found.no_return && (defined_by == Definer::Libc || declared.is_some());
        Facts { ends, format, is_libc, is_registered, double_form, memory, float, absolute, ..found }
    }

    /// What may be done in place of a call of it.
    pub fn in_place(&self) -> Option<InPlace> {
        let of_numbers = self.float.map(InPlace::Float).or(self.absolute.map(InPlace::Absolute));
        self.memory.map(InPlace::Memory).or(of_numbers)
    }
}

/// The format of libc's function of this name.
pub(crate) fn format_of(name: &str) -> Option<Format> {
    formats::of(name, |name| table(name)?.v_form)
}

/// The facts of the line of `name`.
fn table(name: &str) -> Option<Facts> {
    let (types, facts) = columns(find(TABLE, name)?);
    // The result and the dots are none of them.
    let fixed = types.split('\t').count().saturating_sub(2);
    read(facts?, fixed)
}

/// The last column of a line; `fixed` is how many parameters are before the `...`.
pub(super) fn read(text: &'static str, fixed: usize) -> Option<Facts> {
    let mut facts = Facts::default();
    for word in text.split(' ') {
        match word {
            "noreturn" => facts.no_return = true,
            "twice" => facts.returns_twice = true,
            "upwards" => facts.upwards = true,
            "copy" => facts.memory = Some(MemoryCall::Copy),
            "fill" => facts.memory = Some(MemoryCall::Fill),
            "compare" => facts.memory = Some(MemoryCall::Compare),
            "absolute32" => facts.absolute = Some(32),
            "absolute64" => facts.absolute = Some(64),
            _ => facts.v_form = Some(VForm { name: word.strip_prefix("v=")?, fixed }),
        }
    }
    Some(facts)
}

#[cfg(test)]
mod tests {
    use super::{Definer, Facts, MemoryCall, VForm, format_of};
    use crate::abi::libc::Format;
    use crate::abi::libc::{self, read};
    use crate::program::{Import, ImportKind, PrototypeSource};

    /// An undefined symbol; `types` as in the table, if BTF says them.
    fn import(name: &str, types: Option<&'static str>) -> Import {
        let of_btf = types.map(|types| read(types).expect(types));
        let prototype_from = if types.is_some() { PrototypeSource::Btf } else { PrototypeSource::Table };
        Import {
            name: name.to_owned(),
            weak: false,
            kind: ImportKind::Function,
            prototype: of_btf.or_else(|| libc::prototype(name)).map(Into::into),
            prototype_from,
            files: Vec::new(),
            kconfig: false,
            ksym: false,
            alias_of: None,
        }
    }

    fn facts(name: &str, types: Option<&'static str>, definer: Definer) -> Facts {
        Facts::of(&import(name, types), |_| definer)
    }

    const ALL: [Definer; 4] = [Definer::Libc, Definer::Embedder, Definer::Library, Definer::Link];

    /// Each fact, whoever defines the name: with libc's type in BTF, with another one, without one.
    #[test]
    fn who_is_believed() {
        let believed = |fact: fn(Facts) -> bool, name: &str, types: Option<&'static str>| {
            ALL.map(|definer| fact(facts(name, types, definer)))
        };
        let (no, by_libc, by_link) = ([false; 4], [true, false, false, false], [true, false, false, true]);
        let upwards: fn(Facts) -> bool = |facts| facts.upwards;
        assert_eq!(believed(upwards, "remove", Some("i4\t*const char")), by_link);
        // The same registers, so it may well be libc's where that is known to be the one.
        assert_eq!(believed(upwards, "remove", Some("i4\t*struct list")), by_libc);
        assert_eq!(believed(upwards, "remove", Some("i8\t*struct list")), no);
        assert_eq!(believed(upwards, "remove", None), by_libc);
        assert_eq!(believed(upwards, "own", Some("i4\t*const char")), no);
        let memory: fn(Facts) -> bool = |facts| facts.memory == Some(MemoryCall::Copy) && facts.upwards;
        assert_eq!(believed(memory, "memcpy", Some("*void\t*void\t*const void\tu8")), by_link);
        assert_eq!(believed(memory, "memcpy", Some("*struct list\t*struct list\t*struct list\tu8")), by_libc);
        assert_eq!(believed(memory, "memcpy", Some("*void\t*void\t*const void\tu4")), no);
        // What compilers call on their own.
        assert_eq!(believed(memory, "memcpy", None), by_link);
        // Of another type it may be another function; compilers call it on their own, without a type.
        let float: fn(Facts) -> bool = |facts| facts.float.is_some();
        assert_eq!(believed(float, "sqrt", Some("f8\tf8")), by_link);
        assert_eq!(believed(float, "sqrt", Some("f4\tf4")), no);
        assert_eq!(believed(float, "sqrt", Some("i4\ti4")), no);
        assert_eq!(believed(float, "floorf", None), by_link);
        assert_eq!(believed(float, "sin", None), no);
        // Compilers do not call it on their own.
        let absolute: fn(Facts) -> bool = |facts| facts.absolute.is_some();
        assert_eq!(believed(absolute, "abs", Some("i4\ti4")), by_link);
        assert_eq!(believed(absolute, "labs", Some("i8\ti8")), by_link);
        assert_eq!(believed(absolute, "abs", Some("i8\ti8")), no);
        assert_eq!(believed(absolute, "abs", None), by_libc);
        let v_form: fn(Facts) -> bool = |facts| facts.v_form.is_some();
        let of_one = |types| believed(v_form, "printf", types);
        // All of them have `vprintf`, too.
        assert_eq!(of_one(Some("i4\t*const char\t...")), [true; 4]);
        assert_eq!(of_one(Some("v\t*const char\t...")), [true; 4]);
        assert_eq!(of_one(Some("i4\t*struct list\t...")), by_libc);
        assert_eq!(of_one(None), [true; 4]);
        let no_return: fn(Facts) -> bool = |facts| facts.no_return;
        assert_eq!(believed(no_return, "exit", Some("v\ti4")), by_link);
        assert_eq!(believed(no_return, "exit", Some("i4\t*struct list")), no);
        assert_eq!(believed(no_return, "exit", None), by_link);
        let ends: fn(Facts) -> bool = |facts| facts.ends;
        assert_eq!(believed(ends, "exit", Some("v\ti4")), by_link);
        assert_eq!(believed(ends, "exit", Some("i4\t*struct list")), no);
        assert_eq!(believed(ends, "exit", None), by_libc);
        assert_eq!(believed(ends, "printf", Some("i4\t*const char\t...")), no);
        let twice: fn(Facts) -> bool = |facts| facts.returns_twice;
        for types in [Some("i4\t*struct __jmp_buf_tag"), Some("v"), None] {
            assert_eq!(believed(twice, "setjmp", types), [true; 4]);
        }
    }

    #[test]
    fn a_form_with_a_list_is_of_the_same_definer() {
        let definer = |name: &str| if name == "printf" { Definer::Embedder } else { Definer::Libc };
        assert_eq!(Facts::of(&import("printf", None), definer).v_form, None);
        let form = Facts::of(&import("fprintf", None), definer).v_form;
        assert_eq!(form, Some(VForm { name: "vfprintf", fixed: 2 }));
    }

    #[test]
    fn what_may_be_missing_is_called() {
        for name in ["memcpy", "sqrt", "abs"] {
            let weak = Import { weak: true, ..import(name, None) };
            assert_eq!(ALL.map(|definer| Facts::of(&weak, |_| definer).in_place()), [None; 4]);
        }
    }

    #[test]
    fn formats() {
        let format = |parameter, is_wide| Some(Format { parameter, is_wide });
        for (name, expected) in [
            ("printf", format(0, false)),
            ("__snprintf_chk", format(4, false)),
            ("vsnprintf", format(2, false)),
            ("swprintf", format(2, true)),
            ("__isoc99_sscanf", format(1, false)),
            ("__isoc23_vfscanf", format(1, false)),
            ("wscanf", format(0, true)),
            ("__nldbl_printf", None),
            ("puts", None),
        ] {
            assert_eq!(format_of(name), expected, "{name}");
        }
    }
}
