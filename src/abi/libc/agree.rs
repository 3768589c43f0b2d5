//! Whether a declaration is of libc's function, or of another one of its name.
//!
//! In: the declaration in an object, and the table's. Out: whether they agree.
//!
//! Registers alone do not tell `int remove(const char *)` from a host's `int remove(struct list *)`, so what pointers
//! point to is compared, too. It is compared as text, as both have it from BTF:
//!
//! | what pointers point to | agree |
//! |---|---|
//! | the same, whatever is `const` | yes |
//! | bytes of any signedness | yes |
//! | `FILE`, by any name of a struct: what it is differs between libraries | yes |
//! | all others | no |

use super::is_same_class;
use crate::btf::{CType, Prototype};

/// Names of C's and other headers for bytes.
const BYTES: [&str; 9] = ["char", "signed char", "unsigned char", "int8_t", "uint8_t", "s8", "u8", "__s8", "__u8"];

/// Whether the parameters are libc's.
pub(super) fn has_same_parameters(declared: &Prototype, libc: &Prototype) -> bool {
    declared.variadic == libc.variadic
        && declared.parameters.len() == libc.parameters.len()
        && declared.parameters.iter().zip(&libc.parameters).all(|(one, other)| is_same_type(&one.ty, &other.ty))
}

/// Whether a type is libc's.
pub(super) fn is_same_type(declared: &CType, libc: &CType) -> bool {
    match (declared, libc) {
        (CType::Void, CType::Void) => true,
        (CType::Pointer(declared), CType::Pointer(libc)) => is_same_pointee(declared, libc),
        (CType::Pointer(_), _) | (_, CType::Pointer(_)) => false,
        (declared, libc) => is_same_class(declared, libc),
    }
}

fn is_same_pointee(declared: &str, libc: &str) -> bool {
    let (declared, libc) = (unqualified(declared), unqualified(libc));
    let is_bytes = |ty: &str| BYTES.contains(&ty);
    let is_file = |ty: &str| matches!(ty, "FILE" | "__FILE" | "struct _IO_FILE");
    let is_opaque = |ty: &str| ty == "void" || !ty.contains(['*', '(', '[']);
    declared == libc
        || is_bytes(&declared) && is_bytes(&libc)
        || is_file(&libc) && is_opaque(&declared) && !is_bytes(&declared)
}

/// A type's text without its qualifiers.
fn unqualified(ty: &str) -> String {
    let apart = ty.replace('*', " * ");
    let words = apart.split_whitespace().filter(|word| !matches!(*word, "const" | "volatile" | "restrict"));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{has_same_parameters, is_same_pointee};
    use crate::abi::libc::{is_same_call, read};

    #[test]
    fn pointees() {
        for (declared, libc) in [
            ("const char", "const char"),
            ("char", "const char"),
            ("unsigned char", "char"),
            ("u8", "const char"),
            ("void", "const void"),
            ("FILE", "FILE"),
            ("struct _IO_FILE", "FILE"),
            ("struct file", "FILE"),
            ("void", "FILE"),
            ("char *", "char *"),
            ("char *const", "char *"),
        ] {
            assert!(is_same_pointee(declared, libc), "{declared}, {libc}");
        }
        for (declared, libc) in [
            ("struct list", "const char"),
            ("void", "const char"),
            ("char", "void"),
            ("struct list", "void"),
            ("int", "const char"),
            ("char *", "char"),
            ("char", "FILE"),
            ("FILE *", "FILE"),
        ] {
            assert!(!is_same_pointee(declared, libc), "{declared}, {libc}");
        }
    }

    #[test]
    fn the_same_call_may_be_of_another_type() {
        let libc = read("i4\t*const char").expect("a prototype");
        for (types, agrees) in [("i4\t*const char", true), ("i8\t*char", true), ("i4\t*struct list", false)] {
            let declared = read(types).expect(types);
            assert_eq!(has_same_parameters(&declared, &libc), agrees, "{types}");
        }
        assert!(is_same_call(&read("i4\t*struct list").expect("a prototype"), &libc));
        for other in ["i4\t*const char\t...", "i4", "i4\t*const char\ti4", "i4\tu8"] {
            assert!(!has_same_parameters(&read(other).expect(other), &libc), "{other}");
        }
    }
}
