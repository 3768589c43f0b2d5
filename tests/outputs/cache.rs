//! The cache never changes a result: cold, warm, damaged, shared, full.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bpf2native::config::{OptLevel, Pass, Passes, Target};
use bpf2native::emit::{self, Purpose};
use bpf2native::{Cache, Config, Jit, Linker, Program};

use crate::native::{bpf2native, fixture, output};

const PROGRAMS: [&str; 5] =
    ["api/words.o", "obj/clang22-v4/words.o", "obj/clang22-v4/json.o", "obj/clang19-v4/wc.o", WITH_ADAPTERS];

/// What the cache does not keep goes with what it does.
const WITH_ADAPTERS: &str = "unwind/unwind.o";

const BIG_ENDIAN: [&str; 3] =
    ["obj/clang22-v4-s390x/words.o", "obj/clang22-v4-s390x/json.o", "faults/pointers.be.o"];

fn program(name: &str) -> Program {
    crate::native::program(name)
}

fn object(program: &Program, config: &Config) -> Vec<u8> {
    emit::object(program, config, Purpose::Relocatable, "test.o").unwrap().bytes
}

fn cached(program: &Program, config: &Config, cache: &Cache) -> Vec<u8> {
    emit::object_with_cache(program, config, Purpose::Relocatable, "test.o", cache).unwrap().bytes
}

/// The entries of a cache, in the order of their names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    entries.sort();
    entries
}

fn set_age(path: &Path, age: Duration) {
    File::options().append(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Whether an entry was used, or made, a moment ago.
fn is_fresh(path: &Path) -> bool {
    path.metadata().unwrap().modified().unwrap().elapsed().unwrap_or_default() < Duration::from_secs(1800)
}

#[test]
fn objects_are_the_same() {
    for target in ["x86_64", "aarch64", "riscv64", "x86_64-apple-darwin", "s390x"] {
        for debug in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut config = Config::for_target(target.parse().unwrap());
            config.debug(debug && !target.contains("apple"));
            let cache = Cache::new(folder.path());
            let names = if target == "s390x" { &BIG_ENDIAN[..] } else { &PROGRAMS };
            for (index, name) in names.iter().enumerate() {
                let program = program(name);
                let expected = object(&program, &config);
                assert!(expected == cached(&program, &config, &cache), "{target}: {name}: cold");
                let kept = entries(folder.path());
                assert_eq!(kept.len(), index + 1, "{target}: {name}: one entry for each program");
                kept.iter().for_each(|entry| set_age(entry, Duration::from_secs(7200)));
                assert!(expected == cached(&program, &config, &cache), "{target}: {name}: warm");
                assert_eq!(kept, entries(folder.path()), "{target}: {name}: a hit makes no entry");
                let used = kept.iter().filter(|entry| is_fresh(entry)).count();
                assert_eq!(used, 1, "{target}: {name}: its own entry is used");
            }
        }
    }
}

/// What has no form in an entry is compiled every time.
#[test]
fn some_targets_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    for target in ["x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc", "aarch64-apple-darwin"] {
        let config = Config::for_target(target.parse().unwrap());
        for name in ["api/words.o", WITH_ADAPTERS] {
            let program = program(name);
            let expected = object(&program, &config);
            assert!(expected == cached(&program, &config, &Cache::new(folder.path())), "{target}: {name}");
            assert!(entries(folder.path()).is_empty(), "{target}: {name}");
        }
    }
}

#[test]
fn programs_in_memory_do_the_same() {
    extern "C" fn host_word(_context: u64, _word: u64, length: u64) -> i32 {
        (length > 1_000_000).into()
    }
    let folder = tempfile::tempdir().unwrap();
    let (config, cache) = (Config::default(), Cache::new(folder.path()));
    let program = program("api/words.o");
    let mut linker = Linker::new();
    linker.func("host_word", host_word as extern "C" fn(u64, u64, u64) -> i32).unwrap();
    for temperature in ["cold", "warm"] {
        entries(folder.path()).iter().for_each(|entry| set_age(entry, Duration::from_secs(7200)));
        let module = Jit::new(&config).unwrap().with_cache(cache.clone()).load(&program, &linker).unwrap();
        assert!(module.warnings().is_empty(), "{:?}", module.warnings());
        // SAFETY: the fixture is trusted, and its function has this type.
        let count_words = unsafe { module.func::<(*mut u8, *const u8, u64), i64>("count_words") }.unwrap();
        let text = b"to be or not";
        assert_eq!(count_words.call((std::ptr::null_mut(), text.as_ptr(), text.len() as u64)), 4, "{temperature}");
        let kept = entries(folder.path());
        assert_eq!((kept.len(), is_fresh(&kept[0])), (1, true), "{temperature}");
    }
    // The same program is another one in an object.
    cached(&program, &config, &cache);
    assert_eq!(entries(folder.path()).len(), 2);
}

#[test]
fn damaged_entries_are_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (config, cache) = (Config::default(), Cache::new(folder.path()));
    let program = program("api/words.o");
    let expected = cached(&program, &config, &cache);
    let entry = entries(folder.path()).remove(0);
    let whole = fs::read(&entry).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let last = whole.len() - 1;
    let damages = [
        Vec::new(),
        b"no entry at all".to_vec(),
        whole[..last].to_vec(),
        whole[..45].to_vec(),
        [&whole[..], b"more"].concat(),
        flipped(7),
        flipped(20),
        flipped(50),
        flipped(whole.len() / 2),
        flipped(last),
    ];
    for (index, damage) in damages.into_iter().enumerate() {
        fs::write(&entry, damage).unwrap();
        assert!(expected == cached(&program, &config, &cache), "damage {index}");
        assert!(whole == fs::read(&entry).unwrap(), "damage {index} is repaired");
    }
    // An entry under another's name is no entry of it.
    let other = program_entry(&folder, "obj/clang22-v4/json.o", &cache);
    fs::copy(&other, &entry).unwrap();
    assert!(expected == cached(&program, &config, &cache), "another program's entry");
    assert!(whole == fs::read(&entry).unwrap());
}

/// Translates, and gives the entry that this makes.
fn program_entry(folder: &tempfile::TempDir, name: &str, cache: &Cache) -> PathBuf {
    let before = entries(folder.path());
    cached(&program(name), &Config::new(), cache);
    let new = entries(folder.path()).into_iter().find(|entry| !before.contains(entry));
    new.expect("there is a new entry")
}

#[test]
fn other_options_and_inputs_are_other_entries() {
    let folder = tempfile::tempdir().unwrap();
    let base = Config::for_target("x86_64".parse().unwrap());
    let object = |program: &Program, config: &Config| cached(program, config, &Cache::new(folder.path()));
    let without = |pass| Passes::of_level(OptLevel::O2).without(pass);
    let configs = [
        base.clone(),
        base.clone().opt_level(OptLevel::O0).clone(),
        base.clone().opt_level(OptLevel::O1).clone(),
        base.clone().passes(without(Pass::Egraph)).clone(),
        base.clone().features(vec!["+bmi2".parse().unwrap()]).clone(),
        base.clone().target("aarch64".parse::<Target>().unwrap()).clone(),
    ];
    let words = program("api/words.o");
    for (index, config) in configs.iter().enumerate() {
        object(&words, config);
        assert_eq!(entries(folder.path()).len(), index + 1, "configuration {index}");
    }
    // The number of threads and the object's place make no difference.
    let count = entries(folder.path()).len();
    object(&words, base.clone().threads(1));
    let copy = folder.path().with_extension("copy.o");
    fs::copy(fixture("api/words.o"), &copy).unwrap();
    object(&Program::from_files([&copy]).unwrap(), &base);
    fs::remove_file(&copy).unwrap();
    assert_eq!(entries(folder.path()).len(), count);
    // One instruction does.
    for constant in [1, 2] {
        let code = [0xb7, 0, 0, 0, constant, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        object(&Program::from_instructions("raw", &code).unwrap(), &base);
        assert_eq!(entries(folder.path()).len(), count + usize::from(constant));
    }
}

#[test]
fn the_oldest_go_when_there_is_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let unbounded = Cache::new(folder.path());
    let oldest = program_entry(&folder, "obj/clang22-v4/words.o", &unbounded);
    set_age(&oldest, Duration::from_secs(7200));
    let abandoned = folder.path().join(".part-abandoned");
    fs::write(&abandoned, b"half of it").unwrap();
    set_age(&abandoned, Duration::from_secs(7200));
    let size = |entry: &Path| entry.metadata().unwrap().len();
    let limit = size(&oldest) + 1;
    let bounded = unbounded.limit(limit);
    let newest = program_entry(&folder, "api/words.o", &bounded);
    assert_eq!(entries(folder.path()), [newest.as_path()]);
    assert!(size(&newest) <= limit);
}

#[test]
fn many_threads_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new().threads(1).clone();
    let cache = Cache::new(folder.path()).limit(40_000);
    let expected = PROGRAMS.map(|name| object(&program(name), &Config::new()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (config, cache, expected) = (&config, &cache, &expected);
            scope.spawn(move || {
                for turn in 0..6 {
                    let index = (thread + turn) % PROGRAMS.len();
                    let made = cached(&program(PROGRAMS[index]), config, cache);
                    assert!(made == expected[index], "{}", PROGRAMS[index]);
                }
            });
        }
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"no folder").unwrap();
    let (config, cache) = (Config::default(), Cache::new(file.join("cache")));
    let program = program("api/words.o");
    let purpose = Purpose::Relocatable;
    let emit::Object { bytes, warnings, .. } =
        emit::object_with_cache(&program, &config, purpose, "test.o", &cache).unwrap();
    assert!(bytes == object(&program, &config));
    assert!(warnings.iter().any(|warning| warning.text().contains("cannot write to the cache")), "{warnings:?}");
}

#[test]
fn the_command_has_an_option_and_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, object) = (folder.path().join("a/b"), folder.path().join("out.o"));
    let translate = || {
        let mut command = bpf2native();
        command.arg("-c").arg(fixture("api/words.o")).arg("-o").arg(&object).env_remove("BPF2NATIVE_CACHE");
        command
    };
    output(translate().args(["--cache"]).arg(&cache));
    assert_eq!(entries(&cache).len(), 1);
    let cold = fs::read(&object).unwrap();
    set_age(&entries(&cache)[0], Duration::from_secs(7200));
    output(translate().env("BPF2NATIVE_CACHE", &cache));
    assert!(is_fresh(&entries(&cache)[0]));
    assert!(cold == fs::read(&object).unwrap());
    output(translate().env("BPF2NATIVE_CACHE", ""));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&cache.metadata().unwrap().permissions()) & 0o777, 0o700);
}

/// What is in an entry, with the sum over it that makes it one.
fn made_by_hand(whole: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    use sha2::{Digest, Sha256};

    let mut bytes = whole.to_vec();
    let key = 8 + 32 + 64;
    change(&mut bytes[key..]);
    let sum = Sha256::digest(&bytes[40..]);
    bytes[8..40].copy_from_slice(&sum);
    bytes
}

/// Nobody else can write entries, but a user can: whatever is in them, the translator stays up.
#[test]
fn entries_made_by_hand_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = (1..).map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    let mut number = || numbers.next().unwrap();
    for target in ["x86_64", "aarch64", "riscv64", "s390x"] {
        let name = if target == "s390x" { "obj/clang22-v4-s390x/json.o" } else { "api/words.o" };
        let program = program(name);
        let (config, cache) = (Config::for_target(target.parse().unwrap()), Cache::new(folder.path()));
        let before = entries(folder.path());
        let expected = cached(&program, &config, &cache);
        let entry = entries(folder.path()).into_iter().find(|entry| !before.contains(entry)).unwrap();
        let whole = fs::read(&entry).unwrap();
        let same = made_by_hand(&whole, |_| ());
        assert!(same == whole, "{target}: the sum is of all behind it");
        let words = (whole.len() - 104) / 8;
        for _ in 0..400 {
            let at = (number() as usize % words) * 8;
            let value = [0, 1, 2, 7, 16, 0xffff_ffff, u64::MAX, 1 << 40, number()][number() as usize % 9];
            let changed = made_by_hand(&whole, |bytes| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()));
            fs::write(&entry, changed).unwrap();
            // Any code may come out, or an error.
            let purpose = Purpose::Relocatable;
            drop(emit::object_with_cache(&program, &config, purpose, "x.o", &cache));
        }
        fs::write(&entry, &whole).unwrap();
        assert!(expected == cached(&program, &config, &cache), "{target}");
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let (config, cache) = (Config::default(), Cache::new(folder.path()));
    for mode in [0o777, 0o770, 0o722] {
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
        let purpose = Purpose::Relocatable;
        let made = emit::object_with_cache(&program("api/words.o"), &config, purpose, "x.o", &cache).unwrap();
        let warnings = made.warnings;
        assert!(warnings.iter().any(|warning| warning.text().contains("others may write to it")), "{warnings:?}");
        assert!(entries(folder.path()).is_empty());
    }
}
