//! Large objects: translation takes time and memory in proportion to what it translates.

#![allow(clippy::unwrap_used)]

mod support;

use support::large::SHAPES;

/// With `BPF2NATIVE_SCALE=FOLDER`, writes each shape in three sizes there, to be measured with a release build.
#[test]
fn write_objects() {
    let Some(folder) = std::env::var_os("BPF2NATIVE_SCALE") else { return };
    for shape in SHAPES {
        for thousands in [25, 50, 100, 200] {
            let path = std::path::Path::new(&folder).join(format!("{}-{thousands:03}k.o", shape.name));
            std::fs::write(path, (shape.make)(thousands * 1000)).unwrap();
        }
    }
}
