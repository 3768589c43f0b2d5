//! Names of targets, in the spellings of clang and of rustc.
//!
//! | given | taken as |
//! |---|---|
//! | `x86_64`, `amd64`, `aarch64`, `arm64`, `riscv64`, `s390x`, `systemz` | that machine with the host's system, if that is Linux, else Linux |
//! | `riscv64-linux-gnu`, `riscv64-unknown-linux-gnu` | `riscv64gc-unknown-linux-gnu` |
//! | `x86_64-linux-gnu` | `x86_64-unknown-linux-gnu` |
//! | `x86_64-apple-darwin`, `x86_64-pc-windows-msvc`, ... | as they are |

use std::fmt;
use std::str::FromStr;

use target_lexicon::{Architecture, BinaryFormat, Environment, OperatingSystem, Triple};

use super::TargetError;

/// A machine and its system. It is read from a name, and shown as one:
///
/// ```
/// use bpf2native::config::Target;
///
/// let target: Target = "aarch64-linux-gnu".parse()?;
/// assert_eq!(target.to_string(), "aarch64-unknown-linux-gnu");
/// # Ok::<(), bpf2native::config::TargetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target(Triple);

impl Target {
    /// This machine.
    pub fn host() -> Target {
        Target(Triple::host())
    }

    /// Its machine as Linux calls it: `x86_64`, `aarch64`, `riscv64`, `s390x`, ...
    pub fn machine(&self) -> String {
        match self.0.architecture {
            // Its extensions are features.
            Architecture::Riscv64(_) => "riscv64".to_owned(),
            Architecture::Aarch64(_) => "aarch64".to_owned(),
            other => other.to_string(),
        }
    }

    /// As code generators name it.
    pub(crate) fn triple(&self) -> &Triple {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// Reads the name of a target, in a spelling of clang's or of rustc's.
    fn from_str(name: &str) -> Result<Target, TargetError> {
        parse(name).map(Target)
    }
}

fn parse(name: &str) -> Result<Triple, TargetError> {
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
