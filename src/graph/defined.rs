//! Which of r1 to r5 may have a value when a function is entered, and at calls that do not say how many words they pass.
//!
//! A call through a pointer, of a symbol without a type or of a variadic one passes r1 to r5 as they are. Many of them have no value
//! then: nothing has written them since the last call, or since the entry of a function that has no such parameter. In: graphs, and what
//! functions return. Out: for each function, the words that its callers may give it; in the graphs, the calls that pass fewer than five
//! words: [`Graph::passed`]. So nobody makes zeros for words that do not exist, or keeps them for such a call.
//!
//! | at the entry of | r1 to r5 may have a value |
//! |---|---|
//! | a function that only the program calls, and by its name | if it has one at some call of it, and, where DWARF says in which registers its parameters are, if one is in it |
//! | another one with a type of integers, floats and pointers | if the type has that word |
//! | another one | always |
//!
//! | after | has a value |
//! |---|---|
//! | an instruction that writes a register | that register |
//! | a call | of r1 to r5 none, but r2 if it may be the second word of a result |
//! | a block that is reached on several ways | what has one on any of them |
//!
//! The rule: what has no value here is 0 in translated code: the lifter gives registers that are no parameters 0 at entry, and leaves
//! 0 after calls. So reads of it, and calls of the program's own functions, have the values that they had. Only a callee that is not
//! known, and that reads a word which nobody has written, finds another value there; in BPF it has none, and a verifier refuses the read.
//! A type that has fewer words than the code reads is not believed.
//!
//! The smallest solution: sets only grow, those of functions five times at most, and those of blocks too. In a loop with a call through a
//! pointer, what another way round leaves in a register may have a value, though it is no argument: nothing in the code tells it from one
//! that only some ways give a value (`if (c) x = *p; if (c & 1) f(1, x);`).
//!
//! Measured, in executed instructions: sqlite 0.964, quickjs 0.979, stb (jpeg) 0.984, lua 0.998, webp 0.998 and 0.999, libpng (read) 1.006,
//! as `inflate` has other registers, and six other projects as before; of 18 programs with floats, whose arithmetic is calls, `fasta` 0.90,
//! `horner` 0.94, `black_scholes` 0.97, none more than before. In C without floats nearly all of that is what DWARF says of static
//! functions: callers leave other values in the registers behind the parameters.
//! Variadic calls pass five words all the same (`lift/call.rs`), but read no more than these.

use super::liveness::written;
use super::model::{Graph, Instruction};
use super::registers::RegSet;
use crate::abi::word_count;
use crate::btf::{CType, Prototype};
use crate::decode::insn::{Callee, Insn, Reg};
use crate::program::{FunctionId, IdVec, Program, Target};
use crate::resolution::Resolution;

/// Finds which of r1 to r5 may have a value at the entry of each function, and notes in the graphs what calls pass.
pub(super) fn find(program: &Program, resolution: &Resolution, graphs: &mut [Graph]) -> IdVec<FunctionId, RegSet> {
    let all = RegSet::of(Reg::arguments());
    let is_open = |instruction: &Instruction| has_open_words(program, instruction);
    if !graphs.iter().any(|graph| graph.instructions.iter().any(is_open)) {
        return program.functions.ids().map(|_| all).collect();
    }
    let seconds = Seconds::of(program, resolution, graphs);
    let sites: Vec<Vec<Site>> = graphs.iter().map(|graph| sites(program, &seconds, graph)).collect();
    let is_closed = closed(program, resolution, graphs, &sites);
    let mut of_type: IdVec<FunctionId, RegSet> = program.functions.ids().map(|_| all).collect();
    for graph in graphs.iter() {
        of_type[graph.function] = declared(program, resolution, graph);
    }
    let mut at_entry = of_type.clone();
    program.functions.ids().filter(|&id| is_closed[id]).for_each(|id| at_entry[id] = RegSet::EMPTY);
    let mut index_of: IdVec<FunctionId, Option<usize>> = program.functions.ids().map(|_| None).collect();
    graphs.iter().enumerate().for_each(|(index, graph)| index_of[graph.function] = Some(index));
    let mut pending: Vec<usize> = (0..graphs.len()).collect();
    while let Some(index) = pending.pop() {
        let given = at_entry[graphs[index].function];
        for site in &sites[index] {
            let Some(callee) = site.callee.filter(|&callee| is_closed[callee]) else { continue };
            let more = at_entry[callee].union(site.defined(given).intersection(of_type[callee]));
            if more != at_entry[callee] {
                at_entry[callee] = more;
                pending.extend(index_of[callee]);
            }
        }
    }
    for (graph, sites) in graphs.iter_mut().zip(&sites) {
        let given = at_entry[graph.function];
        let open = sites.iter().filter(|site| site.callee.is_none());
        let passed = open.map(|site| (site.offset, site.defined(given).parameters()));
        graph.passed = passed.filter(|&(_, words)| words < all.parameters()).collect();
        graph.passed.sort_unstable();
    }
    at_entry
}

/// Whether a call passes as many words as there are: nothing says how many.
fn has_open_words(program: &Program, instruction: &Instruction) -> bool {
    match (instruction.insn, instruction.target) {
        (Insn::Call(Callee::Array(_)), _) | (Insn::Call(_), Some(Target::Function(_))) => false,
        (Insn::Call(_), Some(Target::Import { import, .. })) => {
            let prototype = program.imports[import].prototype.as_ref();
            prototype.is_none_or(|prototype| prototype.variadic)
        }
        (Insn::Call(callee), target) => target.is_some() || matches!(callee, Callee::Register(_)),
        _ => false,
    }
}

/// A call of a function of the program, or one with open words.
struct Site {
    offset: u64,
    callee: Option<FunctionId>,
    /// What may still be as it was at entry.
    kept: RegSet,
    /// What may have a value of the function's own.
    own: RegSet,
}

impl Site {
    /// What may have a value, where `given` may have one at entry.
    fn defined(&self, given: RegSet) -> RegSet {
        self.own.union(self.kept.intersection(given))
    }
}

/// What may be in r1 to r5.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct State {
    kept: RegSet,
    own: RegSet,
}

impl State {
    fn union(self, other: State) -> State {
        State { kept: self.kept.union(other.kept), own: self.own.union(other.own) }
    }

    /// That after an instruction.
    fn after(self, seconds: &Seconds<'_>, graph: &Graph, instruction: &Instruction) -> State {
        let written = written(instruction.insn).intersection(RegSet::of(Reg::arguments()));
        if !matches!(instruction.insn, Insn::Call(_) | Insn::LoadPacket { .. }) {
            return State { kept: self.kept.minus(written), own: self.own.union(written) };
        }
        let has_second = seconds.may_follow(graph, instruction);
        State { kept: RegSet::EMPTY, own: RegSet::of(has_second.then_some(Reg::R2)) }
    }
}

/// The calls in a function's code, by the usual forward data flow over sets of registers.
fn sites(program: &Program, seconds: &Seconds<'_>, graph: &Graph) -> Vec<Site> {
    let mut at_start = vec![State::default(); graph.blocks.len()];
    let Some(entry) = at_start.first_mut() else { return Vec::new() };
    entry.kept = RegSet::of(Reg::arguments());
    let mut is_reached = vec![false; graph.blocks.len()];
    is_reached[0] = true;
    let mut pending = vec![0];
    while let Some(index) = pending.pop() {
        let block = &graph.blocks[index];
        let instructions = graph.instructions_of(block).iter();
        let state = instructions.fold(at_start[index], |state, at| state.after(seconds, graph, at));
        for successor in block.terminator.successors() {
            let more = at_start[successor].union(state);
            if more != at_start[successor] || !std::mem::replace(&mut is_reached[successor], true) {
                at_start[successor] = more;
                pending.push(successor);
            }
        }
    }
    let mut sites = Vec::new();
    for (block, &start) in graph.blocks.iter().zip(&at_start) {
        let mut state = start;
        for instruction in graph.instructions_of(block) {
            let callee = match (instruction.insn, instruction.target) {
                (Insn::Call(_), Some(Target::Function(callee))) => Some(callee),
                _ => None,
            };
            if callee.is_some() || has_open_words(program, instruction) {
                // The words of such a call are in memory.
                let is_array = matches!(instruction.insn, Insn::Call(Callee::Array(_)));
                let own = if is_array { RegSet::of(Reg::arguments()) } else { state.own };
                sites.push(Site { offset: instruction.offset, callee, kept: state.kept, own });
            }
            state = state.after(seconds, graph, instruction);
        }
    }
    sites
}

/// After which calls r2 may be the second word of the result.
struct Seconds<'a> {
    program: &'a Program,
    /// Functions of the program.
    of_functions: IdVec<FunctionId, bool>,
    /// Some of what is called through pointers.
    of_pointers: bool,
}

impl<'a> Seconds<'a> {
    fn of(program: &'a Program, resolution: &Resolution, graphs: &[Graph]) -> Seconds<'a> {
        let mut of_functions: IdVec<FunctionId, bool> = program.functions.ids().map(|_| true).collect();
        for graph in graphs {
            let function = &program.functions[graph.function];
            let is_word = function.prototype.as_deref().is_none_or(|prototype| is_word(&prototype.result));
            of_functions[graph.function] = graph.has_second() || !is_word || resolution.is_replaceable(function);
        }
        let mut functions = program.functions.iter();
        let mut imports = program.imports.iter();
        let of_pointers = functions.any(|(id, function)| function.address_taken && of_functions[id])
            || imports
                .any(|(_, import)| import.prototype.as_ref().is_none_or(|prototype| !is_word(&prototype.result)));
        Seconds { program, of_functions, of_pointers }
    }

    /// Whether r2 may be such a word after an instruction.
    fn may_follow(&self, graph: &Graph, instruction: &Instruction) -> bool {
        if graph.second_results.binary_search(&instruction.offset).is_ok() {
            return true;
        }
        match (instruction.insn, instruction.target) {
            (Insn::LoadPacket { .. }, _) => false,
            (_, Some(Target::Function(function))) => self.of_functions[function],
            (_, Some(Target::Import { import, .. })) => {
                let import = &self.program.imports[import];
                let is_known = import.prototype.as_ref().is_some_and(|prototype| is_word(&prototype.result));
                !is_known || import.alias_of.is_some()
            }
            (Insn::Call(Callee::Register(_)), _) => self.of_pointers,
            _ => true,
        }
    }
}

/// Whether a result is in r0 alone, or none.
fn is_word(ty: &CType) -> bool {
    matches!(ty, CType::Void | CType::LongDouble) || is_scalar(ty)
}

/// Whether a value of this type is one word in a register, wherever it goes.
fn is_scalar(ty: &CType) -> bool {
    match ty {
        CType::Bool | CType::Float { .. } | CType::Pointer(_) => true,
        CType::Int { bytes, .. } => *bytes <= 8,
        CType::Void | CType::LongDouble | CType::Aggregate(_) => false,
    }
}

/// Which functions are called by the program alone, by their names, in the code of the graphs.
fn closed(
    program: &Program,
    resolution: &Resolution,
    graphs: &[Graph],
    sites: &[Vec<Site>],
) -> IdVec<FunctionId, bool> {
    let mut is_closed: IdVec<FunctionId, bool> = program.functions.ids().map(|_| false).collect();
    sites.iter().flatten().filter_map(|site| site.callee).for_each(|callee| is_closed[callee] = true);
    for graph in graphs {
        let function = &program.functions[graph.function];
        let is_open = function.is_reachable_from_native() || resolution.is_replaceable(function);
        is_closed[graph.function] &= !is_open && !program.is_runtime_function(graph.function);
    }
    // What makes a result of what was thrown is called where that is caught.
    for &(_, callback) in program.exceptions.iter().flat_map(|exceptions| &exceptions.callbacks) {
        is_closed[callback] = false;
    }
    is_closed
}

/// The words that a function is declared with, as far as that is to be believed.
fn declared(program: &Program, resolution: &Resolution, graph: &Graph) -> RegSet {
    let function = &program.functions[graph.function];
    let is_plain = |prototype: &&Prototype| {
        let mut parameters = prototype.parameters.iter();
        let result = &prototype.result;
        !prototype.variadic
            && (*result == CType::Void || is_scalar(result))
            && parameters.all(|parameter| is_scalar(&parameter.ty))
    };
    let words = match function.is_reachable_from_native() {
        true => function.prototype.as_deref().filter(is_plain).map(word_count),
        false => function.words,
    };
    let words =
        words.filter(|&words| graph.surely_read.parameters() <= words && !resolution.is_replaceable(function));
    RegSet::of(Reg::arguments().take(words.unwrap_or(Reg::arguments().len())))
}
