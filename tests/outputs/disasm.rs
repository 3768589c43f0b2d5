//! Native code read back: what this translator makes, on all targets, and what other compilers make.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use bpf2native::compare::disasm::{Control, Disassembler, FrameBase, FrameOperand, Instruction, Shape};
use bpf2native::config::Pass;
use bpf2native::internals::codegen::{GivenUp, StepOutcome};
use bpf2native::internals::{codegen, emit};
use bpf2native::{Config, Program};
use object::{Object, ObjectSection, ObjectSymbol};

fn disassembler(target: &str) -> Disassembler {
    Disassembler::new(&target.parse().unwrap()).unwrap()
}

fn decode(target: &str, bytes: &[u8]) -> Vec<Instruction> {
    disassembler(target).function(bytes, Shape::Foreign(&[]))
}

/// Every byte belongs to one instruction or piece of data, in order.
fn assert_covered(instructions: &[Instruction], size: usize, name: &str) {
    let mut at = 0;
    for instruction in instructions {
        assert_eq!(instruction.offset, at, "{name}: {instruction:?}");
        assert!(instruction.size > 0, "{name}: {instruction:?}");
        at = instruction.end();
    }
    assert_eq!(at as usize, size, "{name}");
}

/// The objects of one compiler, of `fixtures/obj`.
fn objects(variant: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/obj").join(variant);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "o"));
    paths.sort();
    assert!(paths.len() > 20, "{variant}: {}", paths.len());
    paths
}

fn translate(path: &PathBuf, target: &str) -> (Program, emit::Translation) {
    let program = Program::from_files([path]).unwrap();
    let config = Config::for_target(target.parse().unwrap());
    let keep = codegen::Keep::Code;
    let purpose = bpf2native::emit::Purpose::Relocatable;
    let translation = emit::translate(&program, &config, purpose, "x", keep, None).unwrap();
    (program, translation)
}

/// Each prefetch is one instruction, and no call: registers that a call would not keep hold values over it.
#[test]
fn prefetches_are_instructions() {
    for (target, variant, prefetch) in [
        ("x86_64", "clang22-v4", "prefetcht0 (%rdi)"),
        ("aarch64", "clang22-v4-aarch64", "prfm pldl1keep, [x0]"),
        ("riscv64", "clang22-v4-riscv64", "ori zero, a0, 1"),
        ("s390x", "clang22-v4-s390x", "pfd 1, 0(%r2)"),
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/obj").join(variant).join("prefetch.o");
        let (program, translation) = translate(&path, target);
        let is_sum = |id| program.functions[id].name == "sum";
        let sum = translation.functions.iter().find(|compiled| compiled.function.is_some_and(is_sum)).unwrap();
        let instructions = disassembler(target).function(&sum.code, Shape::Entries(&sum.entries));
        let prefetches: Vec<&Instruction> =
            instructions.iter().filter(|instruction| instruction.text == prefetch).collect();
        assert_eq!(prefetches.len(), 3, "{target}: {instructions:#?}");
        assert!(prefetches.iter().all(|instruction| !instruction.loads && !instruction.stores), "{target}");
        assert!(instructions.iter().all(|instruction| instruction.kind != Control::Call), "{target}");
    }
}

/// Jumps and branches lead to instructions, blocks start with one, and no constant or jump table is taken for code:
/// what is data is only ever loaded.
#[test]
fn own_code_is_told_from_its_data() {
    for (target, variant) in [
        ("x86_64", "clang22-v4"),
        ("aarch64", "clang22-v4"),
        ("riscv64", "clang22-v4"),
        ("s390x", "clang22-v4-s390x"),
    ] {
        let disassembler = disassembler(target);
        let (mut branches, mut data, mut calls) = (0, 0, 0);
        for path in objects(variant) {
            let (program, translation) = translate(&path, target);
            for compiled in &translation.functions {
                let name = compiled.function.map_or("", |id| &program.functions[id].name);
                let name = format!("{} of {} for {target}", name, path.display());
                let decoded = disassembler.function(&compiled.code, Shape::Entries(&compiled.entries));
                assert_covered(&decoded, compiled.code.len(), &name);
                let starts: HashSet<u32> =
                    decoded.iter().filter(|it| it.kind != Control::Data).map(|it| it.offset).collect();
                for entry in &compiled.entries {
                    assert!(starts.contains(entry), "{name}: {entry:#x} is no instruction");
                }
                for instruction in &decoded {
                    if matches!(instruction.kind, Control::Jump | Control::Branch)
                        && instruction.reference.is_some()
                    {
                        let to = instruction.branch_target(compiled.code.len());
                        assert!(to.is_some_and(|to| starts.contains(&to)), "{name}: {instruction:?}");
                        branches += 1;
                    }
                    calls += usize::from(instruction.kind == Control::Call);
                    data += usize::from(instruction.kind == Control::Data);
                }
                // Each location is of whole instructions. A jump behind an island, to which nothing leads once other jumps have been
                // threaded, is no code.
                let is_dead_jump = |start: u32, end: u32| {
                    matches!(target, "aarch64" | "riscv64")
                        && end - start == 4
                        && decoded
                            .iter()
                            .all(|it| it.kind == Control::Data || it.offset >= end || it.end() <= start)
                };
                for range in &compiled.locations {
                    if is_dead_jump(range.start, range.end) {
                        continue;
                    }
                    let is_code = starts.contains(&range.start);
                    let is_end = starts.contains(&range.end)
                        || !decoded
                            .iter()
                            .any(|it| it.kind != Control::Data && it.offset < range.end && range.end < it.end());
                    assert!(is_code && is_end, "{name}: {range:?}");
                }
            }
        }
        assert!(branches > 1000 && calls > 800 && data > 10, "{target}: {branches} {calls} {data}");
    }
}

/// What the instructions of a function are: text, and what is known of each.
fn describe(instructions: &[Instruction]) -> String {
    let mut text = String::new();
    for instruction in instructions {
        let mut facts = vec![format!("{:?}", instruction.kind).to_lowercase()];
        facts.retain(|kind| kind != "plain");
        facts.extend(instruction.branch_target(usize::MAX).map(|to| format!("to {to:#x}")));
        facts.extend(instruction.loads.then(|| "load".to_owned()));
        facts.extend(instruction.stores.then(|| "store".to_owned()));
        facts.extend(instruction.frame.map(|FrameOperand { base, offset }| match base {
            FrameBase::Stack => format!("sp{offset:+}"),
            FrameBase::Frame => format!("fp{offset:+}"),
        }));
        text += &format!("{:x}: {}  ; {}\n", instruction.offset, instruction.text, facts.join(", "));
    }
    text
}

#[track_caller]
fn check(target: &str, bytes: &[u8], expected: &str) {
    let actual = describe(&decode(target, bytes));
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned() + "\n").collect::<String>();
    let expected = lines(expected.trim());
    assert!(
        lines(&actual) == expected,
        "{}",
        similar::TextDiff::from_lines(&expected, &lines(&actual)).unified_diff()
    );
}

#[test]
fn instructions_of_x86_64_are_classified() {
    check(
        "x86_64",
        &[
            0x55, 0x48, 0x89, 0xe5, // push, mov
            0x48, 0x8b, 0x44, 0x24, 0x08, 0x48, 0x89, 0x45, 0xf8, // load and store in the frame
            0x48, 0x83, 0x07, 0x01, 0x48, 0x39, 0x07, 0x48, 0x8d, 0x47, 0x05, // add, cmp, lea
            0xf0, 0x0f, 0xb1, 0x17, // lock cmpxchg
            0x74, 0x02, 0xeb, 0xde, // je, jmp
            0xe8, 0x00, 0x00, 0x00, 0x00, 0xff, 0xd0, // call, call through a register
            0x48, 0x8b, 0x05, 0x02, 0x00, 0x00, 0x00, // load of a constant
            0x0f, 0x0b, 0xc3, // ud2, ret
        ],
        "0: pushq %rbp  ;
         1: movq %rsp, %rbp  ;
         4: movq 8(%rsp), %rax  ; load, sp+8
         9: movq %rax, -8(%rbp)  ; store, fp-8
         d: addq $1, (%rdi)  ; load, store
         11: cmpq %rax, (%rdi)  ; load
         14: leaq 5(%rdi), %rax  ;
         18: lock cmpxchgl %edx, (%rdi)  ; load, store
         1c: je 0x20  ; branch, to 0x20
         1e: jmp 0xfffffffffffffffe  ; jump
         20: callq 0x25  ; call
         25: callq *%rax  ; call
         27: movq 2(%rip), %rax  ; load
         2e: ud2  ; trap
         30: retq  ; return",
    );
}

/// What the operands' order or the mnemonic's start would say is wrong for these.
#[test]
fn accesses_of_x86_64_are_those_of_the_instruction_and_not_of_its_text() {
    check(
        "x86_64",
        &[
            0x48, 0xa5, // movsq: memory to memory
            0xc4, 0xe3, 0x7d, 0x39, 0x07, 0x01, // vextracti128: writes only
            0xc4, 0xe2, 0x7d, 0x8c, 0x07, // vpmaskmovd: reads only what the mask says
            0x0f, 0xae, 0x1f, // stmxcsr
            0x0f, 0x18, 0x0f, // prefetch: no access that is seen
            0x87, 0x07, // xchg
            0x8f, 0x07, // pop to memory
            0xff, 0x2f, // far jump
        ],
        "0: movsq (%rsi), (%rdi)  ; load, store
         2: vextracti128 $1, %ymm0, (%rdi)  ; store
         8: vpmaskmovd (%rdi), %ymm0, %ymm0  ; load
         d: stmxcsr (%rdi)  ; store
         10: prefetcht0 (%rdi)  ;
         13: xchgl %eax, (%rdi)  ; load, store
         15: popq (%rdi)  ; store
         17: ljmpl *(%rdi)  ; jump, load",
    );
}

#[test]
fn instructions_of_aarch64_are_classified() {
    let words: [u32; 13] = [
        0xa9bf7bfd, 0x910003fd, 0xf94007e0, 0xf81f83a0, 0x38636841, 0xb8200041, 0x34000060, 0x94000000, 0xd63f0020,
        0xd4200020, 0x17fffff9, 0xd65f03c0, 0xffffffff,
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    check(
        "aarch64",
        &bytes,
        "0: stp x29, x30, [sp, #-0x10]!  ; store, sp-16
         4: mov x29, sp  ;
         8: ldr x0, [sp, #8]  ; load, sp+8
         c: stur x0, [x29, #-8]  ; store, fp-8
         10: ldrb w1, [x2, x3]  ; load
         14: ldadd w0, w1, [x2]  ; load, store
         18: cbz w0, #0x24  ; branch, to 0x24
         1c: bl #0x1c  ; call
         20: blr x1  ; call
         24: brk #1  ; trap
         28: b #0xc  ; jump, to 0xc
         2c: ret  ; return
         30: .byte 0xff, 0xff, 0xff, 0xff  ; data",
    );
}

#[test]
fn instructions_of_riscv64_are_classified() {
    check(
        "riscv64",
        &[
            0x13, 0x01, 0x01, 0xff, 0x23, 0x34, 0x11, 0x00, 0x22, 0x84, 0x4a, 0x7f, // addi, sd, c.mv, c.ldsp
            0x63, 0x84, 0x05, 0x00, 0xe7, 0x80, 0x07, 0x00, // beqz, jalr
            0xaf, 0xb5, 0xac, 0x06, 0xaf, 0xb5, 0x0c, 0x16, // amoadd, lr
            0x6f, 0xf0, 0xdf, 0xff, 0x67, 0x80, 0x00, 0x00, 0x00, 0x00, // j, ret, unimp
        ],
        "0: addi sp, sp, -0x10  ;
         4: sd ra, 8(sp)  ; store, sp+8
         8: c.mv s0, s0  ;
         a: c.ldsp t5, 0xb0(sp)  ; load, sp+176
         c: beqz a1, 8  ; branch, to 0x14
         10: jalr a5  ; call
         14: amoadd.d.aqrl a1, a0, (s9)  ; load, store
         18: lr.d.aqrl a1, (s9)  ; load
         1c: j -4  ; jump, to 0x18
         20: ret  ; return
         24: c.unimp  ; trap",
    );
}

#[test]
fn instructions_of_s390x_are_classified() {
    check(
        "s390x",
        &[
            0xeb, 0x6f, 0xf0, 0x30, 0x00, 0x24, 0xe3, 0x29, 0xa0, 0x00, 0x00, 0x04, // stmg, lg
            0x41, 0x17, 0xa0, 0x00, 0xe5, 0x48, 0xf0, 0x10, 0x00, 0x00, // la, mvghi
            0xeb, 0x47, 0xd0, 0x00, 0x00, 0xdf, 0xeb, 0x32, 0x10, 0x00, 0x00, 0xe8, // sllk, laag
            0xc0, 0x84, 0x00, 0x00, 0x00, 0x05, 0xc0, 0xe5, 0x00, 0x00, 0x00, 0x00, // jge, brasl
            0xc0, 0x64, 0x00, 0x00, 0x00, 0x01, // a conditional trap
            0x0d, 0xe3, 0x07, 0xe0, 0x07, 0xfe, 0x00, 0x00, // basr, bnor, br, trap
        ],
        "0: stmg %r6, %r15, 0x30(%r15)  ; store, sp+48
         6: lg %r2, 0(%r9, %r10)  ; load
         c: la %r1, 0(%r7, %r10)  ;
         10: mvghi 0x10(%r15), 0  ; store, sp+16
         16: sllk %r4, %r7, 0(%r13)  ;
         1c: laag %r3, %r2, 0(%r1)  ; load, store
         22: jge 0x2c  ; branch, to 0x2c
         28: brasl %r14, 0x28  ; call
         2e: jglh .+2  ;
         34: basr %r14, %r3  ; call
         36: bnor %r0  ;
         38: br %r14  ; return
         3a: .byte 0x00, 0x00  ; trap",
    );
}

/// An address operand is spelled as another name.
#[test]
fn references_are_renamed() {
    for (target, bytes, expected) in [
        ("x86_64", &[0xe8, 0, 0, 0, 0][..], "callq NAME"),
        ("x86_64", &[0x48, 0x8b, 0x05, 0, 0, 0, 0], "movq NAME(%rip), %rax"),
        ("x86_64", &[0x48, 0xf7, 0x25, 0xce, 0, 0, 0], "mulq NAME(%rip)"),
        ("aarch64", &[0, 0, 0, 0x90], "adrp x0, NAME"),
        ("riscv64", &[0x17, 0x05, 0, 0], "auipc a0, NAME"),
        ("s390x", &[0xc0, 0xa0, 0, 0, 0, 0], "larl %r10, NAME"),
        ("s390x", &[0xc4, 0xc8, 0, 0, 0, 0], "lgrl %r12, NAME"),
    ] {
        let decoded = decode(target, bytes);
        assert_eq!((decoded.len(), decoded[0].text_with("NAME").as_str()), (1, expected), "{}", decoded[0].text);
    }
}

/// No bytes are refused, and all are shown.
#[test]
fn any_bytes_are_decoded() {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u32
    };
    for target in ["x86_64", "aarch64", "riscv64", "s390x"] {
        let disassembler = disassembler(target);
        for round in 0..200 {
            let size = (random() % 400) as usize;
            let mut bytes: Vec<u8> = (0..size).map(|_| random() as u8).collect();
            // Long runs of one byte too.
            if round % 3 == 0 {
                bytes.extend(vec![random() as u8; (random() % 100) as usize]);
            }
            let entries: Vec<u32> = (0..random() % 8).map(|_| random() % 500).collect();
            let ranges: Vec<std::ops::Range<u32>> = entries.iter().map(|&at| at..at + random() % 40).collect();
            for shape in [Shape::Entries(&entries), Shape::Foreign(&ranges)] {
                let decoded = disassembler.function(&bytes, shape);
                assert_covered(&decoded, bytes.len(), target);
                assert!(decoded.iter().all(|it| it.end() as usize <= bytes.len()));
                for instruction in &decoded {
                    assert!(instruction.text_with("x").len() < 200 && !instruction.mnemonic().is_empty());
                }
            }
        }
    }
}

/// gcc's code: instructions start where binutils' objdump says.
#[test]
fn code_of_other_compilers_is_read_as_objdump_reads_it() {
    for (target, prefix) in [
        ("x86_64", ""),
        ("aarch64", "aarch64-linux-gnu-"),
        ("riscv64", "riscv64-linux-gnu-"),
        ("s390x", "s390x-linux-gnu-"),
    ] {
        let (cc, objdump) = (format!("{prefix}gcc"), format!("{prefix}objdump"));
        if !crate::native::has_tool(&cc) || !crate::native::has_tool(&objdump) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.o");
        let source = crate::native::fixture("programs/sudoku.c");
        crate::native::output(
            std::process::Command::new(&cc)
                .args(["-O2", "-fno-reorder-functions", "-c", "-o"])
                .args([&path, &source]),
        );
        let listing = crate::native::output(
            std::process::Command::new(&objdump).args(["-d", "-z", "-w", "-j", ".text"]).arg(&path),
        );
        let lines = listing.lines().filter(|line| line.starts_with(' '));
        let address = |line: &str| u64::from_str_radix(line.trim().split(':').next()?, 16).ok();
        let listed: Vec<u64> = lines.filter_map(address).collect();
        let bytes = std::fs::read(&path).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let disassembler = disassembler(target);
        let mut compared = 0;
        for symbol in file.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.size() > 0)
        {
            let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
            let code = &section.data().unwrap()[symbol.address() as usize..][..symbol.size() as usize];
            let decoded = disassembler.function(code, Shape::Foreign(&[]));
            let range = symbol.address()..symbol.address() + symbol.size();
            let expected: Vec<u64> = listed.iter().copied().filter(|address| range.contains(address)).collect();
            let actual: Vec<u64> = decoded.iter().map(|it| symbol.address() + u64::from(it.offset)).collect();
            assert_eq!(actual, expected, "{target}: {}", symbol.name().unwrap());
            compared += actual.len();
        }
        assert!(compared > 50, "{target}: {compared}");
    }
}

#[test]
fn other_architectures_are_refused() {
    let error = Disassembler::new(&"sparc64-linux-gnu".parse().unwrap()).err().unwrap().to_string();
    assert_eq!(error, "there is no disassembler for sparc64: there is for x86_64, aarch64, riscv64 and s390x");
}

/// A new release of Cranelift cannot turn a step over machine code off in silence: nearly no function is given up,
/// and each step has something to do in so many of a hundred of them.
fn steps_find_work(target: &str, variant: &str, floors: &[(&str, usize)]) {
    let mut changed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kept: BTreeMap<GivenUp, Vec<String>> = BTreeMap::new();
    let mut functions = 0;
    for path in objects(variant) {
        let (program, translation) = translate(&path, target);
        for compiled in &translation.functions {
            let StepOutcome { changed: steps, given_up: reason } = compiled.steps;
            functions += 1;
            for pass in Pass::ALL.iter().filter(|&&pass| steps.contains(pass)) {
                *changed.entry(pass.name()).or_default() += 1;
            }
            if let Some(reason) = reason {
                let name = compiled.function.map_or("", |id| &program.functions[id].name);
                kept.entry(reason).or_default().push(format!("{name} of {}", path.display()));
            }
        }
    }
    let some: usize = kept.values().map(Vec::len).sum();
    assert!(some * 100 <= functions, "{some} of {functions} functions stay as they were: {kept:#?}");
    for &(step, least) in floors {
        let found = changed.get(step).copied().unwrap_or(0);
        assert!(found * 100 >= least * functions, "{step} changes {found} of {functions} functions");
    }
}

#[test]
fn steps_over_x86_64_code_find_work() {
    let floors = [
        ("spills", 1),
        ("jump-table-bounds", 1),
        ("loop-rotation", 8),
        ("block-placement", 20),
        ("prologues", 90),
        ("short-encodings", 90),
        ("loop-alignment", 25),
    ];
    steps_find_work("x86_64", "clang22-v4", &floors);
}

#[test]
fn steps_over_aarch64_code_find_work() {
    let floors = [
        ("copy-propagation", 50),
        ("instruction-combining", 20),
        ("move-coalescing", 20),
        ("loop-invariants", 1),
        ("loop-inversion", 8),
    ];
    steps_find_work("aarch64", "clang22-v4-aarch64", &floors);
}
