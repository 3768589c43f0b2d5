//! perf's scripts of 2018, which call four functions of user space by their names.

use crate::folder::{Folder, WAYS};
use crate::native::bpf::has_tracing;

#[test]
fn the_origins_functions_have_names() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    // Without types nothing says that END returns a number: the status is the workload's.
    for (object, status) in [("by_name.o", 5), ("by_name.plain.o", 0)] {
        for way in WAYS {
            let out = folder.run(folder.script(way, object).arg("true")).expect(status, object);
            assert_eq!(out, "2 keys, 3: 9, calls some\n", "{object} {way:?}");
        }
    }
}
