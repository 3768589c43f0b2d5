//! Large objects: translation takes time and memory in proportion to what it translates, on any number of threads.

#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/work.rs"]
#[allow(dead_code, reason = "memory is not counted here")]
mod work;

use std::hint::black_box;
use std::sync::{PoisonError, RwLock};

use bpf2native::compare::listing;
use bpf2native::emit::{self, Purpose};
use bpf2native::graph::Unverified;
use bpf2native::plan::{PointerEffects, PromotedSlots};
use bpf2native::resolution::Resolution;
use bpf2native::{Config, Program, codegen};
use support::large::{SHAPES, Shape};
use work::{Of, processor_time};

/// A test that measures has it for itself, the others share it.
static PROCESSOR: RwLock<()> = RwLock::new(());

fn share() -> impl Drop {
    PROCESSOR.read().unwrap_or_else(PoisonError::into_inner)
}

fn translate(object: &[u8], threads: usize) -> Vec<u8> {
    let program = Program::from_bytes("large.o", object).unwrap();
    let config = Config { threads, ..Config::default() };
    emit::object(&program, &config, Purpose::Relocatable, "large.o", &mut Vec::new()).unwrap()
}

/// With `BPF2NATIVE_SCALE=FOLDER`, writes each shape in four sizes there, to be measured with a release build.
#[test]
fn every_shape_can_be_written() {
    let _shared = share();
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
    let _shared = share();
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
    let _shared = share();
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
    let _shared = share();
    let size = std::env::var("BPF2NATIVE_SHAPE_SIZE").map_or(2_000, |size| size.parse().unwrap());
    for Shape { name, make } in SHAPES {
        let clif = |instructions| {
            let program = Program::from_bytes("large.o", &make(instructions)).unwrap();
            let config = Config { threads: 1, ..Config::default() };
            listing::clif(&program, &config, None, &mut Vec::new()).unwrap().len()
        };
        let ratio = clif(2 * size) as f64 / clif(size) as f64;
        assert!(ratio < 2.3, "{name}: twice the instructions have {ratio:.1} times the CLIF");
    }
}

/// The least processor time of a few tries, of all threads.
fn least(mut work: impl FnMut()) -> f64 {
    (0..3).map(|_| processor_time(Of::Process, &mut work)).min().unwrap() as f64
}

/// Four times the choices in a loop take the passes over CLIF at most 12 times the time: 16 is quadratic.
#[test]
fn passes_over_loops_are_linear() {
    let _alone = PROCESSOR.write().unwrap_or_else(PoisonError::into_inner);
    let Some(Shape { name, make }) = SHAPES.iter().find(|shape| shape.name == "chases") else {
        panic!("there is no such shape")
    };
    let clif = |object: &[u8]| {
        let program = Program::from_bytes("large.o", object).unwrap();
        let config = Config { threads: 1, ..Config::default() };
        least(|| drop(black_box(listing::clif(&program, &config, None, &mut Vec::new()).unwrap())))
    };
    let (small, large) = (clif(&make(500)), clif(&make(2_000)));
    let ratio = large / small;
    assert!(ratio < 12.0, "{name}: 4 times the instructions take {ratio:.1} times the time");
}

/// What comes before Cranelift: parsing, graphs, liveness, frames, frame slots. Eight times the code takes at most 30 times the
/// time, which a quadratic pass (64 times) exceeds; three tries.
#[test]
fn own_phases_are_linear() {
    let _alone = PROCESSOR.write().unwrap_or_else(PoisonError::into_inner);
    let phases = |object: &[u8]| {
        least(|| {
            let program = Program::from_bytes("large.o", object).unwrap();
            let graphs = codegen::graphs(&program, Unverified::Refuse).unwrap();
            let resolution = Resolution::of_object(&program);
            let pointer_effects = PointerEffects::new(&program, &resolution, &graphs);
            graphs.iter().for_each(|graph| drop(black_box(PromotedSlots::find(&pointer_effects, graph))));
        })
    };
    for Shape { name, make } in SHAPES {
        let (small, large) = (make(3_000), make(24_000));
        let ratios = (0..3).map(|_| phases(&large) / phases(&small));
        let ratio = ratios.fold(f64::INFINITY, f64::min);
        assert!(ratio < 30.0, "{name}: 8 times the instructions take {ratio:.1} times the time");
    }
}
