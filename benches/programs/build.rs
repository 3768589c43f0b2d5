//! Compiles the C sources of the suite, for BPF and for this machine.
//!
//! In: a source and a [`Flavour`]. Out: a BPF object, or a shared library with the function `bench` behind some padding.
//! The rule: an output is made again when its command or a source has changed; its name says both.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::suite::{self, Program};

/// How to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each benchmark uses its part of it")]
pub enum Flavour {
    /// For BPF, with this clang and `-mcpu`: an object.
    Bpf(&'static str, &'static str),
    /// For this machine, with this compiler and these flags, behind as many bytes: a shared library.
    Native(&'static str, &'static [&'static str], usize),
    /// For this machine: an object.
    Object(&'static str, &'static [&'static str]),
    /// For this machine, optimised: LLVM bitcode.
    Bitcode(&'static str),
}

/// The flags that keep clang from vectors.
pub const NO_VECTORS: &[&str] = &["-O2", "-fno-vectorize", "-fno-slp-vectorize"];

/// As `bpf2native cflags` has them, but for the system's headers, which no program of the suite includes.
const BPF: [&str; 7] = [
    "-target",
    "bpf",
    "-O2",
    "-g",
    "-fno-builtin",
    "-fstack-size-section",
    "-Wno-incompatible-library-redeclaration",
];

/// Whether a compiler is installed.
pub fn is_installed(compiler: &str) -> bool {
    Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The BPF object of a program: the committed one, or what this clang makes for the newest instructions.
pub fn object(program: &Program, clang: &'static str, folder: &Path) -> Result<PathBuf, String> {
    program.object().map_or_else(|| build(&program.source(), Flavour::Bpf(clang, "v4"), folder), Ok)
}

/// Compiles a source into the folder.
pub fn build(source: &Path, flavour: Flavour, folder: &Path) -> Result<PathBuf, String> {
    let (compiler, mut arguments, suffix): (_, Vec<String>, _) = match flavour {
        Flavour::Bpf(clang, cpu) => {
            let mut arguments: Vec<String> = BPF.map(str::to_owned).to_vec();
            arguments.push(format!("-mcpu={cpu}"));
            // Frames are native, but not those of the peers, which take v3.
            if cpu == "v4" {
                arguments.extend(["-mllvm", "-bpf-stack-size=32768"].map(str::to_owned));
            }
            arguments.push("-c".to_owned());
            (clang, arguments, "o")
        }
        Flavour::Native(compiler, flags, padding) => {
            let mut arguments: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
            arguments.extend(["-fPIC", "-shared"].map(str::to_owned));
            arguments.push(padding_file(padding, folder)?.display().to_string());
            (compiler, arguments, "so")
        }
        Flavour::Bitcode(clang) => (clang, ["-O2", "-fPIC", "-emit-llvm", "-c"].map(str::to_owned).to_vec(), "bc"),
        Flavour::Object(compiler, flags) => {
            let arguments = flags.iter().chain(&["-fPIC", "-c"]).map(|&flag| flag.to_owned()).collect();
            (compiler, arguments, "native.o")
        }
    };
    arguments.extend(["c", "floats"].map(|headers| format!("-I{}", suite::folder().join(headers).display())));
    arguments.push(source.display().to_string());
    if matches!(flavour, Flavour::Native(..)) {
        arguments.push("-lm".to_owned());
    }
    let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let output = folder.join(format!("{name}-{:016x}.{suffix}", fingerprint(compiler, &arguments, source)?));
    if output.exists() {
        return Ok(output);
    }
    // Others may look for it meanwhile.
    let part = output.with_extension(format!("{}.part", std::process::id()));
    let ran = Command::new(compiler).args(&arguments).arg("-o").arg(&part).output();
    let ran = ran.map_err(|error| format!("cannot run `{compiler}`: {error}"))?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        // It goes into documents that name no folder of this machine.
        let here = format!("{}/", suite::folder().display());
        return Err(format!("{compiler} {name}: {}", said.replace(&here, "")));
    }
    std::fs::rename(&part, &output).map_err(|error| format!("{}: {error}", output.display()))?;
    Ok(output)
}

/// What an output depends on.
fn fingerprint(compiler: &str, arguments: &[String], source: &Path) -> Result<u64, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut hasher = DefaultHasher::new();
    (compiler, arguments).hash(&mut hasher);
    read(source)?.hash(&mut hasher);
    for header in ["c/bench.h", "c/lz.h", "c/sort.h", "floats/float.h"] {
        read(&suite::folder().join(header))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// An assembly file that puts bytes in front of the code, so that the code lies elsewhere in its cache lines.
fn padding_file(bytes: usize, folder: &Path) -> Result<PathBuf, String> {
    let path = folder.join(format!("padding-{bytes}.s"));
    let text = format!(".text\n.p2align 6\n.skip {bytes}, 0x90\n.section .note.GNU-stack,\"\",@progbits\n");
    if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(path);
    }
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path));
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
