//! What `inspect` shows, as text.
//!
//! In: [`Contents`]. Out: a heading and a table for each kind of thing that there is. The rule: columns are as wide as what is in
//! them, up to a limit; of a single object, its name is not said.

use super::model::{Contents, CoreRelocation, Function, Helper, Import, Kfunc, Map, MapContents, Section};

/// The widest column.
const WIDEST: usize = 60;

pub fn text(contents: &Contents) -> String {
    let mut text = String::new();
    let (programs, functions): (Vec<&Function>, Vec<&Function>) =
        contents.functions.iter().partition(|function| function.role == "program");
    let is_one = contents.files.len() == 1;
    let file = |name: String| if is_one { String::new() } else { name };
    table(&mut text, "sections", contents.sections.iter().map(|of| section(of, file(of.file.clone()))));
    table(&mut text, "programs", programs.into_iter().map(function));
    table(&mut text, "functions", functions.into_iter().map(function));
    table(&mut text, "imports", contents.imports.iter().map(|of| import(of, file(of.files.join(", ")))));
    table(&mut text, "maps", contents.maps.iter().flat_map(map));
    table(&mut text, "helpers", contents.helpers.iter().map(helper));
    table(&mut text, "kfuncs", contents.kfuncs.iter().map(kfunc));
    table(&mut text, "CO-RE relocations", contents.core_relocations.iter().map(core_relocation));
    text
}

/// Writes a table, if there is anything in it.
fn table<const N: usize>(text: &mut String, heading: &str, rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<[String; N]> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let separator = if text.is_empty() { "" } else { "\n" };
    *text += &format!("{separator}{heading}:\n");
    let length = |column: usize| rows.iter().map(|row| row[column].chars().count().min(WIDEST)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(length).collect();
    for row in &rows {
        let mut line = String::from(" ");
        // A column with nothing in it is not there.
        for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            // Numbers are aligned at their ends.
            let is_number = cell.starts_with(|c: char| c.is_ascii_digit()) && cell.contains(' ');
            line += &if is_number { format!(" {cell:>width$} ") } else { format!(" {cell:width$} ") };
        }
        *text += line.trim_end();
        text.push('\n');
    }
}

fn section(section: &Section, file: String) -> [String; 4] {
    let Section { name, kind, size, .. } = section;
    let size = match *kind {
        "code" => format!("{} slots", size / bpf2native::decode::SLOT as u64),
        _ => format!("{size} bytes"),
    };
    [name.clone(), (*kind).to_owned(), size, file]
}

fn function(function: &Function) -> [String; 5] {
    let Function { name, section, binding, slots, declaration, half, .. } = function;
    let declaration = declaration.as_ref().unwrap_or(name);
    let half = half.unwrap_or_default().to_owned();
    [section.clone(), half, (*binding).to_owned(), format!("{slots} slots"), declaration.clone()]
}

fn import(import: &Import, files: String) -> [String; 2] {
    let Import { name, weak, kind, of, declaration, declared_by, inline, .. } = import;
    let declared = declaration.as_ref().unwrap_or(name);
    let mut what: Vec<String> = Vec::new();
    match *of {
        "kernel" => what.push(if *kind == "function" { "a kfunc" } else { "a variable of the kernel" }.to_owned()),
        "kconfig" => what.push("of the kernel's configuration".to_owned()),
        _ => {}
    }
    match (declared_by, *kind) {
        (Some(source), _) if *source == "the compiler's runtime" && *inline => {
            what.push("lifted inline".to_owned())
        }
        (Some(source), _) if *source == "the compiler's runtime" => what.push(format!("of {source}")),
        (Some(source), _) => what.push(format!("from {source}")),
        (None, "data") => what.push("only its address".to_owned()),
        (None, _) if *inline => what.push("lifted inline".to_owned()),
        (None, _) => what.push("no prototype: registers as they are".to_owned()),
    }
    let weak = if *weak { "weak " } else { "" };
    [format!("{weak}{declared} ({})", what.join(", ")), files]
}

fn map(map: &Map) -> Vec<[String; 3]> {
    let place = format!("{} + {:#x}", map.section, map.offset);
    let Some(definition) = &map.definition else {
        return vec![[map.name.clone(), "its definition cannot be read".to_owned(), place]];
    };
    let mut lines = vec![[map.name.clone(), contents(definition), place]];
    let mut inner = definition.inner.as_deref();
    while let Some(definition) = inner {
        lines.push(["  each element".to_owned(), contents(definition), String::new()]);
        inner = definition.inner.as_deref();
    }
    for value in &map.values {
        lines.push([format!("  [{}]", value.index), value.name.clone(), String::new()]);
    }
    lines
}

/// `hash, key 4 bytes, value 8 bytes, 1024 entries, BPF_F_NO_PREALLOC`.
fn contents(map: &MapContents) -> String {
    let mut parts = vec![map.kind.clone().unwrap_or_else(|| format!("type {}", map.type_number))];
    if map.key_size > 0 {
        parts.push(format!("key {} bytes", map.key_size));
    }
    if map.value_size > 0 {
        parts.push(format!("value {} bytes", map.value_size));
    }
    match map.kind.as_deref() {
        Some("ringbuf" | "user_ringbuf") => parts.push(format!("{} bytes", map.max_entries)),
        Some("arena") => parts.push(format!("{} pages", map.max_entries)),
        _ if map.max_entries > 0 => parts.push(format!("{} entries", map.max_entries)),
        _ => {}
    }
    parts.extend(map.flags.iter().cloned());
    if map.flags.iter().any(|flag| flag == "BPF_F_NUMA_NODE") {
        parts.push(format!("NUMA node {}", map.numa_node));
    }
    if map.map_extra != 0 {
        parts.push(format!("map_extra {:#x}", map.map_extra));
    }
    if map.pinning != "none" {
        parts.push(format!("pinned {}", map.pinning));
    }
    parts.extend(map.fields.iter().map(|field| format!("{} at {}", field.kind, field.offset)));
    parts.join(", ")
}

fn helper(helper: &Helper) -> [String; 2] {
    let name = match &helper.name {
        Some(name) => format!("{name}#{}", helper.number),
        None => format!("#{}", helper.number),
    };
    [name, helper.callers.join(", ")]
}

fn kfunc(kfunc: &Kfunc) -> [String; 2] {
    [kfunc.name.clone(), kfunc.callers.join(", ")]
}

fn core_relocation(relocation: &CoreRelocation) -> [String; 3] {
    let place = match (&relocation.function, relocation.slot) {
        (Some(function), Some(slot)) => format!("{function}, instruction {slot}"),
        _ => format!("{} + {:#x}", relocation.section, relocation.offset),
    };
    let path = match &relocation.path {
        Some(path) => path.clone(),
        None => format!(" ({}, which makes no sense)", relocation.access),
    };
    [place, relocation.kind.clone(), format!("{}{path}", relocation.ty)]
}
