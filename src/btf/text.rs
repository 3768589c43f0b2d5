//! Types as C text: for `inspect`, for messages, and for what a pointer points to.
//!
//! Texts are cut and nesting is followed only so far: a text is never much longer than [`MAX_TEXT`], whatever the type.

use super::declare::declare;
use super::types::{FunctionPrototype, Kind, TypeId};
use super::{Btf, MAX_NESTING};

/// The longest name or text of a type, in bytes.
const MAX_TEXT: usize = 256;

/// Makes the C text of a type.
struct Text<'a> {
    btf: &'a Btf,
    steps: usize,
}

impl<'a> Text<'a> {
    fn new(btf: &'a Btf) -> Self {
        Text { btf, steps: MAX_NESTING }
    }

    fn of(mut self, id: TypeId) -> String {
        let text = self.declare(id, String::new());
        match cut(&text) {
            whole if whole.len() == text.len() => text,
            start => format!("{start}..."),
        }
    }

    /// The declaration of `declarator` as something of type `id`.
    fn declare(&mut self, id: TypeId, declarator: String) -> String {
        let Some(steps) = self.steps.checked_sub(1) else { return "...".to_owned() };
        self.steps = steps;
        if declarator.len() > MAX_TEXT {
            return declarator;
        }
        let Ok(ty) = self.btf.get(id) else { return "...".to_owned() };
        let name = cut(self.btf.name(ty.name));
        match ty.kind {
            Kind::Pointer(pointee) => self.declare(pointee, format!("*{declarator}")),
            Kind::Const(of) => self.qualified("const", of, declarator),
            Kind::Volatile(of) => self.qualified("volatile", of, declarator),
            Kind::Restrict(of) => self.qualified("restrict", of, declarator),
            Kind::TypeTag(of) | Kind::DeclTag { ty: of, .. } => self.declare(of, declarator),
            Kind::Array(array) => {
                let declarator = declare(&format!("[{}]", array.count), &declarator);
                self.declare(array.element, declarator)
            }
            Kind::FunctionPrototype(function) => {
                let parameters = self.parameters(function);
                self.declare(function.result, declare(&format!("({parameters})"), &declarator))
            }
            kind => declare(&base(kind, name), &declarator),
        }
    }

    /// `const char` and `*const`: the qualifier of a pointer stands behind its star.
    fn qualified(&mut self, qualifier: &str, of: TypeId, declarator: String) -> String {
        match self.btf.get(of).map(|ty| ty.kind) {
            Ok(Kind::Pointer(pointee)) => self.declare(pointee, format!("*{}", declare(qualifier, &declarator))),
            _ => format!("{qualifier} {}", self.declare(of, declarator)),
        }
    }

    fn parameters(&mut self, function: FunctionPrototype) -> String {
        let all = self.btf.parameters(function);
        let mut text = String::new();
        for parameter in all {
            let separator = if text.is_empty() { "" } else { ", " };
            text += separator;
            if parameter.ty == TypeId::VOID || text.len() > MAX_TEXT {
                return text + "...";
            }
            text += &self.declare(parameter.ty, String::new());
        }
        if all.is_empty() { "void".to_owned() } else { text }
    }
}

/// The text of a type that is no declarator.
fn base(kind: Kind, name: &str) -> String {
    match (kind, name) {
        (Kind::Void, _) => "void".to_owned(),
        (Kind::Struct(_), "") => "struct {...}".to_owned(),
        (Kind::Union(_), "") => "union {...}".to_owned(),
        (Kind::Enum(_) | Kind::Enum64(_), "") => "enum {...}".to_owned(),
        (Kind::Struct(_) | Kind::Forward { union: false }, name) => format!("struct {name}"),
        (Kind::Union(_) | Kind::Forward { union: true }, name) => format!("union {name}"),
        (Kind::Enum(_) | Kind::Enum64(_), name) => format!("enum {name}"),
        (_, "") => "...".to_owned(),
        (_, name) => name.to_owned(),
    }
}

/// The start of a text, at most [`MAX_TEXT`] bytes.
pub(in crate::btf) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

impl Btf {
    /// A type in C: `const char *`, `struct timespec`; long ones are cut.
    pub fn text(&self, id: TypeId) -> String {
        Text::new(self).of(id)
    }
}
