//! `run --entry`: one function, called as the kernel would call it, or as its type says.
//!
//! In: a program, a function's name, the options. Out: an [`Entry`], which is what the call needs, checked before anything is
//! translated; then the call, and its result on standard output, one line a packet.
//!
//! | function | called with |
//! |---|---|
//! | of a kernel program's section, or of a kernel program's context, with one parameter | a context (`context.rs`) |
//! | any other, with arguments after `--` | them, by its type (`arguments.rs`) |
//! | any other, of up to two words | standard input as a buffer, and its length |

use std::ffi::c_void;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bpf2native::btf::{Btf, CType, Kind as BtfKind, Prototype};
use bpf2native::internals::kinds::{self, Context, Kind, Verdict};
use bpf2native::program::Binding;
use bpf2native::{Jit, Module, Program, Words};

use super::arguments::{self, Parameter};
use super::attached;
use super::context::{ContextType, Contexts, PacketFunctions, packet_functions};
use super::layout;
use super::literal::Buffers;
use super::maps::{self, MAP_FUNCTIONS};
use super::options::EntryOptions;
use super::packets::{Packets, given, standard_input};
use crate::cli::console::{print, warn_of};

/// A function, and how it is called.
pub struct Entry<'a> {
    program: &'a Program,
    name: &'a str,
    options: &'a EntryOptions,
    prototype: Option<&'a Prototype>,
    call: Call<'a>,
}

enum Call<'a> {
    /// With contexts.
    Kernel(Contexts<'a>),
    /// With these words. What they point to is in the buffers.
    Typed { words: Vec<u64>, _buffers: Buffers },
    /// With a buffer and its length.
    Buffer,
}

impl<'a> Entry<'a> {
    /// The function, if it can be called so. `types` are those of `--btf`.
    pub fn new(
        program: &'a Program,
        name: &'a str,
        options: &'a EntryOptions,
        given: &[String],
        types: Option<&'a Btf>,
    ) -> anyhow::Result<Entry<'a>> {
        let function = &program.functions[program.function_named(name).ok_or_else(|| absent(program, name))?];
        let section = &program.code[function.section];
        let prototype = function.prototype.as_deref();
        let own = program.types[section.file].as_deref();
        let entry = |call| Entry { program, name, options, prototype, call };
        if let Some((kind, ty)) = kernel_kind(&section.name, prototype, own, name) {
            let attached = attached::Parameters::of(&section.name, name, own.into_iter().chain(types));
            let ty = ty.or_else(|| {
                let btf = own?;
                layout::composite_named(btf, kind.context.struct_name()?).map(|ty| ContextType { btf, ty })
            });
            if !takes_packet(kind) {
                refuse_packet(options, &format!("`{name}` of section `{}`", section.name))?;
            }
            return Ok(entry(Call::Kernel(Contexts::new(kind, ty, &options.fields, given, &attached)?)));
        }
        anyhow::ensure!(
            options.fields.is_empty(),
            "`{name}` of section `{}` is no kernel program that is known here: it has no context for --ctx",
            section.name
        );
        if given.is_empty() && prototype.is_none_or(fits_buffer) {
            return Ok(entry(Call::Buffer));
        }
        refuse_packet(options, &format!("`{name}`, which takes arguments"))?;
        let mut buffers = Buffers::default();
        let words = match prototype {
            Some(prototype) => {
                let declared = prototype.declare(name);
                anyhow::ensure!(
                    !matches!(prototype.result, CType::Aggregate(_)),
                    "`{declared}` returns a struct, which is not shown: call it from C, or from Rust"
                );
                let parameters = Parameter::of(prototype, own, name);
                let texts = arguments::in_order(given, &parameters, &declared)?;
                arguments::words(&texts, &parameters, &mut buffers)?
            }
            None => {
                anyhow::ensure!(
                    given.len() <= UNTYPED_WORDS,
                    "nothing says the type of `{name}`, which gets {UNTYPED_WORDS} words at most: compile it with -g"
                );
                let parameters: Vec<Parameter<'_>> = given.iter().map(|_| Parameter::word()).collect();
                let mut words = arguments::words(given, &parameters, &mut buffers)?;
                words.resize(UNTYPED_WORDS, 0);
                words
            }
        };
        Ok(entry(Call::Typed { words, _buffers: buffers }))
    }

    /// The names that have to be loaded, its own first.
    pub fn roots(&self) -> Vec<&'a str> {
        let mut roots = vec![self.name];
        if let Call::Kernel(contexts) = &self.call {
            roots.extend(packet_functions(contexts.kind.context));
        }
        roots
    }

    /// Calls it, and shows its result.
    pub fn run(&self, jit: &Jit, module: &Module) -> anyhow::Result<()> {
        match &self.call {
            Call::Kernel(contexts) => self.run_kernel(contexts, module)?,
            Call::Typed { words, .. } => {
                // SAFETY: the words are of its type; the user asked for it to run.
                let function = unsafe { jit.dynamic(module, self.name)? };
                self.run_function(|| function.call(words))?;
            }
            Call::Buffer => {
                let mut buffer = self.options.packet.as_deref().map_or_else(standard_input, given)?;
                // SAFETY: it takes two words at most, as `new` has found; the user asked for it to run.
                let function = unsafe { jit.dynamic(module, self.name)? };
                let mut words = vec![buffer.as_mut_ptr() as u64, buffer.len() as u64];
                words.resize(function.words(), 0);
                self.run_function(|| function.call(&words))?;
            }
        }
        match self.options.maps {
            Some(format) => maps::print_all(self.program, module, format),
            None => Ok(()),
        }
    }

    fn run_function(&self, call: impl FnMut() -> Words) -> anyhow::Result<()> {
        let (result, time) = self.timed(call);
        let mut shown = arguments::show(self.prototype.map(|prototype| &prototype.result), result);
        self.add_time(&mut shown, time);
        flush();
        if shown.is_empty() { Ok(()) } else { print(&format!("{shown}\n")) }
    }

    fn run_kernel(&self, contexts: &Contexts<'_>, module: &Module) -> anyhow::Result<()> {
        let options = self.options;
        let address =
            module.function_address(self.name).with_context(|| format!("`{}` is not loaded", self.name))?;
        // SAFETY: a kernel program takes the address of its context, and returns a number; the user asked for it to run.
        let program: extern "C-unwind" fn(*mut c_void) -> u64 = unsafe { std::mem::transmute(address) };
        // SAFETY: as above.
        unsafe { module.initialise() };
        // SAFETY: as above.
        let functions = unsafe { PacketFunctions::of(module, contexts.kind.context)? };
        let functions = functions.as_ref();
        let packets = match takes_packet(contexts.kind) {
            true => Packets::read(options.packet.as_deref(), options.pcap.as_deref())?,
            false => Packets::none(),
        };
        if let Some(link_type) = packets.other_link_type().filter(|_| contexts.kind.context == Context::Xdp) {
            warn_of(&format!(
                "the capture's link type is {link_type}, and XDP programs are given Ethernet frames (1)"
            ));
        }
        let mut changed = Vec::new();
        for packet in &packets.packets {
            let made = contexts.make(packet, functions)?;
            let (result, time) = self.timed(|| program(made.address()));
            let mut shown = self.verdict(contexts.kind, result);
            self.add_time(&mut shown, time);
            flush();
            print(&format!("{shown}\n"))?;
            if options.packet_out.is_some() {
                changed.push(made.packet(functions).unwrap_or_default());
            }
            made.free(functions);
        }
        match &options.packet_out {
            Some(output) => packets.write(&changed, output),
            None => Ok(()),
        }
    }

    /// A program's result as text.
    fn verdict(&self, kind: &Kind, result: u64) -> String {
        let declared = self.prototype.map(|prototype| &prototype.result);
        match (kind.verdict, declared) {
            (Verdict::Number, Some(ty)) if *ty != CType::Void => {
                arguments::show(Some(ty), Words { first: result, second: 0 })
            }
            (verdict, _) => verdict.show(result as i32),
        }
    }

    /// Calls a function as often as `--repeat` says; the last result, and how long one call took if it says so.
    fn timed<R>(&self, mut call: impl FnMut() -> R) -> (R, Option<Duration>) {
        let Some(repeat) = self.options.repeat else { return (call(), None) };
        let start = Instant::now();
        for _ in 1..repeat {
            call();
        }
        let result = call();
        (result, Some(start.elapsed() / repeat))
    }

    /// Adds how long a call took, as bpftool says it.
    fn add_time(&self, shown: &mut String, time: Option<Duration>) {
        let Some(time) = time else { return };
        if !shown.is_empty() {
            shown.push_str(", ");
        }
        shown.push_str(&format!("duration (average): {}ns", time.as_nanos()));
    }
}

/// The runtime's functions that a function needs to be called and the options ask for, and that the program does not have.
pub fn missing_functions(program: &Program, options: &EntryOptions) -> Vec<&'static str> {
    let id = options.entry.as_ref().and_then(|name| program.function_named(name));
    let kind = id.and_then(|id| {
        let function = &program.functions[id];
        let section = &program.code[function.section];
        let own = program.types[section.file].as_deref();
        kernel_kind(&section.name, function.prototype.as_deref(), own, &function.name)
    });
    let of_packets = kind.map_or(&[][..], |(kind, _)| packet_functions(kind.context));
    let of_maps = if options.maps.is_some() && !program.maps.is_empty() { MAP_FUNCTIONS } else { &[] };
    let needed = of_packets.iter().chain(of_maps).copied();
    needed.filter(|name| program.function_named(name).is_none()).collect()
}

/// How many words a function gets that has no known type.
const UNTYPED_WORDS: usize = 5;

/// What the program printed comes first.
fn flush() {
    // SAFETY: all streams of this process's C library.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

fn takes_packet(kind: &Kind) -> bool {
    matches!(kind.context, Context::Xdp | Context::Skb | Context::Buffer(_))
}

/// Refuses options that are about packets.
fn refuse_packet(options: &EntryOptions, what: &str) -> anyhow::Result<()> {
    let given = [
        ("--packet", options.packet.is_some()),
        ("--pcap", options.pcap.is_some()),
        ("--packet-out", options.packet_out.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => anyhow::bail!("{option} is for programs that are given packets, and not for {what}"),
        None => Ok(()),
    }
}

/// Why there is no such function.
fn absent(program: &Program, name: &str) -> anyhow::Error {
    let mut known: Vec<&str> = Vec::new();
    for (_, function) in program.functions.iter().filter(|(id, _)| !program.is_runtime_function(*id)) {
        if function.binding != Binding::Local {
            known.push(&function.name);
        } else if function.name == name {
            return anyhow::anyhow!("`{name}` is static: take the `static` away for `--entry` to find it");
        }
    }
    known.sort_unstable();
    anyhow::anyhow!("there is no function `{name}`; there are `{}`", known.join("`, `"))
}

/// What kind of kernel program a function is, and the type of its context, if it is one: its section says so, or its
/// context's type, and it takes nothing but a context, if that.
fn kernel_kind<'a>(
    section: &str,
    prototype: Option<&Prototype>,
    btf: Option<&'a Btf>,
    name: &str,
) -> Option<(&'static Kind, Option<ContextType<'a>>)> {
    let takes_context = |prototype: &Prototype| {
        prototype.parameters.len() < 2
            && prototype.parameters.iter().all(|only| matches!(only.ty, CType::Pointer(_)))
    };
    if !prototype.is_none_or(takes_context) {
        return None;
    }
    let ty = btf.and_then(|btf| context_type(btf, name));
    let of_type = || {
        let ContextType { btf, ty } = ty?;
        kinds::of_context(btf.name(btf.get(ty).ok()?.name))
    };
    Some((kinds::of_section(section).or_else(of_type)?, ty))
}

/// The struct that a function's only parameter points to, if its members are known.
fn context_type<'a>(btf: &'a Btf, name: &str) -> Option<ContextType<'a>> {
    let BtfKind::FunctionPrototype(prototype) = btf.get(btf.function(name)?.ty).ok()?.kind else { return None };
    let [parameter] = btf.parameters(prototype) else { return None };
    let BtfKind::Pointer(pointee) = layout::kind(btf, parameter.ty)? else { return None };
    let (ty, found) = btf.resolve(pointee).ok()?;
    found.kind.composite().map(|_| ContextType { btf, ty })
}

/// Whether a function can be given a buffer and its length.
fn fits_buffer(prototype: &Prototype) -> bool {
    let is_word = |ty: &CType| matches!(ty, CType::Bool | CType::Int { bytes: 1..=8, .. } | CType::Pointer(_));
    let is_shown = !matches!(prototype.result, CType::Aggregate(_));
    is_shown
        && prototype.parameters.len() <= 2
        && prototype.parameters.iter().all(|parameter| is_word(&parameter.ty))
}
