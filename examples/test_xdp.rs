//! Tests an XDP program without a kernel: sets its maps and its settings, runs it on packets, and looks at what it did.
//!
//!     cargo run --example test_xdp
//!
//! The object is `fixtures/runtime/firewall.o`, compiled from the C file beside it, as it would be loaded into a kernel. In a project of
//! your own, this would be a `#[test]`.

use std::error::Error;
use std::io::Write;

use bpf2native::jit::{ANY, Pod, XdpAction};
use bpf2native::parse::{self, Input, Options};
use bpf2native::{Config, Jit, Linker, Module};

/// The program's `struct count`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Count {
    packets: u64,
    bytes: u64,
}

// SAFETY: a C struct of integers, without padding.
unsafe impl Pod for Count {}

/// The program's `enum reason`.
const REASONS: [&str; 3] = ["allowed", "blocked", "not UDP"];

/// Loads the program, whose settings can be set.
fn load() -> Result<Module, Box<dyn Error>> {
    let name = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/runtime/firewall.o").to_owned();
    let input = Input { bytes: std::fs::read(&name)?, name };
    let mut options = Options::default();
    options.writable_constants = true;
    Ok(Jit::new(&Config::new())?.load(&parse::parse(&[input], &options)?, &Linker::new())?)
}

/// A UDP packet to a port.
fn udp(port: u16) -> Vec<u8> {
    let mut packet = vec![0; 14 + 20 + 8];
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[14] = 0x45;
    packet[23] = 17;
    packet[36..38].copy_from_slice(&port.to_be_bytes());
    packet
}

/// Runs the tests, and writes what comes out.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let module = load()?;
    // const volatile __u16 always = 53;
    module.global::<u16>("always")?.set(123)?;
    module.map::<u16, u8>("blocked")?.insert(4789, 1, ANY)?;

    let mut not_udp = udp(123);
    not_udp[23] = 6;
    for (packet, expected) in [
        (udp(53), XdpAction::Pass),
        (udp(123), XdpAction::Drop),
        (udp(4789), XdpAction::Drop),
        (not_udp, XdpAction::Pass),
    ] {
        let mut context = module.xdp(&packet)?;
        // SAFETY: the program is our own.
        let action = unsafe { context.run("firewall")? };
        assert_eq!(action, expected);
        assert_eq!(context.packet(), packet, "it changes nothing");
    }
    for entry in module.map::<u32, Count>("counts")?.iter() {
        let (reason, count) = entry?;
        writeln!(out, "{}: {} packets, {} bytes", REASONS[reason as usize], count.packets, count.bytes)?;
    }
    Ok(())
}

#[allow(dead_code, reason = "the tests call `run`")]
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
