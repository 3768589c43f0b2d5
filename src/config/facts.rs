//! What passes and lowering may ask of a target, decided in one place.
//!
//! In: a code generator. Out: [`TargetFacts`]. The rule: code asks for what a target can do, and not which target it is; the
//! ABI, whose rules are by architecture, is in [`crate::abi`].
//!
//! | fact | x86-64 | aarch64 | riscv64 | s390x |
//! |---|---|---|---|---|
//! | [`TargetFacts::widest_unaligned`], in bytes | 16 | 16 | none | 8 |
//! | [`Need::UnalignedAccess`] | yes | yes | | yes |
//! | [`Need::Vectors`] | yes | yes | | |
//! | [`Need::RegisterPairs`] | yes | yes | | |
//! | [`Need::MachineCodeSteps`] | yes | | | |
//! | [`Need::MemoryOperands`] | yes | | | |
//! | [`Need::ExtensionInstructions`] | | yes | yes | yes |
//! | [`Need::InPlace`] | yes | | | |
//! | [`TargetFacts::adds_to_third`] | yes | | | |
//! | [`TargetFacts::shifts_to_third`] | with `bmi1` and `bmi2` | yes | yes | yes |
//! | [`TargetFacts::floats_to_third`] | with `avx` | yes | yes | |
//! | [`TargetFacts::rounds`] | with `sse4.1` | yes | yes | yes |
//! | [`TargetFacts::multiplies_and_adds`] | with `fma` | yes | yes | yes |
//! | [`TargetFacts::fmin_takes_second`] | yes | | | |
//! | [`TargetFacts::masks_are_vectors`], [`TargetFacts::converts_to_signed_only`] | yes | | | |
//! | [`TargetFacts::calls_lose_floats`] | but on Windows | | | |
//! | [`TargetFacts::multiplies_lanes`], [`TargetFacts::compares_all_lanes`] | with `sse4.1` | yes | no vectors | no vectors |
//! | [`TargetFacts::counts_ones`] | with `popcnt` | yes | with `zbb` | yes |
//! | [`TargetFacts::counts_zeros`] | yes | yes | with `zbb` | yes |
//! | [`TargetFacts::counts_zeros_of_words`] | yes | yes | | yes |
//! | [`TargetFacts::reverses_bits`] | | yes | | |
//! | [`TargetFacts::registers`] | 14 | 26 | 26 | 13 |
//!
//! Which constants instructions take is in `immediates.rs`.

use cranelift_codegen::ir::Endianness;
use cranelift_codegen::isa::{CallConv, TargetIsa};
use target_lexicon::Architecture;

use super::immediates::Immediates;

/// What a pass needs of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Loads and stores that are not aligned are as fast as those that are; elsewhere they may be slow, or a trap that is
    /// emulated.
    UnalignedAccess,
    /// 16 bytes in a register, loaded from any address; elsewhere vectors are an extension.
    Vectors,
    /// Cranelift's pairs of words (`iconcat`, `isplit`) cost no instruction.
    RegisterPairs,
    /// There are steps over machine code.
    MachineCodeSteps,
    /// Arithmetic of floats takes an operand from memory.
    MemoryOperands,
    /// A zero extension of 32 bits is an instruction of its own, and not one of the moves that are there anyway.
    ExtensionInstructions,
    /// Most instructions compute in place of their first operand.
    InPlace,
}

impl Need {
    /// In a few words.
    pub const fn about(self) -> &'static str {
        match self {
            Need::UnalignedAccess => "fast unaligned accesses",
            Need::Vectors => "16-byte vectors",
            Need::RegisterPairs => "pairs of words that cost nothing",
            Need::MachineCodeSteps => "x86-64",
            Need::MemoryOperands => "operands in memory",
            Need::ExtensionInstructions => "zero extensions that are no moves",
            Need::InPlace => "instructions that compute in place",
        }
    }
}

/// What is known of a target.
#[derive(Clone, Copy, Debug)]
pub struct TargetFacts {
    /// The order of bytes in memory.
    pub endianness: Endianness,
    /// Bytes of the widest access that need not be aligned; none where it should be.
    pub widest_unaligned: Option<u64>,
    /// An addition may write a third register (`lea`), and a subtraction or a shift may not.
    pub adds_to_third: bool,
    /// So may rotates by constants, shifts by registers, and an `&` with a complement.
    pub shifts_to_third: bool,
    /// So may arithmetic of floats.
    pub floats_to_third: bool,
    /// `popcnt` is a few instructions.
    pub counts_ones: bool,
    /// Rounding a float up, down or towards zero is an instruction, or a few.
    pub rounds: bool,
    /// A product and a sum that is rounded once is an instruction.
    pub multiplies_and_adds: bool,
    /// Of two zeros, libc's `fmin` and `fmax` return the second, as one machine instruction does; elsewhere it is the smaller or the
    /// larger.
    pub fmin_takes_second: bool,
    /// A mask of a float's sign is better a vector: there is no instruction for the sign alone.
    pub masks_are_vectors: bool,
    /// No register of floats is saved by what is called.
    pub calls_lose_floats: bool,
    /// A float becomes a signed integer by an instruction, and one without a sign does not.
    pub converts_to_signed_only: bool,
    /// A product of 32-bit lanes is one instruction.
    pub multiplies_lanes: bool,
    /// The lesser or the greater of lanes of 8 to 32 bits, signed or not, is one instruction, and so is their sign extension.
    pub compares_all_lanes: bool,
    /// `clz` and `ctz` are; elsewhere they are loops.
    pub counts_zeros: bool,
    /// `ctz` of 32 bits does not look at those above: QEMU 7.2, of Debian 12, has a `ctzw` of riscv64 that does where all 32 are 0.
    pub counts_zeros_of_words: bool,
    /// `bitrev` is one; elsewhere it is what programs write.
    pub reverses_bits: bool,
    /// How many registers for integers a function may use.
    pub registers: usize,
    /// Which constants instructions have inside.
    pub immediates: Immediates,
    vectors: bool,
    register_pairs: bool,
    machine_code_steps: bool,
    memory_operands: bool,
    extends_by_moves: bool,
    computes_in_place: bool,
}

impl TargetFacts {
    /// Those of a code generator's target.
    pub fn of(isa: &dyn TargetIsa) -> TargetFacts {
        let architecture = isa.triple().architecture;
        let is_x86 = architecture == Architecture::X86_64;
        let is_aarch64 = matches!(architecture, Architecture::Aarch64(_));
        let has = |name: &str| isa.isa_flags().iter().any(|flag| flag.name == name && flag.as_bool() == Some(true));
        TargetFacts {
            endianness: isa.endianness(),
            widest_unaligned: match architecture {
                _ if is_x86 || is_aarch64 => Some(16),
                Architecture::S390x => Some(8),
                _ => None,
            },
            adds_to_third: is_x86,
            shifts_to_third: !is_x86 || has("has_bmi1") && has("has_bmi2"),
            floats_to_third: if is_x86 { has("has_avx") } else { architecture != Architecture::S390x },
            counts_ones: match architecture {
                Architecture::X86_64 => has("has_popcnt"),
                Architecture::Riscv64(_) => has("has_zbb"),
                _ => true,
            },
            rounds: !is_x86 || has("has_sse41"),
            multiplies_and_adds: !is_x86 || has("has_fma"),
            fmin_takes_second: is_x86,
            masks_are_vectors: is_x86,
            converts_to_signed_only: is_x86,
            calls_lose_floats: is_x86 && isa.default_call_conv() == CallConv::SystemV,
            multiplies_lanes: !is_x86 || has("has_sse41"),
            compares_all_lanes: !is_x86 || has("has_sse41"),
            counts_zeros: !matches!(architecture, Architecture::Riscv64(_)) || has("has_zbb"),
            counts_zeros_of_words: !matches!(architecture, Architecture::Riscv64(_)),
            reverses_bits: is_aarch64,
            registers: match architecture {
                Architecture::X86_64 => 14,
                Architecture::S390x => 13,
                _ => 26,
            },
            immediates: Immediates::of(architecture),
            vectors: is_x86 || is_aarch64,
            register_pairs: is_x86 || is_aarch64,
            machine_code_steps: is_x86,
            memory_operands: is_x86,
            extends_by_moves: is_x86,
            computes_in_place: is_x86,
        }
    }

    /// Whether the target has what a pass needs.
    pub fn has(&self, need: Need) -> bool {
        match need {
            Need::UnalignedAccess => self.widest_unaligned.is_some(),
            Need::Vectors => self.vectors,
            Need::RegisterPairs => self.register_pairs,
            Need::MachineCodeSteps => self.machine_code_steps,
            Need::MemoryOperands => self.memory_operands,
            Need::ExtensionInstructions => !self.extends_by_moves,
            Need::InPlace => self.computes_in_place,
        }
    }
}
