//! What names of sections and functions say of the half that a function belongs to.
//!
//! | section | is for |
//! |---|---|
//! | one that `crate::program::kinds` knows, `freplace/...` | the kernel |
//! | `raw_syscalls:sys_enter`, `func=schedule`, `func=schedule%return` (perf's) | the kernel, as `tracepoint/raw_syscalls/sys_enter`, `kprobe/schedule`, `kretprobe/schedule` |
//! | `INIT`, `BEGIN`, `EVENT`, `TIMER`, `END`, and those with something behind a slash | the user half of a script, as functions of these names |
//! | any other | who reaches it |

use crate::program::ScriptKind;
use crate::program::kinds;

/// The name that libbpf knows a section of kernel programs by; none if it has no kernel programs.
pub(super) fn of_kernel(section: &str) -> Option<String> {
    let replaces = section.strip_prefix('?').unwrap_or(section).starts_with("freplace");
    if kinds::of_section(section).is_some() || replaces {
        return Some(section.to_owned());
    }
    of_perf(section)
}

/// The name that libbpf has for an event in perf's words.
fn of_perf(section: &str) -> Option<String> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    if let Some((system, event)) = section.split_once(':') {
        return (is_word(system) && is_word(event)).then(|| format!("tracepoint/{system}/{event}"));
    }
    let (name, function) = section.split_once('=')?;
    let (program, function) = match function.strip_suffix("%return") {
        Some(function) => ("kretprobe", function),
        None => ("kprobe", function),
    };
    let (symbol, offset) = function.split_once('+').unwrap_or((function, "0"));
    (is_word(name) && is_word(symbol) && is_word(offset)).then(|| format!("{program}/{function}"))
}

/// Whether the functions in a section are a script's, whatever they are called.
pub(crate) fn is_of_script(section: &str) -> bool {
    ScriptKind::named(section.split('/').next().unwrap_or(section)).is_some()
}

/// What a function of a script is for, and what stands behind the slash of its section.
pub(crate) fn of_script<'a>(function: &str, section: &'a str) -> Option<(ScriptKind, Option<&'a str>)> {
    let (word, argument) = match section.split_once('/') {
        Some((word, argument)) => (word, Some(argument).filter(|argument| !argument.is_empty())),
        None => (section, None),
    };
    match ScriptKind::named(word) {
        Some(kind) => Some((kind, argument)),
        None if of_kernel(section).is_some() => None,
        None => ScriptKind::named(function).map(|kind| (kind, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::{of_kernel, of_script};
    use crate::program::ScriptKind;

    #[test]
    fn sections_of_perf_are_what_libbpf_calls_them() {
        for (section, name) in [
            ("raw_syscalls:sys_enter", Some("tracepoint/raw_syscalls/sys_enter")),
            ("func=schedule", Some("kprobe/schedule")),
            ("func=schedule+0x10", Some("kprobe/schedule+0x10")),
            ("func=schedule%return", Some("kretprobe/schedule")),
            ("tp/syscalls/sys_enter_openat", Some("tp/syscalls/sys_enter_openat")),
            ("uprobe/libc.so.6:malloc", Some("uprobe/libc.so.6:malloc")),
            ("?freplace/f", Some("?freplace/f")),
            (".text", None),
            ("a:b:c", None),
            (":", None),
            ("BEGIN", None),
            ("TIMER/1s", None),
            ("license", None),
        ] {
            assert_eq!(of_kernel(section).as_deref(), name, "{section}");
        }
    }

    #[test]
    fn functions_of_scripts_have_names_or_sections() {
        assert_eq!(of_script("EVENT", ".text"), Some((ScriptKind::Event, None)));
        assert_eq!(of_script("opened", "EVENT/events"), Some((ScriptKind::Event, Some("events"))));
        assert_eq!(of_script("tick", "TIMER/1s"), Some((ScriptKind::Timer, Some("1s"))));
        assert_eq!(of_script("END", "END/"), Some((ScriptKind::End, None)));
        assert_eq!(of_script("main", ".text"), None);
        assert_eq!(of_script("END", "xdp"), None);
    }
}
