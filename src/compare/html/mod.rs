//! A page that shows code generation: a table of functions, and each function's listings. One file, which fetches
//! nothing.
//!
//! In: a [`Page`]. Out: HTML. Nothing in the page is trusted: all of it goes in as JSON without `<`, the script puts it
//! into the document as text, and the content security policy allows the page's own script and style and nothing else.
//!
//! | file | what |
//! |---|---|
//! | `page.html` | the frame |
//! | `page.css`, `function.css` | looks: of the table, of a function |
//! | `util.js` | elements, numbers, the state in the address |
//! | `table.js` | the table |
//! | `lines.js` | a list of lines, of which only those in sight are elements |
//! | `function.js` | a function's listings and their differences |
//! | `main.js` | what is shown when |

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

const FRAME: &str = include_str!("page.html");
const STYLE: &str = concat!(include_str!("page.css"), include_str!("function.css"));
const SCRIPT: &str = concat!(
    include_str!("util.js"),
    include_str!("table.js"),
    include_str!("lines.js"),
    include_str!("function.js"),
    include_str!("main.js"),
);

/// All that a page shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Page {
    /// The heading.
    pub title: String,
    /// What comes out, in a sentence.
    pub summary: String,
    /// One side, or base and new.
    pub sides: Vec<Side>,
    /// What is counted, in the order of the numbers of rows.
    pub measures: Vec<Column>,
    /// The names of those that are shown at first; the first one sorts.
    pub columns: Vec<String>,
    /// The same on narrow screens.
    pub narrow: Vec<String>,
    /// The functions.
    pub rows: Vec<Row>,
    /// Why some functions have no listings here, and what shows them.
    pub left_out: String,
    /// The listings of functions, by [`Row::id`].
    #[serde(skip)]
    pub listings: BTreeMap<usize, Listings>,
}

/// What one side is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Side {
    /// As it was given.
    pub name: String,
    /// What made it, and how.
    pub about: String,
}

/// Something that is counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Column {
    /// Its short name.
    pub name: String,
    /// What it is.
    pub about: String,
}

/// A function. Of a page with one side, only the new one is there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// Its number, which is its address in the page.
    pub id: usize,
    /// Its object.
    pub file: String,
    /// Its name.
    #[serde(rename = "fn")]
    pub function: String,
    /// Where it was on the base side, if elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// `same`, `changed`, `added`, `removed`, `moved`, `broken`, `fixed`, `failed` or `ok`.
    pub state: &'static str,
    /// The base side's numbers, in the order of [`Page::measures`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Vec<Option<u64>>>,
    /// The new side's numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Vec<Option<u64>>>,
    /// Why the base side could not be translated.
    #[serde(rename = "ea", skip_serializing_if = "Option::is_none")]
    pub base_error: Option<String>,
    /// Why the new side could not be translated.
    #[serde(rename = "eb", skip_serializing_if = "Option::is_none")]
    pub new_error: Option<String>,
}

/// The listings of a function, by side.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listings {
    /// Both sides are the same, and only the new one is given.
    pub same: bool,
    /// The base side's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Listing>,
    /// The new side's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Listing>,
    /// How the base side's lines become the new side's, by kind.
    pub runs: BTreeMap<&'static str, Vec<Run>>,
}

/// The listings of one side of a function.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listing {
    /// BPF assembly.
    pub bpf: Vec<Line>,
    /// CLIF.
    pub clif: Vec<Line>,
    /// Native assembly.
    pub asm: Vec<Line>,
    /// Source lines: file, number, text.
    pub sources: Vec<(String, u32, String)>,
}

/// A line: its text, its BPF instruction (or -1), the index of its source line (or -1).
pub type Line = (String, i64, i64);

/// As many lines that are equal (`=`), that only the base side has (`-`), or only the new one (`+`).
pub type Run = (char, usize);

impl Page {
    /// The HTML.
    pub fn to_html(&self) -> String {
        let mut listings = String::new();
        for (id, listing) in &self.listings {
            let json = json(listing);
            listings.push_str(&format!("<script type=\"application/json\" id=\"t{id}\">{json}</script>\n"));
        }
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
            source(SCRIPT),
            source(STYLE)
        );
        let parts = [
            ("{csp}", policy),
            ("{tool}", format!("bpf2native {}", env!("CARGO_PKG_VERSION"))),
            ("{title}", escaped(&self.title)),
            ("{style}", STYLE.to_owned()),
            ("{data}", json(self)),
            ("{texts}", listings),
            ("{script}", SCRIPT.to_owned()),
        ];
        filled(FRAME, &parts)
    }
}

/// The frame with its parts, each of which comes once, in this order; what is put in is not looked at again.
fn filled(frame: &str, parts: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(frame.len() + parts.iter().map(|part| part.1.len()).sum::<usize>());
    let mut rest = frame;
    for (name, part) in parts {
        let (before, after) = rest.split_once(name).expect("the frame has all parts, in order");
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// JSON that can stand in a `script` element: no `</script>` and no `<!--` can end it or change how it is read.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("strings and numbers have a JSON form");
    text.replace('<', "\\u003c")
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// A content of this page, as its policy names it.
fn source(content: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(content.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number =
            group.iter().fold(0u32, |number, &byte| number << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let value = (number >> (18 - 6 * digit)) & 63;
            text.push(if digit <= group.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Page, base64, escaped, json};

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (bytes, expected) in cases {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn nothing_that_is_shown_is_markup() {
        assert_eq!(json(&"</script><!-- \u{2028}"), "\"\\u003c/script>\\u003c!-- \u{2028}\"");
        assert_eq!(escaped("<a b='c' d=\"&\">"), "&lt;a b=&#39;c&#39; d=&quot;&amp;&quot;&gt;");
        let page = Page { title: "{script}</title><script>".to_owned(), ..Page::default() }.to_html();
        assert!(page.contains("<title>{script}&lt;/title&gt;&lt;script&gt;</title>"));
        assert_eq!(page.matches("<script").count(), 2 + page.matches("\"<script").count());
    }
}
