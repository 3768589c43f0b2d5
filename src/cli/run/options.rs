//! The options of `run --entry`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args)]
pub struct EntryOptions {
    /// Call this function, as the kernel does for its section (xdp, tc, kprobe, ...), or by its type, and print its result
    ///
    /// A function of a kernel program's section gets the context of that kind: for xdp, tc and the like a packet, of
    /// --packet, --pcap or standard input. Other functions take their arguments after `--`; without any, a function of up to
    /// two words gets standard input as a buffer and its length.
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
    /// The packet: its bytes in hexadecimal, or @FILE for what is in a file [default: standard input]
    #[arg(long, value_name = "HEX", requires = "entry", conflicts_with = "pcap")]
    pub packet: Option<String>,
    /// Run for each packet of a capture (pcap or pcapng; `-` is standard input)
    #[arg(long, value_name = "FILE", requires = "entry")]
    pub pcap: Option<PathBuf>,
    /// Set a field of the context: ingress_ifindex=3, cb[1]=7, regs.di=0x10
    #[arg(long = "ctx", value_name = "FIELD=VALUE", requires = "entry")]
    pub fields: Vec<String>,
    /// Write the packets as the program left them: a capture if they came from one; `-` prints them in hexadecimal
    #[arg(long, value_name = "FILE", requires = "entry")]
    pub packet_out: Option<PathBuf>,
    /// Print the maps after the run: as text, or with =json
    #[arg(
        long,
        value_name = "FORMAT",
        requires = "entry",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text"
    )]
    pub maps: Option<MapsFormat>,
    /// Call it so often (for each packet), and print how long a call takes
    #[arg(long, value_name = "N", requires = "entry", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,
}

/// How maps are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MapsFormat {
    /// One element a line
    Text,
    /// As `bpftool -j map dump`, an object of all maps
    Json,
}
