//! Values printed by their types: `bpf_snprintf_btf` of the kernel's own types, in the kernel and here, and of the program's.
//!
//! What single types and flags make is in `fixtures/runtime/helpers/show.c`, which `helper_results.rs` runs.

use bpf2native::btf::{Btf, Kind, TypeId};
use bpf2native::parse::{self, Input, Options};
use bpf2native::{Linker, Module};

use crate::kernel;
use crate::native::{bpf2native, fixture, load, output, skip};
use crate::support::random::Seed;
use crate::support::seeds;

const KERNEL_TYPES: &str = "/sys/kernel/btf/vmlinux";
/// `enum` and `struct request` of the fixture.
const VALUE: usize = 4096;
const TEXT: usize = 8192;
const HEADER: usize = 24;

/// What `show_main.c` prints.
pub const SHOWN: &str = "\
319
(struct shape){
 .colour = (enum colour)RED,
 .wide = (enum wide)LARGE,
 .points = (struct point[])[
  
   1,
   0x2,
   0x1ffffffd,
  },
 ],
 (union){
  .name = (char[])[
   's',
   'q',
   'u',
   'a',
   'r',
   'e',
  ],
  .first = (char)115,
 },
 .next = (struct shape *)0x0000000000001000,
<unsupported kind:16>}

252 (struct shape){.colour = (enum colour)R
33 (struct another){.two = (u16)22,}
7 {0,22,}
0 91 (struct point){.x = (int)1,.y = (unsigned int)0x2,.z = (int)0x1ffffffd,}{1,0x2,0x1ffffffd,}
0 100
-14
";

fn below(random: &mut Seed, bound: usize) -> usize {
    (random.next() % bound as u64) as usize
}

/// What is printed, and how: `struct request` with the text's place full of `#`.
fn request(ty: TypeId, size: usize, random: &mut Seed) -> Vec<u8> {
    let mut value = vec![0u8; VALUE];
    match below(random, 4) {
        // Nearly all zeros.
        0 => (0..1 + size / 16).for_each(|_| value[below(random, size.max(1))] = random.next() as u8),
        // Characters.
        1 => value.iter_mut().for_each(|byte| *byte = b"abc \0\x07\xff\xa0"[below(random, 8)]),
        // Small numbers, for enumerators.
        2 => value.chunks_mut(4).for_each(|word| word[0] = below(random, 5) as u8),
        _ => value.iter_mut().for_each(|byte| *byte = random.next() as u8),
    }
    let text = if below(random, 3) == 0 { 1 + below(random, 200) } else { TEXT };
    // Pointers as they are: the kernel's hashes are its own.
    let flags = random.next() & 0xb | 4;
    let mut request = Vec::new();
    request.extend(ty.0.to_ne_bytes());
    request.extend((text as u32).to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([b'#'; TEXT]);
    request.extend(value);
    request
}

/// What came of it: the result and the text.
fn answer(request: &[u8]) -> (i64, String) {
    let result = i64::from_ne_bytes(request[16..24].try_into().unwrap());
    (result, String::from_utf8_lossy(&request[HEADER..HEADER + TEXT]).trim_end_matches('#').to_owned())
}

fn run_here(module: &Module) {
    // SAFETY: the fixture takes a context, which it does not look at.
    let program = unsafe { module.func::<(u64,), i32>("program") }.unwrap();
    assert_eq!(program.call((0,)), 0);
}

/// Whether the kernel prints values of a type: it does not look whether there is anything behind a typedef or a qualifier.
fn is_shown(btf: &Btf, ty: TypeId) -> Option<usize> {
    let (_, resolved) = btf.resolve(ty).ok()?;
    let is_value = matches!(
        resolved.kind,
        Kind::Int(_)
            | Kind::Pointer(_)
            | Kind::Array(_)
            | Kind::Struct(_)
            | Kind::Union(_)
            | Kind::Enum(_)
            | Kind::Enum64(_)
    );
    let size = btf.size_of(ty).ok()?? as usize;
    (is_value && size <= VALUE).then_some(size)
}

#[test]
fn random_values_of_the_kernels_types_are_printed_as_it_does() {
    if let Some(reason) = kernel::unavailable() {
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        skip(&format!("the kernel prints nothing: {reason}"));
        return;
    }
    let Ok(types) = std::fs::read(KERNEL_TYPES) else {
        skip(&format!("there is no {KERNEL_TYPES}"));
        return;
    };
    let btf = Btf::from_file_bytes(&types).unwrap();
    let shown: Vec<(TypeId, usize)> = btf.types().filter_map(|(id, _)| Some((id, is_shown(&btf, id)?))).collect();
    let name = fixture("runtime/helpers/show_any.o").display().to_string();
    let bytes = std::fs::read(&name).unwrap();
    let loaded = kernel::Loaded::new(&bytes, "program").unwrap();
    let theirs = loaded.map("requests").unwrap();
    let mut options = Options::default();
    options.btf = Some(btf.clone());
    let module = load(&parse::parse(&[Input { name, bytes }], &options).unwrap(), &Linker::new());
    let ours = module.raw_map("requests").unwrap();
    let key = [0; 4];
    for seed in seeds::of("printed types", 3000) {
        let mut random = Seed::new(seed);
        let (ty, size) = shown[below(&mut random, shown.len())];
        let request = request(ty, size, &mut random);
        theirs.update(&key, &request).unwrap();
        assert_eq!(loaded.run_syscall(&[0; 128]).unwrap(), 0);
        ours.insert(&key, &request, 0).unwrap();
        run_here(&module);
        let (found, expected) = (ours.get(&key).unwrap().unwrap(), theirs.lookup(&key).unwrap());
        let name = btf.name(btf.get(ty).unwrap().name);
        assert_eq!(answer(&found), answer(&expected), "type {ty} `{name}`, seed {seed}, flags {}", request[8]);
        assert!(found == expected, "type {ty} `{name}`, seed {seed}: more than the text is different");
    }
}

/// The same with the kernel's types as the target: the program's come behind them.
#[test]
fn types_of_several_objects() {
    let objects = ["show_main", "show_other"].map(|name| fixture(&format!("runtime/{name}.o")));
    let without = output(bpf2native().arg("run").args(&objects));
    assert_eq!(without, SHOWN);
    let target = fixture("runtime/show_other.o");
    let with = output(bpf2native().args(["run", "--btf"]).arg(target).args(&objects));
    // The target has no `struct shape`.
    let expected =
        "-22\n\n252 (struct shape){.colour = (enum colour)R\n33 (struct another){.two = (u16)22,}\n7 {0,22,}\n";
    assert!(with.starts_with(expected), "{with}");
}

/// Nothing of the tables is in a program that prints nothing by its types.
#[test]
fn other_programs_have_no_tables() {
    let module = load(&crate::native::program("runtime/maps.o"), &Linker::new());
    assert!(module.data_address("bpf2native_rt_types").is_none());
}
