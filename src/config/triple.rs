//! Names of targets, in the spellings of clang and of rustc.
//!
//! | given | taken as |
//! |---|---|
//! | `x86_64`, `amd64`, `aarch64`, `arm64`, `riscv64`, `s390x`, `systemz` | that machine with the host's system, if that is Linux, else Linux |
//! | `riscv64-linux-gnu`, `riscv64-unknown-linux-gnu` | `riscv64gc-unknown-linux-gnu` |
//! | `x86_64-linux-gnu` | `x86_64-unknown-linux-gnu` |
//! | `x86_64-apple-darwin`, `x86_64-pc-windows-msvc`, ... | as they are |

use target_lexicon::{BinaryFormat, Environment, OperatingSystem, Triple};

use super::TargetError;

/// Reads the name of a target.
///
/// # Errors
///
/// [`TargetError::Name`] for what is no target.
pub fn parse(name: &str) -> Result<Triple, TargetError> {
    let (machine, rest) = name.split_once('-').unwrap_or((name, ""));
    let machine = match machine {
        // rustc's name says the extensions; clang's default is the same set.
        "riscv64" => "riscv64gc",
        "arm64" => "aarch64",
        "amd64" | "x86-64" => "x86_64",
        "systemz" => "s390x",
        other => other,
    };
    let spelled = if rest.is_empty() { machine.to_owned() } else { format!("{machine}-{rest}") };
    let wrong = |reason: String| TargetError::Name { name: name.to_owned(), reason };
    let mut triple: Triple = spelled.parse().map_err(|error| wrong(format!("{error}")))?;
    if triple.operating_system == OperatingSystem::Unknown {
        triple.operating_system = OperatingSystem::Linux;
        triple.environment = Environment::Gnu;
        triple.binary_format = BinaryFormat::Elf;
    }
    if triple.binary_format == BinaryFormat::Unknown {
        return Err(wrong("its object format is not known".to_owned()));
    }
    Ok(triple)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn spellings() {
        for (given, expected) in [
            ("x86_64", "x86_64-unknown-linux-gnu"),
            ("aarch64", "aarch64-unknown-linux-gnu"),
            ("arm64", "aarch64-unknown-linux-gnu"),
            ("riscv64", "riscv64gc-unknown-linux-gnu"),
            ("s390x", "s390x-unknown-linux-gnu"),
            ("systemz", "s390x-unknown-linux-gnu"),
            ("s390x-ibm-linux-gnu", "s390x-ibm-linux-gnu"),
            ("x86_64-linux-gnu", "x86_64-unknown-linux-gnu"),
            ("x86_64-pc-linux-gnu", "x86_64-pc-linux-gnu"),
            ("amd64-linux-gnu", "x86_64-unknown-linux-gnu"),
            ("aarch64-linux-gnu", "aarch64-unknown-linux-gnu"),
            ("riscv64gc", "riscv64gc-unknown-linux-gnu"),
            ("riscv64gc-linux-gnu", "riscv64gc-unknown-linux-gnu"),
            ("riscv64-linux-gnu", "riscv64gc-unknown-linux-gnu"),
            ("riscv64-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu"),
            ("riscv64gc-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu"),
            ("x86_64-apple-darwin", "x86_64-apple-darwin"),
            ("aarch64-apple-darwin", "aarch64-apple-darwin"),
            ("x86_64-pc-windows-msvc", "x86_64-pc-windows-msvc"),
        ] {
            let triple = parse(given).expect(given);
            assert_eq!(triple.to_string(), expected, "{given}");
        }
        assert!(parse("pdp11").is_err());
        assert!(parse("").is_err());
    }
}
