//! Who calls which helpers and kfuncs.
//!
//! In: a program. Out: for each, the functions that call it. What is no instruction is passed over: `inspect` shows also what cannot
//! be translated.

use std::collections::{BTreeMap, BTreeSet};

use bpf2native::Program;
use bpf2native::decode::insn::{Callee, Insn};
use bpf2native::decode::{SLOT, decode};
use bpf2native::internals::abi::helpers;
use bpf2native::program::Target;

use super::model::{Helper, Kfunc};

/// The helpers and kfuncs of a program, by number and by name.
pub fn of(program: &Program) -> (Vec<Helper>, Vec<Kfunc>) {
    let mut called: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let mut kfuncs: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (_, function) in program.functions.iter() {
        let code = &program.code[function.section];
        let mut offset = function.start;
        while offset < function.end {
            let insn = decode(&code.bytes[offset as usize..function.end as usize], program.endianness);
            let target = program.code_target(function.section, offset);
            match (insn, target) {
                (Ok(Insn::Call(_)), Some(Target::Import { import, .. })) if program.imports[import].ksym => {
                    kfuncs.entry(program.imports[import].name.clone()).or_default().insert(&function.name);
                }
                (Ok(Insn::Call(Callee::Helper(number))), _) => {
                    called.entry(number).or_default().insert(&function.name);
                }
                (Ok(Insn::Call(Callee::Kfunc(id))), None) => {
                    kfuncs.entry(format!("kfunc {id}")).or_default().insert(&function.name);
                }
                _ => {}
            }
            let slots = if matches!(insn, Ok(Insn::LoadImm { .. })) { 2 } else { 1 };
            offset += slots * SLOT as u64;
        }
    }
    let names = |callers: BTreeSet<&str>| callers.into_iter().map(str::to_owned).collect();
    let helper = |(number, callers)| Helper { number, name: helpers::shown_name(number), callers: names(callers) };
    let kfunc = |(name, callers)| Kfunc { name, callers: names(callers) };
    (called.into_iter().map(helper).collect(), kfuncs.into_iter().map(kfunc).collect())
}
