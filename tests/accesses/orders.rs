//! Atomics that fetch, exchange or compare are full barriers, as the kernel's are: what each machine's code has for that.

use bpf2native::compare::listing;
use bpf2native::config::{Cpu, parse_triple};
use bpf2native::{Config, Program};

use crate::support::{asm, elf};

const FULL: [&str; 3] = [
    "r2 = atomic_fetch_add((u64 *)(r1 +0), r2)",
    "r2 = xchg_64(r1 +0, r2)",
    "r0 = 0\nr0 = cmpxchg_64(r1 +0, r0, r2)",
];

fn code(target: &str, features: &[&str], text: &str) -> String {
    let code = asm::assemble(&format!("{text}\nr0 = *(u64 *)(r1 +8)\nexit\n")).unwrap();
    let program = Program::from_bytes("orders.o", &elf::object_of(&[("orders", &code)])).unwrap();
    let features = features.iter().map(|feature| feature.parse().unwrap()).collect();
    let config = Config { features, cpu: Cpu::Baseline, ..Config::for_target(parse_triple(target).unwrap()) };
    listing::assembly(&program, &config, None, &mut Vec::new()).unwrap()
}

#[test]
fn each_machine_has_a_full_barrier() {
    for text in FULL {
        assert!(code("x86_64", &[], text).contains("lock") || text.contains("xchg_64"), "{text}");
        // An exclusive pair lets later accesses pass its store.
        let pair = code("aarch64", &[], text);
        assert!(pair.contains("stlxr") && pair.contains("dmb"), "{pair}");
        // One instruction with both orders does not; Cranelift has none for exchanges.
        let lse = code("aarch64", &["+lse"], text);
        assert_eq!(lse.contains("dmb"), lse.contains("stlxr"), "{lse}");
        assert_eq!(lse.contains("stlxr"), text.contains("xchg_64(r1 +0, r2)"), "{lse}");
        let riscv = code("riscv64", &[], text);
        assert!(riscv.contains(".aqrl"), "{riscv}");
    }
}

/// Without fetch, no order is asked for.
#[test]
fn an_addition_alone_has_no_fence() {
    let pair = code("aarch64", &[], "lock *(u64 *)(r1 +0) += r2");
    assert!(pair.contains("stlxr") && !pair.contains("dmb"), "{pair}");
}
