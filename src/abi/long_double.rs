//! Functions of libc and libm that take or return a `long double`, or a pointer to one.
//!
//! For BPF compilers that is a `double` of 8 bytes. Natively it has 16, and on x86-64 it is passed in registers that no
//! code here can reach. So the function's form for `double` is called instead: `strtod` for `strtold`, `sin` for `sinl`,
//! `modf` for `modfl`, whose pointer then is to 8 bytes. `_Float64x` and `_Float128` are the same types (`sinf64x`).
//!
//! In: a name. Out: the name of the form, from `long_double.txt`, which `tools/prototypes.sh` makes: a name and its form
//! on each line, sorted. Whether the function is libc's, [`super::libc::Facts`] says.

use super::table::find;
use crate::btf::{CType, Prototype};

const TABLE: &str = include_str!("long_double.txt");

/// The form for `double` of libc's function of this name.
pub(crate) fn form(name: &str) -> Option<&'static str> {
    find(TABLE, name)
}

/// What is wrong with calls between BPF and native code by this prototype, if anything.
pub(crate) fn fault(prototype: &Prototype) -> Option<&'static str> {
    let types = || prototype.parameters.iter().map(|parameter| &parameter.ty).chain([&prototype.result]);
    let is_address = |ty: &CType| match ty {
        CType::Pointer(pointee) => pointee.trim_start_matches("const ").starts_with(crate::btf::LONG_DOUBLE),
        _ => false,
    };
    if types().any(CType::has_long_double) {
        return Some(
            "`long double` has 8 bytes in BPF and is passed as a `double`, which native code takes for another type",
        );
    }
    let what = "a `long double` in memory has 8 bytes in BPF, and native code takes it to be larger";
    types().any(is_address).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::{TABLE, form};
    use crate::abi::libc;

    #[test]
    fn every_form_is_a_function_of_libc() {
        for line in TABLE.lines() {
            let (name, of_double) = line.split_once('\t').expect(line);
            assert_eq!(form(name), Some(of_double));
            assert!(libc::prototype(of_double).is_some(), "{line}");
            assert!(libc::prototype(name).is_some(), "{line}");
        }
    }

    #[test]
    fn names() {
        for (name, of_double) in [
            ("strtold", "strtod"),
            ("sinl", "sin"),
            ("lgammal_r", "lgamma_r"),
            ("nexttoward", "nextafter"),
            ("cabsl", "cabs"),
            ("sinf64x", "sinf64"),
            ("strfroml", "strfromd"),
        ] {
            assert_eq!(form(name), Some(of_double));
        }
        // No function of the libraries has these forms.
        for name in ["sin", "daddl", "own"] {
            assert_eq!(form(name), None, "{name}");
        }
    }
}
