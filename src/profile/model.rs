//! What ran of a program, block by block.
//!
//! In: counts. Out: [`Profile`], to be read by whoever likes; sums of profiles. The rule: counts saturate.

use std::collections::HashMap;

/// How often the blocks of a program's functions ran.
///
/// ```
/// use bpf2native::profile::Profile;
///
/// let text = "bpf2native profile 1\nfunction 00000000000000ff 2 3 main\n0 2 1 1\n4 1\n6 1\nend\n";
/// let mut profile = Profile::parse(text.as_bytes())?;
/// profile.merge(&profile.clone());
/// assert_eq!(profile.functions[0].blocks[0].outcomes, [2, 2]);
/// # Ok::<(), bpf2native::profile::ProfileError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The functions, in the order of the program.
    pub functions: Vec<FunctionProfile>,
}

/// How often a function and its blocks ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionProfile {
    /// Its name in the object.
    pub name: String,
    /// What says that it is the same: of its operations and its control flow.
    pub digest: u64,
    /// How often it was called.
    pub calls: u64,
    /// Its blocks, in the order of the code.
    pub blocks: Vec<BlockProfile>,
}

/// How often a block ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockProfile {
    /// Its first instruction: slots of eight bytes from the function's start.
    pub start: u64,
    /// How often it was entered.
    pub count: u64,
    /// How often it went each way, if there are several: a branch taken, not taken; the targets of a jump through a register.
    pub outcomes: Vec<u64>,
}

impl Profile {
    /// Adds what another one has: to functions of the same name and digest, the first to the first; others behind those that are here.
    pub fn merge(&mut self, other: &Profile) {
        let mut known: HashMap<(String, u64), Vec<usize>> = HashMap::new();
        for (index, function) in self.functions.iter().enumerate().rev() {
            known.entry((function.name.clone(), function.digest)).or_default().push(index);
        }
        for function in &other.functions {
            let own = known.get_mut(&(function.name.clone(), function.digest)).and_then(Vec::pop);
            match own.map(|own| &mut self.functions[own]).filter(|own| own.has_form_of(function)) {
                Some(own) => own.add(function),
                None => self.functions.push(function.clone()),
            }
        }
    }

    /// Whether it is of the same functions in the same order.
    pub fn is_of_same_program(&self, other: &Profile) -> bool {
        let is_same = |(one, other): (&FunctionProfile, &FunctionProfile)| {
            one.name == other.name && one.digest == other.digest && one.has_form_of(other)
        };
        self.functions.len() == other.functions.len() && self.functions.iter().zip(&other.functions).all(is_same)
    }
}

impl FunctionProfile {
    /// Whether the blocks and their outcomes are the same, but for the counts.
    fn has_form_of(&self, other: &FunctionProfile) -> bool {
        let is_same = |(one, other): (&BlockProfile, &BlockProfile)| {
            one.start == other.start && one.outcomes.len() == other.outcomes.len()
        };
        self.blocks.len() == other.blocks.len() && self.blocks.iter().zip(&other.blocks).all(is_same)
    }

    fn add(&mut self, other: &FunctionProfile) {
        self.calls = self.calls.saturating_add(other.calls);
        for (own, other) in self.blocks.iter_mut().zip(&other.blocks) {
            own.count = own.count.saturating_add(other.count);
            for (own, other) in own.outcomes.iter_mut().zip(&other.outcomes) {
                *own = own.saturating_add(*other);
            }
        }
    }
}
