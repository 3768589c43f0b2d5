//! Packets: where they come from, and where changed ones go.
//!
//! In: `--packet`, `--pcap`, or standard input. Out: [`Packets`]; then `--packet-out`, in the form that they came in.
//!
//! | option | packets |
//! |---|---|
//! | `--packet 0011ff` | one, of these bytes; spaces, colons and line ends between digits do not count |
//! | `--packet @FILE` | one, of what the file has |
//! | `--pcap FILE` | all of a capture (`-`: of standard input) |
//! | none of them | one, of standard input |

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::pcap::{self, Capture};
use crate::cli::console::print;
use crate::cli::outputs;

/// The packets of a run.
pub struct Packets {
    /// Their bytes.
    pub packets: Vec<Vec<u8>>,
    /// The capture that they are from.
    capture: Option<Capture>,
}

/// All of standard input.
pub fn standard_input() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

/// The bytes that `--packet` says.
pub fn given(word: &str) -> anyhow::Result<Vec<u8>> {
    match word.strip_prefix('@') {
        Some(file) => outputs::read(file.as_ref()),
        None => hex(word).context("--packet takes a packet's bytes in hexadecimal, or @FILE"),
    }
}

/// Whether there is nothing but hexadecimal digits, and something.
pub fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The bytes that hexadecimal digits say.
pub fn hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    if let Some(wrong) = digits.iter().find(|digit| !digit.is_ascii_hexdigit()) {
        anyhow::bail!("`{wrong}` is no hexadecimal digit");
    }
    anyhow::ensure!(
        digits.len().is_multiple_of(2),
        "there are {} hexadecimal digits, and a byte has two",
        digits.len()
    );
    let digit = |digit: char| digit.to_digit(16).unwrap_or_default() as u8;
    Ok(digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect())
}

impl Packets {
    /// Reads them.
    pub fn read(packet: Option<&str>, capture: Option<&Path>) -> anyhow::Result<Packets> {
        let Some(path) = capture else {
            let packet = packet.map_or_else(standard_input, given)?;
            return Ok(Packets { packets: vec![packet], capture: None });
        };
        let is_standard_input = path.as_os_str() == "-";
        let bytes = if is_standard_input { standard_input()? } else { outputs::read(path)? };
        let name = if is_standard_input { "standard input".into() } else { path.display().to_string() };
        let (packets, capture) =
            pcap::read(&bytes).with_context(|| format!("cannot read `{name}` as a capture"))?;
        Ok(Packets { packets, capture: Some(capture) })
    }

    /// No packet: one run.
    pub fn none() -> Packets {
        Packets { packets: vec![Vec::new()], capture: None }
    }

    /// The link type, if it is known and is not Ethernet.
    pub fn other_link_type(&self) -> Option<u32> {
        let link_type = self.capture.as_ref()?.link_type;
        (link_type != pcap::ETHERNET).then_some(link_type)
    }

    /// Writes packets, one for each that was read, to a file, or to standard output in hexadecimal.
    pub fn write(&self, changed: &[Vec<u8>], output: &PathBuf) -> anyhow::Result<()> {
        let Some(path) = outputs::file(Some(output)) else {
            let line = |packet: &Vec<u8>| {
                packet.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect()
            };
            return print(&changed.iter().map(line).collect::<Vec<String>>().concat());
        };
        match &self.capture {
            Some(capture) => outputs::write(path, &capture.write(changed)),
            None => outputs::write(path, &changed.concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn hexadecimal_is_read_as_people_write_it() {
        assert_eq!(hex("00ff10").unwrap(), [0, 255, 16]);
        assert_eq!(hex("0x00FF").unwrap(), [0, 255]);
        assert_eq!(hex("aa:bb:cc dd\n").unwrap(), [0xaa, 0xbb, 0xcc, 0xdd]);
        assert!(hex("").unwrap().is_empty());
        for (text, reason) in [("0", "1 hexadecimal digits"), ("0g", "`g`"), ("00 0é", "`é`")] {
            assert!(hex(text).unwrap_err().to_string().contains(reason), "{text}");
        }
    }
}
