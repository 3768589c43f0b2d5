//! A kernel's configuration: the lines of a `.config`, and what the kernel's version says.
//!
//! In: text, as `/boot/config-*` and `/proc/config.gz` have it. Out: [`Kconfig`], values by name. The rules are libbpf's: only lines
//! `CONFIG_NAME=value` count, and the first of a name does. Beside these, libbpf gives programs three names that stand in no
//! configuration. libbpf finds them out from the running kernel; here they are those of the configuration's kernel, and where it
//! names none, those of the kernel that the runtime does as ([`RUNTIME_VERSION`]):
//!
//! | name | value |
//! |---|---|
//! | `LINUX_KERNEL_VERSION` | `KERNEL_VERSION(major, minor, patch)` of the comment at the head, `# Linux/x86 6.12.48 Kernel Configuration` |
//! | `LINUX_HAS_BPF_COOKIE` | 1 from 5.15 on |
//! | `LINUX_HAS_SYSCALL_WRAPPER` | with such a comment, whether there is `CONFIG_ARCH_HAS_SYSCALL_WRAPPER`; without, 1: all machines of ours have it |
//!
//! A line of theirs, or [`Kconfig::set`], says otherwise.

use std::collections::HashMap;

/// What names of variables begin with that are no values of a configuration.
pub(super) const VIRTUAL: &str = "LINUX_";
const VERSION: &str = "LINUX_KERNEL_VERSION";
const COOKIE: &str = "LINUX_HAS_BPF_COOKIE";
const WRAPPER: &str = "LINUX_HAS_SYSCALL_WRAPPER";

/// What says whether system calls get their arguments in a `struct pt_regs`.
const CONFIG_WRAPPER: &str = "CONFIG_ARCH_HAS_SYSCALL_WRAPPER";

/// The kernel whose maps and helpers the runtime's do as, 6.18.
const RUNTIME_VERSION: u32 = version(6, 18, 0);

/// The first kernel with `bpf_get_attach_cookie`.
const FIRST_WITH_COOKIE: u32 = version(5, 15, 0);

/// The values of a kernel's configuration, for variables of `.kconfig`.
///
/// ```
/// use bpf2native::parse::Kconfig;
///
/// let mut config = Kconfig::parse("# Linux/x86 6.12.48 Kernel Configuration\nCONFIG_HZ=250\nCONFIG_BPF=y\n");
/// assert_eq!(config.get("CONFIG_HZ").as_deref(), Some("250"));
/// assert_eq!(config.get("LINUX_KERNEL_VERSION").as_deref(), Some("396336"));
/// config.set("CONFIG_HZ", "1000");
/// assert_eq!(config.get("CONFIG_HZ").as_deref(), Some("1000"));
/// assert_eq!(config.get("CONFIG_SMP"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kconfig {
    values: HashMap<String, String>,
    /// That of the comment at the head.
    version: Option<u32>,
}

impl Kconfig {
    /// Reads a configuration. Lines that are none are passed over, as in libbpf.
    pub fn parse(text: &str) -> Kconfig {
        let mut config = Kconfig::default();
        for line in text.lines().map(str::trim_end) {
            if line.starts_with('#') {
                config.version = config.version.or_else(|| version_in(line));
            } else if let Some((name, value)) = line.split_once('=')
                && (name.starts_with("CONFIG_") || name.starts_with(VIRTUAL))
            {
                config.values.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        config
    }

    /// Gives a name a value, whatever it had: as a line has it, `y`, `m`, `n`, a number, or a text with its quotes.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// No value of a configuration is known.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of a name, as a line would have it. `LINUX_KERNEL_VERSION`, `LINUX_HAS_BPF_COOKIE` and
    /// `LINUX_HAS_SYSCALL_WRAPPER`, which stand in no configuration, are those of the kernel that it is of, or else of 6.18.
    pub fn get(&self, name: &str) -> Option<String> {
        if let Some(value) = self.values.get(name) {
            return Some(value.clone());
        }
        let number = match name {
            VERSION => self.version.unwrap_or(RUNTIME_VERSION),
            COOKIE => u32::from(self.kernel_version()? >= FIRST_WITH_COOKIE),
            WRAPPER => match self.values.get(CONFIG_WRAPPER) {
                Some(value) => u32::from(value == "y"),
                // Of a whole configuration, what is not named is not set.
                None => u32::from(self.version.is_none()),
            },
            _ => return None,
        };
        Some(number.to_string())
    }

    /// The version that programs see.
    fn kernel_version(&self) -> Option<u32> {
        match self.values.get(VERSION) {
            Some(value) => u32::try_from(number(value)?).ok(),
            None => Some(self.version.unwrap_or(RUNTIME_VERSION)),
        }
    }
}

/// `KERNEL_VERSION(major, minor, patch)` of the kernel's `linux/version.h`.
const fn version(major: u32, minor: u32, patch: u32) -> u32 {
    (major << 16) + (minor << 8) + if patch > 255 { 255 } else { patch }
}

/// The version in `# Linux/x86 6.12.48-rc1 Kernel Configuration`.
fn version_in(comment: &str) -> Option<u32> {
    let text = comment.strip_prefix("# Linux/")?.strip_suffix(" Kernel Configuration")?;
    let release = text.split_whitespace().nth(1)?;
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    let mut parts = release[..end].split('.').map(|part| part.parse::<u32>().ok().filter(|&part| part < 1 << 15));
    let (major, minor) = (parts.next()??, parts.next()??);
    Some(version(major, minor, parts.next().flatten().unwrap_or(0)))
}

/// A number as C has it: decimal, `0x`, or octal with a `0`; a negative one as its 64 bits.
pub(super) fn number(text: &str) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    // `from_str_radix` takes a sign too.
    let value = u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))?;
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::{Kconfig, number};

    #[test]
    fn numbers_are_those_of_c() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("250"), Some(250));
        assert_eq!(number("0x10"), Some(16));
        assert_eq!(number("017"), Some(15));
        assert_eq!(number("-1"), Some(u64::MAX));
        for other in ["", "-", "0x", "1k", "09", "+1", "--1", "99999999999999999999"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn versions_are_in_the_first_comment() {
        let version = |comment: &str| Kconfig::parse(&format!("#\n{comment}\n")).get("LINUX_KERNEL_VERSION");
        assert_eq!(version("# Linux/x86 6.1.0 Kernel Configuration"), Some((6 << 16 | 1 << 8).to_string()));
        assert_eq!(
            version("# Linux/arm64 5.10.299-rc1 Kernel Configuration"),
            Some((5 << 16 | 10 << 8 | 255).to_string())
        );
        let of_runtime = Some((6 << 16 | 18 << 8).to_string());
        assert_eq!(version("# Linux/x86 Kernel Configuration"), of_runtime);
        assert_eq!(version("# CONFIG_X is not set"), of_runtime);
    }

    #[test]
    fn what_the_version_says() {
        let mut config =
            Kconfig::parse("# Linux/x86 5.14.0 Kernel Configuration\nCONFIG_ARCH_HAS_SYSCALL_WRAPPER=y\n");
        assert_eq!(config.get("LINUX_HAS_BPF_COOKIE").as_deref(), Some("0"));
        assert_eq!(config.get("LINUX_HAS_SYSCALL_WRAPPER").as_deref(), Some("1"));
        config.set("LINUX_KERNEL_VERSION", "0x50f00");
        assert_eq!(config.get("LINUX_HAS_BPF_COOKIE").as_deref(), Some("1"));
        assert_eq!(config.get("LINUX_HAS_NOTHING"), None);
        for name in ["LINUX_HAS_BPF_COOKIE", "LINUX_HAS_SYSCALL_WRAPPER"] {
            assert_eq!(Kconfig::default().get(name).as_deref(), Some("1"), "{name}");
        }
        let whole = Kconfig::parse("# Linux/x86 4.16.0 Kernel Configuration\nCONFIG_BPF=y\n");
        assert_eq!(whole.get("LINUX_HAS_SYSCALL_WRAPPER").as_deref(), Some("0"));
    }
}
