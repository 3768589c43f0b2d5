//! What functions return in r0 and r2, and what callers read of that.
//!
//! In: all graphs of a program. Out: [`Graph::returned`], and at which calls of other functions r2 is read:
//! [`Graph::second_results`]. A word that nobody reads is not computed, and not kept through the loops before the end of
//! the function. What a C function with the result `void` leaves in r0 is such a word, and r2 of most functions.
//!
//! | a function returns r0 if | why |
//! |---|---|
//! | code outside the program may call it | BTF says `void` also of functions that return structs or C++ references |
//! | its address is taken | so may what is called through a pointer |
//! | its result has 128 bits | it is in r2 too |
//! | r0 is live after a call of it | in a function without a result, `exit` does not read r0 |
//!
//! | a function returns r2 too if | why |
//! |---|---|
//! | r2 is surely read after a call of it, by an instruction, or as an argument that is read | a call leaves nothing else in r2 |
//! | r2 may be read after a call of it, and it may have two words ([`Second`]) | a variadic callee reads arguments that its prototype does not have; one may be a second word that is in its place already |
//! | somebody unknown may call it, and by its type or its code it has two words | so may code of other objects, and calls through pointers |
//!
//! A function that returns r2 may read it at entry, too: [`Graph::live_in`] is that then.
//!
//! The smallest solution: to begin with only what others may read is returned. A function is looked at once more when more
//! of what it returns turns out to be read, twice at most.

use super::calls::own_calls;
use super::liveness::{self, Calls, Code};
use super::model::Graph;
use super::registers::RegSet;
use super::second::{self, Open, Second, open_call};
use crate::decode::insn::{Insn, Reg};
use crate::program::{FunctionId, IdVec, Program, StructResult, Target};
use crate::resolution::Resolution;

/// Finds out what functions return.
pub fn find(program: &Program, resolution: &Resolution, graphs: &mut [Graph]) {
    let facts = Facts::new(program, resolution, graphs);
    let mut index_of: IdVec<FunctionId, Option<usize>> = program.functions.ids().map(|_| None).collect();
    let mut pending = Vec::new();
    for (index, graph) in graphs.iter_mut().enumerate() {
        index_of[graph.function] = Some(index);
        graph.returned = facts.read_elsewhere(graph);
        if calls_open(program, resolution, graph) || own_calls(graph).next().is_some() {
            pending.push(index);
        }
    }
    let mut returned: IdVec<FunctionId, RegSet> = program.functions.ids().map(|_| RegSet::EMPTY).collect();
    graphs.iter().for_each(|graph| returned[graph.function] = graph.returned);
    while let Some(index) = pending.pop() {
        let found = facts.results_read(&graphs[index]);
        (graphs[index].second_results, graphs[index].struct_results) = (found.second, found.structs);
        for (function, words) in found.own {
            let more = returned[function].union(words);
            if returned[function] == more {
                continue;
            }
            returned[function] = more;
            if let Some(index) = index_of[function] {
                graphs[index].returned = more;
                pending.push(index);
            }
        }
    }
    for graph in graphs.iter_mut().filter(|graph| graph.has_second()) {
        // What is in r2 at the end may be the second parameter.
        graph.live_in = liveness::at_entry(Code::of(graph, program), Calls::ReadAll);
    }
}

/// Whether the code calls something that is no function of the program, and whose results may be two words or a struct.
fn calls_open(program: &Program, resolution: &Resolution, graph: &Graph) -> bool {
    graph.instructions.iter().any(|instruction| open_call(program, resolution, instruction).is_some())
}

/// What calls in a function's code leave that is read.
#[derive(Default)]
struct Found {
    /// By functions of the program; some more than once.
    own: Vec<(FunctionId, RegSet)>,
    /// As [`Graph::second_results`].
    second: Vec<u64>,
    /// As [`Graph::struct_results`].
    structs: Vec<u64>,
}

/// What does not change while results are found.
struct Facts<'a> {
    program: &'a Program,
    resolution: &'a Resolution,
    /// Whether functions may return two words.
    second: IdVec<FunctionId, Second>,
    /// What functions read for certain.
    surely_read: IdVec<FunctionId, RegSet>,
    /// What functions may read, if their second word is read too.
    may_read: IdVec<FunctionId, Option<RegSet>>,
    /// Whether functions return at all.
    returns: IdVec<FunctionId, bool>,
    /// Code without types has or reads second words.
    untyped_have_second: bool,
    /// Some function whose address is taken may return two words.
    pointers_have_second: bool,
}

impl<'a> Facts<'a> {
    /// Looks at each function by itself.
    fn new(program: &'a Program, resolution: &'a Resolution, graphs: &mut [Graph]) -> Facts<'a> {
        let returns = second::returns(program, graphs);
        // `exit` reads r0 also where nothing has written it.
        let arguments = |read: RegSet| read.intersection(RegSet::of(Reg::arguments()));
        let mut surely_read: IdVec<FunctionId, RegSet> = program.functions.ids().map(|_| RegSet::EMPTY).collect();
        graphs.iter().for_each(|graph| surely_read[graph.function] = arguments(graph.surely_read));
        let (second, untyped_have_second) = second::find(program, resolution, graphs, &returns, &surely_read);
        let mut may_read: IdVec<FunctionId, Option<RegSet>> = program.functions.ids().map(|_| None).collect();
        let both = RegSet::of([Reg::R0, Reg::R2]);
        for graph in graphs.iter() {
            may_read[graph.function] = Some(arguments(match second[graph.function] {
                Second::Never => graph.live_in,
                _ => liveness::at_entry(Code { returned: both, ..Code::of(graph, program) }, Calls::ReadAll),
            }));
        }
        let pointers_have_second =
            program.functions.iter().any(|(id, function)| function.address_taken && second[id] != Second::Never);
        Facts {
            program,
            resolution,
            second,
            surely_read,
            may_read,
            returns,
            untyped_have_second,
            pointers_have_second,
        }
    }

    /// What of a function's result is read by what is not in the graphs.
    fn read_elsewhere(&self, graph: &Graph) -> RegSet {
        let function = &self.program.functions[graph.function];
        let is_wide = self.second[graph.function] == Second::Wide;
        let is_read = function.is_reachable_from_native();
        let has_second = match self.second[graph.function] {
            Second::Wide => true,
            Second::Struct | Second::Made => is_read,
            Second::Never => false,
        };
        let first = (is_read || is_wide).then_some(Reg::R0);
        RegSet::of(first.into_iter().chain(has_second.then_some(Reg::R2)))
    }

    /// What calls in a function's code leave that is read then.
    fn results_read(&self, graph: &Graph) -> Found {
        let mut found = Found::default();
        let both = RegSet::of([Reg::R0, Reg::R2]);
        let code = Code::of(graph, self.program);
        let file = self.program.code[graph.section].file;
        let produced = self.program.struct_results[file];
        liveness::each(code, Calls::SurelyKnown(&self.surely_read), |instruction, live| {
            if let (Insn::Call(_), Some(Target::Function(function))) = (instruction.insn, instruction.target) {
                found.own.push((function, live.intersection(both)));
            } else if let Some(open) = open_call(self.program, self.resolution, instruction) {
                if live.contains(Reg::R2) {
                    found.second.push(instruction.offset);
                }
                let in_registers = match produced {
                    Some(StructResult::Registers) => true,
                    Some(StructResult::Pointer) => live.contains(Reg::R2),
                    // A call whose result is in memory leaves nothing in r0.
                    None => live.contains(Reg::R0) || live.contains(Reg::R2),
                };
                if in_registers && matches!(open, Open::Register | Open::Struct) {
                    found.structs.push(instruction.offset);
                }
            }
        });
        let is_typed = self.program.functions[graph.function].prototype.is_some();
        let may_be_passed = (!is_typed && self.untyped_have_second) || self.pointers_have_second;
        let calls_pair = || own_calls(graph).any(|function| self.second[function] != Second::Never);
        if calls_pair() || (may_be_passed && calls_open(self.program, self.resolution, graph)) {
            liveness::each(code, Calls::Known(&self.may_read), |instruction, live| {
                if !live.contains(Reg::R2) {
                    return;
                }
                if let (Insn::Call(_), Some(Target::Function(function))) = (instruction.insn, instruction.target) {
                    if self.second[function] != Second::Never {
                        found.own.push((function, both));
                    }
                } else if may_be_passed
                    && matches!(
                        open_call(self.program, self.resolution, instruction),
                        Some(Open::Register | Open::Unknown)
                    )
                {
                    found.second.push(instruction.offset);
                }
            });
        }
        // A second word is never alone.
        for (function, words) in found.own.iter_mut().filter(|(_, words)| words.contains(Reg::R2)) {
            *words = if self.returns[*function] { both } else { words.minus(RegSet::EMPTY.with(Reg::R2)) };
        }
        for offsets in [&mut found.second, &mut found.structs] {
            offsets.sort_unstable();
            offsets.dedup();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::decode::insn::Reg;
    use crate::graph::{Callers, Graph, LabelIndex, Unverified, find_surely_read};
    use crate::program::Program;
    use crate::resolution::Resolution;

    /// What the functions of a program return, in order: instructions as hexadecimal digits.
    fn returned(code: &str) -> Vec<Vec<Reg>> {
        let digits: Vec<u8> = code.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Vec<u8> = digits.chunks(2).filter_map(byte).collect();
        let program = Program::from_instructions("test", &bytes).expect("it has instructions");
        let labels = LabelIndex::new(&program);
        let graph = |id| Graph::build(&program, &labels, id, Unverified::Refuse).expect("it is right");
        let mut graphs: Vec<Graph> = program.functions.ids().map(graph).collect();
        find_surely_read(&Callers::of(&program, &graphs), &mut graphs);
        find(&program, &Resolution::of_object(&program), &mut graphs);
        let words =
            |graph: &Graph| [Reg::R0, Reg::R2].into_iter().filter(|&reg| graph.returned.contains(reg)).collect();
        graphs.iter().map(words).collect()
    }

    #[test]
    fn a_word_is_returned_if_it_is_read() {
        // call f; r0 = 0; exit; f: r0 = r1; r2 = r1; exit
        let dropped = "85100000 02000000 b7000000 00000000 95000000 00000000";
        let callee = "bf100000 00000000 bf120000 00000000 95000000 00000000";
        assert_eq!(returned(&format!("{dropped}{callee}")), [vec![Reg::R0], vec![]]);
        // r0 is read: exit.
        let first = "85100000 02000000 05000000 00000000 95000000 00000000";
        assert_eq!(returned(&format!("{first}{callee}")), [vec![Reg::R0], vec![Reg::R0]]);
        // r2 is read: r0 = r2.
        let second = "85100000 02000000 bf200000 00000000 95000000 00000000";
        assert_eq!(returned(&format!("{second}{callee}")), [vec![Reg::R0], vec![Reg::R0, Reg::R2]]);
        // Through a call at the end: call g; r0 = r2; exit; g: call f; exit.
        let tail = "85100000 01000000 95000000 00000000";
        let outer = "85100000 02000000 bf200000 00000000 95000000 00000000";
        let both = vec![Reg::R0, Reg::R2];
        let passed_on = format!("{outer}85100000 01000000 95000000 00000000{callee}");
        assert_eq!(returned(&passed_on), [vec![Reg::R0], both.clone(), both]);
        assert_eq!(returned(&format!("{tail}{callee}")), [vec![Reg::R0], vec![Reg::R0]]);
    }
}
