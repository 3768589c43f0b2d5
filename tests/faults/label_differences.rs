//! Jumps to a label plus a difference of labels: tables of differences, and differences that are made at run time.

use crate::translated::prints;

/// What gcc's and clang's native code of the source print.
const EXPECTED: &str = "-392\n-384\n-376\n18\n24\n-8926\n";

#[test]
fn tables_of_differences_and_differences_made_at_run_time_lead_to_labels() {
    for object in ["label-differences.O0.o", "label-differences.O1.o", "label-differences.O2.o"] {
        prints(&[object], EXPECTED);
    }
}
