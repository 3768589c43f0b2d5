//! Captures: pcap of both byte orders, with microseconds or nanoseconds, and pcapng.
//!
//! In: the bytes of a capture. Out: packets, and a [`Capture`], which writes changed ones with the same times and link type as
//! pcap, little-endian. The rule: a damaged capture is an error that says how many packets come before the damage.

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

/// The link type of Ethernet, with which XDP and tc programs count.
pub const ETHERNET: u32 = 1;

/// The magic number of pcap with microseconds, and with nanoseconds.
const MAGIC: [u32; 2] = [0xa1b2_c3d4, 0xa1b2_3c4d];

/// What pcap says is the longest packet where nothing else is known: tcpdump's.
const SNAPLEN: u32 = 262_144;

/// What a capture says of its packets beside their bytes.
#[derive(Debug, PartialEq)]
pub struct Capture {
    /// `LINKTYPE_*`; of several, the first that is not Ethernet.
    pub link_type: u32,
    /// Whether times have nanoseconds; else they have microseconds.
    nanoseconds: bool,
    /// When each packet was seen: seconds, and the part of a second.
    times: Vec<(u32, u32)>,
}

/// An interface of a pcapng file.
struct Interface {
    link_type: u32,
    /// Bytes that are kept of a packet at most; 0 for all.
    snaplen: u32,
    /// Units of time in a second.
    resolution: u64,
    /// Seconds that are added to times.
    offset: i64,
}

/// Reads a capture.
pub fn read(bytes: &[u8]) -> anyhow::Result<(Vec<Vec<u8>>, Capture)> {
    // Everything fits, so what is incomplete is cut off.
    let capacity = bytes.len().saturating_add(1 << 10);
    let mut reader = create_reader(capacity, bytes).map_err(|_| {
        anyhow::anyhow!(
            "it begins like neither pcap nor pcapng: save it with `tcpdump -w`, or give a packet by --packet @FILE"
        )
    })?;
    let mut found = Found {
        packets: Vec::new(),
        capture: Capture { link_type: ETHERNET, nanoseconds: false, times: Vec::new() },
        interfaces: Vec::new(),
    };
    let mut has_refilled = false;
    loop {
        let offset = match reader.next() {
            Ok((offset, block)) => {
                let count = found.packets.len();
                found.block(block).map_err(|what| anyhow::anyhow!("{what}, after {count} packets"))?;
                offset
            }
            Err(PcapError::Eof) => return Ok((found.packets, found.capture)),
            Err(PcapError::Incomplete(_)) if !has_refilled => {
                has_refilled = true;
                reader.refill().map_err(|_| anyhow::anyhow!("it cannot be read"))?;
                continue;
            }
            Err(_) => anyhow::bail!("it is damaged or cut off after {} packets", found.packets.len()),
        };
        has_refilled = false;
        reader.consume(offset);
    }
}

struct Found {
    packets: Vec<Vec<u8>>,
    capture: Capture,
    interfaces: Vec<Interface>,
}

impl Found {
    fn block(&mut self, block: PcapBlockOwned<'_>) -> Result<(), &'static str> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.capture.link_type = header.network.0.cast_unsigned() & 0xffff;
                self.capture.nanoseconds = header.is_nanosecond_precision();
            }
            PcapBlockOwned::Legacy(packet) => self.packet(packet.data, (packet.ts_sec, packet.ts_usec)),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                self.capture.nanoseconds = true;
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => self.interfaces.push(Interface {
                link_type: interface.linktype.0.cast_unsigned(),
                snaplen: interface.snaplen,
                resolution: interface.ts_resolution().filter(|&resolution| resolution > 0).unwrap_or(1_000_000),
                offset: interface.ts_offset(),
            }),
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = self.interfaces.get(packet.if_id as usize);
                let interface = interface.ok_or("a packet is of an interface that is not described")?;
                let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let seconds = (time / interface.resolution).wrapping_add_signed(interface.offset);
                let part =
                    u128::from(time % interface.resolution) * 1_000_000_000 / u128::from(interface.resolution);
                self.of_interface(interface.link_type);
                self.packet(packet.packet_data(), (seconds as u32, part as u32));
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let interface =
                    self.interfaces.first().ok_or("a packet is of an interface that is not described")?;
                let (link_type, snaplen) = (interface.link_type, interface.snaplen);
                let data = packet.packet_data();
                let kept = if snaplen == 0 { data.len() } else { data.len().min(snaplen as usize) };
                self.of_interface(link_type);
                self.packet(&data[..kept], (0, 0));
            }
            // Names, statistics, comments.
            PcapBlockOwned::NG(_) => {}
        }
        Ok(())
    }

    fn of_interface(&mut self, link_type: u32) {
        if self.capture.link_type == ETHERNET {
            self.capture.link_type = link_type;
        }
    }

    fn packet(&mut self, data: &[u8], time: (u32, u32)) {
        self.packets.push(data.to_vec());
        self.capture.times.push(time);
    }
}

impl Capture {
    /// A capture of these packets, in place of those that were read.
    pub fn write(&self, packets: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let longest = packets.iter().map(|packet| packet.len() as u32).max().unwrap_or_default();
        let magic = MAGIC[usize::from(self.nanoseconds)];
        // Magic number, version 2.4, time zone, accuracy, longest packet, link type.
        for word in [magic, 2 | 4 << 16, 0, 0, longest.max(SNAPLEN), self.link_type] {
            bytes.extend(word.to_le_bytes());
        }
        for (packet, &(seconds, part)) in packets.iter().zip(&self.times) {
            let length = packet.len() as u32;
            for word in [seconds, part, length, length] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(packet);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{Capture, ETHERNET, read};

    const PACKETS: [&[u8]; 3] = [b"first packet", b"2", b"the third"];

    fn pcap(magic: u32, word: fn(u32) -> [u8; 4], half: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mut bytes = [&word(magic)[..], &half(2), &half(4)].concat();
        [0, 0, 65535, 1].iter().for_each(|&field| bytes.extend(word(field)));
        for (number, packet) in (0..).zip(PACKETS) {
            let length = packet.len() as u32;
            [100 + number, 7, length, length + 5].iter().for_each(|&field| bytes.extend(word(field)));
            bytes.extend(packet);
        }
        bytes
    }

    /// Two interfaces, one with nanoseconds; enhanced packets and a simple one.
    fn pcapng(word: fn(u32) -> [u8; 4], half: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let block = |kind: u32, body: Vec<u8>| {
            let mut body = body;
            body.resize(body.len().next_multiple_of(4), 0);
            let length = word(body.len() as u32 + 12);
            [&word(kind)[..], &length, &body, &length].concat()
        };
        let header = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
        let interface = |options: &[u8]| [&half(1)[..], &half(0), &word(0), options].concat();
        let resolution = [&half(9)[..], &half(1), &[9, 0, 0, 0], &half(0), &half(0)].concat();
        let enhanced = |interface: u32, time: u64, packet: &[u8]| {
            let length = word(packet.len() as u32);
            let time = [word((time >> 32) as u32), word(time as u32)].concat();
            [&word(interface)[..], &time, &length, &length, packet].concat()
        };
        let simple = [&word(PACKETS[2].len() as u32)[..], PACKETS[2]].concat();
        [
            block(0x0a0d_0d0a, header),
            block(1, interface(&[])),
            block(1, interface(&resolution)),
            block(6, enhanced(0, 100_000_007, PACKETS[0])),
            block(0x7777, b"unknown".to_vec()),
            block(6, enhanced(1, 101_000_000_007, PACKETS[1])),
            block(3, simple),
        ]
        .concat()
    }

    fn captures() -> Vec<Vec<u8>> {
        vec![
            pcap(0xa1b2_c3d4, u32::to_le_bytes, u16::to_le_bytes),
            pcap(0xa1b2_c3d4, u32::to_be_bytes, u16::to_be_bytes),
            pcap(0xa1b2_3c4d, u32::to_le_bytes, u16::to_le_bytes),
            pcap(0xa1b2_3c4d, u32::to_be_bytes, u16::to_be_bytes),
            pcapng(u32::to_le_bytes, u16::to_le_bytes),
            pcapng(u32::to_be_bytes, u16::to_be_bytes),
        ]
    }

    #[test]
    fn every_form_is_read_and_written() {
        for (number, bytes) in captures().iter().enumerate() {
            let (packets, capture) = read(bytes).unwrap_or_else(|error| panic!("{number}: {error}"));
            assert_eq!(packets, PACKETS, "{number}");
            let times = match number {
                0..4 => vec![(100, 7), (101, 7), (102, 7)],
                _ => vec![(100, 7000), (101, 7), (0, 0)],
            };
            assert_eq!(capture, Capture { link_type: ETHERNET, nanoseconds: number > 1, times }, "{number}");
            let changed = vec![b"longer than it was".to_vec(), Vec::new(), vec![0; 3]];
            assert_eq!(read(&capture.write(&changed)).unwrap(), (changed, capture), "{number}");
        }
    }

    #[test]
    fn damage_is_an_error_or_other_packets() {
        for bytes in captures() {
            for length in 0..bytes.len() {
                let _ = read(&bytes[..length]);
            }
            for at in 0..bytes.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] = value;
                    let _ = read(&damaged);
                }
            }
        }
        let whole = pcap(0xa1b2_c3d4, u32::to_le_bytes, u16::to_le_bytes);
        let error = read(&whole[..whole.len() - 1]).unwrap_err().to_string();
        assert!(error.contains("cut off after 2 packets"), "{error}");
        assert!(read(b"no capture, but some text").unwrap_err().to_string().contains("neither pcap nor pcapng"));
    }
}
