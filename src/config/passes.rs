//! The optimisations that can be turned off, or on alone, one by one.
//!
//! In: the words after `-Z`. Out: a set of [`Pass`]es, [`Passes`]. The rule: no combination changes what a program does,
//! and each has a name, so that a wrong result leads to the pass that made it.
//!
//! | `-Z` | effect on the set, in the order given |
//! |---|---|
//! | `NAME` | this one on |
//! | `no-NAME` | this one off |
//! | `all`, `none` | all on, all off |
//!
//! The set starts with all passes at -O2 and with none below.

use std::str::FromStr;

use super::OptLevel;

macro_rules! passes {
    ($($pass:ident $name:literal $about:literal)*) => {
        /// An optimisation with a switch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Pass {
            $(#[doc = $about] $pass,)*
        }

        impl Pass {
            /// All that there are.
            pub const ALL: &[Pass] = &[$(Pass::$pass),*];

            /// Its name after `-Z`.
            pub const fn name(self) -> &'static str {
                match self { $(Pass::$pass => $name,)* }
            }

            /// What it does, in a line.
            pub const fn about(self) -> &'static str {
                match self { $(Pass::$pass => $about,)* }
            }
        }
    };
}

passes! {
    StackPromotion "stack-promotion" "frame slots that no pointer reaches become values"
    JumpThreading "jump-threading" "jumps to jumps lead where those go"
    IfConversion "if-conversion" "branches around a few cheap instructions become conditional moves"
    SwitchFormation "switch-formation" "trees of comparisons of a number with constants become jump tables"
    MemoryCalls "memory-calls" "memcpy, memset and memcmp of a few bytes become loads and stores"
    ColdBlocks "cold-blocks" "blocks that end in a trap or a call that does not return lie at the end"
    Inlining "inlining" "small functions that call nothing are put into their callers"
    Egraph "egraph" "Cranelift's own: common subexpressions, constants, loop invariants, algebra"
    RedundantParameters "redundant-parameters" "block parameters that are always the same value are that value"
    LoadCombining "load-combining" "byte loads of one number become one load, and masks of what is zero go"
    StoreMerging "store-merging" "byte stores of one number become one store"
    Rotates "rotates" "shifts that make a rotate by a variable amount become one"
    BitCounts "bit-counts" "bits that are counted by shifts and masks are counted by instructions"
    LoopIdioms "loop-idioms" "loops that fill, copy or compute memory element by element do 16 bytes at once"
    Unrolling "unrolling" "small counted loops do several rounds in one"
    Reassociation "reassociation" "long sums are added up in the order that their terms are there in, what a loop carries last"
    Slp "slp" "products of 16-bit numbers that lie one after the other are computed eight at once"
    SelectToBranch "select-to-branch" "selections that a loop waits for become branches, where one outcome is likely"
    BranchMerging "branch-merging" "two tests for equality that lead to the same place become one branch"
    PostIncrement "post-increment" "loops' branches back compare and hand on what the next round starts with"
    EdgeSplitting "edge-splitting" "edges that leave loops, or hand on constants, get blocks of their own"
    Anchors "anchors" "values that several paths want, and those of long blocks, are computed where the program does"
    ArgumentOrder "argument-order" "what a loop hands on is computed in the order in which the old values are read last"
    JumpTableBounds "jump-table-bounds" "indices of jump tables are checked by a branch (x86-64)"
    BlockPlacement "block-placement" "blocks lie in the order in which the fewest branches are taken (x86-64)"
    Prologues "prologues" "frames have no frame pointer, and are set up behind early exits (x86-64)"
    LoopRotation "loop-rotation" "loops go back by their own test, and copies that undo each other go (x86-64)"
    ShortEncodings "short-encodings" "branches and constants have as few bytes as they can (x86-64)"
    LoopAlignment "loop-alignment" "inner loops lie in as few lines of the cache as they can, their branches within fetches (x86-64)"
}

/// A set of passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Passes(u64);

impl Passes {
    /// None of them.
    pub const NONE: Passes = Passes(0);

    /// All of them.
    pub const ALL: Passes = Passes((1 << Pass::ALL.len()) - 1);

    /// What a level of optimisation starts with.
    pub const fn of_level(level: OptLevel) -> Passes {
        match level {
            OptLevel::O0 | OptLevel::O1 => Passes::NONE,
            OptLevel::O2 => Passes::ALL,
        }
    }

    /// Whether `pass` is in it.
    pub const fn contains(self, pass: Pass) -> bool {
        self.0 & 1 << pass as u32 != 0
    }

    /// This set and `pass`.
    pub const fn with(self, pass: Pass) -> Passes {
        Passes(self.0 | 1 << pass as u32)
    }

    /// This set but for `pass`.
    pub const fn without(self, pass: Pass) -> Passes {
        Passes(self.0 & !(1 << pass as u32))
    }

    /// Makes the changes, in order.
    pub fn changed(self, changes: &[PassChange]) -> Passes {
        changes.iter().fold(self, |passes, change| match *change {
            PassChange::On(pass) => passes.with(pass),
            PassChange::Off(pass) => passes.without(pass),
            PassChange::All => Passes::ALL,
            PassChange::None => Passes::NONE,
        })
    }
}

/// A change to a set of passes: a word after `-Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassChange {
    /// One on.
    On(Pass),
    /// One off.
    Off(Pass),
    /// All on.
    All,
    /// All off.
    None,
}

/// A word that names no pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no pass `{0}`; `-Z help` lists them")]
pub struct UnknownPass(String);

impl FromStr for PassChange {
    type Err = UnknownPass;

    fn from_str(word: &str) -> Result<Self, UnknownPass> {
        let named = |name: &str| Pass::ALL.iter().copied().find(|pass| pass.name() == name);
        match (word, word.strip_prefix("no-")) {
            ("all", _) => Some(PassChange::All),
            ("none", _) => Some(PassChange::None),
            (_, Some(name)) => named(name).map(PassChange::Off),
            (name, None) => named(name).map(PassChange::On),
        }
        .ok_or_else(|| UnknownPass(word.to_owned()))
    }
}
