//! Calls of map helpers that go to the function of the map's type and size (`src/select/map_calls.rs`), on maps of each of them:
//! they do what the helpers do, and are direct; and where they stay as they are.

use std::path::Path;
use std::process::Command;
use std::slice::from_raw_parts;

use bpf2native::config::{OptLevel, Pass, Passes};
use bpf2native::{Config, Jit, Linker, Module, Program, TypedFunction};

use crate::map::{OurMap, address};
use crate::native::{bpf2native, compile_host, fixture, has_tool, output, program};
use crate::support::random::Seed;
use crate::support::seeds;

/// Operations on a map, for each seed.
const STEPS: usize = 600;

fn module(passes: Passes) -> Module {
    let mut config = Config::default();
    config.opt_level(OptLevel::O2).passes(passes);
    Jit::new(&config).unwrap().load(&program("runtime/map_calls.o"), &Linker::new()).unwrap()
}

/// A map, and the fixture's functions that name it.
struct Named<'m> {
    map: OurMap<'m>,
    look: TypedFunction<'m, (u64,), u64>,
    update: TypedFunction<'m, (u64, u64, u64), i64>,
    delete: TypedFunction<'m, (u64,), i64>,
}

impl<'m> Named<'m> {
    fn all(module: &'m Module) -> Vec<Named<'m>> {
        let named = |map: OurMap<'m>| {
            let name = map.name();
            // SAFETY: the fixture's functions have these types.
            unsafe {
                Named {
                    map,
                    look: module.func(&format!("look_{name}")).unwrap(),
                    update: module.func(&format!("update_{name}")).unwrap(),
                    delete: module.func(&format!("delete_{name}")).unwrap(),
                }
            }
        };
        OurMap::all(module).into_iter().map(named).collect()
    }

    /// What a look-up finds: the value's bytes.
    fn look(&self, key: &[u8]) -> Option<Vec<u8>> {
        let value = self.look.call((address(key),)) as *const u8;
        // SAFETY: a value has as many bytes, and nothing else uses the map.
        (!value.is_null()).then(|| unsafe { from_raw_parts(value, self.map.kind().value_size as usize) }.to_vec())
    }
}

#[test]
fn random_operations_by_direct_calls_are_as_by_the_helpers() {
    let (direct, by_helpers) = (module(Passes::ALL), module(Passes::ALL.without(Pass::MapCalls)));
    let unoptimised = module(Passes::NONE);
    let modules = [&by_helpers, &direct, &unoptimised];
    // SAFETY: the fixture's function has this type.
    let processors = modules.map(|module| unsafe { module.func::<(u32,), ()>("on_processor") }.unwrap());
    let maps = modules.map(Named::all);
    assert_eq!(maps[0].len(), 32);
    for seed in seeds::of("direct map calls", 16) {
        for index in 0..maps[0].len() {
            let same = maps.each_ref().map(|maps| &maps[index]);
            let (name, kind) = (same[0].map.name(), same[0].map.kind());
            let mut seed = Seed::new(seed ^ index as u64);
            let (mut found, mut full) = (0, 0);
            for step in 0..STEPS {
                // More keys than there is room for, some out of an array's bounds.
                let number = seed.below(30) as u64 % 27;
                let mut key = number.to_le_bytes().repeat(2);
                key.truncate(kind.key_size as usize);
                let value = vec![seed.next() as u8; kind.value_size as usize];
                let processor = seed.below(5) as u32;
                processors.iter().for_each(|on| on.call((processor,)));
                let flags = *seed.pick(&[0, 0, 0, 1, 2, 3, 4, 8]);
                let operation = seed.below(5);
                let results = same.map(|map| match operation {
                    0 => (map.delete.call((address(&key[..]),)), None),
                    1 | 2 => (map.update.call((address(&key[..]), address(&value[..]), flags)), None),
                    _ => (0, map.look(&key)),
                });
                let [expected, direct, unoptimised] = &results;
                assert_eq!(
                    direct, expected,
                    "{name}, step {step}: operation {operation} of {number}, flags {flags}"
                );
                assert_eq!(unoptimised, expected, "{name}, step {step}, without passes");
                found += u32::from(expected.1.is_some());
                full += u32::from(expected.0 != 0);
            }
            let is_made = !["hash_0", "array_bad"].contains(&name.as_str());
            assert_eq!(found > 50, is_made, "{name}: {found} look-ups found something");
            assert!(full > 10, "{name}: {full} operations had errors");
        }
    }
}

/// The calls of a function in an executable, as objdump has them: what is called, or `*` through a register or memory.
fn calls(executable: &Path, function: &str) -> Vec<String> {
    let text = output(
        Command::new("objdump")
            .args(["-d", "--no-show-raw-insn", &format!("--disassemble={function}")])
            .arg(executable),
    );
    let instructions = text.lines().filter_map(|line| {
        let (at, instruction) = line.split_once(":\t")?;
        Some((u64::from_str_radix(at.trim(), 16).ok()?, instruction.trim()))
    });
    let (mut calls, mut furthest) = (Vec::new(), 0);
    for (at, instruction) in instructions {
        let (name, operand) = instruction.split_once(char::is_whitespace).unwrap_or((instruction, ""));
        match (name, operand.split_once('<')) {
            ("call", Some((_, callee))) if !operand.trim().starts_with('*') => {
                calls.push(callee.trim_end_matches('>').to_owned());
            }
            ("call", _) => calls.push("*".to_owned()),
            (name, Some((target, _))) if name.starts_with('j') => {
                furthest = furthest.max(u64::from_str_radix(target.trim(), 16).unwrap_or(0));
            }
            _ => {}
        }
        // Constants follow, which are no instructions.
        if ["ret", "jmp", "ud2"].contains(&name) && at >= furthest {
            break;
        }
    }
    calls
}

#[test]
#[cfg(target_arch = "x86_64")]
fn named_maps_are_called_directly_and_small_look_ups_are_inlined() {
    if !has_tool("objdump") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().join("map_calls");
    output(bpf2native().arg(fixture("runtime/map_calls.o")).arg("-o").arg(&executable));
    let calls = |function: &str| calls(&executable, function);
    for size in ["4", "8", "16"] {
        for kind in ["hash", "lru_hash"] {
            assert_eq!(calls(&format!("look_{kind}_{size}")), [format!("rest_{size}")], "the walk is inlined");
        }
        for kind in ["percpu_hash", "lru_percpu_hash"] {
            let of_processor = "bpf_helper_get_smp_processor_id".to_owned();
            let mut found = calls(&format!("look_{kind}_{size}"));
            found.sort();
            assert_eq!(found, [of_processor, format!("rest_{size}")], "{kind}_{size}");
        }
    }
    for size in ["4", "8", "16", "20", "32", "40", "60"] {
        assert_eq!(calls(&format!("look_array_{size}")), ["lookup_of_new"], "the bounds check is inlined");
        assert!(!calls(&format!("look_percpu_array_{size}")).iter().any(|callee| callee == "*"));
        assert_eq!(calls(&format!("update_array_{size}")), ["bpf2native_rt_update_array"]);
        assert_eq!(calls(&format!("delete_array_{size}")), ["bpf_helper_map_delete_elem"], "it is always an error");
    }
    for kind in ["hash", "lru_hash", "percpu_hash", "lru_percpu_hash"] {
        for size in ["4", "8", "12", "16"] {
            assert_eq!(calls(&format!("update_{kind}_{size}")), [format!("bpf2native_rt_update_{kind}")]);
            assert_eq!(calls(&format!("delete_{kind}_{size}")), [format!("bpf2native_rt_delete_{kind}")]);
        }
    }
    assert_eq!(calls("look_hash_12"), ["find_any"]);
    assert_eq!(calls("moved"), ["rest_4"]);
    assert_eq!(calls("one_of"), ["bpf_helper_map_lookup_elem"]);
    assert_eq!(calls("any"), ["bpf_helper_map_lookup_elem"]);
}

/// What others may define stays a call by its name: in an object that is linked, and in a shared library.
#[test]
#[cfg(target_arch = "x86_64")]
fn what_a_link_may_replace_is_called_by_its_name() {
    if !has_tool("objdump") || !has_tool("cc") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (object, native) = (folder.path().join("map_calls.o"), folder.path().join("own.c"));
    output(bpf2native().arg("-c").arg(fixture("runtime/map_calls.o")).arg("-o").arg(&object));
    let own = "void *look(void *map, const void *key) __asm__(\"bpf_helper_map_lookup_elem\"); \
               void *look(void *map, const void *key) { return 0; }";
    std::fs::write(&native, own).unwrap();
    let executable = folder.path().join("own");
    compile_host(&[], &[&object, &native], &executable);
    assert_eq!(calls(&executable, "look_hash_4"), ["bpf_helper_map_lookup_elem"]);
    let shown = output(&mut Command::new(&executable));
    let without = output(bpf2native().arg("run").arg(fixture("runtime/map_calls.o")));
    assert_ne!(shown, without, "the other helper finds nothing");
}

#[test]
fn a_helper_that_is_registered_is_called_for_named_maps_too() {
    extern "C" fn look(_: u64, _: u64) -> u64 {
        77
    }
    let mut linker = Linker::new();
    linker.func("bpf_map_lookup_elem", look as extern "C" fn(u64, u64) -> u64).unwrap();
    let program = program("runtime/map_calls.o");
    let module = Jit::new(&Config::default()).unwrap().load(&program, &linker).unwrap();
    for name in ["look_hash_4", "look_array_8", "look_lru_percpu_hash_16"] {
        // SAFETY: the fixture's functions have this type.
        let look = unsafe { module.func::<(u64,), u64>(name) }.unwrap();
        assert_eq!(look.call((address(&[0u64; 2]),)), 77, "{name}");
    }
}

/// Operations of an object of the program's take the place of the runtime's.
#[test]
fn operations_that_a_program_defines_are_called() {
    let Some(own) = compiled(
        "struct map_ops { void *functions[14]; }; \
         static void *look(void *map, const void *key) { return (void *)99; } \
         static long create(void *map) { return 0; } \
         const struct map_ops bpf_map_ops_hash = {.functions = {look, [11] = create}};",
    ) else {
        return;
    };
    let files = [fixture("runtime/map_calls.o"), own.path().join("own.o")];
    let program = Program::from_files(files).unwrap();
    let module = Jit::new(&Config::default()).unwrap().load(&program, &Linker::new()).unwrap();
    // SAFETY: the fixture's functions have this type.
    let look = |name| unsafe { module.func::<(u64,), u64>(name) }.unwrap().call((address(&[0u64; 2]),));
    assert_eq!(look("look_hash_4"), 99);
    assert_eq!(look("look_lru_hash_4"), 0);
}

/// The folder with `own.o`, of this source.
fn compiled(source: &str) -> Option<tempfile::TempDir> {
    if !has_tool("clang-22") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.c"), source).unwrap();
    output(
        Command::new("clang-22")
            .args(["-target", "bpfel", "-O2", "-g", "-mcpu=v4", "-Wno-everything", "-c", "own.c", "-o", "own.o"])
            .current_dir(folder.path()),
    );
    Some(folder)
}
