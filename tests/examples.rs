//! The examples do what they say.

#![allow(clippy::unwrap_used)]

#[path = "../examples/embed.rs"]
mod embed;
#[path = "../examples/plugin_host.rs"]
mod plugin_host;
#[path = "../examples/test_xdp.rs"]
mod test_xdp;

/// What an example writes.
fn output(run: impl Fn(&mut dyn std::io::Write) -> Result<(), Box<dyn std::error::Error>>) -> String {
    let mut out = Vec::new();
    run(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn embed() {
    let expected = "refused: `count_words` is declared as `long count_words(void *, const char *, unsigned long)`, \
                    and cannot be called as `int64_t count_words(int32_t)`\n\
                    4 words: to, be, or, not\n";
    assert_eq!(output(embed::run), expected);
}

#[test]
fn plugin_host() {
    let expected = "upper: THE QUICK BROWN FOX\n\
                    count: 4 of 4\n\
                    rotate: gur dhvpx oebja sbk\n\
                    upper: JUMPS OVER THE LAZY DOG\n\
                    count: 5 of 9\n\
                    rotate: whzcf bire gur ynml qbt\n\
                    plugin `rotate` failed with -1\n";
    assert_eq!(output(plugin_host::run), expected);
}

#[test]
fn test_xdp() {
    let expected = "allowed: 1 packets, 42 bytes\nblocked: 2 packets, 84 bytes\nnot UDP: 1 packets, 42 bytes\n";
    assert_eq!(output(test_xdp::run), expected);
}
