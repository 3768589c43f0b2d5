//! The orders that are tried: list scheduling by register pressure.
//!
//! | order | which node comes next, of those that can |
//! |---|---|
//! | bottom up | that which makes the fewest values live in front of it, less those that it writes ([`Tie`] decides between equal ones) |
//! | top down | that which reads the most values for the last time, less those that it writes; of equal ones the first in the block |
//!
//! In: a block. Out: all its nodes in an order in which each follows what it reads, and those that are ordered follow each other; the
//! terminator is the last. A node goes into the heap when it can come next, and again when a value that it reads changes what it is
//! worth: as often as there are operands.

use std::collections::BinaryHeap;

use super::block::ReadBlock;

/// Which of equal nodes comes first, bottom up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// The last in the block.
    Place,
    /// That whose result is wanted since last, which follows one tree at a time.
    Recency,
}

/// A node in a heap, as one number to compare: by what it is worth, then by the tie, then by its own number.
fn key(worth: isize, tie: usize, node: usize) -> u128 {
    let worth = (worth as i32 as u32) ^ 1 << 31;
    u128::from(worth) << 64 | (tie as u128 & u128::from(u32::MAX)) << 32 | node as u128 & u128::from(u32::MAX)
}

fn node_of(key: u128) -> usize {
    key as u32 as usize
}

/// From the terminator up.
pub(super) fn bottom_up(block: &ReadBlock, tie: Tie) -> Vec<usize> {
    let count = block.nodes.len();
    // How many nodes are to be placed first.
    let mut waits_for: Vec<usize> =
        block.nodes.iter().map(|node| node.times_read + usize::from(node.behind.is_some())).collect();
    let mut is_placed = vec![false; count];
    let mut is_live: Vec<bool> = block.values.iter().map(|value| value.is_live_out).collect();
    let mut wanted_since: Vec<usize> = vec![0; block.values.len()];
    let mut heap: BinaryHeap<u128> = BinaryHeap::with_capacity(count);
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut ready: Vec<usize> = Vec::new();
    let terminator = count.saturating_sub(1);
    let unused = (0..terminator).filter(|&node| waits_for[node] == 0);
    heap.extend(unused.map(|node| key(0, 0, node)));
    let mut next = Some(terminator).filter(|_| count > 0);
    while let Some(node) = next {
        if !std::mem::replace(&mut is_placed[node], true) {
            order.push(node);
            block.nodes[node].writes.clone().for_each(|value| is_live[value] = false);
            for &value in block.reads(node) {
                if !std::mem::replace(&mut is_live[value], true) {
                    wanted_since[value] = order.len();
                    let others = block.readers(value).iter();
                    ready.extend(others.filter(|&&other| waits_for[other] == 0 && !is_placed[other]));
                }
                if let Some(writer) = block.values[value].writer {
                    waits_for[writer] -= 1;
                    ready.extend((waits_for[writer] == 0).then_some(writer));
                }
            }
            if let Some(before) = block.nodes[node].before {
                waits_for[before] -= 1;
                ready.extend((waits_for[before] == 0).then_some(before));
            }
            for node in ready.drain(..) {
                let writes = block.nodes[node].writes.clone();
                let opened = block.reads(node).iter().filter(|&&value| !is_live[value]).count();
                let closed = writes.clone().filter(|&value| is_live[value]).count();
                let since = match tie {
                    Tie::Place => 0,
                    Tie::Recency => writes.map(|value| wanted_since[value]).max().unwrap_or(0),
                };
                heap.push(key(closed as isize - opened as isize, since, node));
            }
        }
        next = heap.pop().map(node_of);
    }
    order.reverse();
    order
}

/// From the first node down.
pub(super) fn top_down(block: &ReadBlock) -> Vec<usize> {
    let count = block.nodes.len();
    let mut waits_for: Vec<usize> =
        block.nodes.iter().map(|node| node.reads_written + usize::from(node.before.is_some())).collect();
    let mut is_placed = vec![false; count];
    let mut unread: Vec<usize> = block.values.iter().map(|value| value.readers.len()).collect();
    let mut heap: BinaryHeap<u128> = BinaryHeap::with_capacity(count);
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let terminator = count.saturating_sub(1);
    let mut ready: Vec<usize> = (0..count).filter(|&node| waits_for[node] == 0).collect();
    loop {
        for node in ready.drain(..).filter(|&node| node != terminator) {
            let is_last = |&&value: &&usize| unread[value] == 1 && !block.values[value].is_live_out;
            let closed = block.reads(node).iter().filter(is_last).count();
            heap.push(key(closed as isize - block.nodes[node].writes.len() as isize, 0, count - node));
        }
        let Some(node) = heap.pop().map(|key| count - node_of(key)) else { break };
        if std::mem::replace(&mut is_placed[node], true) {
            continue;
        }
        order.push(node);
        for &value in block.reads(node) {
            unread[value] -= 1;
            if unread[value] == 1 {
                let others = block.readers(value).iter();
                ready.extend(others.filter(|&&other| waits_for[other] == 0 && !is_placed[other]));
            }
        }
        let readers = block.nodes[node].writes.clone().flat_map(|value| block.readers(value));
        for &next in readers.chain(block.nodes[node].behind.iter()) {
            waits_for[next] -= 1;
            ready.extend((waits_for[next] == 0).then_some(next));
        }
    }
    order.extend((count > 0).then_some(terminator));
    order
}
