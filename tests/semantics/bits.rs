//! Bit idioms: what compilers make of builtins and of what programs write is recognised, and means what it meant; so do random ones,
//! most of which are no idioms at all, but for one constant or shift.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::support::engine::cross::machine;
use crate::support::machines::{self, Sample};
use crate::support::random::Seed;
use crate::support::{asm, engine, interp, say, seeds};
use bpf2native::compare::listing;
use bpf2native::config::{OptLevel, Pass, Passes, Target};
use bpf2native::{Config, Jit, Linker, Program};

/// Functions that stay as they are, by the start of the object's name and their own: a remainder of a product's high half, and smeared
/// bits of which the high halves of registers are garbage.
const AS_THEY_ARE: &[(&str, &str)] = &[
    ("written", "popcount32_hakmem"),
    ("written.v2", "log32_debruijn_nonzero"),
    ("written.clang14.v2", "log32_debruijn_nonzero"),
    ("written.llvm23.v2", "log32_debruijn_nonzero"),
];

/// Programs for each other machine.
const EMULATED: u64 = 150;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/bits")
}

/// The objects, by name.
fn objects() -> Vec<(String, Vec<u8>)> {
    let mut objects = Vec::new();
    for folder in [folder(), folder().with_file_name("llvm14"), folder().with_file_name("llvm23")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".o") && (name.starts_with("builtins") || name.starts_with("written")) {
                objects.push((name, fs::read(path).unwrap()));
            }
        }
    }
    objects.sort();
    assert!(objects.len() > 30, "objects are missing");
    objects
}

/// What is computed of a number of so many bits.
type Model = fn(u64, u32) -> u64;

/// What a function of the fixtures computes, by its name: the instruction that does, of how many bits, and the same in Rust.
fn model(name: &str) -> Option<(&'static str, u32, Model)> {
    let digit = name.find(|c: char| c.is_ascii_digit())?;
    let digits: String = name[digit..].chars().take_while(char::is_ascii_digit).collect();
    let (instruction, model): (_, Model) = match &name[..digit] {
        "popcount" => ("popcnt", |x, _| u64::from(x.count_ones())),
        "parity" => ("popcnt", |x, _| u64::from(x.count_ones() % 2)),
        "clz" => ("clz", |x, bits| u64::from(x.leading_zeros() - (64 - bits))),
        "log" => ("clz", |x, _| u64::from(x.ilog2())),
        "fls" => ("clz", |x, _| u64::from(64 - x.leading_zeros())),
        "ctz" => ("ctz", |x, bits| u64::from(x.trailing_zeros().min(bits))),
        "ffs" => ("ctz", |x, _| if x == 0 { 0 } else { u64::from(x.trailing_zeros() + 1) }),
        "bitreverse" => ("bitrev", |x, bits| x.reverse_bits() >> (64 - bits)),
        _ => return None,
    };
    Some((instruction, digits.parse().unwrap(), model))
}

/// A function's number, which those of names with `or1` set the lowest bit of.
fn argument(name: &str, bits: u32, x: u64) -> Option<u64> {
    let x = if name.ends_with("or1") { x | 1 } else { x } & u64::MAX >> (64 - bits);
    (x != 0 || !name.ends_with("nonzero")).then_some(x)
}

fn numbers() -> Vec<u64> {
    let mut seed = Seed::new(5);
    let mut numbers =
        vec![0, u64::MAX, 0x0123_4567_89ab_cdef, 0xffff_ffff, 0xffff_ffff_0000_0000, 0x8000_0000_8000_0000];
    for bit in 0..64 {
        numbers.extend([1 << bit, u64::MAX << bit, (1 << bit) - 1, seed.next(), seed.next() & seed.next() << bit]);
    }
    numbers
}

/// The CLIF of each function, after the pass.
fn clif(program: &Program, target: &str, features: &str, passes: Passes) -> Vec<(String, String)> {
    let mut config = Config::for_target(target.parse::<Target>().unwrap());
    config.passes(passes).features(features.split_whitespace().map(|feature| feature.parse().unwrap()));
    let text = listing::clif(program, &config, None).unwrap().text;
    let functions = text.split("\n; ").filter_map(|function| {
        let name = function.trim_start_matches("; ").split(' ').next()?;
        Some((name.to_owned(), function.to_owned()))
    });
    functions.collect()
}

#[test]
fn what_compilers_make_of_bits_is_recognised() {
    let mut seen = 0;
    for (object, bytes) in objects() {
        let program = Program::from_bytes(&object, &bytes).unwrap();
        let is_big = object.contains(".be.");
        let targets = if is_big {
            vec![("s390x", "")]
        } else {
            vec![("x86_64", "+ssse3 +sse4.1 +sse4.2 +popcnt"), ("aarch64", ""), ("riscv64", "+zbb")]
        };
        for (target, features) in targets {
            let functions = clif(&program, target, features, Passes::NONE.with(Pass::BitCounts));
            for (name, text) in functions {
                let Some((instruction, ..)) = model(&name).filter(|_| !text.contains("call fn")) else { continue };
                let stays = AS_THEY_ARE.iter().any(|&(start, stays)| object.starts_with(start) && name == stays);
                let expected = !stays && (instruction != "bitrev" || target == "aarch64");
                let found = text.contains(&format!("= {instruction}"));
                assert_eq!(found, expected, "{object} {target} {name}\n{text}");
                seen += 1;
            }
        }
    }
    assert!(seen > 1500, "{seen}");
}

#[test]
fn what_compilers_make_of_bits_is_what_it_was() {
    let numbers = numbers();
    let features =
        ["+ssse3", "+sse4.1", "+sse4.2", "+popcnt", "+bmi1", "+lzcnt"].map(|feature| feature.parse().unwrap());
    let has_all = std::arch::is_x86_feature_detected!("lzcnt") && std::arch::is_x86_feature_detected!("bmi1");
    let mut configs = vec![Config::new(), Config::new().passes(Passes::NONE).clone()];
    configs.push(Config::new().passes(Passes::NONE.with(Pass::BitCounts)).clone());
    configs.push(Config::new().opt_level(OptLevel::O0).clone());
    if has_all {
        configs.push(Config::new().features(features).clone());
    }
    let translators: Vec<Jit> = configs.iter().map(|config| Jit::new(config).unwrap()).collect();
    for (object, bytes) in objects().into_iter().filter(|(object, _)| !object.contains(".be.")) {
        let program = Program::from_bytes(&object, &bytes).unwrap();
        let names: Vec<String> =
            clif(&program, "x86_64", "", Passes::NONE).into_iter().map(|(name, _)| name).collect();
        for (config, jit) in translators.iter().enumerate() {
            let module = jit.load(&program, &Linker::new()).unwrap();
            for name in &names {
                let Some((_, bits, model)) = model(name) else { continue };
                // SAFETY: all functions of these objects take a number and have one as their result.
                let function = unsafe { module.func::<(u64,), u64>(name) }.unwrap();
                for &number in &numbers {
                    let Some(x) = argument(name, bits, number) else { continue };
                    let expected = model(x, bits);
                    let got = function.call((number,));
                    assert_eq!(got, expected, "{object} {name}({number:#x}), configuration {config}");
                }
            }
        }
    }
}

#[test]
fn a_table_with_a_wrong_entry_is_a_table() {
    let bytes = fs::read(folder().join("written.v4.o")).unwrap();
    let start: [u8; 16] = [0, 1, 28, 2, 29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4, 8];
    // LLVM sees what it is, and makes a table of its own, in another place.
    let tables: Vec<usize> = (0..bytes.len() - start.len()).filter(|&at| bytes[at..].starts_with(&start)).collect();
    assert!(!tables.is_empty());
    let (on, off) = (Jit::new(&Config::new()).unwrap(), Jit::new(Config::new().passes(Passes::NONE)).unwrap());
    let numbers = numbers();
    for (entry, change) in [(0, 1), (0, 32), (1, 1), (5, 0x80), (17, 1), (31, 2)] {
        let mut bytes = bytes.clone();
        tables.iter().for_each(|table| bytes[table + entry] ^= change);
        let program = Program::from_bytes("changed.o", &bytes).unwrap();
        let [on, off] = [&on, &off].map(|jit| jit.load(&program, &Linker::new()).unwrap());
        // SAFETY: it takes a number and has one as its result.
        let [on, off] =
            [&on, &off].map(|module| unsafe { module.func::<(u64,), u64>("ctz32_debruijn_nonzero") }.unwrap());
        for &number in &numbers {
            assert_eq!(on.call((number,)), off.call((number,)), "entry {entry}, {number:#x}");
        }
        let functions = clif(&program, "x86_64", "", Passes::ALL);
        let (_, text) = functions.iter().find(|(name, _)| name == "ctz32_debruijn_nonzero").unwrap();
        // The first entry is for 0 too, and what that gives may be anything; but it is the one for bit 0.
        assert!(!text.contains("= ctz"), "entry {entry}\n{text}");
    }
}

/// A number that is one of the given, or, rarely, nearly that.
fn near(seed: &mut Seed, rare: usize, number: u64) -> u64 {
    if seed.below(rare) != 0 {
        return number;
    }
    match seed.below(4) {
        0 => number ^ 1 << seed.below(64),
        1 => number.wrapping_add(1),
        2 => number.wrapping_sub(1),
        _ => number << 1,
    }
}

/// Instructions in the making, of 32 or 64 bits: the number is in r1, the result will be in r0.
struct Writer<'s> {
    seed: &'s mut Seed,
    text: String,
    bits: u64,
    /// One in so many constants is wrong.
    rare: usize,
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        let line = line.replace('%', if self.bits == 32 { "w" } else { "r" });
        writeln!(self.text, "{line}").unwrap();
    }

    fn shift(&mut self, by: u64) -> u64 {
        near(self.seed, self.rare, by) % self.bits
    }

    /// An operation with a constant, through r9 where it does not fit.
    fn constant(&mut self, register: u8, operator: &str, number: u64) {
        let number = near(self.seed, self.rare, number) & u64::MAX >> (64 - self.bits);
        if self.bits == 32 {
            self.line(&format!("%{register} {operator} {}", number as u32 as i32));
        } else {
            self.line(&format!("r9 = {number:#x} ll\nr{register} {operator} r9"));
        }
    }

    fn repeated(&self, byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8]) >> (64 - self.bits)
    }

    /// r0 = the ones of r1.
    fn ones(&mut self) {
        let masks = [0x55, 0x33, 0x0f].map(|byte| self.repeated(byte));
        let (one, two, four) = (self.shift(1), self.shift(2), self.shift(4));
        self.line(&format!("%2 = %1\n%2 >>= {one}"));
        self.constant(2, "&=", masks[0]);
        if self.seed.below(2) == 0 {
            self.line("%1 -= %2");
        } else {
            self.constant(1, "&=", masks[0]);
            self.line("%1 += %2");
        }
        self.line(&format!("%2 = %1\n%2 >>= {two}"));
        self.constant(2, "&=", masks[1]);
        self.constant(1, "&=", masks[1]);
        self.line(&format!("%1 += %2\n%0 = %1\n%1 >>= {four}\n%0 += %1"));
        self.constant(0, "&=", masks[2]);
        if self.seed.below(2) == 0 {
            self.constant(0, "*=", self.repeated(0x01));
            let down = self.shift(self.bits - 8);
            self.line(&format!("%0 >>= {down}"));
        } else {
            let mut by = 8;
            while by < self.bits {
                let down = self.shift(by);
                self.line(&format!("%1 = %0\n%1 >>= {down}\n%0 += %1"));
                by *= 2;
            }
            let mask = *self.seed.pick(&[0xff, 0x7f, 0x7f, 0x3f]);
            self.constant(0, "&=", mask);
        }
    }

    /// r1 = r1, of which all bits below the highest one are ones.
    fn smear(&mut self) {
        let mut by = 1;
        while by < self.bits {
            let down = self.shift(by);
            self.line(&format!("%2 = %1\n%2 >>= {down}\n%1 |= %2"));
            by *= 2;
        }
    }

    fn fold(&mut self) {
        let mut by = self.bits / 2;
        while by > 0 {
            let down = self.shift(by);
            self.line(&format!("%2 = %1\n%2 >>= {down}\n%1 ^= %2"));
            by /= 2;
        }
        self.line("%0 = %1");
        self.constant(0, "&=", 1);
    }

    fn reverse(&mut self) {
        for (by, byte) in [(1, 0x55), (2, 0x33), (4, 0x0f)] {
            let mask = self.repeated(byte);
            let (up, down) = (self.shift(by), self.shift(by));
            self.line(&format!("%2 = %1\n%2 >>= {down}"));
            self.constant(2, "&=", mask);
            self.constant(1, "&=", mask);
            let join = *self.seed.pick(&["|=", "|=", "+=", "^="]);
            self.line(&format!("%1 <<= {up}\n%1 {join} %2"));
        }
        let swap = if self.seed.below(self.rare) == 0 { 96 - self.bits } else { self.bits };
        self.line(&format!("r0 = r1\nr0 = bswap{swap} r0"));
    }

    /// r1 = what tells of the lowest bit of r1.
    fn lowest(&mut self) {
        let forms = ["%2 = %1\n%2 = -%2\n%1 &= %2", "%2 = %1\n%2 = -%2\n%1 |= %2", "%2 = %1\n%2 += -1\n%1 ^= %2"];
        let below = ["%2 = %1\n%2 += -1\n%1 ^= -1\n%1 &= %2", "%2 = %1\n%2 = -%2\n%1 &= %2\n%1 += -1"];
        let near = ["%2 = %1\n%2 += 1\n%1 ^= %2", "%2 = %1\n%2 = -%2\n%1 ^= %2", "%2 = %1\n%2 += -1\n%1 &= %2"];
        let form = match self.seed.below(self.rare) {
            0 => *self.seed.pick(&near),
            _ => *self.seed.pick(&[forms.as_slice(), &below].concat()),
        };
        self.line(form);
    }
}

/// Adds up, over the words of memory, some function of each.
fn program(seed: &mut Seed) -> String {
    let bits = *seed.pick(&[32, 64]);
    let rare = *seed.pick(&[1000, 1000, 40, 12]);
    let mut writer = Writer { seed, text: String::new(), bits, rare };
    writer.text += "r6 = r1\nr7 = r2\nr7 >>= 3\nr8 = 0\nagain:\nr1 = *(u64 *)(r6 +0)\n";
    match writer.seed.below(6) {
        0 => writer.line("%1 >>= 3"),
        1 => writer.constant(1, "&=", 0xfff0_ff0f_00ff_fff3),
        2 => writer.line("%1 ^= -1"),
        _ => {}
    }
    match writer.seed.below(7) {
        0 => writer.ones(),
        1 | 2 => {
            writer.smear();
            if writer.seed.below(2) == 0 {
                writer.line("%1 ^= -1");
            }
            if writer.seed.below(4) == 0 {
                writer.line("%1 &= -2");
            }
            writer.ones();
        }
        3 => writer.fold(),
        4 => writer.reverse(),
        _ => {
            writer.lowest();
            if writer.seed.below(3) == 0 {
                writer.line("%1 ^= -1");
            }
            writer.ones();
        }
    }
    writer.text += "r8 *= 31\nr8 += r0\nr6 += 8\nr7 += -1\nif r7 != 0 goto again\nr0 = r8\nexit\n";
    writer.text
}

fn memory(seed: &mut Seed) -> Vec<u8> {
    let mut words = vec![0, u64::MAX, 1, 1 << 63, 1 << 31, 1 << 32];
    for _ in 0..26 {
        let bit = seed.below(64);
        let any = seed.next();
        words.push(*seed.pick(&[1 << bit, u64::MAX << bit, (1 << bit) - 1, any << bit, any]));
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn random_bits_are_counted_as_they_are_written() {
    let alone = Passes::NONE.with(Pass::BitCounts);
    let mut configs = vec![("all", Config::new()), ("alone", Config::new().passes(alone).clone())];
    if std::arch::is_x86_feature_detected!("popcnt") {
        let features = ["+ssse3", "+sse4.1", "+sse4.2", "+popcnt"].map(|feature| feature.parse().unwrap());
        configs.push(("popcnt", Config::new().features(features).clone()));
    }
    let engines: Vec<(&str, Jit)> =
        configs.iter_mut().map(|(name, config)| (*name, Jit::new(config.threads(1)).unwrap())).collect();
    let linker = engine::jit::linker();
    let (mut made, mut recognised) = (0, 0);
    for value in seeds::of("bits", 1200) {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        let memory = memory(&mut seed);
        let code = asm::assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
        let r0 = interp::run(&code, &mut memory.clone(), &|_, _| None, 1 << 20);
        let r0 = r0.unwrap_or_else(|fault| panic!("seed {value}: {fault:?}\n{text}"));
        made += 1;
        for (name, jit) in &engines {
            let got = engine::jit::run(jit, &linker, "bits", &code, &mut memory.clone());
            assert!(
                got == Ok(r0),
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1 {name}: {got:x?}, not {r0:#x}\n{text}"
            );
        }
        if made % 8 == 0 {
            let program = Program::from_instructions("bits", &code).unwrap();
            let after = clif(&program, "aarch64", "", alone);
            recognised += usize::from(
                ["= popcnt", "= clz", "= ctz", "= bitrev"].iter().any(|name| after[0].1.contains(name)),
            );
        }
    }
    say(&format!("bits: {made} ran; of each 8th, {recognised} are recognised\n"));
    assert!(made < 1000 || (recognised > 30 && recognised < made / 8 - 10), "all of them, or hardly any");
}

/// Each with all passes or with this one, and with one set of features.
fn check_machine(name: &str) {
    let (test, machine) = (format!("bits on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings =
        machine.with_passes(&[("all", Passes::ALL), ("none bit-counts", Passes::NONE.with(Pass::BitCounts))]);
    let samples = seeds::of(&test, EMULATED).map(|value| {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        let memories = vec![memory(&mut seed)];
        Sample { seed: value, text, memories, settings: vec![seed.below(settings.len())], program: None }
    });
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_bits_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_bits_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_bits_on_s390x() {
    check_machine("s390x");
}
