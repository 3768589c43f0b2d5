//! The estimate of cycles: the cost of a function's instructions, weighted by the loops that they are in.
//!
//! In: decoded native instructions. Out: one number, for comparisons of two versions of the same code and nothing else.
//!
//! | instruction | cost |
//! |---|---|
//! | plain, branch, store | 1 |
//! | load | 4 |
//! | call | 4 |
//! | multiplication | 3 |
//! | division | 20 |
//! | atomic access | 20 |
//!
//! Each loop around an instruction multiplies its cost by 10, up to three loops. Loops are found in the native
//! code, so code of other compilers is weighted alike: the strongly connected components of its basic blocks are the
//! outer loops; what stays connected without the edges to a loop's header are the inner ones. A jump through a
//! register may go to every block that nothing else leads to. Time is linear in the instructions.

use crate::compare::disasm::{Control, Instruction};

/// The deepest nesting that counts.
const MAX_NESTING: usize = 3;
/// The assumed number of iterations of a loop.
const ITERATIONS: u64 = 10;

/// The estimate for a function of `size` bytes; `is_outside` says whether the instruction with an index leads out of
/// the function, whatever its operand looks like.
pub(crate) fn cycles(instructions: &[Instruction], size: usize, is_outside: impl Fn(usize) -> bool) -> u64 {
    let mut blocks = Blocks::find(instructions, size, is_outside);
    let depths = blocks.depths();
    let mut cycles: u64 = 0;
    for (block, depth) in blocks.ranges.iter().zip(depths) {
        let sum: u64 = instructions[block.clone()].iter().map(cost).sum();
        cycles = cycles.saturating_add(sum.saturating_mul(ITERATIONS.pow(depth)));
    }
    cycles
}

fn cost(instruction: &Instruction) -> u64 {
    let mnemonic = instruction.mnemonic();
    match instruction.kind {
        Control::Data => return 0,
        Control::Call => return 4,
        _ => {}
    }
    let name = mnemonic.rsplit(' ').next().unwrap_or(mnemonic);
    if mnemonic.starts_with("lock") || is_atomic(name) {
        return 20;
    }
    let base = if is_division(name) {
        20
    } else if is_multiplication(name) {
        3
    } else {
        1
    };
    match (instruction.loads, instruction.stores) {
        (true, true) => base + 4,
        (true, false) => base + 3,
        _ => base,
    }
}

fn is_atomic(name: &str) -> bool {
    let starts =
        ["xchg", "ldadd", "ldclr", "ldeor", "ldset", "swp", "cas", "ldxr", "ldaxr", "stxr", "stlxr", "amo"];
    let others =
        ["lr.", "sc.", "cs", "csg", "csy", "csgy", "laa", "laag", "lan", "lang", "lao", "laog", "lax", "laxg"];
    starts.iter().any(|start| name.starts_with(start) && !name.starts_with("cset"))
        || others.iter().any(|other| name == *other || (other.ends_with('.') && name.starts_with(other)))
}

fn is_division(name: &str) -> bool {
    let s390x = ["d", "dr", "dl", "dlr", "dlg", "dlgr", "dsg", "dsgr", "dsgf", "dsgfr"];
    name.contains("div") || name.starts_with("rem") || name.contains("sqrt") || s390x.contains(&name)
}

fn is_multiplication(name: &str) -> bool {
    let starts = ["mul", "imul", "madd", "msub", "mneg", "smul", "umul", "smadd", "umadd", "fmul", "fmadd", "mlg"];
    let s390x = ["ms", "msr", "msg", "msgr", "msgf", "msgfr", "mghi", "mhi", "msfi", "msgfi"];
    starts.iter().any(|start| name.starts_with(start)) || s390x.contains(&name)
}

/// Basic blocks of native code, and where each leads.
struct Blocks {
    /// Indices of instructions.
    ranges: Vec<std::ops::Range<usize>>,
    /// Successors, by index; an additional block stands for the targets of jumps through registers.
    successors: Vec<Vec<u32>>,
}

impl Blocks {
    fn find(instructions: &[Instruction], size: usize, is_outside: impl Fn(usize) -> bool) -> Blocks {
        let at = |offset: u32| instructions.binary_search_by_key(&offset, |instruction| instruction.offset).ok();
        let target = |index: usize| match is_outside(index) {
            true => None,
            false => instructions[index].branch_target(size).and_then(at),
        };
        let mut starts_block = vec![false; instructions.len()];
        if let Some(first) = starts_block.first_mut() {
            *first = true;
        }
        for (index, instruction) in instructions.iter().enumerate() {
            if let Some(target) = target(index) {
                starts_block[target] = true;
            }
            let ends_block = instruction.kind == Control::Branch || instruction.kind.ends_flow();
            if let (true, Some(next)) = (ends_block, starts_block.get_mut(index + 1)) {
                *next = true;
            }
        }
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        let mut block_of = vec![0u32; instructions.len()];
        for (index, starts) in starts_block.iter().enumerate() {
            match ranges.last_mut() {
                Some(last) if !starts => last.end = index + 1,
                _ => ranges.push(index..index + 1),
            }
            block_of[index] = ranges.len() as u32 - 1;
        }
        let anywhere = ranges.len() as u32;
        let mut successors = vec![Vec::new(); ranges.len() + 1];
        let mut is_reached = vec![false; ranges.len()];
        if let Some(first) = is_reached.first_mut() {
            *first = true;
        }
        for (block, range) in ranges.iter().enumerate() {
            let last = range.end - 1;
            let kind = instructions[last].kind;
            let is_fallthrough = !kind.ends_flow() && block + 1 < ranges.len();
            let next = is_fallthrough.then_some(block as u32 + 1);
            let taken = target(last).map(|target| block_of[target]);
            for successor in next.into_iter().chain(taken) {
                is_reached[successor as usize] = true;
                successors[block].push(successor);
            }
            if kind == Control::Jump && instructions[last].reference.is_none() && !is_outside(last) {
                successors[block].push(anywhere);
            }
        }
        let orphans = is_reached.iter().enumerate().filter(|(_, reached)| !**reached);
        let orphans = orphans.filter(|&(block, _)| instructions[ranges[block].start].kind != Control::Data);
        successors[anywhere as usize] = orphans.map(|(block, _)| block as u32).collect();
        Blocks { ranges, successors }
    }

    /// The loop nesting of each block; edges are removed on the way.
    fn depths(&mut self) -> Vec<u32> {
        let mut depths = vec![0; self.successors.len()];
        for _ in 0..MAX_NESTING {
            let component = components(&self.successors);
            let mut size = vec![0u32; self.successors.len()];
            for &component in &component {
                size[component as usize] += 1;
            }
            let mut is_loop: Vec<bool> = size.iter().map(|&size| size > 1).collect();
            for (block, successors) in self.successors.iter().enumerate() {
                is_loop[component[block] as usize] |= successors.contains(&(block as u32));
            }
            // The first block of a loop, in the order of the code, counts as its header.
            let mut header = vec![None; self.successors.len()];
            for (block, &component) in component.iter().enumerate() {
                if is_loop[component as usize] {
                    depths[block] += 1;
                    header[component as usize].get_or_insert(block as u32);
                }
            }
            for (block, successors) in self.successors.iter_mut().enumerate() {
                let own = component[block];
                successors.retain(|&to| component[to as usize] == own && header[own as usize] != Some(to));
            }
        }
        depths.truncate(self.ranges.len());
        depths
    }
}

/// The strongly connected component of each node (Tarjan's algorithm, without recursion).
fn components(successors: &[Vec<u32>]) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    let count = successors.len();
    let (mut order, mut low, mut component) = (vec![NONE; count], vec![0; count], vec![NONE; count]);
    let (mut visited, mut components) = (0, 0);
    let mut open = Vec::new();
    for root in 0..count as u32 {
        if order[root as usize] != NONE {
            continue;
        }
        let mut path = vec![(root, 0)];
        while let Some((node, next)) = path.last_mut() {
            let at = *node as usize;
            if *next == 0 {
                (order[at], low[at]) = (visited, visited);
                visited += 1;
                open.push(*node);
            }
            if let Some(&to) = successors[at].get(*next) {
                *next += 1;
                let to_at = to as usize;
                if order[to_at] == NONE {
                    path.push((to, 0));
                } else if component[to_at] == NONE {
                    low[at] = low[at].min(order[to_at]);
                }
                continue;
            }
            if low[at] == order[at] {
                while let Some(member) = open.pop() {
                    component[member as usize] = components;
                    if member as usize == at {
                        break;
                    }
                }
                components += 1;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                let parent = *parent as usize;
                low[parent] = low[parent].min(low[at]);
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_loops_are_nested() {
        // 0 -> 1 (outer header) -> 2 (inner header) -> 3 -> 2 | 4 -> 1 | 5; 6 is cold, behind, and jumps back into the loop.
        let successors = vec![vec![1], vec![2], vec![3, 6], vec![2, 4], vec![1, 5], vec![], vec![3], vec![]];
        let mut blocks = Blocks { ranges: vec![0..1; 7], successors };
        assert_eq!(blocks.depths(), [0, 1, 2, 2, 1, 0, 2]);
    }

    #[test]
    fn a_block_that_leads_to_itself_is_a_loop() {
        let successors = vec![vec![1], vec![1, 2], vec![], vec![]];
        let mut blocks = Blocks { ranges: vec![0..1; 3], successors };
        assert_eq!(blocks.depths(), [0, 1, 0]);
    }
}
