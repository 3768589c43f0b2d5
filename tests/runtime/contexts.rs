//! Contexts, routes, sockets and redirections, which a test in C fills in and looks at (`fixtures/runtime/contexts.c`); and
//! the packet programs on machines where there is no kernel to compare with (`fixtures/runtime/every_*.c`).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::native::{bpf2native, fixture, has_tool, output};
use crate::packets::frames;

/// What `contexts.c` prints.
const CONTEXTS: &str = "\
xdp: low 1, 50 bytes, same 1
verdict 4, 36 bytes from 45 on
redirected 1 to 7
reset 0, redirected 0, 100 bytes
too long -28
hints -61 0 0 0 -61: 77 1234 9
tc 7, xdp 4
empty 0 0
large 65536, larger 0
own -22 0 -22 0 -22: 42 bytes
linear 20 of 50, load 0, relative -14, pull 0: 40, all 0: 50
loads 800 0 0
clones 0 0, 50 bytes to 3, 45 bytes to 4
errors 0, 45 bytes, same 1
any device 0 1500, added 0, none -19, too long 1 1400
routes: none 4, added 0, no neighbour 7, skipped 0 by 3, metric 10, mtu 1400
longer 0 to a000009, mtu 1300, from 3 to 5, too long 8 1300, no source 9, black hole 1, cleared 4
sockets: connected 1, listening 1, udp 0, other port 0, tcp 1, full 1, references 1 0 1
assign -22 0 1, cookie 1, uid 1000, lookup 0 -17 0 -91
options -22 0 0 7 4
message 0 -22 0 15678 7
cookie for 1300, short -22, same 1, good 0 0, bad -13 -2, closed -22
option 4: 1380, absent -42, wrong -22
sysctl 10 ip_forward -7 2 0 22
";

/// What `runs.c` prints.
const RUNS: &str = "\
sections: xdp 4, tc 7
begun with xdp: 444
in that with skb: 77 to 11
xdp goes on: to 8, 4
made one within: to 0, 7
ended: to 13
many: 7 4
threads: 0 wrong
zeros: 1, 0
none: 1, 0 bytes, 1
above: -14, then -1
below: 0, then ab, 5000 bytes
skb: 0, 100 bytes, protocol 0800, above -14
nothing: 1
";

/// The other machines, with the ending of their objects' names.
const MACHINES: [(&str, &str); 3] = [("aarch64", ".o"), ("riscv64", ".o"), ("s390x", ".be.o")];

/// Runs a command with this on its standard input; what it prints.
fn printed(command: &mut Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let writes = std::thread::scope(|scope| {
        let writer = scope.spawn(move || to.write_all(input).map(|()| drop(to)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().map(|()| output)
    });
    let output = writes.unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn run(objects: &[&str], input: &[u8]) -> String {
    let files = objects.iter().map(|object| fixture(&format!("runtime/{object}.o")));
    printed(bpf2native().arg("run").args(files), input)
}

/// Links for another machine and runs that under QEMU.
fn run_on(machine: &str, ending: &str, objects: &[&str], input: &[u8], folder: &Path) -> String {
    let (target, to) = (format!("{machine}-unknown-linux-gnu"), folder.join(machine));
    let files = objects.iter().map(|object| fixture(&format!("runtime/{object}{ending}")));
    output(bpf2native().args(["--target", &target]).args(files).arg("-o").arg(&to));
    let root = format!("/usr/{machine}-linux-gnu");
    printed(Command::new(format!("qemu-{machine}")).args(["-L", &root]).arg(&to), input)
}

fn check_machines(objects: &[&str], input: &[u8], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (machine, ending) in MACHINES {
        if has_tool(&format!("{machine}-linux-gnu-gcc")) && has_tool(&format!("qemu-{machine}")) {
            let found = run_on(machine, ending, objects, input, folder.path());
            let difference = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
            assert!(expected == found, "{machine}: (here, there) first: {difference:?}");
        }
    }
}

/// The header is for C and C++, beside the kernel's.
#[test]
fn the_runtimes_header_compiles() {
    let kernels = ["-I/usr/include/x86_64-linux-gnu", "-include", "linux/bpf.h"];
    let common = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"];
    let header = fixture("../include/bpf2native_runtime.h");
    for (compiler, arguments) in [
        ("cc", &["-xc", "-std=c99", "-pedantic"][..]),
        ("c++", &["-xc++", "-pedantic"]),
        ("clang-22", &["-xc", "-target", "bpf", "-Wno-pragma-once-outside-header"]),
    ] {
        if has_tool(compiler) {
            output(Command::new(compiler).args(arguments).args(common).arg(&header));
            output(Command::new(compiler).args(arguments).args(common).args(kernels).arg(&header));
        }
    }
}

#[test]
fn contexts_routes_and_sockets() {
    assert_eq!(run(&["contexts"], b""), CONTEXTS);
}

#[test]
fn contexts_routes_and_sockets_on_other_machines() {
    check_machines(&["contexts"], b"", CONTEXTS);
}

#[test]
fn runs_nest_and_are_their_threads() {
    assert_eq!(run(&["runs"], b""), RUNS);
    let unoptimised = printed(bpf2native().args(["run", "-O0"]).arg(fixture("runtime/runs.o")), b"");
    assert_eq!(unoptimised, RUNS);
    check_machines(&["runs"], b"", RUNS);
}

/// All frames, each behind its length.
fn input() -> Vec<u8> {
    let frame = |(_, frame): &(&str, Vec<u8>)| [&(frame.len() as u16).to_be_bytes()[..], frame].concat();
    frames::all().iter().flat_map(frame).collect()
}

#[test]
fn packet_programs_do_the_same_on_other_machines() {
    for objects in [["every_xdp", "xdp_packets"], ["every_tc", "tc_packets"]] {
        let here = run(&objects, &input());
        assert!(here.lines().count() >= 15 * frames::all().len(), "{here}");
        check_machines(&objects, &input(), &here);
    }
}
