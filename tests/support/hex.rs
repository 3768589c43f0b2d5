//! Bytes as hex text, with or without blanks between them.

/// The bytes of `text`.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.starts_with('+'));
        pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(|| format!("not hex bytes: `{text}`"))
    };
    digits.chunks(2).map(byte).collect()
}

/// `bytes` as lower-case hex, with blanks between them.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
