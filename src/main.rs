//! The command line: see `bpf2native --help`.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
