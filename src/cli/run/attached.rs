//! What a program is attached to, and so which words it is given.
//!
//! In: the section's name, the types of the object and those of `--btf`. Out: the names and types of the words, where some
//! types have them.
//!
//! | section | parameters of |
//! |---|---|
//! | `fentry/F`, `fmod_ret/F`, `fexit/F`, `kprobe/F` | the function `F`; of `fmod_ret` and `fexit`, its result comes after them |
//! | `tp_btf/T`, `raw_tp/T` | the function `__bpf_trace_T`, or the type `btf_trace_T`, without the first |
//! | `lsm/H`, `lsm_cgroup/H` | `bpf_lsm_H`; what came of it so far comes after them |
//! | `struct_ops/M` | the member `M` of a struct, or that of the function's name |
//!
//! The object's own types have them where it names them; the kernel's BTF (`--btf /sys/kernel/btf/vmlinux`) has all.

use anyhow::Context;
use bpf2native::btf::{Btf, FunctionPrototype, Int, Kind, Type, TypeId, TypedName};

use super::arguments::extended;
use super::layout::kind;
use super::literal::{self, Buffers};

/// The parameters of what a program is attached to.
#[derive(Default)]
pub struct Parameters {
    /// None if nothing says them.
    known: Option<Vec<Known>>,
}

struct Known {
    name: String,
    /// What a word is read as.
    word: Word,
}

enum Word {
    Integer { size: usize, signed: bool },
    Pointer { is_text: bool },
}

impl Parameters {
    /// Those of a program in a section.
    pub fn of<'a>(section: &str, program: &str, types: impl IntoIterator<Item = &'a Btf>) -> Parameters {
        let section = section.strip_prefix('?').unwrap_or(section);
        let (prefix, target) = section.split_once('/').unwrap_or((section, program));
        // `.s` may sleep, `.w` writes.
        let prefix = prefix.split('.').next().unwrap_or_default();
        Parameters { known: types.into_iter().find_map(|btf| found(btf, prefix, target, program)) }
    }

    /// Words that are given in order, or by name.
    pub fn words(&self, given: &[String], buffers: &mut Buffers) -> anyhow::Result<Vec<u64>> {
        let Some(known) = &self.known else {
            let any = Word::Integer { size: 8, signed: false };
            let word = |(index, text): (usize, &String)| {
                any.read(text, buffers).with_context(|| format!("argument {}", index + 1))
            };
            return given.iter().enumerate().map(word).collect();
        };
        let mut words = vec![0; known.len()];
        let names = || known.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join("`, `");
        for (index, text) in given.iter().enumerate() {
            let (index, value) = match text.split_once('=').filter(|(name, _)| is_identifier(name)) {
                Some((name, value)) => {
                    let index = known.iter().position(|known| known.name == name);
                    (index.with_context(|| format!("`{name}` is none of `{}`", names()))?, value)
                }
                None => (index, text.as_str()),
            };
            let parameter = known.get(index).with_context(|| match known.len() {
                0 => format!("`{text}`: there are no arguments"),
                _ => format!("`{text}`: there are only `{}`", names()),
            })?;
            words[index] = parameter.word.read(value, buffers).with_context(|| format!("`{}`", parameter.name))?;
        }
        Ok(words)
    }
}

impl Word {
    fn read(&self, text: &str, buffers: &mut Buffers) -> anyhow::Result<u64> {
        match *self {
            Word::Integer { size, signed } => {
                let signed = signed || text.starts_with('-') && size == 8;
                let number = literal::integer(text, size, signed);
                match number {
                    Ok(bytes) => Ok(extended(&bytes, signed)[0]),
                    // A buffer, for what may be a pointer.
                    Err(error) if size == 8 => literal::pointer(text, false, buffers).map_err(|_| error),
                    Err(error) => Err(error),
                }
            }
            Word::Pointer { is_text } => literal::pointer(text, is_text, buffers),
        }
    }
}

fn is_identifier(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// The parameters that these types say.
fn found(btf: &Btf, prefix: &str, target: &str, program: &str) -> Option<Vec<Known>> {
    let of_function = |name: &str| prototype(btf, btf.function(name)?.ty);
    let (prototype, skipped, with_result) = match prefix {
        "fentry" | "kprobe" => (of_function(target)?, 0, false),
        "fmod_ret" | "fexit" | "fsession" => (of_function(target)?, 0, true),
        "tp_btf" | "raw_tp" | "raw_tracepoint" => {
            // The function has names, and not every tracepoint has one of its own.
            let of_typedef = || {
                let name = format!("btf_trace_{target}");
                let is_it = |ty: &Type| matches!(ty.kind, Kind::Typedef(_)) && btf.name(ty.name) == name;
                btf.types().find(|(_, ty)| is_it(ty)).and_then(|(id, _)| prototype(btf, id))
            };
            (of_function(&format!("__bpf_trace_{target}")).or_else(of_typedef)?, 1, false)
        }
        "lsm" | "lsm_cgroup" => (of_function(&format!("bpf_lsm_{target}"))?, 0, true),
        "struct_ops" => (member(btf, target).or_else(|| member(btf, program))?, 0, false),
        _ => return None,
    };
    let mut known: Vec<Known> = btf
        .parameters(prototype)
        .iter()
        .skip(skipped)
        .enumerate()
        .map(|(index, parameter)| known_as(btf, index, *parameter))
        .collect();
    if with_result && prototype.result != TypeId::VOID {
        known.push(Known { name: "ret".to_owned(), word: word(btf, prototype.result) });
    }
    Some(known)
}

/// A function's type, itself or what is pointed to.
fn prototype(btf: &Btf, ty: TypeId) -> Option<FunctionPrototype> {
    match kind(btf, ty)? {
        Kind::FunctionPrototype(prototype) => Some(prototype),
        Kind::Pointer(pointee) => match kind(btf, pointee)? {
            Kind::FunctionPrototype(prototype) => Some(prototype),
            _ => None,
        },
        _ => None,
    }
}

/// The type of the function that a member of this name points to, in the first struct that has one.
fn member(btf: &Btf, name: &str) -> Option<FunctionPrototype> {
    let composites = btf.types().filter_map(|(_, ty)| ty.kind.composite());
    let mut members = composites.flat_map(|composite| btf.members(composite));
    members.find_map(|member| if btf.name(member.name) == name { prototype(btf, member.ty) } else { None })
}

fn known_as(btf: &Btf, index: usize, parameter: TypedName) -> Known {
    let name = match btf.name(parameter.name) {
        "" => format!("arg{}", index + 1),
        name => name.to_owned(),
    };
    Known { name, word: word(btf, parameter.ty) }
}

/// What a word is read as. A struct that is passed by value is words of no known type.
fn word(btf: &Btf, ty: TypeId) -> Word {
    match kind(btf, ty) {
        Some(Kind::Int(Int { bytes: bytes @ (1 | 2 | 4), signed, .. })) => {
            Word::Integer { size: bytes as usize, signed }
        }
        Some(Kind::Enum(all)) => Word::Integer { size: all.bytes as usize, signed: all.signed },
        Some(Kind::Pointer(pointee)) => {
            let is_text = matches!(kind(btf, pointee), Some(Kind::Int(Int { bytes: 1, .. })));
            Word::Pointer { is_text }
        }
        Some(Kind::Int(int)) => Word::Integer { size: 8, signed: int.signed },
        _ => Word::Integer { size: 8, signed: false },
    }
}
