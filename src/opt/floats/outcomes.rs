//! The four outcomes of a comparison of two floats, and which of them a condition holds for.
//!
//! In: conditions of CLIF. Out: sets of outcomes, and back. All 14 sets that are neither empty nor whole have a condition.

use cranelift_codegen::ir::condcodes::FloatCC;

/// How many outcomes there are: the first operand is less, equal, greater, or one of them is a NaN.
pub(super) const OUTCOMES: usize = 4;

/// The outcomes that a condition holds for.
pub(super) const fn outcomes_of(cond: FloatCC) -> [bool; OUTCOMES] {
    match cond {
        FloatCC::Ordered => [true, true, true, false],
        FloatCC::Unordered => [false, false, false, true],
        FloatCC::Equal => [false, true, false, false],
        FloatCC::NotEqual => [true, false, true, true],
        FloatCC::OrderedNotEqual => [true, false, true, false],
        FloatCC::UnorderedOrEqual => [false, true, false, true],
        FloatCC::LessThan => [true, false, false, false],
        FloatCC::LessThanOrEqual => [true, true, false, false],
        FloatCC::GreaterThan => [false, false, true, false],
        FloatCC::GreaterThanOrEqual => [false, true, true, false],
        FloatCC::UnorderedOrLessThan => [true, false, false, true],
        FloatCC::UnorderedOrLessThanOrEqual => [true, true, false, true],
        FloatCC::UnorderedOrGreaterThan => [false, false, true, true],
        FloatCC::UnorderedOrGreaterThanOrEqual => [false, true, true, true],
    }
}

/// The condition that holds for these outcomes, and whether its operands are swapped; none if it always or never holds. No
/// condition asks whether the first operand is greater: Cranelift's rules for the least and the largest of two floats look for
/// one that is less.
pub(super) fn condition_of(outcomes: [bool; OUTCOMES]) -> Option<(FloatCC, bool)> {
    let [less, equal, greater, unordered] = outcomes;
    let swap = greater && !less;
    let cond = match (less || greater, equal, unordered, less && greater) {
        (true, false, false, false) => FloatCC::LessThan,
        (true, true, false, false) => FloatCC::LessThanOrEqual,
        (true, false, true, false) => FloatCC::UnorderedOrLessThan,
        (true, true, true, false) => FloatCC::UnorderedOrLessThanOrEqual,
        (true, true, false, true) => FloatCC::Ordered,
        (true, false, true, true) => FloatCC::NotEqual,
        (true, false, false, true) => FloatCC::OrderedNotEqual,
        (false, true, false, _) => FloatCC::Equal,
        (false, true, true, _) => FloatCC::UnorderedOrEqual,
        (false, false, true, _) => FloatCC::Unordered,
        (true, true, true, true) | (false, false, false, _) => return None,
    };
    Some((cond, swap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_of_outcomes_has_its_condition() {
        for bits in 0..1 << OUTCOMES {
            let set: [bool; OUTCOMES] = std::array::from_fn(|outcome| bits >> outcome & 1 != 0);
            let Some((cond, swap)) = condition_of(set) else {
                assert!(bits == 0 || bits == (1 << OUTCOMES) - 1);
                continue;
            };
            let [less, equal, greater, unordered] = outcomes_of(cond);
            let found = if swap { [greater, equal, less, unordered] } else { [less, equal, greater, unordered] };
            assert_eq!(found, set);
        }
    }
}
