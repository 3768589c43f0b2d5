//! Packets, and the contexts that programs are given them in.
//!
//! In: the bytes of a packet. Out: an [`XdpContext`] or a [`SkbContext`], on which programs run. The runtime makes them, below
//! 4 GiB, since their pointers to the packet have 32 bits; the rule is its own (`runtime/contexts/`).

use std::ffi::c_void;
use std::marker::PhantomData;

use super::error::FunctionError;
use super::low::LowPointer;
use super::module::Module;
use super::packet_error::PacketError;
use crate::btf::CType;

/// `struct xdp_md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs, reason = "the kernel's names")]
pub struct XdpMd {
    pub data: LowPointer,
    pub data_end: LowPointer,
    pub data_meta: LowPointer,
    pub ingress_ifindex: u32,
    pub rx_queue_index: u32,
    pub egress_ifindex: u32,
}

/// `struct __sk_buff`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs, reason = "the kernel's names")]
pub struct SkBuff {
    pub len: u32,
    pub pkt_type: u32,
    pub mark: u32,
    pub queue_mapping: u32,
    pub protocol: u32,
    pub vlan_present: u32,
    pub vlan_tci: u32,
    pub vlan_proto: u32,
    pub priority: u32,
    pub ingress_ifindex: u32,
    pub ifindex: u32,
    pub tc_index: u32,
    pub cb: [u32; 5],
    pub hash: u32,
    pub tc_classid: u32,
    pub data: LowPointer,
    pub data_end: LowPointer,
    pub napi_id: u32,
    pub family: u32,
    pub remote_ip4: u32,
    pub local_ip4: u32,
    pub remote_ip6: [u32; 4],
    pub local_ip6: [u32; 4],
    pub remote_port: u32,
    pub local_port: u32,
    pub data_meta: LowPointer,
    pub flow_keys: u64,
    pub tstamp: u64,
    pub wire_len: u32,
    pub gso_segs: u32,
    pub sk: u64,
    pub gso_size: u32,
    pub tstamp_type: u8,
    #[doc(hidden)]
    pub unused: [u8; 3],
    pub hwtstamp: u64,
}

impl XdpMd {
    /// A context for a packet in your own memory, which is not copied: for functions of a program that take its address
    /// ([`Module::func`]). Helpers find no room at the packet's ends.
    ///
    /// ```
    /// use bpf2native::jit::{PacketError, XdpMd};
    ///
    /// let mut packet = Box::new([0_u8; 64]);
    /// // Most allocations are above 4 GiB.
    /// if let Err(error) = XdpMd::of(&mut *packet) {
    ///     assert!(matches!(error, PacketError::High { .. }));
    ///     assert!(error.to_string().contains("Module::xdp"));
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PacketError::High`] where the packet is not below 4 GiB: the context's pointers have 32 bits.
    pub fn of(packet: &mut [u8]) -> Result<XdpMd, PacketError> {
        let (data, data_end) = low(packet)?;
        Ok(XdpMd { data, data_end, data_meta: data, ingress_ifindex: 1, ..XdpMd::default() })
    }
}

impl SkBuff {
    /// A context for a packet in your own memory, as [`XdpMd::of`]. Fields beside its length and the device are zeros.
    ///
    /// # Errors
    ///
    /// [`PacketError::High`] where the packet is not below 4 GiB.
    pub fn of(packet: &mut [u8]) -> Result<SkBuff, PacketError> {
        let (data, data_end) = low(packet)?;
        let len = data_end.get() - data.get();
        Ok(SkBuff { len, wire_len: len, data, data_end, data_meta: data, ifindex: 1, ..SkBuff::default() })
    }
}

/// Where a packet is, and where it ends.
fn low(packet: &mut [u8]) -> Result<(LowPointer, LowPointer), PacketError> {
    let range = packet.as_mut_ptr_range();
    let bounds = LowPointer::of(range.start).and_then(|start| Ok((start, LowPointer::of(range.end)?)));
    bounds.map_err(|_| PacketError::High { address: range.start.addr(), length: packet.len() })
}

/// What an XDP program says is done with a packet: `enum xdp_action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpAction {
    /// `XDP_ABORTED`: dropped, as an error.
    Aborted,
    /// `XDP_DROP`
    Drop,
    /// `XDP_PASS`
    Pass,
    /// `XDP_TX`: sent back where it came from.
    Tx,
    /// `XDP_REDIRECT`
    Redirect,
    /// A number that the kernel does not know, and drops packets for.
    Unknown(i32),
}

impl From<i32> for XdpAction {
    fn from(result: i32) -> XdpAction {
        match result {
            0 => XdpAction::Aborted,
            1 => XdpAction::Drop,
            2 => XdpAction::Pass,
            3 => XdpAction::Tx,
            4 => XdpAction::Redirect,
            other => XdpAction::Unknown(other),
        }
    }
}

/// A packet with the context of type `C` that programs are given: [`XdpContext`], [`SkbContext`].
pub struct PacketContext<'m, C> {
    module: &'m Module,
    address: *mut c_void,
    context: PhantomData<C>,
}

/// A packet as XDP programs are given it ([`Module::xdp`]).
pub type XdpContext<'m> = PacketContext<'m, XdpMd>;

/// A packet as programs of tc, sockets, cgroups and others are given it ([`Module::skb`]).
pub type SkbContext<'m> = PacketContext<'m, SkBuff>;

// SAFETY: the memory is the context's own, and the runtime's functions may be called from any thread.
unsafe impl<C> Send for PacketContext<'_, C> {}

impl Module {
    /// A packet, an Ethernet frame, for XDP programs.
    ///
    /// ```
    /// use bpf2native::jit::XdpAction;
    /// use bpf2native::{Config, Jit, Linker, Program};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let program = Program::from_files(["fixtures/runtime/counts.o"])?;
    /// let module = Jit::new(&Config::new())?.load(&program, &Linker::new())?;
    /// let mut context = module.xdp(&[0; 64])?;
    /// context.fields().ingress_ifindex = 3;
    /// // SAFETY: the program is trusted, as any native code that is loaded must be.
    /// let action = unsafe { context.run("count")? };
    /// assert_eq!(action, XdpAction::Pass);
    /// assert_eq!(context.packet().len(), 64);
    /// assert_eq!(module.map::<u32, u64>("counts")?.get(&2)?, Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PacketError`].
    pub fn xdp(&self, packet: &[u8]) -> Result<XdpContext<'_>, PacketError> {
        self.packet_context("bpf2native_xdp", packet)
    }

    /// A packet for programs that are given a `struct __sk_buff`. It begins with its Ethernet header.
    ///
    /// # Errors
    ///
    /// [`PacketError`].
    pub fn skb(&self, packet: &[u8]) -> Result<SkbContext<'_>, PacketError> {
        self.packet_context("bpf2native_skb", packet)
    }

    fn packet_context<C>(&self, name: &'static str, packet: &[u8]) -> Result<PacketContext<'_, C>, PacketError> {
        type Make = unsafe extern "C-unwind" fn(*const u8, u32) -> *mut c_void;
        let too_long = || PacketError::Memory(packet.len());
        let length = u32::try_from(packet.len()).map_err(|_| too_long())?;
        // What is done with it has to be there too.
        for needed in ["bpf2native_packet", "bpf2native_free"] {
            self.interface().get(needed).ok_or(PacketError::NoRuntime(needed))?;
        }
        let &make = self.interface().get(name).ok_or(PacketError::NoRuntime(name))?;
        // SAFETY: the runtime's function has this type, and copies the packet.
        let address = unsafe { std::mem::transmute::<usize, Make>(make)(packet.as_ptr(), length) };
        if address.is_null() {
            return Err(too_long());
        }
        Ok(PacketContext { module: self, address, context: PhantomData })
    }
}

impl<C> PacketContext<'_, C> {
    /// The context's fields, as the program finds them, or as it left them. Its pointers are addresses below 4 GiB.
    pub fn fields(&mut self) -> &mut C {
        // SAFETY: the runtime's context has this type and is aligned to 8 bytes, and this is its only owner.
        unsafe { &mut *self.address.cast() }
    }

    /// Its address, which functions of the program that take it are called with.
    pub fn as_ptr(&self) -> *mut c_void {
        self.address
    }

    /// The packet as it is now.
    pub fn packet(&self) -> Vec<u8> {
        type Read = unsafe extern "C-unwind" fn(*const c_void, *mut u32) -> *const u8;
        let Some(&read) = self.module.interface().get("bpf2native_packet") else { return Vec::new() };
        let mut length = 0;
        // SAFETY: the runtime's function has this type; the packet stays as long as the context is not used.
        unsafe {
            let start = std::mem::transmute::<usize, Read>(read)(self.address, &raw mut length);
            if start.is_null() { Vec::new() } else { std::slice::from_raw_parts(start, length as usize).to_vec() }
        }
    }

    /// Runs a program.
    unsafe fn result(&mut self, program: &str) -> Result<i32, FunctionError> {
        type Begin = unsafe extern "C-unwind" fn(*const c_void);
        type Program = unsafe extern "C-unwind" fn(*mut c_void) -> u64;
        let module = self.module;
        let address = module.function_address(program).ok_or_else(|| module.missing(program))?;
        if let Some(declared) = module.prototype(program)
            && !matches!(&declared.parameters[..], [only] if matches!(only.ty, CType::Pointer(_)))
        {
            let (name, declared) = (program.to_owned(), declared.declare(program));
            return Err(FunctionError::Type { name, declared, wanted: format!("int {program}(void *)") });
        }
        // SAFETY: the caller vouches for the program's code; it takes an address. The runtime's function has its type.
        unsafe {
            module.initialise();
            if let Some(&begin) = module.interface().get("bpf2native_begin") {
                std::mem::transmute::<usize, Begin>(begin)(self.address);
            }
            let _run = Run(module.interface().get("bpf2native_end").copied());
            Ok(std::mem::transmute::<*const c_void, Program>(address)(self.address) as i32)
        }
    }
}

/// A run that is open, with the function that closes it: also if a program is left by an exception.
struct Run(Option<usize>);

impl Drop for Run {
    fn drop(&mut self) {
        type End = unsafe extern "C-unwind" fn();
        if let Some(end) = self.0 {
            // SAFETY: the runtime's function has this type.
            unsafe { std::mem::transmute::<usize, End>(end)() }
        }
    }
}

impl XdpContext<'_> {
    /// Runs a program on it.
    ///
    /// # Errors
    ///
    /// [`FunctionError`] if there is no such program, or if it takes something other than a context.
    ///
    /// # Safety
    ///
    /// The program's code runs: its author must be trusted as that of any native library, and it must take an XDP context.
    pub unsafe fn run(&mut self, program: &str) -> Result<XdpAction, FunctionError> {
        // SAFETY: as the caller says.
        unsafe { self.result(program) }.map(XdpAction::from)
    }
}

impl SkbContext<'_> {
    /// Runs a program on it; what it returns means what it means for programs of its kind (`TC_ACT_OK`, `SK_PASS` and so on).
    ///
    /// # Errors
    ///
    /// [`FunctionError`] if there is no such program, or if it takes something other than a context.
    ///
    /// # Safety
    ///
    /// The program's code runs: its author must be trusted as that of any native library, and it must take a
    /// `struct __sk_buff`.
    pub unsafe fn run(&mut self, program: &str) -> Result<i32, FunctionError> {
        // SAFETY: as the caller says.
        unsafe { self.result(program) }
    }
}

impl<C> Drop for PacketContext<'_, C> {
    fn drop(&mut self) {
        type Free = unsafe extern "C-unwind" fn(*mut c_void);
        if let Some(&free) = self.module.interface().get("bpf2native_free") {
            // SAFETY: the runtime's function has this type, and has made the context.
            unsafe { std::mem::transmute::<usize, Free>(free)(self.address) }
        }
    }
}
