//! Direct map calls: what a helper does with a map that the program names.
//!
//! In: graphs, and who defines what they refer to. Out: the same, where calls of the runtime's map helpers, which ask the map
//! for its type's operations, call the function of that type and size instead. Small ones are inlined then.
//!
//! | helper | types of maps | the function is for |
//! |---|---|---|
//! | `bpf_map_lookup_elem` | hash, LRU hash, and per CPU | keys of 4, 8 or 16 bytes, or all |
//! | the same | array | values of 8, 16, 24, 32 or 64 bytes (rounded up to 8), or all |
//! | the same | per-CPU array | all |
//! | `bpf_map_update_elem` | all of these | all |
//! | `bpf_map_delete_elem` | the four hashes | all |
//!
//! The map is the one whose address r1 has on every path to the call, by a forward data flow over the registers: an address is
//! loaded, and moved. The rule: nothing is changed unless the helper that is called, the map's descriptor and its operations are
//! the runtime's for certain ([`Resolution`]): not where an embedder, another object or a link may have others.

use std::collections::HashMap;

use crate::decode::insn::{AluOp, Callee, Insn, Operand, Reg, Width};
use crate::graph::{Graph, GraphError, Instruction, written};
use crate::program::maps::{self, Map};
use crate::program::{DataSectionId, FunctionId, Program, Target};
use crate::resolution::Resolution;

/// What the runtime's functions for helpers 1, 2 and 3 begin with.
const OPERATIONS: [(u32, &str); 3] =
    [(1, "bpf2native_rt_lookup_"), (2, "bpf2native_rt_update_"), (3, "bpf2native_rt_delete_")];

/// `BPF_MAP_TYPE_HASH`, `_ARRAY`, `_PERCPU_HASH`, `_PERCPU_ARRAY`, `_LRU_HASH`, `_LRU_PERCPU_HASH`.
const HASH: u32 = 1;
const ARRAY: u32 = 2;
const PERCPU_HASH: u32 = 5;
const PERCPU_ARRAY: u32 = 6;
const LRU_HASH: u32 = 9;
const LRU_PERCPU_HASH: u32 = 10;

/// Calls the functions of their types for maps that are known.
pub(crate) fn direct(program: &Program, graphs: &mut [Result<Graph, GraphError>], resolution: &Resolution) {
    let Some(calls) = MapCalls::of(program, resolution) else { return };
    for graph in graphs.iter_mut().flatten() {
        if graph.instructions.iter().any(|instruction| calls.operation(instruction).is_some()) {
            for (index, function) in calls.find(graph) {
                graph.instructions[index].target = Some(Target::Function(function));
            }
        }
    }
}

/// Whether a function is one of the runtime's look-ups that this calls.
pub(crate) fn is_look_up(program: &Program, function: FunctionId) -> bool {
    program.is_runtime_function(function) && program.functions[function].name.starts_with(OPERATIONS[0].1)
}

/// What a register holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Value {
    /// Nothing yet: no path has been followed to here.
    #[default]
    Unreached,
    /// The address of this one of the program's maps.
    Map(usize),
    /// Something else.
    Other,
}

impl Value {
    /// What holds where this and `other` meet.
    fn or(self, other: Value) -> Value {
        match (self, other) {
            (Value::Unreached, value) | (value, Value::Unreached) => value,
            (first, second) if first == second => first,
            _ => Value::Other,
        }
    }
}

type Registers = [Value; Reg::COUNT];

/// The maps of a program whose operations are known, and the functions that do them.
struct MapCalls<'a> {
    program: &'a Program,
    resolution: &'a Resolution,
    /// Maps of [`Program::maps`] by their places.
    maps: HashMap<(DataSectionId, i64), usize>,
    /// The runtime's functions by their names.
    functions: HashMap<&'a str, FunctionId>,
}

impl<'a> MapCalls<'a> {
    /// None if nothing can be known.
    fn of(program: &'a Program, resolution: &'a Resolution) -> Option<MapCalls<'a>> {
        let of_runtime = program.functions.iter().filter(|(id, function)| {
            program.is_runtime_function(*id)
                && !resolution.is_replaceable(function)
                && OPERATIONS.iter().any(|(_, start)| function.name.starts_with(start))
        });
        let functions: HashMap<&str, FunctionId> =
            of_runtime.map(|(id, function)| (function.name.as_str(), id)).collect();
        let known = program.maps.iter().enumerate().filter(|(_, map)| has_runtime_operations(program, map));
        let maps: HashMap<_, _> =
            known.map(|(index, map)| ((map.section, map.offset.cast_signed()), index)).collect();
        (!functions.is_empty() && !maps.is_empty()).then_some(MapCalls { program, resolution, maps, functions })
    }

    /// What the functions begin with that stand for the helper of the runtime that an instruction calls.
    fn operation(&self, instruction: &Instruction) -> Option<&'static str> {
        let Insn::Call(Callee::Helper(number)) = instruction.insn else { return None };
        let (_, start) = OPERATIONS.iter().find(|(helper, _)| *helper == number)?;
        let Some(Target::Function(function)) = instruction.target else { return None };
        let is_final = !self.resolution.is_replaceable(&self.program.functions[function]);
        (self.program.is_runtime_function(function) && is_final).then_some(start)
    }

    /// The calls of a function that are to be of other functions, by the index of the instruction.
    fn find(&self, graph: &Graph) -> Vec<(usize, FunctionId)> {
        let mut found = Vec::new();
        for (block, at_start) in graph.blocks.iter().zip(self.at_starts(graph)) {
            let mut registers = at_start;
            for index in block.start..block.end {
                let instruction = &graph.instructions[index];
                if let (Some(operation), Value::Map(map)) =
                    (self.operation(instruction), registers[Reg::R1.index()])
                {
                    found.extend(self.function(operation, map).map(|function| (index, function)));
                }
                self.step(instruction, &mut registers);
            }
        }
        found
    }

    /// What the registers hold at the start of each block. A register's value only rises, twice at most.
    fn at_starts(&self, graph: &Graph) -> Vec<Registers> {
        let mut starts = vec![Registers::default(); graph.blocks.len()];
        let Some(entry) = starts.first_mut() else { return starts };
        *entry = [Value::Other; Reg::COUNT];
        let mut pending = vec![0];
        while let Some(block) = pending.pop() {
            let mut registers = starts[block];
            graph.instructions_of(&graph.blocks[block]).iter().for_each(|at| self.step(at, &mut registers));
            for successor in graph.blocks[block].terminator.successors() {
                let mut met = starts[successor];
                met.iter_mut().zip(registers).for_each(|(held, value)| *held = held.or(value));
                if met != starts[successor] {
                    starts[successor] = met;
                    pending.push(successor);
                }
            }
        }
        starts
    }

    /// Follows one instruction.
    fn step(&self, instruction: &Instruction, registers: &mut Registers) {
        match instruction.insn {
            Insn::LoadImm { dst, .. } => {
                registers[dst.index()] = self.map_of(instruction.target).map_or(Value::Other, Value::Map);
            }
            Insn::Alu { op: AluOp::Mov, width: Width::W64, dst, src: Operand::Reg(src) } => {
                registers[dst.index()] = registers[src.index()];
            }
            insn => {
                let changed = written(insn);
                Reg::all()
                    .filter(|&reg| changed.contains(reg))
                    .for_each(|reg| registers[reg.index()] = Value::Other);
            }
        }
    }

    /// The map that a target is for certain.
    fn map_of(&self, target: Option<Target>) -> Option<usize> {
        let place = match target? {
            Target::Data { section, offset } => (section, offset),
            Target::Symbol { symbol, addend } => {
                let symbol = &self.program.symbols[symbol];
                if self.resolution.is_elsewhere(symbol) {
                    return None;
                }
                (symbol.section, symbol.offset.cast_signed().checked_add(addend)?)
            }
            _ => return None,
        };
        self.maps.get(&place).copied()
    }

    /// The function that does an operation on a map: the one for its size, or else for its type.
    fn function(&self, operation: &str, map: usize) -> Option<FunctionId> {
        let definition = self.program.maps[map].definition.as_ref()?;
        let named = |name: &str| self.functions.get(name).copied();
        let (kind, size) = match definition.kind {
            HASH | LRU_HASH | PERCPU_HASH | LRU_PERCPU_HASH => (definition.kind, u64::from(definition.key_size)),
            ARRAY | PERCPU_ARRAY => (definition.kind, u64::from(definition.value_size).next_multiple_of(8)),
            _ => return None,
        };
        let name = format!("{operation}{}", maps::type_name(kind)?);
        named(&format!("{name}_{size}")).or_else(|| named(&name))
    }
}

/// Whether the operations of a map are the runtime's for its type: those of a map that a kernel has are others.
fn has_runtime_operations(program: &Program, map: &Map) -> bool {
    let Some(definition) = &map.definition else { return false };
    let relocations = &program.data[map.section].relocations;
    let Ok(index) = relocations.binary_search_by_key(&map.offset, |relocation| relocation.offset) else {
        return false;
    };
    let Target::Symbol { symbol, .. } = relocations[index].target else { return false };
    let symbol = &program.symbols[symbol];
    symbol.name == maps::ops_symbol(definition.kind) && program.is_of_runtime(program.data[symbol.section].file)
}
