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
use bpf2native::graph::Unverified;
use bpf2native::plan::{Reaches, Slots};
use bpf2native::resolution::Resolution;
use bpf2native::{Config, Program, codegen};
use support::large::{SHAPES, Shape};
use work::is_in_proportion;

#[global_allocator]
static ALLOCATOR: work::Counting = work::Counting;

fn translate(object: &[u8], threads: usize) -> Vec<u8> {
    let program = Program::from_bytes("large.o", object).unwrap();
    let config = Config { threads, ..Config::default() };
    emit::object(&program, &config, Purpose::Relocatable, "large.o", &mut Vec::new()).unwrap()
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
            let config = Config { threads: 1, ..Config::default() };
            listing::clif(&program, &config, None, &mut Vec::new()).unwrap().len()
        };
        let ratio = clif(2 * size) as f64 / clif(size) as f64;
        assert!(ratio < 2.3, "{name}: twice the instructions have {ratio:.1} times the CLIF");
    }
}

/// Loops of which nothing is left are copied many times; a large function grows to no more than some three times its size.
#[test]
fn unrolling_is_bounded() {
    let Some(Shape { make, .. }) = SHAPES.iter().find(|shape| shape.name == "rounds") else {
        panic!("there is no such shape")
    };
    let program = Program::from_bytes("large.o", &make(4_000)).unwrap();
    let lines = |passes: Passes| {
        let config = Config { threads: 1, passes: Some(passes), ..Config::default() };
        listing::clif(&program, &config, None, &mut Vec::new()).unwrap().lines().count()
    };
    let (unrolled, as_it_was) = (lines(Passes::ALL), lines(Passes::ALL.without(Pass::Unrolling)));
    assert!(unrolled > 3 * as_it_was / 2, "some loops are unrolled: {unrolled} lines of CLIF, {as_it_was} without");
    assert!(unrolled < 4 * as_it_was, "{unrolled} lines of CLIF, {as_it_was} without unrolling");
}

/// A single pass over registers would have each of these values in a place of its own: 16 KB and more.
#[test]
fn frames_without_optimisation_are_small() {
    for Shape { name, make } in SHAPES.iter().filter(|shape| ["mixed", "diamonds", "blocks"].contains(&shape.name))
    {
        let program = Program::from_bytes("large.o", &make(4_000)).unwrap();
        let config = Config { threads: 1, opt_level: OptLevel::O0, ..Config::default() };
        let measured = &measure::program(&program, &config, Want::Numbers).unwrap()[0];
        let frame = measured.result.as_ref().unwrap().measures[&Measure::Frame];
        assert!(frame < 4096, "{name}: a frame of {frame} bytes");
    }
}

/// The passes over the CLIF of a loop of many choices.
#[test]
fn passes_over_loops_are_linear() {
    let Some(Shape { name, make }) = SHAPES.iter().find(|shape| shape.name == "chases") else {
        panic!("there is no such shape")
    };
    is_in_proportion(name, 500, make, |object| {
        let program = Program::from_bytes("large.o", object).unwrap();
        let config = Config { threads: 1, ..Config::default() };
        drop(black_box(listing::clif(&program, &config, None, &mut Vec::new()).unwrap()));
    });
}

/// What comes before Cranelift: parsing, graphs, liveness, frames, frame slots.
#[test]
fn own_phases_are_linear() {
    for Shape { name, make } in SHAPES {
        is_in_proportion(name, 6_000, make, |object| {
            let program = Program::from_bytes("large.o", object).unwrap();
            let graphs = codegen::graphs(&program, Unverified::Refuse).unwrap();
            let resolution = Resolution::of_object(&program);
            let reaches = Reaches::new(&program, &resolution, &graphs);
            graphs.iter().for_each(|graph| drop(black_box(Slots::find(&reaches, graph))));
        });
    }
}
