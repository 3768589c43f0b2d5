//! Streams: what a loop accesses, element after element.
//!
//! In: plain loads and stores. Out: [`Streams`], in the order in which a vector loop makes them, and [`Check`]s: what has to be
//! known of their addresses for that order to be the program's at each byte. A vector loop makes the accesses of `n` iterations
//! as one access of each stream, one stream after the other.
//!
//! Of streams A and B, made in this order, upwards, with `d` the address of B minus that of A in one iteration, and `s` the bytes
//! of an element:
//!
//! | B accesses a byte that A accesses | so |
//! |---|---|
//! | in the same iteration or a later one (`d <= 0`), as the program does if it has A first | nothing is to be checked |
//! | `n` iterations earlier or more (`d >= n s`) | another turn of the vector loop, and nothing is to be checked |
//! | earlier, but not so much | the loop stays |
//! | and elements are of two sizes | the areas have to be apart |
//!
//! Loads that read all of a structure are one access of it (`strides.rs`).
//!
//! `d` is known where both addresses have the same root, or start at known places (`starts.rs`), and is computed before the loop
//! elsewhere. Loads are made before stores, and of one root, those that are further on come first: so they are in the program's order
//! too (`docs/memory-model.md`).

use cranelift_codegen::ir::{Function, Inst, Type, Value, types};

use super::starts::Starts;
use crate::opt::ir::memory_accesses::{self, MemoryAccess};
use crate::opt::loops::induction::InductionVariables;

/// The most bytes between accesses of one root.
const MAX_EXTENT: i64 = 1 << 20;

/// The most checks before a loop.
const MAX_CHECKS: usize = 6;

/// The most elements of a structure.
const MAX_ELEMENTS: i64 = 4;

/// The place of a load among those that read the structures of an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// The stream of the first element.
    pub(super) leader: usize,
    /// Which element it is.
    pub(super) element: usize,
}

/// The accesses of one instruction in all iterations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) access: MemoryAccess,
    /// The type of an element.
    pub(super) lane: Type,
    /// What is stored; none for a load.
    pub(super) stored: Option<Value>,
    /// How many elements a structure has, of which this is one: the step of the address is that of a structure.
    pub(super) elements: i64,
    /// Its place among the loads of a structure (`strides.rs`).
    pub(super) member: Option<Member>,
    /// The step of the address.
    step: i64,
}

/// The streams of a loop.
#[derive(Default, Debug)]
pub(super) struct Streams {
    pub(super) all: Vec<Stream>,
}

/// What is checked of two streams before the vector loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The distance `d` is not one of the `length` numbers from `from` on.
    Distance { streams: [usize; 2], from: i64, length: i64 },
    /// All that they access is apart; of several streams of one root, these are the lowest, and the others so many bytes further.
    Apart { streams: [usize; 2], extents: [i64; 2] },
}

/// What the accesses of two groups of streams are to each other.
enum Relation {
    /// They are in the program's order.
    Apart,
    /// They are not.
    TooClose,
    /// They are, if this holds.
    Checked(Check),
}

impl Stream {
    /// Bytes of an element, or of a structure of several.
    pub(super) fn size(&self) -> i64 {
        i64::from(self.access.size) * self.elements
    }

    /// Whether it is accessed for itself, or for all of a structure.
    fn is_accessed(&self, index: usize) -> bool {
        self.member.is_none_or(|member| member.leader == index)
    }
}

impl Streams {
    /// Adds a load, and says where it is in the list.
    pub(super) fn load(
        &mut self,
        function: &Function,
        variables: &InductionVariables,
        inst: Inst,
    ) -> Option<usize> {
        let dfg = &function.dfg;
        let access = memory_accesses::number_load(dfg, inst)?;
        let ty = dfg.value_type(dfg.first_result(inst));
        self.add(access, ty, None, variables)
    }

    /// The same for a store.
    pub(super) fn store(
        &mut self,
        function: &Function,
        variables: &InductionVariables,
        inst: Inst,
    ) -> Option<usize> {
        let (access, value) = memory_accesses::number_store(&function.dfg, inst)?;
        self.add(access, function.dfg.value_type(value), Some(value), variables)
    }

    fn add(
        &mut self,
        access: MemoryAccess,
        ty: Type,
        stored: Option<Value>,
        variables: &InductionVariables,
    ) -> Option<usize> {
        let step = variables.step_inside(access.address)?;
        let elements = step.abs() / i64::from(access.size);
        let most = if stored.is_none() && step > 0 { MAX_ELEMENTS } else { 1 };
        let is_along = step.abs() % i64::from(access.size) == 0
            && (1..=most).contains(&elements)
            && self.all.iter().all(|other| (other.step > 0) == (step > 0));
        let lane = if ty.is_float() { ty } else { Type::int(8 * u16::from(access.size))? };
        is_along.then(|| {
            self.all.push(Stream { access, lane, stored, elements, member: None, step });
            self.all.len() - 1
        })
    }

    /// Whether addresses increase.
    pub(super) fn is_up(&self) -> bool {
        self.all.iter().all(|stream| stream.step > 0)
    }

    /// The bits of the narrowest elements.
    pub(super) fn narrowest(&self) -> Option<u32> {
        self.all.iter().map(|stream| stream.lane.bits()).min()
    }

    /// The bits of the widest elements.
    pub(super) fn widest(&self) -> Option<u32> {
        self.all.iter().map(|stream| stream.lane.bits()).max()
    }

    /// The streams in the order in which a vector loop makes them: loads first, and of one root, those first that are further on.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> =
            (0..self.all.len()).filter(|&index| self.all[index].is_accessed(index)).collect();
        let root = |index: usize| {
            let root = self.all[index].access.root;
            self.all.iter().position(|other| other.access.root == root && other.stored.is_none())
        };
        let direction = if self.is_up() { -1 } else { 1 };
        order.sort_by_key(|&index| {
            let stream = &self.all[index];
            match stream.stored {
                None => (false, root(index), direction * i128::from(stream.access.at)),
                Some(_) => (true, None, index as i128),
            }
        });
        order
    }

    /// What has to be checked before a vector loop that makes `lanes` iterations at once; none if it may not be made.
    /// `position` is the place of an access in an iteration.
    pub(super) fn checks(
        &self,
        lanes: i64,
        starts: &Starts<'_>,
        position: impl Fn(Inst) -> usize,
    ) -> Option<Vec<Check>> {
        let order = self.order();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for &index in &order {
            let stream = &self.all[index];
            let is_same = |group: &&mut Vec<usize>| {
                let first = &self.all[group[0]];
                stream.stored.is_none() && first.stored.is_none() && first.access.root == stream.access.root
            };
            match groups.iter_mut().find(is_same) {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        // Loads of one root are in the program's order.
        let mut checks = Vec::new();
        for (index, one) in groups.iter().enumerate() {
            for other in &groups[index + 1..] {
                match self.relation(lanes, [one, other], starts, &position) {
                    Relation::TooClose => return None,
                    Relation::Apart => {}
                    Relation::Checked(check) => checks.push(check),
                }
            }
        }
        (checks.len() <= MAX_CHECKS).then_some(checks)
    }

    /// How many bytes two groups of streams get to, whose lowest streams these are.
    fn areas(&self, streams: [usize; 2], extents: [i64; 2], starts: &Starts<'_>) -> Option<[i64; 2]> {
        let [one, other] = streams.map(|index| starts.area(self.all[index].size()));
        Some([one?.checked_add(extents[0])?, other?.checked_add(extents[1])?])
    }

    /// What two groups are to each other, the first of which is accessed first.
    fn relation(
        &self,
        lanes: i64,
        [one, other]: [&[usize]; 2],
        starts: &Starts<'_>,
        position: impl Fn(Inst) -> usize,
    ) -> Relation {
        let [first, second] = [one[0], other[0]].map(|index| &self.all[index]);
        let at = |index: usize| {
            let at = self.all[index].access.at;
            if self.is_up() { at } else { at.wrapping_neg() }
        };
        let pairs = || one.iter().flat_map(|&a| other.iter().map(move |&b| (a, b)));
        // Where the program has B first, an access of the same iteration is an earlier one.
        let in_order =
            |(a, b): (usize, usize)| position(self.all[a].access.inst) < position(self.all[b].access.inst);
        let less = i64::from(pairs().all(in_order));
        let known = starts.distance(first.access.root, second.access.root);
        if first.size() != second.size() {
            if !self.is_up() {
                return Relation::TooClose;
            }
            let lowest = |group: &[usize]| group.iter().copied().min_by_key(|&index| at(index));
            let extent = |group: &[usize]| {
                let places = || group.iter().map(|&index| at(index));
                Some(places().max()?.wrapping_sub(places().min()?))
            };
            let (Some(a), Some(b)) = (lowest(one).zip(extent(one)), lowest(other).zip(extent(other))) else {
                return Relation::TooClose;
            };
            let (streams, extents) = ([a.0, b.0], [a.1, b.1]);
            let is_small = extents.iter().all(|extent| (0..MAX_EXTENT).contains(extent));
            if let (Some(known), Some(areas), true) = (known, self.areas(streams, extents, starts), is_small) {
                // From the first byte of the one to that of the other.
                let ahead = known.saturating_add(at(streams[1])).saturating_sub(at(streams[0]));
                let is_apart = ahead >= areas[0] || ahead <= -areas[1];
                return if is_apart { Relation::Apart } else { Relation::TooClose };
            }
            return Relation::checked(is_small, Check::Apart { streams, extents });
        }
        let length = lanes * first.size();
        let distance = |(a, b): (usize, usize)| at(b).wrapping_sub(at(a));
        let known = if first.access.root == second.access.root { Some(0) } else { known };
        if let Some(known) = known {
            let known = if self.is_up() { known } else { known.wrapping_neg() };
            let is_close = pairs().any(|pair| (less..length).contains(&distance(pair).wrapping_add(known)));
            return if is_close { Relation::TooClose } else { Relation::Apart };
        }
        // The distances of the pairs, by how much they are more than that of the first one.
        let of_first = distance((one[0], other[0]));
        let more = || pairs().map(|pair| distance(pair).wrapping_sub(of_first));
        let (least, most) = more().fold((0, 0), |(least, most), one| (one.min(least), one.max(most)));
        let is_small = -MAX_EXTENT < least && most < MAX_EXTENT;
        let from = less - most;
        let check = Check::Distance { streams: [one[0], other[0]], from, length: length - least - from };
        Relation::checked(is_small, check)
    }
}

impl Relation {
    /// What a check says, if there can be one.
    fn checked(is_small: bool, check: Check) -> Relation {
        if is_small { Relation::Checked(check) } else { Relation::TooClose }
    }
}

/// The vector of 16 bytes with such lanes.
pub(super) fn vector(lane: Type) -> Option<Type> {
    lane.by(128 / lane.bits())
}

/// The lane of an integer of so many bits.
pub(super) fn integer(bits: u32) -> Option<Type> {
    Some(match bits {
        8 => types::I8,
        16 => types::I16,
        32 => types::I32,
        64 => types::I64,
        _ => return None,
    })
}
