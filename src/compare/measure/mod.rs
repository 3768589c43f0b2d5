//! Measurements of a function's code.
//!
//! In: a [`Program`](crate::Program) and a [`Config`](crate::Config), or native code from another compiler. Out: one
//! [`Measured`] for each function: numbers ([`Measures`]), hashes, and texts where they are asked for. A function that
//! cannot be translated has an error instead, which does not stop the others.
//!
//! | file | what |
//! |---|---|
//! | `translate.rs` | a program's functions, each on its own |
//! | `native.rs` | native code: instructions, calls, spills |
//! | `cost.rs` | the estimate of cycles |
//! | `hash.rs` | SHA-256, as hexadecimal digits |

mod cost;
mod hash;
mod native;
mod translate;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::listing::{SourceLine, TextKind, TextLine, Texts};
pub use hash::sha256;
pub use native::{Foreign, ForeignRelocation, foreign};
pub use translate::{Function, MeasureError, program};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// BPF instructions; one that takes two slots counts once.
    Bpf,
    /// CLIF instructions, before Cranelift optimises.
    Clif,
    /// Bytes of native code, with its constants and jump tables.
    Bytes,
    /// Native instructions.
    Insns,
    /// Bytes of the stack frame, with saved registers, and the return address where the machine pushes it.
    Frame,
    /// Stores to spill slots; in foreign code, all stores relative to the stack or frame pointer.
    Spills,
    /// Loads from the same.
    Reloads,
    /// Calls, to functions and through registers.
    Calls,
    /// Jumps and branches.
    Branches,
    /// Instructions that read memory by an operand, reloads included.
    Loads,
    /// Instructions that write memory by an operand, spills included.
    Stores,
    /// Distinct imported functions and variables that the code names.
    Imports,
    /// A static estimate of cycles: each instruction's cost, times 10 for every loop that it is in (up to three).
    Cycles,
}

impl Measure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Measure; 13] = [
        Measure::Bpf,
        Measure::Clif,
        Measure::Bytes,
        Measure::Insns,
        Measure::Frame,
        Measure::Spills,
        Measure::Reloads,
        Measure::Calls,
        Measure::Branches,
        Measure::Loads,
        Measure::Stores,
        Measure::Imports,
        Measure::Cycles,
    ];

    /// The name of its column.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Bpf => "bpf",
            Measure::Clif => "clif",
            Measure::Bytes => "bytes",
            Measure::Insns => "insns",
            Measure::Frame => "frame",
            Measure::Spills => "spills",
            Measure::Reloads => "reloads",
            Measure::Calls => "calls",
            Measure::Branches => "branches",
            Measure::Loads => "loads",
            Measure::Stores => "stores",
            Measure::Imports => "imports",
            Measure::Cycles => "cycles",
        }
    }

    /// The measure with this name.
    pub fn named(name: &str) -> Option<Measure> {
        Measure::ALL.into_iter().find(|measure| measure.name() == name)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The numbers of a function; what does not apply (BPF instructions of foreign code) is missing.
pub type Measures = BTreeMap<Measure, u64>;

/// What was measured of a function's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The numbers.
    pub measures: Measures,
    /// The imported functions and variables that it names, sorted.
    pub imports: Vec<String>,
    /// Hash of the CLIF, as Cranelift gets it; none for foreign code.
    pub clif: Option<String>,
    /// Hash of the native code and its relocations.
    pub code: String,
    /// The texts, if they were asked for.
    pub texts: Option<Texts>,
}

/// What to return in addition to the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Want {
    /// Nothing.
    #[default]
    Numbers,
    /// The texts of all functions.
    Texts,
}
