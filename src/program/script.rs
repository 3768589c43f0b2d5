//! Functions of a script, and which half of an object a function belongs to.
//!
//! In: nothing; `crate::halves` finds halves, and the parse phase keeps them. The rule: a function that both halves reach is in
//! both: the kernel gets its BPF code, and user space its translation.

use super::{DataSectionId, FileId, FunctionId};

/// What a function of a script is for: `enum script_kind` of `runtime/script/script.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum ScriptKind {
    /// Before the kernel half is loaded.
    Init = 1,
    /// When it is attached, before the workload runs.
    Begin,
    /// For each record of a ring buffer or a perf buffer.
    Event,
    /// When a timer is due.
    Timer,
    /// When the workload has ended.
    End,
}

impl ScriptKind {
    /// By its word.
    pub fn named(word: &str) -> Option<ScriptKind> {
        Some(match word {
            "INIT" => ScriptKind::Init,
            "BEGIN" => ScriptKind::Begin,
            "EVENT" => ScriptKind::Event,
            "TIMER" => ScriptKind::Timer,
            "END" => ScriptKind::End,
            _ => return None,
        })
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            ScriptKind::Init => "INIT",
            ScriptKind::Begin => "BEGIN",
            ScriptKind::Event => "EVENT",
            ScriptKind::Timer => "TIMER",
            ScriptKind::End => "END",
        }
    }
}

/// Who runs a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// The kernel.
    Kernel,
    /// User space.
    User,
    /// Both: each has its own.
    Both,
}

impl Half {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Half::Kernel => "kernel",
            Half::User => "user",
            Half::Both => "both",
        }
    }
}

/// The halves of a program whose kernel half is loaded by its user half.
#[derive(Clone, Debug)]
pub struct Halves {
    /// The object with the kernel programs.
    pub file: FileId,
    /// The functions of that object that user space does not run, in order.
    pub kernel: Vec<FunctionId>,
    /// The functions of that object that both run, in order.
    pub both: Vec<FunctionId>,
    /// Data sections that both have, in order: writable ones begin on a page and are alone on their pages.
    pub shared: Vec<DataSectionId>,
    /// The runtime's driver, which runs a script.
    pub driver: Option<FunctionId>,
}

impl Halves {
    /// The half of a function.
    pub fn of(&self, function: FunctionId) -> Half {
        if self.kernel.binary_search(&function).is_ok() {
            Half::Kernel
        } else if self.both.binary_search(&function).is_ok() {
            Half::Both
        } else {
            Half::User
        }
    }
}
