//! `run` does what the executable does, and `--entry` needs what it reaches and shows what it returns.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{command, run};
use crate::translated::{executable, object};

/// Runs one function of an object on a buffer.
fn entry(file: &str, name: &str, input: &str) -> (i32, String, String) {
    let (status, out, error) = outcome(file, name, input);
    (status.expect("no signal"), out, error)
}

/// The same; no status where a signal ended it.
fn outcome(file: &str, name: &str, input: &str) -> (Option<i32>, String, String) {
    use std::io::Write;
    let mut command = command(Path::new("."), &["run", "--entry", name, &object(file)]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn constructors_exits_and_handlers_are_as_in_an_executable() {
    let program = executable(&["starts.o"], &[]);
    for (words, status, last) in [
        (&["returns"][..], 7, ""),
        (&["exits"], 8, ""),
        (&["by", "pthread_exit"], 0, "key of thread\nkey of main\n"),
    ] {
        let expected = format!(
            "constructor: {} arguments, the last is {}, 1\nmain: 1\n{last}at exit\nat exit, from the constructor\n\
             destructor\n",
            words.len() + 1,
            words[words.len() - 1]
        );
        let native = run(Command::new(program.path()).args(words).env("STARTS", "here"));
        assert_eq!(native, (status, expected.clone(), String::new()), "as an executable");
        let mut arguments = vec!["run".to_owned(), object("starts.o"), "--".to_owned()];
        arguments.extend(words.iter().map(|&word| word.to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let in_memory = run(command(Path::new("."), &arguments).env("STARTS", "here"));
        assert_eq!(in_memory, (status, expected, String::new()), "in memory");
    }
}

#[test]
fn results_are_shown_by_their_type() {
    for (name, input, expected) in [
        ("a_double", "x", "0.5\n"),
        ("an_infinite", "", "inf\n"),
        ("a_float", "x", "0.25\n"),
        ("a_bool", "x", "true\n"),
        ("a_bool", "", "false\n"),
        ("a_pointer", "four", "0x4000\n"),
        ("a_null", "", "0x0\n"),
        ("nothing", "four", "4 bytes\n"),
        ("said", "four", "said by the program, -4\n"),
        ("a_char", "\u{7f}", "127\n"),
        ("a_long", "", "18446744073709551615\n"),
        ("an_enum", "x", "-1\n"),
        ("shown", "four", "27\n"),
    ] {
        assert_eq!(entry("entries.o", name, input), (0, expected.to_owned(), String::new()), "{name}");
    }
}

#[test]
fn what_does_not_fit_an_entry_is_said() {
    for (name, reason) in [
        ("of_double", "`double of_double(double)`"),
        ("of_three", "`long of_three(long, long, long)`"),
        ("hidden", "`hidden` is static"),
        ("nope", "there is no function `nope`"),
        ("nope", "`shown`"),
    ] {
        let (status, out, error) = entry("entries.o", name, "");
        assert_eq!((status, out.as_str()), (1, ""), "{name}: {error}");
        assert!(error.contains(reason), "{name}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn an_entry_needs_only_what_it_reaches() {
    assert_eq!(entry("neighbours.o", "right", "four"), (0, "5\n".to_owned(), String::new()));
    // What only a verifier refuses, and only where it gets to, traps there.
    for (name, reason, expected) in [
        ("illegal", "unknown opcode `0xfe`", Some(1)),
        ("reaches", "unknown opcode `0xfe`", Some(1)),
        ("frame_pointer", "which is read-only; it traps when it is reached", None),
    ] {
        let (status, _, error) = outcome("neighbours.o", name, "");
        assert_eq!(status, expected, "{name}: {error}");
        assert!(error.contains(reason), "{name}: {error}");
        assert_eq!(error.matches(reason).count(), 1, "each cause is said once: {error}");
    }
}

/// Weak ones are 0, as libbpf has it.
#[test]
fn kernel_configuration_that_is_not_there_is_0() {
    for (name, expected) in
        // They are XDP programs: 0 and 1 have names.
        [
            ("config", "XDP_ABORTED\n"),
            ("rate", "5\n"),
            ("text", "6\n"),
            ("is_there", "XDP_ABORTED\n"),
            ("any", "XDP_DROP\n"),
            // Of the kernel that the runtime does as.
            ("version", "6\n"),
        ]
    {
        assert_eq!(entry("kconfig.o", name, ""), (0, expected.to_owned(), String::new()), "{name}");
    }
    let (status, _, error) = entry("kconfig.o", "processors", "");
    assert_eq!(status, 1);
    assert!(error.contains("CONFIG_NR_CPUS") && error.contains(".kconfig"), "{error}");
}

/// A library of each kind that `-l` means to a linker, with the same function in it.
#[test]
fn libraries_are_found_as_a_linker_finds_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let shell = |script: &str| {
        let (status, out, error) = run(Command::new("sh").current_dir(path).args(["-ec", script]));
        assert_eq!(status, 0, "{script}: {out}{error}");
    };
    fs::write(path.join("three.c"), "int three(void) { return 3; }").unwrap();
    shell(
        "mkdir so a script both real
         cc -shared -fPIC three.c -o so/libthree.so
         cc -c -fPIC three.c && ar rc a/libthree.a three.o
         cp so/libthree.so real/libreal.so.3
         echo '/* GNU ld script */ GROUP ( ../real/libreal.so.3 AS_NEEDED ( libm.so.6 ) )' | sed 's/ AS_NEEDED.*) )/ )/' > script/libthree.so
         echo 'INPUT(-lother)' > both/libthree.so; cp so/libthree.so both/libother.so",
    );
    let program = object("calls_three.o");
    for library in ["so", "a", "script", "both"] {
        let arguments = ["run", "-L", library, "-lthree", &program];
        assert_eq!(run(&mut command(path, &arguments)), (3, String::new(), String::new()), "{library}");
    }
    let arguments = ["run", "-L", "real", "-l:libreal.so.3", &program];
    assert_eq!(run(&mut command(path, &arguments)), (3, String::new(), String::new()), "by file name");
    let (status, _, error) = run(&mut command(path, &["run", "-L", "real", "-lthree", &program]));
    assert_eq!(status, 1);
    assert!(error.contains("`libthree.so`"), "{error}");
}
