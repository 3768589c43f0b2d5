//! A program as the kernel takes it: an entry function and all functions that it reaches, concatenated, with their
//! references filled in.
//!
//! | instruction | becomes |
//! |---|---|
//! | call of a function | `src_reg` 1, and the distance |
//! | address of a function | `src_reg` 4, and the distance |
//! | address of a map | `src_reg` 1, and the map's descriptor |
//! | address of a variable | `src_reg` 2, the descriptor of its section's map, and the offset |

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsRawFd;

use super::maps::{Address, Maps};
use crate::decode::SLOT;
use crate::decode::insn::Insn;
use crate::graph::{Graph, Instruction};
use crate::program::{FunctionId, Program, Target};

const PSEUDO_CALL: u8 = 1;
const PSEUDO_MAP_FD: u8 = 1;
const PSEUDO_MAP_VALUE: u8 = 2;
const PSEUDO_FUNCTION: u8 = 4;

/// A program for `BPF_PROG_LOAD`.
pub(crate) struct Image {
    pub code: Vec<u8>,
    /// Its functions, in order.
    pub functions: Vec<FunctionId>,
    /// Whether it has addresses of functions.
    pub has_callbacks: bool,
}

/// The functions that `entry` reaches, in libbpf's order: each behind the one whose instruction first names it.
pub(crate) fn in_libbpfs_order(
    program: &Program,
    graphs: &BTreeMap<FunctionId, Graph>,
    entry: FunctionId,
) -> Vec<FunctionId> {
    let named = |id: FunctionId| {
        let instructions = graphs.get(&id).map(|graph| graph.instructions.as_slice()).unwrap_or_default();
        instructions.iter().filter_map(|instruction| instruction.target?.function(program))
    };
    let mut functions = vec![entry];
    let mut seen = BTreeSet::from([entry]);
    let mut open = vec![named(entry)];
    while let Some(last) = open.last_mut() {
        match last.next() {
            Some(id) if seen.insert(id) => {
                functions.push(id);
                open.push(named(id));
            }
            Some(_) => {}
            None => drop(open.pop()),
        }
    }
    functions
}

/// Concatenates what `entry` reaches. The error says what the kernel cannot load.
pub(crate) fn image(
    program: &Program,
    graphs: &BTreeMap<FunctionId, Graph>,
    maps: &mut Maps<'_>,
    entry: FunctionId,
) -> Result<Image, String> {
    let mut functions = vec![entry];
    let mut starts: BTreeMap<FunctionId, usize> = BTreeMap::new();
    let mut size = 0;
    let mut next = 0;
    while let Some(&id) = functions.get(next) {
        next += 1;
        if starts.contains_key(&id) {
            continue;
        }
        let graph = graphs.get(&id).ok_or_else(|| format!("`{}` cannot be decoded", program.functions[id].name))?;
        starts.insert(id, size);
        size += (program.functions[id].end - program.functions[id].start) as usize / SLOT;
        let targets = graph.instructions.iter().filter_map(|instruction| instruction.target);
        functions.extend(targets.filter_map(|target| target.function(program)));
    }
    let mut order: Vec<(usize, FunctionId)> = starts.iter().map(|(&id, &start)| (start, id)).collect();
    order.sort_unstable();
    let functions: Vec<FunctionId> = order.into_iter().map(|(_, id)| id).collect();
    let mut code = Vec::with_capacity(size * SLOT);
    for &id in &functions {
        append(program, &graphs[&id], maps, &starts, &mut code)?;
    }
    let is_callback = |instruction: &Instruction| {
        !matches!(instruction.insn, Insn::Call(_))
            && instruction.target.is_some_and(|target| target.function(program).is_some())
    };
    let has_callbacks = functions.iter().any(|id| graphs[id].instructions.iter().any(is_callback));
    Ok(Image { code, functions, has_callbacks })
}

fn append(
    program: &Program,
    graph: &Graph,
    maps: &mut Maps<'_>,
    starts: &BTreeMap<FunctionId, usize>,
    code: &mut Vec<u8>,
) -> Result<(), String> {
    let function = &program.functions[graph.function];
    let bytes = &program.code[function.section].bytes[function.start as usize..function.end as usize];
    let first = code.len();
    code.extend_from_slice(bytes);
    for instruction in &graph.instructions {
        let Some(target) = instruction.target else { continue };
        let at = first + (instruction.offset - function.start) as usize;
        let is_call = matches!(instruction.insn, Insn::Call(_));
        let data = match target.function(program).map_or(target, Target::Function) {
            Target::Function(callee) => {
                let distance = starts[&callee] as i64 - (at / SLOT) as i64 - 1;
                fill(code, at, if is_call { PSEUDO_CALL } else { PSEUDO_FUNCTION }, distance as u32, 0, is_call);
                continue;
            }
            Target::Data { section, offset } => (section, offset),
            Target::Symbol { symbol, addend } => {
                let symbol = &program.symbols[symbol];
                (symbol.section, (symbol.offset as i64).wrapping_add(addend))
            }
            Target::Import { import, .. } if program.imports[import].kconfig => {
                return Err(format!("`{}` is of the kernel's configuration", program.imports[import].name));
            }
            Target::Import { import, .. } => {
                return Err(format!("the kernel has no `{}`", program.imports[import].name));
            }
            Target::Label { .. } => return Err("it uses the address of a label".to_owned()),
            Target::Absolute(value) => {
                fill(code, at, 0, value as u32, (value >> 32) as u32, is_call);
                continue;
            }
        };
        match maps.address(data.0, data.1)? {
            Address::Map(map) => fill(code, at, PSEUDO_MAP_FD, map.as_raw_fd().cast_unsigned(), 0, is_call),
            Address::Value(map, offset) => {
                fill(code, at, PSEUDO_MAP_VALUE, map.as_raw_fd().cast_unsigned(), offset, is_call);
            }
        }
    }
    Ok(())
}

/// Writes the source register and the immediates of a call, or of a 64-bit immediate load.
fn fill(code: &mut [u8], at: usize, source: u8, low: u32, high: u32, is_call: bool) {
    let destination = code[at + 1] & 0x0f;
    code[at + 1] = if is_call { source << 4 } else { destination | source << 4 };
    code[at + 4..at + 8].copy_from_slice(&low.to_le_bytes());
    if !is_call {
        code[at + 12..at + 16].copy_from_slice(&high.to_le_bytes());
    }
}
