//! The command line: see `bpf2native --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
