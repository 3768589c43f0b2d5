//! Contexts: what a kernel program is called with.
//!
//! In: the program's [`Kind`], the type of its parameter, what the command line says. Out: a [`Contexts`], which makes one for
//! each packet, or one. Packets' contexts are made by the runtime that is loaded with the program, which keeps packets below
//! 4 GiB; others are memory of the command's own.
//!
//! | context | of | `--ctx` | `-- ...` |
//! |---|---|---|---|
//! | packet | `--packet`, `--pcap`, standard input | fields but those of the packet | |
//! | buffer (`sk_msg`, `sockopt`) | the same, for `data` and `data_end` | all | |
//! | struct | standard input, else zeros | all | |
//! | registers | zeros | all | arguments, by the machine's order |
//! | words | zeros | | arguments, by what the program is attached to |

use std::ffi::c_void;
use std::io::IsTerminal;

use anyhow::Context as _;
use bpf2native::Module;
use bpf2native::btf::{Btf, TypeId};
use bpf2native::internals::kinds::{BufferContext, Context, Kind};

use super::attached;
use super::layout::{self, Place};
use super::literal::{self, Buffers};
use super::packets::standard_input;

/// Bytes of a context whose type is not known.
const UNKNOWN_SIZE: usize = 4096;

/// How many arguments a program's words have at most, and what follows them.
const WORDS: usize = 16;

/// Names of the registers that have arguments, in order, of the machines that objects are compiled for (`PT_REGS_PARM1` to
/// `PT_REGS_PARM8`).
const REGISTERS: [&[&str]; 5] = [
    &["di", "si", "dx", "cx", "r8", "r9"],
    &["rdi", "rsi", "rdx", "rcx", "r8", "r9"],
    &["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"],
    &["gprs[2]", "gprs[3]", "gprs[4]", "gprs[5]", "gprs[6]"],
    &["regs[0]", "regs[1]", "regs[2]", "regs[3]", "regs[4]", "regs[5]", "regs[6]", "regs[7]"],
];

/// The type of a context.
#[derive(Clone, Copy)]
pub struct ContextType<'a> {
    pub btf: &'a Btf,
    pub ty: TypeId,
}

/// The value of a field.
struct Field {
    /// What was written, for errors.
    text: String,
    place: Place,
    bytes: Vec<u8>,
}

/// What the contexts of a run are made of.
pub struct Contexts<'a> {
    pub kind: &'static Kind,
    /// The type, if the object says it.
    pub ty: Option<ContextType<'a>>,
    fields: Vec<Field>,
    /// What a struct begins with.
    given: Vec<u8>,
    /// What fields and words point to.
    _buffers: Buffers,
}

/// A context.
pub struct Made {
    address: *mut c_void,
    /// What it is in, if it is the command's own memory.
    memory: Option<Memory>,
}

struct Memory {
    _context: Box<[u64]>,
    buffer: Option<Buffer>,
}

/// What the context points to.
struct Buffer {
    bytes: Box<[u8]>,
    start: Place,
    end: Place,
}

/// The functions of the runtime that make and read packets' contexts.
pub struct PacketFunctions<'m> {
    make: bpf2native::TypedFunction<'m, (*const u8, u32), *mut c_void>,
    read: bpf2native::TypedFunction<'m, (*const c_void, *mut u32), *const u8>,
    free: bpf2native::TypedFunction<'m, (*mut c_void,), ()>,
}

/// Their names, of which the first depends on the context.
pub fn packet_functions(context: Context) -> &'static [&'static str] {
    match context {
        Context::Xdp => &["bpf2native_xdp", "bpf2native_packet", "bpf2native_free"],
        Context::Skb => &["bpf2native_skb", "bpf2native_packet", "bpf2native_free"],
        Context::Struct(_) | Context::Buffer(_) | Context::Registers | Context::Words => &[],
    }
}

impl<'m> PacketFunctions<'m> {
    /// Those of a loaded program whose context is a packet.
    ///
    /// # Safety
    ///
    /// As [`Module::func`].
    pub unsafe fn of(module: &'m Module, context: Context) -> anyhow::Result<Option<PacketFunctions<'m>>> {
        let &[make, read, free] = packet_functions(context) else { return Ok(None) };
        // SAFETY: they have the types that the runtime's header says.
        unsafe {
            Ok(Some(PacketFunctions {
                make: module.func(make)?,
                read: module.func(read)?,
                free: module.func(free)?,
            }))
        }
    }
}

impl<'a> Contexts<'a> {
    /// Reads what the command line says of the context.
    pub fn new(
        kind: &'static Kind,
        ty: Option<ContextType<'a>>,
        fields: &[String],
        words: &[String],
        attached: &attached::Parameters,
    ) -> anyhow::Result<Contexts<'a>> {
        let mut buffers = Buffers::default();
        let mut values = Vec::new();
        for field in fields {
            let (name, value) =
                field.split_once('=').with_context(|| format!("--ctx takes FIELD=VALUE, and not `{field}`"))?;
            let (place, bytes) =
                of_field(kind.context, ty, name, value, &mut buffers).with_context(|| format!("--ctx {field}"))?;
            values.push(Field { text: format!("--ctx {field}"), place, bytes });
        }
        let mut given = Vec::new();
        match kind.context {
            Context::Words => {
                let words = attached.words(words, &mut buffers)?;
                given = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            }
            Context::Registers if !words.is_empty() => {
                let words = attached.words(words, &mut buffers)?;
                values.splice(..0, registers(ty, &words)?);
            }
            Context::Struct(_) if !std::io::stdin().is_terminal() => {
                anyhow::ensure!(
                    words.is_empty(),
                    "the program's context is a struct: set its fields with --ctx FIELD=VALUE"
                );
                given = standard_input()?;
            }
            _ => anyhow::ensure!(
                words.is_empty(),
                "the program is called with its context, and not with arguments: leave out what comes after `--`"
            ),
        }
        Ok(Contexts { kind, ty, fields: values, given, _buffers: buffers })
    }

    /// Makes a context, of a packet where it has one.
    pub fn make(&self, packet: &[u8], functions: Option<&PacketFunctions<'_>>) -> anyhow::Result<Made> {
        let Some(functions) = functions else { return self.own(packet) };
        let length = u32::try_from(packet.len()).context("a packet of more than 4 GiB")?;
        let address = functions.make.call((packet.as_ptr(), length));
        anyhow::ensure!(
            !address.is_null(),
            "there is no memory below 4 GiB for a packet of {length} bytes, or it is longer than the runtime takes"
        );
        let size = match self.kind.context {
            Context::Xdp => XDP_SIZE,
            _ => SKB_SIZE,
        };
        // SAFETY: the context has that many bytes, and only this has its address.
        let context = unsafe { std::slice::from_raw_parts_mut(address.cast::<u8>(), size) };
        self.set_fields(context)?;
        Ok(Made { address, memory: None })
    }

    /// Makes a context in the command's memory.
    fn own(&self, packet: &[u8]) -> anyhow::Result<Made> {
        let size = match (self.kind.context, self.ty) {
            (Context::Words, _) => WORDS * 8,
            (_, Some(ContextType { btf, ty })) => {
                btf.size_of(ty).ok().flatten().map_or(UNKNOWN_SIZE, |size| size as usize)
            }
            (_, None) => UNKNOWN_SIZE,
        };
        anyhow::ensure!(
            self.given.len() <= size,
            "{} bytes are given, and the context has {size}",
            self.given.len()
        );
        let mut words = vec![0u64; size.div_ceil(8).max(1)].into_boxed_slice();
        let address: *mut c_void = words.as_mut_ptr().cast();
        // SAFETY: the words have that many bytes, and are borrowed by nothing else.
        let context = unsafe { std::slice::from_raw_parts_mut(address.cast::<u8>(), size) };
        context[..self.given.len()].copy_from_slice(&self.given);
        let mut buffer = None;
        if let Context::Buffer(members) = self.kind.context
            && !packet.is_empty()
        {
            buffer = Some(self.point_to(packet, members, context)?);
        }
        self.set_fields(context)?;
        Ok(Made { address, memory: Some(Memory { _context: words, buffer }) })
    }

    /// Makes a buffer, and the context's pointers to it.
    fn point_to(&self, packet: &[u8], members: BufferContext, context: &mut [u8]) -> anyhow::Result<Buffer> {
        let mut bytes = packet.to_vec().into_boxed_slice();
        let start = bytes.as_mut_ptr() as u64;
        let ContextType { btf, ty } = self.ty.with_context(|| {
            format!("the object does not say what `struct {}` is: compile it with -g", members.name)
        })?;
        let place = |name: &str| layout::find(btf, ty, name);
        let (from, to) = (place(members.start)?, place(members.end)?);
        put(context, from, &start.to_ne_bytes())?;
        put(context, to, &(start + packet.len() as u64).to_ne_bytes())?;
        // Not all objects have it.
        if let Ok(length) = place(members.length) {
            put(context, length, &(packet.len() as u32).to_ne_bytes())?;
        }
        Ok(Buffer { bytes, start: from, end: to })
    }

    fn set_fields(&self, context: &mut [u8]) -> anyhow::Result<()> {
        self.fields
            .iter()
            .try_for_each(|Field { text, place, bytes }| put(context, *place, bytes).with_context(|| text.clone()))
    }
}

/// `sizeof(struct xdp_md)` of the runtime.
const XDP_SIZE: usize = 24;
/// `sizeof(struct __sk_buff)` of the runtime.
const SKB_SIZE: usize = 192;

impl Made {
    /// Its address.
    pub fn address(&self) -> *mut c_void {
        self.address
    }

    /// The packet as it is now; none if the context has none.
    pub fn packet(&self, functions: Option<&PacketFunctions<'_>>) -> Option<Vec<u8>> {
        if let Some(functions) = functions {
            let mut length = 0;
            let start = functions.read.call((self.address, &raw mut length));
            if start.is_null() {
                return Some(Vec::new());
            }
            // SAFETY: the runtime says that the packet is there.
            return Some(unsafe { std::slice::from_raw_parts(start, length as usize) }.to_vec());
        }
        let Buffer { bytes, start, end } = self.memory.as_ref()?.buffer.as_ref()?;
        // SAFETY: the context is as large as its type, which has these members.
        let pointer =
            |place: &Place| unsafe { self.address.byte_add(place.bit as usize / 8).cast::<u64>().read_unaligned() };
        let offset = |pointer: u64| (pointer.saturating_sub(bytes.as_ptr() as u64) as usize).min(bytes.len());
        let (start, end) = (offset(pointer(start)), offset(pointer(end)));
        Some(bytes.get(start..end).unwrap_or_default().to_vec())
    }

    /// Gives its memory back.
    pub fn free(self, functions: Option<&PacketFunctions<'_>>) {
        if let Some(functions) = functions {
            functions.free.call((self.address,));
        }
    }
}

/// Puts bytes where a value lies.
fn put(context: &mut [u8], place: Place, bytes: &[u8]) -> anyhow::Result<()> {
    let start = (place.bit / 8) as usize;
    let short = || anyhow::anyhow!("the context has {} bytes, and the field lies behind them", context.len());
    let Some(bits) = place.bits else {
        let room = start.checked_add(bytes.len()).filter(|&end| end <= context.len()).with_context(short)?;
        context[start..room].copy_from_slice(bytes);
        return Ok(());
    };
    let value = bytes.iter().enumerate().fold(0u128, |value, (index, &byte)| {
        let index = if cfg!(target_endian = "big") { bytes.len() - 1 - index } else { index };
        value | u128::from(byte) << (8 * index)
    });
    let (first, bits) = (place.bit, u64::from(bits));
    let unused = 128 - 8 * bytes.len();
    let signed = (value << unused).cast_signed() >> unused;
    let fits = value >> bits == 0 || signed >> (bits - 1) == -1;
    anyhow::ensure!(fits, "a bit-field of {bits} bits is too narrow for it");
    anyhow::ensure!(first + bits <= context.len() as u64 * 8, short());
    for bit in 0..bits {
        // Big-endian machines count bits from the highest.
        let (from, shift) = match cfg!(target_endian = "big") {
            true => (bits - 1 - bit, 7 - (first + bit) % 8),
            false => (bit, (first + bit) % 8),
        };
        let byte = &mut context[((first + bit) / 8) as usize];
        *byte = *byte & !(1 << shift) | u8::from(value >> from & 1 == 1) << shift;
    }
    Ok(())
}

/// The place and the bytes of a field.
fn of_field(
    context: Context,
    ty: Option<ContextType<'_>>,
    name: &str,
    value: &str,
    buffers: &mut Buffers,
) -> anyhow::Result<(Place, Vec<u8>)> {
    let is_packet = matches!(context, Context::Xdp | Context::Skb);
    let name = match (context, name) {
        (Context::Xdp, "ifindex") => "ingress_ifindex",
        (Context::Words, _) => anyhow::bail!("the program's context is words: give them after `--`"),
        (_, name) => name,
    };
    if is_packet && matches!(name, "data" | "data_end" | "data_meta") {
        anyhow::bail!("`{name}` is where the packet lies: --packet and --pcap say what it is");
    }
    let ContextType { btf, ty } =
        ty.context("the object does not say what fields the context has: compile it with -g")?;
    let place = layout::find(btf, ty, name)?;
    Ok((place, literal::parse(btf, place.ty, value, buffers)?))
}

/// The places and the bytes of registers with arguments.
fn registers(ty: Option<ContextType<'_>>, words: &[u64]) -> anyhow::Result<Vec<Field>> {
    let ContextType { btf, ty } = ty.context(
        "the object does not say what `struct pt_regs` is, so there is no place for arguments: compile it with -g",
    )?;
    let has = |names: &&&[&str]| names.iter().all(|name| layout::find(btf, ty, name).is_ok());
    let names = REGISTERS.iter().find(has).context("`struct pt_regs` is of no machine that is known here")?;
    anyhow::ensure!(
        words.len() <= names.len(),
        "{} arguments are given, and registers have {}",
        words.len(),
        names.len()
    );
    let each = names.iter().zip(words).map(|(name, word)| {
        let place = layout::find(btf, ty, name)?;
        Ok(Field { text: (*name).to_owned(), place, bytes: word.to_ne_bytes().to_vec() })
    });
    each.collect()
}
