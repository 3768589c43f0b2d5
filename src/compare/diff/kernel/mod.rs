//! The code that the kernel's JIT makes of the same programs.
//!
//! In: objects. Out: a row for each function that the kernel was asked to load, with its native code measured, or why
//! the kernel refuses it.
//!
//! Each function outside of `.text`, and each global one in it that no other function calls, is loaded by itself, with
//! all functions that it reaches, and thrown away once its code is read back: nothing is attached or run. Its section
//! says which type of program it is; in a section that says nothing it is a traffic classifier. Maps are created as
//! the object declares them. CO-RE relocations are applied only with `--btf`.
//!
//! What this loader does not support, or the kernel refuses from it, is loaded by libbpf where that is installed (with the
//! running kernel's types). Where it is not, the row says that this loader, and not the kernel, refused the program.
//!
//! | file | what |
//! |---|---|
//! | `image.rs` | a program as the kernel takes it |
//! | `maps.rs` | maps |
//! | `bpf.rs` | bpf(2) |
//! | `libbpf.rs` | libbpf, for what this loader cannot load |

mod bpf;
mod image;
mod libbpf;
mod maps;

use std::collections::{BTreeMap, BTreeSet};

use libbpf::Libbpf;

use super::error::CompareError;
use super::{Diff, Setting, Side, sides};
use crate::codegen;
use crate::compare::disasm::Disassembler;
use crate::compare::measure::{self, Foreign, Want};
use crate::compare::report::{self, Inputs, Object, Progress, Row, Status};
use crate::config::Target;
use crate::graph::{Graph, Unverified};
use crate::parse::{self, Input};
use crate::program::{Binding, Endianness, FunctionId, Program};

/// `enum bpf_prog_type` by the start of a section's name; longer names first.
const PROGRAM_TYPES: [(&str, u32); 27] = [
    ("socket", 1),
    ("kprobe", 2),
    ("kretprobe", 2),
    ("ksyscall", 2),
    ("kretsyscall", 2),
    ("uprobe", 2),
    ("uretprobe", 2),
    ("tc", SCHED_CLS),
    ("tcx", SCHED_CLS),
    ("classifier", SCHED_CLS),
    ("action", 4),
    ("tracepoint", 5),
    ("tp/", 5),
    ("xdp", 6),
    ("perf_event", 7),
    ("cgroup_skb", 8),
    ("cgroup/skb", 8),
    ("cgroup/dev", 15),
    ("lwt_in", 10),
    ("lwt_out", 11),
    ("lwt_xmit", 12),
    ("sockops", 13),
    ("sk_skb", 14),
    ("sk_msg", 16),
    ("raw_tracepoint", 17),
    ("raw_tp", 17),
    ("flow_dissector", 22),
];

const SCHED_CLS: u32 = 3;

/// Sections of other programs, whose attach point has to be given.
const WANTS_MORE: [&str; 12] = [
    "fentry",
    "fexit",
    "fmod_ret",
    "freplace",
    "lsm",
    "iter",
    "struct_ops",
    "syscall",
    "tp_btf",
    "usdt",
    "cgroup/",
    "sk_lookup",
];

/// Compares the kernel's code (the first side) with that of this translator.
///
/// # Errors
///
/// [`CompareError::Kernel`] where bpf(2) is not allowed, or the target is another machine; [`CompareError::Report`].
pub fn kernel(
    inputs: &Inputs,
    setting: &Setting,
    want: Want,
    progress: Progress<'_>,
) -> Result<Diff, CompareError> {
    let host = Target::host();
    let target = &setting.config.target;
    if !cfg!(target_os = "linux") || target.machine() != host.machine() {
        let reason = format!("this is {host}, and the target is {target}");
        return Err(CompareError::Kernel(reason));
    }
    bpf::load(1, &[0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]).map_err(|reason| {
        CompareError::Kernel(format!(
            "bpf(2) is not allowed here ({reason}): it wants root, or CAP_BPF and CAP_PERFMON"
        ))
    })?;
    let mut theirs = Vec::new();
    let libbpf = Libbpf::find();
    for object in &inputs.objects {
        theirs.extend(of_object(object, setting, want, libbpf.as_ref())?);
    }
    let ours = report::make(inputs, &setting.config, setting.types(), want, progress)?;
    let known: BTreeSet<(&str, &str)> =
        theirs.iter().map(|row| (row.file.as_str(), row.function.as_str())).collect();
    let (both, others): (Vec<Row>, Vec<Row>) =
        ours.functions.iter().cloned().partition(|row| known.contains(&(row.file.as_str(), row.function.as_str())));
    let mut notes = Vec::new();
    for row in &theirs {
        match &row.status {
            Status::Failed(reason) if reason.starts_with(OWN_LOADER) => {
                notes.push(format!("the kernel was not asked for `{}` of `{}`: {reason}", row.function, row.file));
            }
            Status::Failed(reason) => {
                notes.push(format!("the kernel refuses `{}` of `{}`: {reason}", row.function, row.file));
            }
            Status::Ok => {}
        }
    }
    if !others.is_empty() {
        notes.push(format!("{} functions are in no program that a kernel would load", others.len()));
    }
    let names: Vec<&str> = inputs.objects.iter().map(|object| object.name.as_str()).collect();
    Ok(sides::beside(
        Side { name: "kernel".to_owned(), tool: release(), options: None },
        theirs,
        Side::of(&names.join(", "), &ours),
        both,
        &ours,
        notes,
    ))
}

/// `Linux 6.18.0`.
fn release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim()).trim_end().to_owned()
}

/// How the reason begins where the kernel is not the cause.
const OWN_LOADER: &str = "bpf2native's own loader does not load it";

/// Who refuses to load a program, and why.
enum Refused {
    Loader(String),
    Kernel(String),
}

/// The functions of a program, and their code.
type Loaded = (Vec<FunctionId>, Vec<Vec<u8>>);

impl Refused {
    fn reason(self, libbpf: Option<&Libbpf>) -> String {
        match (self, libbpf) {
            (Refused::Kernel(reason), _) => reason,
            (Refused::Loader(reason), None) => {
                format!("{OWN_LOADER} ({reason}); install libbpf (libbpf1), which may")
            }
            (Refused::Loader(reason), Some(_)) => {
                format!("{OWN_LOADER} ({reason}), and libbpf does not take it for a program")
            }
        }
    }
}

/// Loads the programs of an object.
fn of_object(
    object: &Object,
    setting: &Setting,
    want: Want,
    libbpf: Option<&Libbpf>,
) -> Result<Vec<Row>, CompareError> {
    let bytes = object.read()?;
    let options = parse::Options {
        btf: setting.btf.as_ref().map(|(btf, _)| btf.clone()),
        ..parse::Options::without_runtime()
    };
    // Files that cannot be read are in the report of the other side.
    let Ok(program) = parse::parse(&[Input { name: object.name.clone(), bytes: bytes.clone() }], &options) else {
        return Ok(Vec::new());
    };
    let is_big = cfg!(target_endian = "big");
    if (program.endianness == Endianness::Big) != is_big {
        return Ok(Vec::new());
    }
    let graphs = program.functions.ids().zip(codegen::each_graph(&program, Unverified::Trap));
    let graphs: BTreeMap<FunctionId, Graph> = graphs.filter_map(|(id, graph)| Some((id, graph.ok()?))).collect();
    let disassembler = Disassembler::new(&setting.config.target);
    let disassembler = disassembler.map_err(|error| CompareError::Kernel(error.to_string()))?;
    let mut maps = maps::Maps::new(&program);
    let mut rows: BTreeMap<FunctionId, Row> = BTreeMap::new();
    let names = report::unique_names(&program);
    for entry in entries(&program, &graphs) {
        let new = |id: FunctionId, status| Row::new(&object.name, &names[&id], status);
        let loaded = own(&program, &graphs, &mut maps, entry).or_else(|refused| {
            let by_libbpf = libbpf.and_then(|libbpf| libbpf.load(&bytes, &program.functions[entry].name));
            let loaded = by_libbpf.ok_or_else(|| refused.reason(libbpf))?;
            Ok((image::in_libbpfs_order(&program, &graphs, entry), bpf::jited(&loaded?)?))
        });
        match loaded {
            Ok((functions, code)) if code.len() == functions.len() => {
                for (&id, code) in functions.iter().zip(&code) {
                    let function = Foreign { code, data: &[], relocations: &[] };
                    let row = new(id, Status::Ok).with(measure::foreign(&disassembler, &function, want));
                    rows.insert(id, row);
                }
            }
            Ok((functions, code)) => {
                let (there, here) = (code.len(), functions.len());
                let reason = format!("it has {there} functions there, and {here} here");
                rows.entry(entry).or_insert_with(|| new(entry, Status::Failed(reason)));
            }
            Err(reason) => {
                rows.entry(entry).or_insert_with(|| new(entry, Status::Failed(reason)));
            }
        }
    }
    Ok(rows.into_values().collect())
}

/// Loads a program as [`image`] makes it.
fn own(
    program: &Program,
    graphs: &BTreeMap<FunctionId, Graph>,
    maps: &mut maps::Maps<'_>,
    entry: FunctionId,
) -> Result<Loaded, Refused> {
    let kind = program_type(&program.code[program.functions[entry].section].name).map_err(Refused::Loader)?;
    let image = image::image(program, graphs, maps, entry).map_err(Refused::Loader)?;
    let loaded = bpf::load(kind, &image.code).map_err(|reason| match image.has_callbacks {
        // The kernel then wants the types of all functions, which libbpf gives it.
        true => Refused::Loader(format!("a program with callbacks wants BTF: {reason}")),
        false => Refused::Kernel(reason),
    })?;
    Ok((image.functions, bpf::jited(&loaded).map_err(Refused::Kernel)?))
}

/// The functions that are programs.
fn entries(program: &Program, graphs: &BTreeMap<FunctionId, Graph>) -> Vec<FunctionId> {
    let targets =
        graphs.values().flat_map(|graph| &graph.instructions).filter_map(|instruction| instruction.target);
    let called: BTreeSet<FunctionId> = targets.filter_map(|target| target.function(program)).collect();
    let is_entry = |&id: &FunctionId| {
        let function = &program.functions[id];
        let in_text = program.code[function.section].name == ".text";
        function.binding != Binding::Local && (!in_text || !called.contains(&id))
    };
    program.functions.ids().filter(is_entry).collect()
}

/// The type of the programs in a section.
fn program_type(section: &str) -> Result<u32, String> {
    let name = section.strip_prefix('?').unwrap_or(section);
    let name = name.strip_suffix(".s").unwrap_or(name);
    if let Some(start) = WANTS_MORE.iter().find(|start| name.starts_with(*start)) {
        // Those of cgroups need no more than their type.
        if !["cgroup/skb", "cgroup/dev"].iter().any(|known| name.starts_with(known)) {
            return Err(format!("a program of section `{start}` has to be told what it is attached to"));
        }
    }
    let known =
        PROGRAM_TYPES.iter().filter(|(start, _)| name.starts_with(start)).max_by_key(|(start, _)| start.len());
    Ok(known.map_or(SCHED_CLS, |&(_, kind)| kind))
}
