//! The fixtures themselves.

use std::fs;

use crate::command::fixture;

/// Each object has its source beside it, so that it can be built again and read.
#[test]
fn every_object_has_a_source() {
    let files = fs::read_dir(fixture("faults")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
    for object in names.iter().filter(|name| name.ends_with(".o")) {
        let stem = object.split('.').next().unwrap();
        let has_source = names.iter().any(|name| !name.ends_with(".o") && name.split('.').next() == Some(stem));
        assert!(has_source, "fixtures/faults/{object} has no source");
    }
}
