//! What the machine code of a program depends on.
//!
//! In: a program, what of it is selected, code generators. Out: a SHA-256. The rule: everything that the compile phase
//! looks at is in it; what it does not look at (file names, source lines) is not, so that a copy of an object is found.

use std::hash::{Hash, Hasher};

use cranelift_codegen::isa::TargetIsa;
use sha2::{Digest, Sha256};

use crate::config::{CodeGenerators, Placement};
use crate::program::{CodeSection, DataSection, Import, Program};
use crate::select::Selection;

/// 64 hexadecimal digits.
pub fn key(program: &Program, selection: &Selection, generators: &CodeGenerators, placement: Placement) -> String {
    let mut hash = Hashed(Sha256::new());
    // The source of this version of the translator, and the Cranelift that it is built with (`build.rs`).
    env!("BPF2NATIVE_SOURCE").hash(&mut hash);
    placement.hash(&mut hash);
    generators.passes().hash(&mut hash);
    for isa in [&generators.main, &generators.unoptimised, &generators.huge] {
        settings(&**isa).hash(&mut hash);
    }
    let Selection { graphs, data, imports, runtime, resolution, frequencies } = selection;
    graphs.len().hash(&mut hash);
    for graph in graphs {
        graph.function.hash(&mut hash);
        // Whether instructions that no verifier takes became traps.
        graph.refused.len().hash(&mut hash);
    }
    (data, imports, runtime, resolution, frequencies).hash(&mut hash);
    hash_program(program, &mut hash);
    format!("{:x}", Hex(&hash.0.finalize()))
}

/// The target and all settings of a code generator.
fn settings(isa: &dyn TargetIsa) -> String {
    let own: Vec<String> = isa.isa_flags().iter().map(|flag| flag.to_string()).collect();
    format!("{}\n{}\n{}", isa.triple(), isa.flags(), own.join("\n"))
}

fn hash_program(program: &Program, hash: &mut Hashed) {
    let Program {
        endianness,
        files: _,
        types: _,
        struct_results,
        code,
        functions,
        data,
        symbols,
        imports,
        attached: _,
        groups,
        maps,
        given_files,
        tail_return,
        tail_enter,
        exceptions,
        arena,
        kept,
        local_names,
        warnings: _,
        core_relocations: _,
        halves: _,
        counters,
    } = program;
    (
        endianness,
        functions,
        symbols,
        maps,
        struct_results,
        groups,
        given_files,
        tail_return,
        tail_enter,
        kept,
        counters,
    )
        .hash(hash);
    (exceptions, arena, local_names).hash(hash);
    code.len().hash(hash);
    for (_, CodeSection { file: _, name, group, bytes, relocations, array_calls, lines: _ }) in code.iter() {
        (name, group, bytes, relocations, array_calls).hash(hash);
    }
    data.len().hash(hash);
    for (_, DataSection { file: _, name, group, retained, kind, align, contents, relocations }) in data.iter() {
        (name, group, retained, kind, align, contents, relocations).hash(hash);
    }
    imports.len().hash(hash);
    for (_, Import { name, weak, kind, prototype, prototype_from, kconfig: _, ksym: _, files: _, alias_of }) in
        imports.iter()
    {
        (name, weak, kind, prototype, prototype_from, alias_of).hash(hash);
    }
}

/// SHA-256 of what the standard library's [`Hash`] feeds: lengths come before contents.
struct Hashed(Sha256);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // Nothing asks: the whole hash is taken.
        0
    }
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
