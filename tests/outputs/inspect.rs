//! `inspect`: maps, helpers, kfuncs, CO-RE relocations, as text and as JSON.

use serde_json::{Value, json};

use crate::native;

fn inspected(arguments: &[&str]) -> String {
    native::output(native::bpf2native().current_dir(native::fixture("")).arg("inspect").args(arguments))
}

fn json_of(object: &str) -> Value {
    serde_json::from_str(&inspected(&["--json", object])).unwrap()
}

/// The rows below a heading of the text.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != format!("{heading}:")).skip(1);
    lines.take_while(|line| !line.is_empty()).map(str::trim).collect()
}

#[test]
fn maps_are_shown_with_what_they_are() {
    for object in ["runtime/inspect.o", "runtime/inspect.be.o"] {
        let text = inspected(&[object]);
        let maps = rows(&text, "maps");
        let row = |name: &str| {
            let found = maps.iter().find_map(|row| row.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name}: {text}")).split("  .maps").next().unwrap().trim()
        };
        assert_eq!(
            row("pinned"),
            "hash, key 4 bytes, value 16 bytes, 1024 entries, BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG, pinned by name, \
             bpf_spin_lock at 8"
        );
        assert_eq!(row("events"), "ringbuf, 8192 bytes");
        assert_eq!(row("outer"), "array_of_maps, key 4 bytes, value 4 bytes, 8 entries");
        assert_eq!(row("each element"), "array, key 4 bytes, value 8 bytes, 4 entries");
        assert_eq!((row("[1]"), row("[5]")), ("first", "second"));
        assert_eq!(row("bloom"), "bloom_filter, value 4 bytes, 100 entries, map_extra 0x3");
        let maps = json_of(object);
        let map = |name: &str| {
            let all = maps["maps"].as_array().unwrap();
            all.iter().find(|map| map["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
        };
        assert_eq!(map("pinned")["flags"], json!(["BPF_F_NO_PREALLOC", "BPF_F_RDONLY_PROG"]));
        assert_eq!(map("pinned")["fields"], json!([{ "kind": "bpf_spin_lock", "offset": 8, "size": 4 }]));
        assert_eq!(map("outer")["inner"]["value_size"], 8);
        assert_eq!(map("outer")["values"][1], json!({ "index": 5, "name": "second" }));
    }
}

#[test]
fn helpers_and_kfuncs_have_their_callers() {
    let contents = json_of("runtime/inspect.o");
    assert_eq!(
        contents["helpers"],
        json!([
            { "number": 3, "name": "bpf_map_delete_elem", "callers": ["forget"] },
            { "number": 5, "name": "bpf_ktime_get_ns", "callers": ["forget", "unknown"] },
            { "number": 4000, "name": null, "callers": ["unknown"] },
        ])
    );
    let text = inspected(&["runtime/inspect.o"]);
    let helpers: Vec<Vec<&str>> =
        rows(&text, "helpers").iter().map(|row| row.split_whitespace().collect()).collect();
    let expected = [
        vec!["bpf_map_delete_elem#3", "forget"],
        vec!["bpf_ktime_get_ns#5", "forget,", "unknown"],
        vec!["#4000", "unknown"],
    ];
    assert_eq!(helpers, expected);
    let contents = json_of("kernel/externs.o");
    let kfuncs: Vec<&str> =
        contents["kfuncs"].as_array().unwrap().iter().map(|kfunc| kfunc["name"].as_str().unwrap()).collect();
    assert_eq!(kfuncs, ["bpf_task_acquire", "bpf_task_release", "missing_function"]);
    let of = |name: &str| {
        let imports = contents["imports"].as_array().unwrap();
        imports.iter().find(|import| import["name"] == name).unwrap()["of"].clone()
    };
    assert_eq!([of("jiffies_64"), of("CONFIG_HZ"), of("bpf_task_acquire")], ["kernel", "kconfig", "kernel"]);
    // What is undefined in a program that no kernel loads is of nobody.
    let words = json_of("obj/clang22-v4/words.o");
    assert!(words["imports"].as_array().unwrap().iter().all(|import| import["of"] == "any"));
}

#[test]
fn programs_are_told_from_functions() {
    let contents = json_of("kernel/xdp.o");
    let role = |name: &str| {
        let functions = contents["functions"].as_array().unwrap();
        functions.iter().find(|function| function["name"] == name).unwrap()["role"].clone()
    };
    assert_eq!([role("filter"), role("is_blocked")], ["program", "function"]);
    let text = inspected(&["kernel/xdp.o"]);
    assert!(rows(&text, "programs").iter().all(|row| row.contains("filter")), "{text}");
    assert!(rows(&text, "functions").iter().all(|row| row.contains("is_blocked")), "{text}");
}

#[test]
fn core_relocations_are_shown_with_their_places() {
    for object in ["kernel/core.o", "kernel/core.be.o"] {
        let contents = json_of(object);
        let relocations = contents["core_relocations"].as_array().unwrap();
        assert_eq!(relocations.len(), 9, "{object}");
        assert_eq!(
            relocations[0],
            json!({
                "function": "schedule", "section": "fentry/schedule", "offset": 48, "slot": 6,
                "kind": "field exists", "type": "struct task", "path": ".parent", "access": relocations[0]["access"],
            })
        );
        let text = inspected(&[object]);
        let rows = rows(&text, "CO-RE relocations");
        assert_eq!(rows.len(), 9);
        let words = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(rows[6]), "schedule, instruction 43 enumerator value enum task_flag::FORKED");
    }
}

/// The schema of `docs/inspect.md` has all fields, and no other.
#[test]
fn the_schema_is_the_documented_one() {
    fn fields(value: &Value, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| {
                found.insert(name.clone());
                fields(value, found);
            }),
            Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
            _ => {}
        }
    }
    let mut found = std::collections::BTreeSet::new();
    for object in ["runtime/inspect.o", "kernel/externs.o", "kernel/core.o"] {
        let contents = json_of(object);
        assert_eq!(contents["schema"], 1);
        fields(&contents, &mut found);
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/inspect.md");
    let document = std::fs::read_to_string(path).unwrap();
    let is_field = |line: &&str| line.starts_with("| `");
    let documented: std::collections::BTreeSet<String> = document
        .lines()
        .filter(is_field)
        .flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert_eq!(documented, found);
}

#[test]
fn objects_have_their_names_where_there_are_several() {
    let one = inspected(&["runtime/inspect.o"]);
    assert!(!one.contains("inspect.o"), "{one}");
    let two = inspected(&["runtime/inspect.o", "kernel/xdp.o"]);
    assert!(two.contains("runtime/inspect.o") && two.contains("kernel/xdp.o"), "{two}");
}
