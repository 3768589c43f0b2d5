//! Scripts for other machines: the user half is theirs, the kernel half is in the object; linked where there is a libbpf for them.

use std::path::Path;
use std::process::Command;

use object::{Architecture, Object, ObjectSection, ObjectSymbol};

use crate::folder::object as fixture;
use crate::native::{bpf2native, output};

const EXAMPLES: [&str; 8] = ["syscalls", "opens", "execs", "sockets", "runqlat", "funclat", "leaks", "xdptop"];
const MACHINES: [(&str, Architecture); 2] =
    [("aarch64", Architecture::Aarch64), ("riscv64", Architecture::Riscv64)];

/// ELF objects inside of a file's data, by the positions of their heads.
fn kernel_halves(file: &object::File<'_>) -> usize {
    let mut count = 0;
    for section in file.sections() {
        let data = section.data().unwrap_or_default();
        count += data
            .windows(20)
            // e_machine is EM_BPF.
            .filter(|head| head.starts_with(b"\x7fELF") && head[18..20] == 247u16.to_le_bytes())
            .count();
    }
    count
}

#[test]
fn the_kernel_half_is_in_the_objects_of_other_machines() {
    let folder = tempfile::tempdir().unwrap();
    for (machine, architecture) in MACHINES {
        for example in EXAMPLES {
            let to = folder.path().join(format!("{example}.{machine}.o"));
            output(
                bpf2native()
                    .args(["--target", machine, "-c"])
                    .arg(fixture(&format!("{example}.clang22.o")))
                    .arg("-o")
                    .arg(&to),
            );
            let bytes = std::fs::read(&to).unwrap();
            let file = object::File::parse(&*bytes).unwrap();
            assert_eq!(file.architecture(), architecture, "{example}");
            assert_eq!(kernel_halves(&file), 1, "{example} for {machine}");
            let is_wanted =
                |name: &str| file.symbols().any(|symbol| symbol.is_undefined() && symbol.name() == Ok(name));
            assert!(is_wanted("bpf_object__load"), "{example} for {machine} does not call libbpf");
        }
    }
}

#[test]
fn scripts_are_linked_where_there_is_a_libbpf_for_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    for (machine, _) in MACHINES {
        let compiler = format!("{machine}-linux-gnu-gcc");
        let Ok(found) = Command::new(&compiler).arg("-print-file-name=libbpf.so.1").output() else {
            crate::native::skip(&format!("`{compiler}` is not installed"));
            continue;
        };
        // gcc prints the bare name of a file that it does not find. Debian has none of these in its cross packages.
        if !Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_absolute() {
            continue;
        }
        for example in EXAMPLES {
            let to = folder.path().join(format!("{example}.{machine}"));
            output(
                bpf2native()
                    .args(["--target", machine])
                    .arg(fixture(&format!("{example}.clang22.o")))
                    .arg("-o")
                    .arg(&to),
            );
            assert!(to.exists());
        }
    }
}

#[test]
fn an_executable_may_be_static() {
    let finds = |file: &str| {
        let said = Command::new("cc").arg(format!("-print-file-name={file}")).output().unwrap();
        Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_absolute()
    };
    for archive in ["libbpf.a", "libelf.a", "libz.a"] {
        if !finds(archive) {
            crate::native::skip(&format!("there is no {archive} (Debian: libbpf-dev, libelf-dev, zlib1g-dev)"));
            return;
        }
    }
    let folder = crate::folder::Folder::new();
    let to = folder.path().join("static");
    output(bpf2native().arg("--link-arg=-static").arg(fixture("shared.o")).arg("-o").arg(&to));
    let bytes = std::fs::read(&to).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    assert!(file.section_by_name(".interp").is_none() && file.section_by_name(".dynamic").is_none());
    if crate::native::bpf::has_tracing() {
        let out = folder.run(Command::new(&to).args([&folder.workload(), "calls", "1000"])).expect(0, "static");
        assert!(out.contains("calls 1000, own 1100\nsum exact"), "{out}");
    }
}
