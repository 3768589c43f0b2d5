//! What halves cannot do is said when they are translated: all of it, each with the chain of calls that leads there.

use bpf2native::Program;
use bpf2native::parse::{self, Input, Options};

use crate::halves::{compile_text, compilers};

const HEAD: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
int printf(const char *format, ...);
char LICENSE[] SEC("license") = "GPL";
#define NOINLINE __attribute__((noinline))
"#;

/// Parses texts as one program, of which the kernel half is wanted.
fn parsed(compiler: &str, texts: &[&str]) -> Result<Program, String> {
    let flags = ["-g", "-fno-builtin", "-mllvm", "-bpf-stack-size=4096"];
    let inputs: Vec<Input> = texts
        .iter()
        .zip(["one.o", "two.o"])
        .map(|(text, name)| {
            let bytes = compile_text(compiler, &format!("{HEAD}{text}"), &flags);
            Input { name: name.to_owned(), bytes }
        })
        .collect();
    let mut options = Options::default();
    options.kernel_half = true;
    parse::parse(&inputs, &options).map_err(|error| error.to_string())
}

/// What is said of these texts.
fn check(texts: &[&str], said: &[&str]) {
    for compiler in compilers() {
        let error = parsed(compiler, texts).expect_err(compiler);
        for part in said {
            assert!(error.contains(part), "{compiler}: no `{part}` in:\n{error}");
        }
    }
}

#[test]
fn libc_in_a_kernel_program_is_named_with_all_callers() {
    check(
        &[r#"
        int puts(const char *text);
        NOINLINE int helper_fn(int value) { return printf("%d\n", value); }
        SEC("tp/raw_syscalls/sys_enter") int sys_enter(void *context) { return helper_fn(1); }
        SEC("tp/raw_syscalls/sys_exit") int sys_exit(void *context) { return puts("x"); }
        void END(void) { helper_fn(2); }
        "#],
        &[
            "one.o: 2 functions are in the wrong half:\n",
            "sys_enter -> helper_fn -> printf: a kernel program cannot reach what is outside of its object",
            "sys_exit -> puts: a kernel program cannot reach",
        ],
    );
}

#[test]
fn what_the_verifier_never_takes_is_named() {
    check(
        &[r#"
        int chosen(int value);
        int (*volatile pointer)(int) = chosen;
        NOINLINE int through(int value) { return pointer(value); }
        NOINLINE int deep(int value) { volatile char much[600]; much[value & 511] = 1; return much[3]; }
        SEC("xdp") int both(struct xdp_md *context) { return through(1) + deep(2); }
        int chosen(int value) { return value; }
        void END(void) { deep(through(2)); }
        "#],
        &[
            "both -> through: calls through a register at 0x",
            "both -> deep: has a frame of 6",
            "and the kernel takes 512",
        ],
    );
}

#[test]
fn variables_of_others_are_named() {
    check(
        &[
            r#"
        extern int counter;
        SEC("xdp") int reads(struct xdp_md *context) { return counter; }
        void END(void) { printf("%d\n", counter); }
        "#,
            "int counter = 3;",
        ],
        &["one.o: reads -> counter: a kernel program cannot reach what is outside of its object"],
    );
}

#[test]
fn a_kfunc_in_the_user_half_is_named() {
    check(
        &[r#"
        struct task_struct;
        extern struct task_struct *bpf_task_unheard_of(int pid) __ksym;
        NOINLINE long used(int pid) { return (long)bpf_task_unheard_of(pid); }
        SEC("xdp") int reads(struct xdp_md *context) { return 2; }
        void END(void) { printf("%ld\n", used(1)); }
        "#],
        &["one.o: END -> used -> bpf_task_unheard_of: the kernel's function cannot be called from user space"],
    );
}

#[test]
fn two_objects_with_kernel_programs_are_to_be_linked_first() {
    let other = r#"SEC("xdp") int second(struct xdp_md *context) { return 2; }"#;
    check(
        &[r#"SEC("xdp") int first(struct xdp_md *context) { return 2; } int BEGIN(void) { return 0; }"#, other],
        &["one.o and two.o both have kernel programs", "bpftool gen object"],
    );
}

#[test]
fn a_kernel_half_that_is_not_there_is_missed() {
    check(&["int INIT(int argc, char **argv) { return 0; }"], &["`INIT` is of a script with a kernel half"]);
    check(
        &["void *bpf2native_kernel_half(void); int main(void) { return !bpf2native_kernel_half(); }"],
        &["the program asks for its kernel half, and no object has kernel programs"],
    );
}

#[test]
fn what_is_no_script_stays_what_it_is() {
    for compiler in compilers() {
        for text in [
            "int BEGIN(void) { return 0; } void END(void) {}",
            r#"int main(void) { return 0; } SEC("xdp") int pass(struct xdp_md *context) { return printf("x"); }"#,
            r#"int main(void) { return 0; } int BEGIN(void) { return 0; } SEC("xdp") int pass(void *c) { return 2; }"#,
        ] {
            let program = parsed(compiler, &[text]).expect(compiler);
            assert!(program.halves.is_none(), "{text}");
        }
    }
}
