//! C declarations as text, for `inspect` and for messages.
//!
//! A declaration is made inside out: a name, then around it what it is a pointer to, an array of or a function
//! returning, and the base type in front. An abstract declaration (`int (*)(const void *)`) has a place where the
//! name would be, which [`declare`] finds again: so a type that is kept as text can still be pointed to.

use std::fmt;

use super::prototype::{CType, Prototype};

/// The declaration of `declarator` (a name, `*`, `name(int)` or nothing) as something of type `ty`, an abstract
/// declaration such as `char`, `char *` or `int (*)(void)`.
pub(super) fn declare(ty: &str, declarator: &str) -> String {
    let place = place_of_name(ty);
    let (before, after) = ty.split_at(place);
    // An array or a function binds tighter than the `*` of a pointer to it.
    let (open, close) = match declarator.starts_with('*') && after.starts_with(['(', '[']) {
        true => ("(", ")"),
        false => ("", ""),
    };
    let tight = declarator.is_empty() || before.is_empty() || before.ends_with(['*', '(', ' ']);
    format!("{before}{}{open}{declarator}{close}{after}", if tight { "" } else { " " })
}

/// Where a name belongs in an abstract declaration: before the parameters or the bounds, inside the innermost
/// parenthesis that begins with `*`; else at the end.
fn place_of_name(ty: &str) -> usize {
    let mut place = 0;
    loop {
        let rest = &ty[place..];
        match rest.find(['(', '[', ')']) {
            Some(at) if rest[at..].starts_with("(*") => place += at + 1,
            Some(at) => return place + at,
            None => return ty.len(),
        }
    }
}

impl CType {
    /// The declaration of `declarator` as something of this type: `declare("x")` is `char *x`.
    pub fn declare(&self, declarator: &str) -> String {
        match self {
            CType::Pointer(pointee) => declare(&declare(pointee, "*"), declarator),
            other => declare(&other.base(), declarator),
        }
    }

    fn base(&self) -> String {
        let text = match self {
            CType::Void => "void",
            CType::Bool => "_Bool",
            CType::Int { bytes: 1, signed: true } => "char",
            CType::Int { bytes: 2, signed: true } => "short",
            CType::Int { bytes: 4, signed: true } => "int",
            CType::Int { bytes: 8, signed: true } => "long",
            CType::Int { bytes: 1, signed: false } => "unsigned char",
            CType::Int { bytes: 2, signed: false } => "unsigned short",
            CType::Int { bytes: 4, signed: false } => "unsigned int",
            CType::Int { bytes: 8, signed: false } => "unsigned long",
            CType::Int { signed: true, .. } => "__int128",
            CType::Int { signed: false, .. } => "unsigned __int128",
            CType::Float { bytes: 4 } => "float",
            CType::Float { .. } => "double",
            CType::LongDouble => "long double",
            CType::Pointer(pointee) => return declare(pointee, "*"),
            CType::Aggregate(aggregate) => return aggregate.name.clone(),
        };
        text.to_owned()
    }
}

/// The type alone: `const char *`.
impl fmt::Display for CType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base())
    }
}

impl Prototype {
    /// The declaration of a function of this type: `int printf(const char *, ...)`.
    pub fn declare(&self, name: &str) -> String {
        let mut parameters: Vec<String> =
            self.parameters.iter().map(|parameter| parameter.ty.to_string()).collect();
        match (self.variadic, parameters.is_empty()) {
            (true, _) => parameters.push("...".to_owned()),
            (false, true) => parameters.push("void".to_owned()),
            (false, false) => {}
        }
        self.result.declare(&format!("{name}({})", parameters.join(", ")))
    }
}

/// The type alone: `int (const char *, ...)`.
impl fmt::Display for Prototype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.declare(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarators_go_where_c_wants_them() {
        let cases = [
            ("char", "", "char"),
            ("char", "x", "char x"),
            ("char", "*", "char *"),
            ("char *", "*", "char **"),
            ("char *", "x", "char *x"),
            ("int [4]", "*", "int (*)[4]"),
            ("int (const void *)", "*", "int (*)(const void *)"),
            ("int (*)(const void *)", "*", "int (**)(const void *)"),
            ("int (*)(const void *)", "compare", "int (*compare)(const void *)"),
            ("void (*)(int)", "signal(int, void (*)(int))", "void (*signal(int, void (*)(int)))(int)"),
            ("void (*(int))(int)", "*", "void (*(*)(int))(int)"),
        ];
        for (ty, declarator, expected) in cases {
            assert_eq!(declare(ty, declarator), expected, "`{declarator}` of type `{ty}`");
        }
    }
}
