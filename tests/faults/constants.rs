//! Constants behind the code, whose bytes are those of instructions: they stay as they are.

use crate::command::check;
use crate::translated::{object, prints};

#[test]
fn constants_are_no_instructions() {
    prints(&["constants.o"], EXPECTED);
}

const EXPECTED: &str = concat!(
    "padded_returns dfced7fa\n",
    "returns c3c3c3ced7fa\n",
    "branches 91701f653c\n",
    "branch_and_return c3fe70ceea49\n",
    "jumps e900000dffc7\n",
    "long_branch 840f000d143d\n",
    "indirect e0f2f4c6\n",
    "traps b0fe8000d1439\n",
    "shorter 5c08c5cfa\n",
    "invalid 6060606060b123f\n",
    "looped_branches a12407c4\n",
    "looped_returns c3c3c3c3c3c3c3c5\n",
);

/// In the assembly they are data, each from its start on: where the least significant byte of `bytes` is.
#[test]
fn assembly_shows_constants_as_data() {
    let folder = tempfile::tempdir().unwrap();
    for level in ["-O0", "-O1", "-O2"] {
        let object = object("constants.o");
        let arguments = ["--emit", "asm", "--target", "x86_64", level, &object, "-o", "constants.s"];
        check(folder.path(), &arguments, 0);
        let text = std::fs::read_to_string(folder.path().join("constants.s")).unwrap();
        for bytes in [
            "0xc3, 0xc3, 0xc3, 0xdf, 0x00, 0x00, 0x00, 0x00",
            "0x70, 0xfe, 0xc3, 0x70, 0xfe, 0xc3, 0x00, 0x00",
            "0xc3, 0x48, 0x81, 0xc0, 0x05, 0x00, 0x00, 0x00",
        ] {
            assert!(text.contains(&format!(".byte {bytes}")), "{level}: no {bytes} in\n{text}");
        }
    }
}
