//! Large objects: translation takes time and memory in proportion to what it translates, on any number of threads.

#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/work.rs"]
mod work;

use std::hint::black_box;

use bpf2native::compare::listing;
use bpf2native::compare::measure::{self, Measure, Want};
use bpf2native::config::{OptLevel, Pass, Passes};
use bpf2native::emit::{self, Purpose};
use bpf2native::internals::codegen::{self, Keep};
use bpf2native::internals::coverage::Counted;
use bpf2native::internals::emit::{Declared, adapters, declared};
use bpf2native::internals::graph::Unverified;
use bpf2native::internals::plan::{PointerEffects, PromotedSlots};
use bpf2native::internals::resolution::Resolution;
use bpf2native::{Config, Jit, Linker, Program};
use support::large::{SHAPES, Shape};
use support::pointers;
use work::is_in_proportion;

#[global_allocator]
static ALLOCATOR: work::Counting = work::Counting;

fn translate(object: &[u8], threads: usize) -> Vec<u8> {
    let program = Program::from_bytes("large.o", object).unwrap();
    let config = Config::new().threads(threads).clone();
    emit::object(&program, &config, Purpose::Relocatable, "large.o").unwrap().bytes
}

/// With `BPF2NATIVE_SCALE=FOLDER`, writes each shape in four sizes there, to be measured with a release build.
#[test]
fn every_shape_can_be_written() {
    let Some(folder) = std::env::var_os("BPF2NATIVE_SCALE") else { return };
    for shape in SHAPES {
        for thousands in [25, 50, 100, 200] {
            let path = std::path::Path::new(&folder).join(format!("{}-{thousands:03}k.o", shape.name));
            std::fs::write(path, (shape.make)(thousands * 1000)).unwrap();
        }
    }
}

/// Small enough for Cranelift's own assertions, which are quadratic.
#[test]
fn every_shape_translates() {
    for Shape { name, make } in SHAPES {
        let object = translate(&make(2_000), 2);
        let parsed = object::File::parse(&*object).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            object::Object::symbol_by_name(&parsed, "main")
                .or(object::Object::symbol_by_name(&parsed, "f0"))
                .is_some()
        );
    }
}

#[test]
fn threads_do_not_change_the_object() {
    for Shape { name, make } in SHAPES.iter().filter(|shape| ["functions", "symbols"].contains(&shape.name)) {
        let object = make(4_000);
        let one = translate(&object, 1);
        for threads in [2, 5] {
            assert!(translate(&object, threads) == one, "{name}: {threads} threads give another object than 1");
        }
    }
}

/// What Cranelift is given grows with what there is: twice the instructions are at most 2.3 times the text of the CLIF, which
/// names each instruction and each edge. `BPF2NATIVE_SHAPE_SIZE` sets how many instructions there are.
#[test]
fn twice_the_instructions_are_twice_the_clif() {
    let size = std::env::var("BPF2NATIVE_SHAPE_SIZE").map_or(2_000, |size| size.parse().unwrap());
    for Shape { name, make } in SHAPES {
        let clif = |instructions| {
            let program = Program::from_bytes("large.o", &make(instructions)).unwrap();
            let config = Config::new().threads(1).clone();
            listing::clif(&program, &config, None).unwrap().text.len()
        };
        let ratio = clif(2 * size) as f64 / clif(size) as f64;
        assert!(ratio < 2.3, "{name}: twice the instructions have {ratio:.1} times the CLIF");
    }
}

/// Loops of which nothing is left are copied many times, and loops in vectors keep the one that they were made of; a large function
/// grows to no more than some three times its size.
#[test]
fn unrolling_is_bounded() {
    let Some(Shape { make, .. }) = SHAPES.iter().find(|shape| shape.name == "rounds") else {
        panic!("there is no such shape")
    };
    let program = Program::from_bytes("large.o", &make(4_000)).unwrap();
    let clif = |passes: Passes| {
        let config = Config::new().threads(1).passes(passes).clone();
        listing::clif(&program, &config, None).unwrap().text
    };
    let lines = |passes: Passes| clif(passes).lines().count();
    // What an iteration does not need goes from its copies, but for accesses of memory.
    let accesses =
        |passes: Passes| ["load", "store"].map(|access| clif(passes).matches(access).count()).iter().sum::<usize>();
    let scalar = Passes::ALL.without(Pass::LoopVectors);
    let (both, unrolled, as_it_was) = (lines(Passes::ALL), lines(scalar), lines(scalar.without(Pass::Unrolling)));
    let [more, once] = [scalar, scalar.without(Pass::Unrolling)].map(accesses);
    assert!(more > 3 * once / 2, "some loops are unrolled: {more} accesses, {once} without");
    assert!(unrolled > as_it_was, "{unrolled} lines of CLIF, {as_it_was} without unrolling");
    assert!(unrolled < 4 * as_it_was, "{unrolled} lines of CLIF, {as_it_was} without unrolling");
    assert!(
        both > as_it_was && both < 5 * as_it_was,
        "{both} lines of CLIF, {as_it_was} without vectors and unrolling"
    );
}

/// A single pass over registers would have each of these values in a place of its own: 16 KB and more.
#[test]
fn frames_without_optimisation_are_small() {
    for Shape { name, make } in SHAPES.iter().filter(|shape| ["mixed", "diamonds", "blocks"].contains(&shape.name))
    {
        let program = Program::from_bytes("large.o", &make(4_000)).unwrap();
        let config = Config::new().threads(1).opt_level(OptLevel::O0).clone();
        let measured = &measure::program(&program, &config, Want::Numbers).unwrap()[0];
        let frame = measured.result.as_ref().unwrap().measures[&Measure::Frame];
        assert!(frame < 4096, "{name}: a frame of {frame} bytes");
    }
}

/// The passes over the CLIF of many loops, and of a large one.
#[test]
fn passes_over_loops_are_linear() {
    let shapes = ["chases", "choices", "rounds", "loops", "stores", "sums", "chain"];
    for name in shapes {
        let size = if name == "chases" { 500 } else { 1_000 };
        let shape = SHAPES.iter().find(|shape| shape.name == name);
        let Shape { make, .. } = shape.unwrap_or_else(|| panic!("there is no shape {name}"));
        is_in_proportion(name, size, make, |object| {
            let program = Program::from_bytes("large.o", object).unwrap();
            let config = Config::new().threads(1).clone();
            drop(black_box(listing::clif(&program, &config, None).unwrap().text));
        });
    }
}

/// The steps over aarch64 code: blocks, liveness, what is known of registers, loops.
#[test]
fn steps_over_aarch64_code_are_linear() {
    for name in ["mixed", "diamonds", "nested", "rounds", "jump-chain", "jump-table", "back-edges", "loads"] {
        let shape = SHAPES.iter().find(|shape| shape.name == name);
        let Shape { make, .. } = shape.unwrap_or_else(|| panic!("there is no shape {name}"));
        is_in_proportion(name, 600, make, |object| {
            let program = Program::from_bytes("large.o", object).unwrap();
            let config = Config::for_target("aarch64".parse().unwrap()).threads(1).clone();
            drop(black_box(emit::object(&program, &config, Purpose::Relocatable, "large.o").unwrap()));
        });
    }
}

/// Counters of coverage: where they are put, and the CLIF that counts.
#[test]
fn coverage_is_linear() {
    for Shape { name, make } in SHAPES {
        is_in_proportion(name, 600, make, |object| {
            let program = Program::from_bytes("large.o", object).unwrap();
            let counted = Counted::new(&program);
            assert!(counted.counters() > 0, "{name} is counted");
            let config = Config::new().threads(1).passes(Passes::NONE).clone();
            drop(black_box(listing::clif(&counted.program, &config, None).unwrap().text));
        });
    }
}

/// What comes before Cranelift: parsing, graphs, liveness, frames, frame slots.
#[test]
fn own_phases_are_linear() {
    for Shape { name, make } in SHAPES {
        is_in_proportion(name, 6_000, make, |object| {
            let program = Program::from_bytes("large.o", object).unwrap();
            let graphs = codegen::graphs(&program, Unverified::Refuse).unwrap();
            let resolution = Resolution::of_object(&program);
            let pointer_effects = PointerEffects::new(&program, &resolution, &graphs);
            graphs.iter().for_each(|graph| drop(black_box(PromotedSlots::find(&pointer_effects, graph))));
        });
    }
}

/// Functions of `double` and calls through pointers: the work to translate them, and the code, grow with their sum.
#[test]
fn calls_through_pointers_are_linear() {
    let config = Config::new().threads(1).clone();
    // What is done is counted in this thread.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
    let sizes = std::cell::RefCell::new(std::collections::BTreeMap::new());
    let program = |count| Program::from_bytes("pointers.o", &pointers::object_of(count)).unwrap();
    is_in_proportion("calls through pointers", 50, program, |program| {
        let declared = declared(program, &config, Purpose::Relocatable, "pointers.o");
        let Declared { generators, selection, declarations, .. } = declared.unwrap();
        let (functions, adapters) = pool.install(|| {
            let functions =
                codegen::functions(program, &selection, &declarations, &generators, Keep::Code).unwrap();
            (functions, adapters::functions(&declarations, &generators).unwrap())
        });
        let all = functions.iter().chain(&adapters);
        sizes.borrow_mut().insert(program.functions.len(), all.map(|function| function.code.len()).sum::<usize>());
    });
    let sizes: Vec<usize> = sizes.into_inner().into_values().collect();
    assert!(sizes[1] <= 4 * sizes[0], "{sizes:?} bytes of code");
}

/// Thousands of functions, each called by its type; threads find the tables empty.
#[test]
fn many_functions_are_called_through_pointers() {
    const COUNT: usize = 2_000;
    let program = Program::from_bytes("pointers.o", &pointers::object_of(COUNT)).unwrap();
    let module = Jit::new(&Config::default()).unwrap().load(&program, &Linker::new()).unwrap();
    let addresses = |name: &str, count: usize| -> &[u64] {
        let data = module.data_address(name).unwrap();
        // SAFETY: the data is so many words.
        unsafe { std::slice::from_raw_parts(data.cast(), count) }
    };
    let functions = addresses("functions", COUNT);
    let plain = addresses("plain", COUNT.div_ceil(pointers::PLAIN));
    // SAFETY: all are of this type.
    let call = |index| unsafe { module.func::<(u64, u64), u64>(&format!("call{index}")).unwrap() };
    let calls: Vec<_> = (0..COUNT).map(call).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let calls = &calls;
            scope.spawn(move || {
                for (round, call) in calls.iter().enumerate() {
                    let index = (round * 7919 + 501 * thread) % COUNT;
                    assert_eq!(call.call((1000, functions[index])), 1000 + index as u64);
                    let index = index / pointers::PLAIN;
                    assert_eq!(call.call((1000, plain[index])), 1000 + (index * pointers::PLAIN) as u64);
                }
            });
        }
    });
}
