//! Large objects: translation takes time and memory in proportion to what it translates, on any number of threads.

#![allow(clippy::unwrap_used)]

mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bpf2native::compare::listing;
use bpf2native::emit::{self, Purpose};
use bpf2native::internals::codegen;
use bpf2native::internals::graph::Unverified;
use bpf2native::internals::plan::{PointerEffects, PromotedSlots};
use bpf2native::internals::resolution::Resolution;
use bpf2native::{Config, Program};
use support::large::{SHAPES, Shape};

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

/// The shortest of a few times: what the machine does beside is left out.
fn shortest(mut work: impl FnMut()) -> Duration {
    let times = (0..3).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    times.min().unwrap()
}

/// Four times the choices in a loop take the passes over CLIF at most 12 times the time: 16 is quadratic.
#[test]
fn passes_over_loops_are_linear() {
    let Some(Shape { name, make }) = SHAPES.iter().find(|shape| shape.name == "chases") else {
        panic!("there is no such shape")
    };
    let clif = |object: &[u8]| {
        let program = Program::from_bytes("large.o", object).unwrap();
        let config = Config::new().threads(1).clone();
        shortest(|| drop(black_box(listing::clif(&program, &config, None).unwrap().text)))
    };
    let (small, large) = (clif(&make(500)), clif(&make(2_000)));
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    assert!(ratio < 12.0, "{name}: 4 times the instructions take {ratio:.1} times the time");
}

/// What comes before Cranelift: parsing, graphs, liveness, frames, frame slots. Eight times the code takes at most 30 times the
/// time, which a quadratic pass (64 times) exceeds and a slow machine does not; three tries.
#[test]
fn own_phases_are_linear() {
    let phases = |object: &[u8]| {
        shortest(|| {
            let program = Program::from_bytes("large.o", object).unwrap();
            let graphs = codegen::graphs(&program, Unverified::Refuse).unwrap();
            let resolution = Resolution::of_object(&program);
            let pointer_effects = PointerEffects::new(&program, &resolution, &graphs);
            graphs.iter().for_each(|graph| drop(black_box(PromotedSlots::find(&pointer_effects, graph))));
        })
    };
    for Shape { name, make } in SHAPES {
        let (small, large) = (make(3_000), make(24_000));
        let ratios = (0..3).map(|_| phases(&large).as_secs_f64() / phases(&small).as_secs_f64());
        let ratio = ratios.fold(f64::INFINITY, f64::min);
        assert!(ratio < 30.0, "{name}: 8 times the instructions take {ratio:.1} times the time");
    }
}
