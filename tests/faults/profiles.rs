//! Profiles by counters and coverage: a program that is linked with LLVM's profile runtime writes what llvm-cov reads.

use std::path::PathBuf;
use std::process::Command;

use object::{Object, ObjectSection};

use crate::command::{check, fixture, run};
use crate::translated::object;

/// LLVM's profile runtime of this machine, if its package is installed.
fn runtime() -> Option<PathBuf> {
    let names = ["libclang_rt.profile.a", "libclang_rt.profile-x86_64.a"];
    let found = names.iter().filter_map(|name| {
        let output = Command::new("clang-19").arg(format!("-print-file-name={name}")).output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    });
    found.into_iter().find(|path| path.is_absolute() && path.exists())
}

#[test]
fn counters_reach_llvm_cov() {
    let is_missing = |tool: &&str| Command::new(tool).arg("--version").output().is_err();
    let missing = ["llvm-profdata-19", "llvm-cov-19"].into_iter().find(is_missing);
    let (None, Some(runtime)) = (missing, runtime()) else {
        let what = missing.unwrap_or("LLVM's profile runtime (libclang-rt-19-dev)");
        assert!(std::env::var_os("CI").is_none(), "{what} is not installed");
        eprintln!("left out: {what} is not installed");
        return;
    };
    for level in ["-O2", "-O0"] {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime.to_str().unwrap();
        check(folder.path(), &[level, &object("covered.o"), "-o", "program", "--link-arg", runtime], 0);
        let (status, _, error) = run(Command::new("./program").current_dir(folder.path()));
        assert_eq!(status, 0, "{error}");
        let merge = ["merge", "default.profraw", "-o", "profile"];
        let (status, _, error) = run(Command::new("llvm-profdata-19").current_dir(folder.path()).args(merge));
        assert_eq!(status, 0, "{error}");
        std::fs::copy(fixture("faults").join("covered.cpp"), folder.path().join("covered.cpp")).unwrap();
        let show = ["show", "./program", "-instr-profile=profile", "-show-instantiations=false"];
        let (status, out, error) = run(Command::new("llvm-cov-19").current_dir(folder.path()).args(show));
        assert_eq!(status, 0, "{error}");
        for (line, count) in
            [("if (x > 100)", "6"), ("return x;", "0"), ("int sum = 0;", "1"), ("sum += twice", "5")]
        {
            let found = out.lines().find(|shown| shown.contains(line)).unwrap_or_else(|| panic!("{line}\n{out}"));
            assert_eq!(found.split('|').nth(1).unwrap().trim(), count, "{line} {level}\n{out}");
        }
    }
}

/// What tools look for is in objects of all machines that have relocations for it.
#[test]
fn sections_of_profiles_are_in_objects() {
    for (target, name) in [("x86_64", "covered.o"), ("aarch64", "covered.o"), ("s390x", "covered.be.o")] {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &["-c", "--target", target, &object(name), "-o", "covered.o"], 0);
        let count = |bytes: &[u8], name: &str| {
            let file = object::File::parse(bytes).unwrap();
            file.sections().filter(|section| section.name() == Ok(name)).map(|section| section.size()).sum::<u64>()
        };
        let native = std::fs::read(folder.path().join("covered.o")).unwrap();
        let bpf = std::fs::read(object(name)).unwrap();
        for name in ["__llvm_prf_cnts", "__llvm_prf_data", "__llvm_prf_names", "__llvm_covmap", "__llvm_covfun"] {
            let (native, bpf) = (count(&native, name), count(&bpf, name));
            assert!(native == bpf && bpf > 0, "{target} {name}: {native} of {bpf}");
        }
    }
}
