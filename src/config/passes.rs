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

use super::level::OptLevel;

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
    MapCalls "map-calls" "helpers called with a map that is known call the function of its type and size"
    StackPromotion "stack-promotion" "frame slots that no pointer reaches become values"
    JumpThreading "jump-threading" "edges to blocks that only jump lead to where those jump"
    IfConversion "if-conversion" "branches around a few cheap instructions become selects"
    SwitchFormation "switch-formation" "trees of comparisons of one value with constants become jump tables"
    ColdBlocks "cold-blocks" "blocks that end in a trap or in a call that does not return lie at the end"
    CallsThatEnd "calls-that-end" "nothing is lifted behind a call of exit, abort and the like"
    MemoryCalls "memory-calls" "memcpy, memset and memcmp of a few bytes become loads and stores"
    FloatCalls "float-calls" "sqrt, fabs, floor and the like become instructions"
    IntegerCalls "integer-calls" "abs, labs and llabs become instructions"
    TableJumps "table-jumps" "jumps by an entry of a jump table go by its index"
    Inlining "inlining" "small leaf functions are inlined"
    RedundantParameters "redundant-parameters" "block parameters that are always one value, or the same as another one, become that"
    ImpliedBranches "implied-branches" "branches whose outcome an earlier branch has decided become jumps"
    LoadCombining "load-combining" "byte loads of one number become one load, and masks of known zeros go"
    StoreMerging "store-merging" "byte stores of one number become one store"
    Rotates "rotates" "pairs of shifts become rotates by a variable amount"
    BitCounts "bit-counts" "bit counts, parities and reversals by shifts, masks and tables become popcnt, clz, ctz and bitrev"
    FloatComparisons "float-comparisons" "three-way results that are compared again become one comparison of floats"
    FloatValues "float-values" "words that hold floats become floats: block parameters, selects, loads and stores"
    LoopVectors "loop-vectors" "loops over elements do 16 bytes or more at once, in vectors"
    Unrolling "unrolling" "small counted loops do several iterations in one"
    CopyMerging "copy-merging" "bytes that are loaded and stored one by one are copied several at once"
    AbsoluteValues "absolute-values" "absolute values by the sign become instructions"
    Reassociation "reassociation" "long sums are added as terms become ready, loop-carried ones last; loop-carried products are sums"
    Slp "slp" "products of adjacent 16-bit numbers are computed in vectors of eight"
    DemandedBits "demanded-bits" "masks and sign extensions of bits that nobody looks at go"
    NarrowValues "narrow-values" "words of which only the low 32 bits are looked at are 32 bits wide"
    DisjointOr "disjoint-or" "bitwise ors of numbers that have no bit in common are sums"
    WideArithmetic "wide-arithmetic" "sums and products of 128 bits pass carries in the flags, and multiply once"
    SelectToBranch "select-to-branch" "selects on a loop's critical path become branches, where one outcome is likely"
    BranchMerging "branch-merging" "two tests for equality with one target become one branch"
    IndexedPointers "indexed-pointers" "pointers that move with a loop's counter are indexed by it"
    PostIncrement "post-increment" "back edges compare and pass the incremented counter"
    EdgeSplitting "edge-splitting" "edges that leave loops, or pass constants, get blocks of their own"
    BitTests "bit-tests" "branches on one bit, by a shift and a mask, become bit tests"
    LowHalves "low-halves" "low halves of values that are needed whole are taken from them"
    Anchors "anchors" "values used on several paths are computed where the program does, once"
    NarrowComparisons "narrow-comparisons" "comparisons of numbers that are masked to 8 or 16 bits are of so many"
    LoopConstants "loop-constants" "constants that instructions do not have inside are made in front of loops"
    LoopArguments "loop-arguments" "arguments that loops use leave the registers that they arrive in"
    ArgumentOrder "argument-order" "arguments of back edges are computed in the order of the last uses of the old values"
    FloatAnchors "float-anchors" "floats computed from loads are computed before the next access of memory"
    Egraph "egraph" "Cranelift's own: common subexpressions, constants, loop invariants, algebra"
    InstructionScheduling "instruction-scheduling" "instructions of large blocks are in an order that needs fewer registers"
    OperandOrder "operand-order" "operations compute in place of an operand that nobody needs afterwards"
    Spills "spills" "spills and reloads of what is there already go, and reloads become operands"
    ClearedConditions "cleared-conditions" "conditions become numbers in registers that were cleared before"
    ShortEncodings "short-encodings" "branches and constants take as few bytes as they can"
    JumpTableBounds "jump-table-bounds" "indices of jump tables are checked by a branch"
    LoopRotation "loop-rotation" "loops go back by their own test, and moves that undo each other go"
    BlockPlacement "block-placement" "blocks lie in the order in which the fewest branches are taken"
    Prologues "prologues" "frames have no frame pointer, and are set up behind early exits (shrink wrapping)"
    LoopAlignment "loop-alignment" "inner loops span as few cache lines as they can, their branches within fetch blocks"
    CopyPropagation "copy-propagation" "registers are read where their values were before they were moved; what is dead goes"
    InstructionCombining "instruction-combining" "shifts, constants, comparisons and steps of addresses are done by other instructions"
    MoveCoalescing "move-coalescing" "values are computed in the registers that moves would bring them to"
    LoopInvariants "loop-invariants" "constants, and what is computed of what a loop does not change, are made in front of it"
    LoopInversion "loop-inversion" "a branch out of a loop before the jump back becomes the branch back"
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
