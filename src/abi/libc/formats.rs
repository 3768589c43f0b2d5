//! Which parameter of libc's printing and scanning functions is a format, and their forms with a `va_list`.
//!
//! In: a name, and the forms that the table says. Out: its [`Format`]. What becomes of one that has a `long double` in it: `lift/formats.rs`.

use super::NLDBL;

/// The form of a variadic function that takes a `va_list`. The format is the last declared parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VForm {
    /// Its name.
    pub name: &'static str,
    /// How many parameters it has before the `va_list`.
    pub fixed: usize,
}

/// The parameter of a function that is a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// Which parameter, counted from 0.
    pub parameter: usize,
    /// Whether it is of `wchar_t`.
    pub is_wide: bool,
}

/// Functions that scan, with the place of their format.
const SCANNING: [(&str, usize); 6] =
    [("scanf", 0), ("fscanf", 1), ("sscanf", 1), ("wscanf", 0), ("fwscanf", 1), ("swscanf", 1)];

/// The format of a function of this name; `v_form` says the forms of names.
pub(super) fn of(name: &str, v_form: impl Fn(&str) -> Option<VForm>) -> Option<Format> {
    let is_wide = name.contains("wprintf") || name.contains("wscanf");
    if name.starts_with(NLDBL) {
        return None;
    }
    // Printing ones, and their forms with a `va_list`.
    let of_form = || v_form(&name.replacen('v', "", 1)).filter(|form| form.name == name);
    if let Some(form) = v_form(name).or_else(of_form) {
        return Some(Format { parameter: form.fixed.checked_sub(1)?, is_wide });
    }
    let plain = name.strip_prefix("__isoc99_").or_else(|| name.strip_prefix("__isoc23_")).unwrap_or(name);
    let found = |plain: &str| SCANNING.iter().find(|(name, _)| *name == plain);
    let (_, parameter) = found(plain).or_else(|| found(plain.strip_prefix('v')?))?;
    Some(Format { parameter: *parameter, is_wide })
}

impl Format {
    /// Bytes of a character.
    pub(crate) fn unit(self) -> usize {
        if self.is_wide { 4 } else { 1 }
    }

    /// What makes a copy.
    pub(crate) fn copier(self) -> &'static str {
        if self.is_wide { "wcsdup" } else { "strdup" }
    }
}
