//! `--maps`: the maps after a run.
//!
//! In: a program, its module. Out: text, or JSON as bpftool has it (`bpftool -j map dump`), of each map by its name. Keys and values
//! are shown by their BTF types, and as bytes where there are none.
//!
//! | type | text | JSON |
//! |---|---|---|
//! | with keys | `key: value`, one a line | `{"key":...,"value":...}` |
//! | per CPU | `key: value (cpu 0), value (cpu 1)` | `{"key":...,"values":[{"cpu":0,"value":...}]}` |
//! | queue, stack | the values, which are taken out and put back | `{"value":...}` |
//! | ring buffer, perf events | the records, which are taken out | `{"value":...}` |

use std::fmt::Write;

use bpf2native::btf::{Btf, Kind, TypeId};
use bpf2native::jit::{ANY, MapError, RawMap};
use bpf2native::program::Map;
use bpf2native::{Module, Program};

use super::layout::kind;
use super::options::MapsFormat;
use super::show::{Shown, quoted};
use crate::cli::console::print;

/// The runtime's functions that are called.
pub const MAP_FUNCTIONS: &[&str] = &[
    "bpf2native_map_lookup",
    "bpf2native_map_update",
    "bpf2native_map_next_key",
    "bpf2native_map_take",
    "bpf2native_processors",
    "bpf2native_ring_next",
    "bpf2native_perf_next",
];

/// The types of a map's keys and values.
struct Types<'a> {
    btf: Option<&'a Btf>,
    key: Option<TypeId>,
    value: Option<TypeId>,
}

/// An element: its key, if it has one, and its values.
struct Element {
    key: Option<Shown>,
    values: Vec<Shown>,
}

/// Prints all maps of a program.
pub fn print_all(program: &Program, module: &Module, format: MapsFormat) -> anyhow::Result<()> {
    let mut text = String::new();
    let mut members = Vec::new();
    let mut maps: Vec<&Map> = program.maps.iter().collect();
    // In the order in which they are defined.
    maps.sort_by_key(|map| (map.section, map.offset));
    for map in maps {
        let raw = module.raw_map(&map.name)?;
        let types = Types::of(program, map);
        let elements = elements(module, &raw, &types)?;
        match format {
            MapsFormat::Text => add_text(&mut text, &raw, &elements),
            MapsFormat::Json => {
                let per_cpu = is_per_cpu(&raw);
                let elements: Vec<String> = elements.iter().map(|element| element.json(per_cpu)).collect();
                members.push(format!("{}:[{}]", quoted(&map.name), elements.join(",")));
            }
        }
    }
    if format == MapsFormat::Json {
        text = format!("{{{}}}\n", members.join(","));
    }
    print(&text)
}

fn add_text(text: &mut String, raw: &RawMap<'_>, elements: &[Element]) {
    let (kind, most) = (raw.kind(), raw.definition().max_entries);
    // Writing to a string does not fail.
    let _ = match is_ring(&kind) {
        true => writeln!(text, "{}: {kind}, {} records", raw.name(), elements.len()),
        false => writeln!(text, "{}: {kind}, {} of {most} elements", raw.name(), elements.len()),
    };
    for element in elements {
        let _ = writeln!(text, "  {}", element.text());
    }
}

impl Element {
    fn text(&self) -> String {
        let values: Vec<String> = match &self.values[..] {
            [only] => vec![only.text()],
            all => all.iter().enumerate().map(|(cpu, value)| format!("{} (cpu {cpu})", value.text())).collect(),
        };
        let values = values.join(", ");
        match &self.key {
            Some(key) => format!("{}: {values}", key.text()),
            None => values,
        }
    }

    fn json(&self, is_per_cpu: bool) -> String {
        let key = self.key.as_ref().map(|key| format!("\"key\":{},", key.json())).unwrap_or_default();
        let value = if is_per_cpu {
            let each = self.values.iter().enumerate();
            let each = each.map(|(cpu, value)| format!("{{\"cpu\":{cpu},\"value\":{}}}", value.json()));
            format!("\"values\":[{}]", each.collect::<Vec<_>>().join(","))
        } else {
            let value = self.values.first().map_or_else(|| "null".to_owned(), Shown::json);
            format!("\"value\":{value}")
        };
        format!("{{{key}{value}}}")
    }
}

impl<'a> Types<'a> {
    /// Those that a map's definition says, as a variable of `.maps`.
    fn of(program: &'a Program, map: &Map) -> Types<'a> {
        let btf = program.types[program.data[map.section].file].as_deref();
        let definition = btf.and_then(|btf| kind(btf, btf.variable(&map.name)?.ty)?.composite());
        let pointee = |name: &str| {
            let (btf, definition) = (btf?, definition?);
            let member = btf.members(definition).iter().find(|member| btf.name(member.name) == name)?;
            match kind(btf, member.ty)? {
                Kind::Pointer(pointee) => Some(pointee),
                _ => None,
            }
        };
        Types { btf, key: pointee("key"), value: pointee("value") }
    }

    fn show(&self, ty: Option<TypeId>, bytes: &[u8]) -> Shown {
        match (self.btf, ty) {
            (Some(btf), Some(ty)) if btf.size_of(ty).ok().flatten() == Some(bytes.len() as u64) => {
                Shown::of(btf, ty, bytes)
            }
            _ => Shown::bytes(bytes),
        }
    }
}

fn is_ring(kind: &str) -> bool {
    matches!(kind, "ringbuf" | "user_ringbuf" | "perf_event_array")
}

fn is_per_cpu(raw: &RawMap<'_>) -> bool {
    raw.kind().contains("percpu")
}

/// The elements of a map.
fn elements(module: &Module, raw: &RawMap<'_>, types: &Types<'_>) -> Result<Vec<Element>, MapError> {
    let without_key = |value: &[u8]| Element { key: None, values: vec![types.show(types.value, value)] };
    let mut elements = Vec::new();
    match raw.kind().as_str() {
        "ringbuf" => {
            let mut ring = module.ring_buffer(raw.name())?;
            while let Some(record) = ring.next()? {
                elements.push(without_key(&record));
            }
        }
        "perf_event_array" => {
            let mut events = module.perf_events(raw.name())?;
            while let Some((cpu, event)) = events.next()? {
                let key = Some(Shown::Plain(cpu.to_string()));
                elements.push(Element { key, values: vec![Shown::bytes(&event)] });
            }
        }
        // What is in them is the program's to read; a bloom filter does not say.
        "user_ringbuf" | "bloom_filter" | "arena" => {}
        "queue" | "stack" => {
            let mut values = Vec::new();
            while let Some(value) = raw.take(&[])? {
                values.push(value);
            }
            elements.extend(values.iter().map(|value| without_key(value)));
            if raw.kind() == "stack" {
                values.reverse();
            }
            values.iter().try_for_each(|value| raw.insert(&[], value, ANY))?;
        }
        _ => keyed(raw, types, &mut elements)?,
    }
    Ok(elements)
}

/// The elements of a map with keys.
fn keyed(raw: &RawMap<'_>, types: &Types<'_>, elements: &mut Vec<Element>) -> Result<(), MapError> {
    let size = raw.value_size();
    let stride = if is_per_cpu(raw) { size.next_multiple_of(8) } else { size };
    let mut last = None;
    // Nothing runs that could change it; still, it has no more keys than that.
    for _ in 0..=raw.definition().max_entries {
        let Some(key) = raw.next_key(last.as_deref())? else { break };
        if let Some(values) = raw.get(&key)? {
            let each = values.chunks_exact(stride.max(1));
            let values = each.map(|value| types.show(types.value, &value[..size])).collect();
            elements.push(Element { key: Some(types.show(types.key, &key)), values });
        }
        last = Some(key);
    }
    Ok(())
}
