//! Ethernet frames that the packet programs are run on.

const TO: [u8; 6] = [2, 0, 0, 0, 0, 0x0a];
const FROM: [u8; 6] = [2, 0, 0, 0, 0, 0x0b];

fn sum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |&low| u32::from(low)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

pub fn ethernet(to: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &FROM, &kind.to_be_bytes(), payload].concat()
}

pub fn ipv4(tos: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = 20 + payload.len() as u16;
    let mut header = vec![0x45, tos];
    header.extend(length.to_be_bytes());
    header.extend([0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
    let check = sum(&[&header]);
    header[10..12].copy_from_slice(&check.to_be_bytes());
    header.extend_from_slice(payload);
    header
}

fn with_sum(mut segment: Vec<u8>, at: usize, protocol: u8) -> Vec<u8> {
    let pseudo = [192, 0, 2, 1, 198, 51, 100, 2, 0, protocol];
    let check = sum(&[&pseudo, &(segment.len() as u16).to_be_bytes(), &segment]);
    segment[at..at + 2].copy_from_slice(&check.to_be_bytes());
    segment
}

pub fn udp(source: u16, payload: &[u8]) -> Vec<u8> {
    let mut segment = source.to_be_bytes().to_vec();
    segment.extend(53u16.to_be_bytes());
    segment.extend((8 + payload.len() as u16).to_be_bytes());
    segment.extend([0, 0]);
    segment.extend_from_slice(payload);
    with_sum(segment, 6, 17)
}

/// A SYN with the option of the largest segment.
fn syn(size: u16) -> Vec<u8> {
    let mut segment = vec![0x30, 0x39, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0x60, 2, 0xff, 0xff, 0, 0, 0, 0, 2, 4];
    segment.extend(size.to_be_bytes());
    with_sum(segment, 16, 6)
}

fn ping(kind: u8) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1];
    message.extend(b"abcdefghijklmnopqrstuvwabcdefghi");
    let check = sum(&[&message]);
    message[2..4].copy_from_slice(&check.to_be_bytes());
    message
}

fn ipv6(class: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x60 | class >> 4, class << 4, 0, 0];
    header.extend((payload.len() as u16).to_be_bytes());
    header.extend([17, 64]);
    header.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    header.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    header.extend_from_slice(payload);
    header
}

fn tagged(tci: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&tci.to_be_bytes()[..], &kind.to_be_bytes(), payload].concat()
}

/// All frames, with names for failures.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    let query = udp(0x1234, b"the payload of a datagram");
    let plain = ipv4(0, 17, &query);
    let mut padded = ethernet(TO, 0x800, &ipv4(0, 17, &udp(7, b"short!")));
    padded.resize(80, 0xee);
    let mut no_sum = ethernet(TO, 0x800, &plain);
    no_sum[40..42].copy_from_slice(&[0, 0]);
    vec![
        ("udp", ethernet(TO, 0x800, &plain)),
        ("udp without a checksum", no_sum),
        (
            "udp of another port, to this host",
            ethernet([0; 6], 0x800, &ipv4(0, 17, &udp(0x4321, b"0123456789abcdef"))),
        ),
        ("udp, padded", padded),
        ("tcp syn of 1460", ethernet(TO, 0x800, &ipv4(1, 6, &syn(1460)))),
        ("tcp syn of 536", ethernet(TO, 0x800, &ipv4(2, 6, &syn(536)))),
        ("ping", ethernet(TO, 0x800, &ipv4(3, 1, &ping(8)))),
        ("pong", ethernet(TO, 0x800, &ipv4(0, 1, &ping(0)))),
        ("ip in ip", ethernet(TO, 0x800, &ipv4(0, 4, &plain))),
        ("vlan 0x123", ethernet(TO, 0x8100, &tagged(0x2123, 0x800, &plain))),
        ("vlan 0x124", ethernet(TO, 0x8100, &tagged(0x124, 0x800, &plain))),
        ("two tags", ethernet(TO, 0x88a8, &tagged(0x456, 0x8100, &tagged(0x123, 0x800, &plain)))),
        ("ipv6", ethernet(TO, 0x86dd, &ipv6(0, &query))),
        ("ipv6, capable of congestion marks", ethernet(TO, 0x86dd, &ipv6(2, &query))),
        ("arp for all", ethernet([0xff; 6], 0x806, &[1; 46])),
        ("multicast", ethernet([1, 0, 0x5e, 0, 0, 1], 0x800, &plain)),
        ("802.2", ethernet(TO, 40, &[0x42; 40])),
        ("802.3 raw", ethernet(TO, 40, &[0xff; 40])),
        ("vlan with 802.3 raw", ethernet(TO, 0x8100, &tagged(1, 40, &[0xff; 48]))),
        ("udp of 1400 bytes", ethernet(TO, 0x800, &ipv4(0, 17, &udp(9, &[0xa5; 1372])))),
    ]
}
