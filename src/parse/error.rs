//! What can be wrong with the input of [`super::parse`]: each error names the file and the place, and says the cure.

use std::fmt;
use std::path::PathBuf;

use crate::btf::BtfError;
use crate::btf::core::CoreError;
use crate::elf::Damaged;
use crate::halves::Refusal;
use crate::program::Place;

/// Why objects did not become a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A file could not be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is of a known format that is not ELF.
    #[error("{file}: is {format}; {cure}")]
    Format {
        /// The file.
        file: String,
        /// What it is, with its article.
        format: &'static str,
        /// What to do.
        cure: &'static str,
    },
    /// An ELF file for another machine.
    #[error("{file}: is for {machine}, not for BPF; compile with `clang -target bpf`, or with `bpf-gcc`")]
    Machine {
        /// The file.
        file: String,
        /// The machine's name, or `ELF machine N`.
        machine: String,
    },
    /// The objects are not all of one byte order.
    #[error(
        "`{first}` is {first_order} and `{second}` is {second_order}; compile all with the same `-target bpfel` or \
         `-target bpfeb`"
    )]
    ByteOrder {
        /// The first object.
        first: String,
        /// Its byte order.
        first_order: &'static str,
        /// The first object that differs.
        second: String,
        /// Its byte order.
        second_order: &'static str,
    },
    /// The file contradicts itself or the ELF format.
    #[error("{file}: is damaged: {what}; make it again")]
    Damaged {
        /// The file.
        file: String,
        /// What does not fit.
        what: String,
    },
    /// The types in the file cannot be read.
    #[error("{file}: has damaged BTF; compile it again, or without -g")]
    Btf {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: BtfError,
    },
    /// The code cannot be made to fit the target's types.
    #[error("{file}: does not fit the given BTF; translate without it to keep the values that were compiled in")]
    Core {
        /// The file.
        file: String,
        /// What does not fit.
        source: CoreError,
    },
    /// A section cannot be translated.
    #[error("{file}: section `{section}` {what}")]
    Section {
        /// The file.
        file: String,
        /// The section.
        section: String,
        /// What is wrong with it, and the cure.
        what: String,
    },
    /// A symbol cannot be translated.
    #[error("{file}: symbol `{symbol}` {what}")]
    Symbol {
        /// The file.
        file: String,
        /// The symbol.
        symbol: String,
        /// What is wrong with it, and the cure.
        what: String,
    },
    /// The definition of a map cannot be read.
    #[error("{file}: map `{map}`: {what}; `--no-runtime` takes maps as plain data")]
    Map {
        /// The file.
        file: String,
        /// The map.
        map: String,
        /// What is wrong with its definition.
        what: String,
    },
    /// A relocation cannot be resolved.
    #[error(transparent)]
    Relocation(Box<BadRelocation>),
    /// Symbols that more than one object defines.
    #[error("{}", Lines(.0))]
    Duplicates(Vec<Duplicate>),
    /// Sections of which a program has one, and objects have two.
    #[error(
        "section `{section}` of {second} has other contents than that of {first}: a program has one; make them the same"
    )]
    Differs {
        /// The section.
        section: String,
        /// The object that comes first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A value of the kernel's configuration that its variable cannot have.
    #[error("{file}: `{name}`, of the kernel's configuration, {what}")]
    Kconfig {
        /// The object that declares the variable.
        file: String,
        /// The variable.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// There is no kernel half to be made.
    #[error("{}{what}", File(.file))]
    KernelHalf {
        /// The object with the kernel programs; empty if there is none.
        file: String,
        /// Why not, and the cure.
        what: String,
    },
    /// What one of the halves cannot do.
    #[error("{file}: {}", Refused(.refusals))]
    Refused {
        /// The object with the kernel programs.
        file: String,
        /// All of it, each with the chain of calls that leads there.
        refusals: Vec<Refusal>,
    },
    /// No files were given.
    #[error("no files; give objects, compiled with `clang -target bpf -c`")]
    NoInput,
    /// No object has a section with code or data. Data alone, as maps without programs, is a program.
    #[error("{}: no code and no data in it; give objects with functions, compiled with `clang -target bpf -c`", .files.join(", "))]
    NoCode {
        /// The files that were given.
        files: Vec<String>,
    },
    /// Archives were given, and nothing asked for a member of them.
    #[error("{}: no member defines {}; give the object that needs the archive too", .archives.join(", "), Names(.roots))]
    NoMember {
        /// The archives.
        archives: Vec<String>,
        /// What was looked for.
        roots: Vec<String>,
    },
    /// Raw instructions that are not a whole number of slots.
    #[error("{file}: has {size} bytes; instructions are 8 bytes each, and there must be at least one")]
    Instructions {
        /// The name that was given.
        file: String,
        /// How many bytes there are.
        size: usize,
    },
}

impl From<Damaged> for ParseError {
    fn from(Damaged { file, what }: Damaged) -> Self {
        ParseError::Damaged { file, what }
    }
}

/// A relocation that cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: relocation of type {kind} to `{symbol}` {what}")]
pub struct BadRelocation {
    /// The field that is relocated.
    pub place: Place,
    /// The type's number, `R_BPF_*`.
    pub kind: u32,
    /// The symbol's name, or its section's.
    pub symbol: String,
    /// What is wrong with it.
    pub what: String,
}

/// A symbol with two definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Its name.
    pub symbol: String,
    /// The object with the first definition.
    pub first: String,
    /// The object with the second.
    pub second: String,
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, first, second } = self;
        write!(f, "`{symbol}` is defined in {first} and again in {second}; make one of them static or weak")
    }
}

/// One item to a line.
struct Lines<'a>(&'a [Duplicate]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, duplicate) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{duplicate}")?;
        }
        Ok(())
    }
}

/// A file in front of an error, if there is one.
struct File<'a>(&'a str);

impl fmt::Display for File<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

/// What halves cannot do, one to a line.
struct Refused<'a>(&'a [Refusal]);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "{one}"),
            several => {
                write!(f, "{} functions are in the wrong half:", several.len())?;
                several.iter().try_for_each(|refusal| write!(f, "\n  {refusal}"))
            }
        }
    }
}

/// Names in backticks, with commas.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}`{name}`")?;
        }
        Ok(())
    }
}
