//! Damaged objects, all the way: what the parse phase takes is translated too. An error or a correct object; never a
//! panic, whatever is in the instructions, the symbols or the relocations.
//!
//! `malformed_parse.rs` damages every fixture in many more ways, up to the program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bpf2native::compare::listing;
use bpf2native::config::OptLevel;
use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Program};

/// Objects above this size take too long to translate a hundred times.
const LARGEST: u64 = 12 << 10;

/// How often each object is damaged.
const DAMAGES: u64 = 150;

/// A generator of numbers (splitmix64), for damage that is the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn objects(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of fixtures");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            objects(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "o")
            && path.metadata().is_ok_and(|metadata| metadata.len() <= LARGEST)
        {
            found.push(path);
        }
    }
}

/// Translates what `bytes` hold, as far as that goes; whether it panicked.
fn panics(bytes: &[u8], config: &Config) -> bool {
    let translate = || {
        let Ok(program) = Program::from_bytes("damaged.o", bytes) else { return };
        let _ = listing::bpf(&program, None);
        let _ = emit::object(&program, config, Purpose::Relocatable, "damaged.o", &mut Vec::new());
    };
    catch_unwind(AssertUnwindSafe(translate)).is_err()
}

/// Flips bits, most of them in what looks like code: damage there passes the parse phase.
fn damage(bytes: &mut [u8], numbers: &mut Numbers) {
    for _ in 0..1 + numbers.below(4) {
        // Code comes right behind the header in the objects of all compilers.
        let reach = if numbers.below(3) == 0 { bytes.len() } else { bytes.len().min(0x40 + 1024) };
        let at = 0x40 + numbers.below(reach - 0x40);
        bytes[at] ^= 1 << numbers.below(8);
    }
}

#[test]
fn damaged_objects_are_errors_or_translated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut paths = Vec::new();
    for folder in ["obj/clang22-v4", "obj/clang19-v1", "obj/gcc-xbpf", "parse", "llvm23"] {
        objects(&root.join(folder), &mut paths);
    }
    assert!(paths.len() > 50, "only {} objects are small enough", paths.len());
    let config = Config { opt_level: OptLevel::O0, threads: 1, ..Config::default() };
    let mut numbers = Numbers(1);
    let mut failures = Vec::new();
    for path in &paths {
        let bytes = std::fs::read(path).expect("a fixture");
        for number in 0..DAMAGES {
            let mut damaged = bytes.clone();
            damage(&mut damaged, &mut numbers);
            if panics(&damaged, &config) {
                failures.push(format!("{}, damage {number}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{} panics:\n{}", failures.len(), failures.join("\n"));
}
