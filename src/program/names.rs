//! Names of objects as text that cannot break out of the line, table or terminal where it is shown.
//!
//! ELF lets a name have any bytes. In a [`Program`](super::Program), names are printable: control characters, line ends,
//! characters that reorder text, and the backslash itself are escaped as Rust does (`\n`, `\u{1b}`, `\\`). So different
//! names stay different, and nothing that prints one has to think of it; the symbol tables of native objects, and the
//! loader's, have the names as they were ([`raw`]).

use std::borrow::Cow;

/// Whether a character has to be escaped.
fn is_escaped(c: char) -> bool {
    is_unprintable(c) || c == '\\'
}

/// Text that may have names in it, for a terminal: what a terminal obeys is escaped, but for ends of lines and tabs.
pub fn shown(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c| is_unprintable(c) && c != '\n' && c != '\t';
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if is_obeyed(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Whether a character moves the cursor, ends a line, or reorders what is beside it.
pub(crate) fn is_unprintable(c: char) -> bool {
    let reorders = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A name of an object, as a program has it.
pub fn printable(name: &str) -> Cow<'_, str> {
    if !name.contains(is_escaped) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if is_escaped(c) && c.is_ascii() {
            escaped.extend(c.escape_default());
        } else if is_escaped(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// [`printable`], as a program keeps it.
pub fn owned(name: &str) -> String {
    printable(name).into_owned()
}

/// The name that [`printable`] made this of. What no name becomes is left as it is.
pub fn raw(name: &str) -> Cow<'_, str> {
    if !name.contains('\\') {
        return Cow::Borrowed(name);
    }
    match unescaped(name) {
        Some(raw) => Cow::Owned(raw),
        None => Cow::Borrowed(name),
    }
}

fn unescaped(name: &str) -> Option<String> {
    let mut raw = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('\\') {
        raw.push_str(before);
        let kind = after.chars().next()?;
        rest = &after[kind.len_utf8()..];
        raw.push(match kind {
            '\\' => '\\',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (digits, after) = rest.strip_prefix('{')?.split_once('}')?;
                rest = after;
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        });
    }
    raw.push_str(rest);
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for (name, expected) in [
            ("main", "main"),
            ("_ZN3foo3barEv", "_ZN3foo3barEv"),
            ("größe", "größe"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\x1b[31mred\x1b[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("a\\nb", "a\\\\nb"),
            ("\u{9b}\u{202e}\u{7f}\u{2028}", "\\u{9b}\\u{202e}\\u{7f}\\u{2028}"),
        ] {
            assert_eq!(printable(name), expected);
            assert_eq!(raw(&printable(name)), name);
        }
        assert_eq!(raw("\\q"), "\\q");
    }
}
