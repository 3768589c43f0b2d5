//! The words of a line in the fixtures' data files: bare, or quoted with `\n`, `\t`, `\"`, `\\` and `\xNN`.

/// A line's words, as bytes. Nothing for a blank line or a comment.
pub fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = unquote(quoted)?;
            if !after.is_empty() && !after.starts_with(char::is_whitespace) {
                return Err(format!("a blank is missing before `{after}`"));
            }
            words.push(word);
            rest = after.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest.as_bytes()[..end].to_vec());
            rest = rest[end..].trim_start();
        }
    }
    Ok(words)
}

/// The bytes up to the closing quote, and what follows it.
fn unquote(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut word = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['"', '\\']).ok_or("a quote is not closed")?;
        word.extend_from_slice(&rest.as_bytes()[..end]);
        if rest.as_bytes()[end] == b'"' {
            return Ok((word, &rest[end + 1..]));
        }
        let mut length = 2;
        word.push(match rest.as_bytes().get(end + 1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(&c @ (b'"' | b'\\')) => c,
            Some(b'x') => {
                length = 4;
                let digits = rest.get(end + 2..end + 4).ok_or("`\\x` wants two digits")?;
                u8::from_str_radix(digits, 16).map_err(|error| format!("`\\x{digits}`: {error}"))?
            }
            _ => return Err(format!("unknown escape in `{rest}`")),
        });
        rest = &rest[end + length..];
    }
}

/// A word as text.
pub fn text(word: &[u8]) -> Result<String, String> {
    String::from_utf8(word.to_vec()).map_err(|error| error.to_string())
}
