//! Profiles with any counts, also such as no run makes.
//!
//! In: a program, a seed. Out: a profile that fits it. The rule: that of a seed is always the same.

use super::random::Seed;
use bpf2native::Program;
use bpf2native::internals::coverage::profile_of;
use bpf2native::profile::Profile;

/// A count: never, seldom, often, or more than there is time for.
fn count(seed: &mut Seed) -> u64 {
    match seed.below(8) {
        0..3 => 0,
        3 => 1,
        4 => seed.below(100) as u64,
        5 => seed.below(1 << 20) as u64,
        6 => seed.next(),
        _ => u64::MAX,
    }
}

/// A profile of a program by this seed.
pub fn random(program: &Program, seed: &mut Seed) -> Profile {
    let mut profile = profile_of(program);
    for function in &mut profile.functions {
        function.calls = count(seed);
        for block in &mut function.blocks {
            block.count = count(seed);
            block.outcomes.fill_with(|| count(seed));
        }
    }
    profile
}
