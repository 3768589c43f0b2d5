//! `run --entry`: kernel programs get their contexts, other functions their arguments; verdicts, packets, maps come out.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::command::{command, fixture};

/// The fixture with programs of many kinds, for this machine.
fn object() -> String {
    let name = if cfg!(target_endian = "big") { "runtime/entry.be.o" } else { "runtime/entry.o" };
    fixture(name).to_str().unwrap().to_owned()
}

/// Runs a function of it with standard input: its status, what it printed, and its errors.
fn run_with(input: &[u8], folder: &Path, words: &str) -> (i32, String, String) {
    use std::io::Write;
    let object = object();
    let (options, arguments) =
        words.split_once(" -- ").map_or((words, None), |(options, rest)| (options, Some(rest)));
    let mut all = vec!["run", "--entry"];
    all.extend(options.split(' '));
    all.push(&object);
    if let Some(arguments) = arguments {
        all.push("--");
        all.extend(arguments.split(' '));
    }
    let mut command = command(folder, &all);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn run(words: &str) -> (i32, String, String) {
    run_with(b"", Path::new("."), words)
}

/// What a function prints when it succeeds and complains of nothing.
fn printed(words: &str) -> String {
    let (status, out, error) = run(words);
    assert_eq!((status, error.as_str()), (0, ""), "{words}: {out}");
    out
}

/// The error of a command line that fails with one line.
fn refused(words: &str) -> String {
    let (status, out, error) = run(words);
    assert_eq!((status, out.as_str()), (1, ""), "{words}: {error}");
    assert_eq!(error.lines().count(), 1, "{words}: {error}");
    error
}

#[test]
fn packets_are_given_and_verdicts_are_named() {
    for (words, verdict, said) in [
        ("filter --packet 0128aabb", "XDP_DROP\n", "port 1\n"),
        ("filter --packet 02:28:aa:bb", "XDP_PASS\n", "port 2\n"),
        ("filter --packet 02", "XDP_ABORTED\n", ""),
        ("where --packet 00", "100\n", ""),
        ("where --packet 00 --ctx ifindex=3 --ctx rx_queue_index=0x7", "307\n", ""),
        ("length_of --packet 000102030405060708090a0b0c0d0800", "16\n", ""),
        ("in_assembly --packet 000102030405060708090a0b0c0d080000", "17\n", ""),
    ] {
        assert_eq!(run(words), (0, verdict.to_owned(), said.to_owned()), "{words}");
    }
    // Standard input, and a file.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("packet"), [1, 40, 0]).unwrap();
    let expected = (0, "XDP_DROP\n".to_owned(), "port 1\n".to_owned());
    assert_eq!(run_with(&[1, 40, 0], folder.path(), "filter"), expected);
    assert_eq!(run_with(b"", folder.path(), "filter --packet @packet"), expected);
}

#[test]
fn changed_packets_come_out_as_they_came_in() {
    let packet: String = (0..30).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(printed(&format!("strip --packet {packet} --packet-out -")), format!("XDP_TX\n{}\n", &packet[28..]));
    assert_eq!(
        printed(
            "marked --packet 000102030405060708090a0b0c0d0800 --ctx mark=255 --ctx cb[1]=5 --ctx priority=7 --packet-out -"
        ),
        "TC_ACT_REDIRECT\nff0102030405060708090a0b0c0d0800\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let raw: Vec<u8> = (0..30).collect();
    let (status, out, error) = run_with(&raw, folder.path(), "strip --packet-out stripped");
    assert_eq!((status, out.as_str(), error.as_str()), (0, "XDP_TX\n", ""));
    assert_eq!(fs::read(folder.path().join("stripped")).unwrap(), raw[14..]);
}

/// A capture with microseconds.
fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut bytes = words(&[0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 262_144, 1]);
    for (seconds, packet) in (7..).zip(packets) {
        let length = packet.len() as u32;
        bytes.extend(words(&[seconds, 5, length, length]));
        bytes.extend(packet);
    }
    bytes
}

#[test]
fn each_packet_of_a_capture_is_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let packets: Vec<Vec<u8>> = [2u8, 1, 2].iter().map(|&first| (first..first + 30).collect()).collect();
    fs::write(folder.path().join("in.pcap"), capture(&packets)).unwrap();
    let (status, out, error) = run_with(b"", folder.path(), "filter --pcap in.pcap --maps");
    assert_eq!((status, error.as_str()), (0, "port 2\nport 1\nport 2\n"), "{out}");
    assert!(
        out.starts_with("XDP_PASS\nXDP_DROP\nXDP_PASS\n") && out.contains("flows: hash, 2 of 16 elements\n"),
        "{out}"
    );
    let (status, out, error) = run_with(&capture(&packets), folder.path(), "strip --pcap - --packet-out out.pcap");
    assert_eq!((status, out.as_str(), error.as_str()), (0, "XDP_TX\nXDP_TX\nXDP_TX\n", ""));
    let stripped: Vec<Vec<u8>> = packets.iter().map(|packet| packet[14..].to_vec()).collect();
    assert_eq!(fs::read(folder.path().join("out.pcap")).unwrap(), capture(&stripped));

    let (status, _, error) = run_with(b"", folder.path(), "strip --pcap in.pcap --packet-out in.pcap");
    assert!(status == 2 && error.contains("is an input"), "{error}");

    let whole = capture(&packets);
    fs::write(folder.path().join("short.pcap"), &whole[..whole.len() - 1]).unwrap();
    let (status, out, error) = run_with(b"", folder.path(), "filter --pcap short.pcap");
    assert_eq!((status, out.as_str()), (1, ""), "{error}");
    assert!(error.contains("`short.pcap`") && error.contains("after 2 packets"), "{error}");
}

#[test]
fn maps_are_shown_by_their_types() {
    let (_, out, _) = run("filter --packet 0228aabb --maps");
    let (verdict, maps) = out.split_once('\n').unwrap();
    let event = if cfg!(target_endian = "big") {
        "0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x28"
    } else {
        "0x02, 0x00, 0x00, 0x00, 0x28, 0x00, 0x00, 0x00"
    };
    assert_eq!(verdict, "XDP_PASS");
    let expected = format!(
        "order: queue, 1 of 4 elements\n  2\nlast: stack, 1 of 4 elements\n  2\n\
         events: ringbuf, 1 records\n  [{event}]\n\
         lengths: percpu_array, 2 of 2 elements\n  0: 4 (cpu 0), 0 (cpu 1), 0 (cpu 2), 0 (cpu 3)\n  \
         1: 0 (cpu 0), 0 (cpu 1), 0 (cpu 2), 0 (cpu 3)\n\
         flows: hash, 1 of 16 elements\n  {{port = 2, colour = BLUE}}: {{packets = 1, bytes = 4, note = \"new\"}}\n"
    );
    assert_eq!(maps, expected);
    let (_, out, _) = run("filter --packet 0228aabb --maps=json");
    let json: serde_json::Value = serde_json::from_str(out.split_once('\n').unwrap().1).unwrap();
    assert_eq!(json["flows"][0]["key"], serde_json::json!({"port": 2, "colour": "BLUE"}));
    assert_eq!(json["flows"][0]["value"], serde_json::json!({"packets": 1, "bytes": 4, "note": "new"}));
    assert_eq!(json["lengths"][0]["values"][0], serde_json::json!({"cpu": 0, "value": 4}));
    assert_eq!(json["order"], serde_json::json!([{"value": 2}]));
}

#[test]
fn contexts_of_other_kinds_are_set_by_field() {
    for (words, result) in [
        ("connect --ctx user_ip4=0x0100007f --ctx user_port=80", "1 (allowed)"),
        ("connect", "0 (denied)"),
        ("lookup --ctx local_port=7", "SK_PASS"),
        ("lookup", "SK_DROP"),
        ("message --packet 6162 --ctx family=2", "SK_PASS"),
        ("message --packet 61", "SK_DROP"),
        ("option --packet 0506 --packet-out -", "1 (allowed)\n06"),
        ("switched --ctx pid=7 --ctx priority=-2 --ctx running=5 --ctx signed_bits=-3 --ctx comm=bash", "-2397"),
        ("raw -- 4 2", "42"),
        ("entered -- 4 hex:41 -2", "67"),
        ("entered -- size=4 error=-2 name=A", "67"),
        ("hooked --ctx state=hex:0302", "NF_ACCEPT"),
        ("hooked --ctx state=hex:030a", "NF_DROP"),
        ("probed -- 4 2 0 0 0 9", "429"),
        ("probed --ctx si=3 -- 4", "430"),
        ("begun -- 0 21", "42"),
        ("left -- code=40", "42"),
        ("returned -- 40 A 1 ret=7", "712"),
        ("decided -- hook=-3", "-3"),
        ("decided -- hook=-3 ret=4", "-7"),
        ("decided -- 9 -1", "10"),
        ("modified -- 4 A 1 ret=7", "47"),
    ] {
        assert_eq!(printed(words), format!("{result}\n"), "{words}");
    }
    // A struct may come whole.
    let mut event = [0; 36];
    event[24..28].copy_from_slice(&35i32.to_ne_bytes());
    let (status, out, error) = run_with(&event[..28], Path::new("."), "switched --ctx priority=7");
    assert_eq!((status, out.as_str(), error.as_str()), (0, "42\n", ""));
    let (status, _, error) = run_with(&[0; 100], Path::new("."), "switched");
    assert!(status == 1 && error.contains("100 bytes are given"), "{error}");
}

#[test]
fn what_does_not_fit_a_context_is_said() {
    for (words, reason) in [
        (
            "where --packet 00 --ctx nope=3",
            "there is no `nope`; there are `data`, `data_end`, `data_meta`, `ingress_ifindex`",
        ),
        ("where --packet 00 --ctx data=3", "--packet"),
        ("where --packet 00 --ctx ifindex", "FIELD=VALUE"),
        ("where --packet 0", "hexadecimal"),
        ("marked --packet 00 --ctx cb[5]=1", "an array of 5 elements"),
        ("marked --packet 00 --ctx mark.x=1", "`mark` has no members"),
        ("marked --packet 00 --ctx mark=-1", "an unsigned integer of 32 bits"),
        ("switched --ctx pid=70000000000", "70000000000"),
        ("switched --ctx running=9", "--ctx running=9: a bit-field of 3 bits"),
        ("switched --packet 00", "--packet is for programs that are given packets"),
        ("connect -- 4", "--ctx FIELD=VALUE"),
        ("filter --packet 00 -- 5", "leave out"),
        ("raw --ctx args=5", "after `--`"),
        ("entered -- 1 2 3 4", "there are only `size`, `name`, `error`"),
        ("entered -- 1 2 x", "`error`"),
        ("entered -- length=1", "`length` is none of `size`, `name`, `error`"),
        ("left -- 1 2", "`2`: there are only `code`"),
        ("probed -- 1 2 3 4 5 6 7", "registers have 6"),
        ("two --ctx a=1 -- 1 2", "no kernel program"),
        ("filter --pcap /nonexistent", "/nonexistent"),
    ] {
        let error = refused(words);
        assert!(error.contains(reason), "{words}: {error}");
    }
    let (status, _, error) = run("filter --packet 00 --no-runtime");
    assert!(status == 1 && error.contains("--no-runtime"), "{error}");
    assert_eq!(run("filter --packet 00 --pcap x").0, 2);
}

#[test]
fn functions_take_arguments_by_their_types() {
    for (words, result) in [
        ("two -- 1 2", "12\n"),
        ("two -- b=1 a=2", "21\n"),
        ("two -- -1 0x10", "6\n"),
        ("narrow -- -128 65535 true", "65408\n"),
        ("next -- RED", "1\n"),
        ("next -- 1", "40\n"),
        ("text -- abc hex:0005", "97005\n"),
        ("text -- 0 0", "-1001\n"),
        ("pointed -- hex:00000000ffffffff", "4294967295\n"),
        ("silent -- 7", ""),
        ("limited -- 50", "10\n"),
    ] {
        assert_eq!(printed(words), result, "{words}");
    }
    for (words, reason) in [
        ("two -- 1", "`long two(long, long)` takes 2 arguments, and 1 is given"),
        ("two -- 1 2 3", "3 are given"),
        ("two -- a=1 2", "name all arguments or none"),
        ("two -- 1 9223372036854775808", "`b`"),
        ("narrow -- -129 0 0", "from -128 to 127"),
        ("narrow -- 0 65536 0", "from 0 to 65535"),
        ("narrow -- 0 0 2", "neither true nor false"),
        ("next -- PURPLE", "there are `RED`, `GREEN`, `BLUE`"),
        ("pointed -- text", "no pointer"),
        ("pointed -- @/nonexistent", "/nonexistent"),
        ("nope -- 1", "there is no function `nope`; there are `__bpf_trace_leave`, `begun`"),
        ("two --packet 00 -- 1 2", "--packet is for programs"),
    ] {
        let error = refused(words);
        assert!(error.contains(reason), "{words}: {error}");
    }
    assert!(!refused("nope").contains("bpf2native_"), "the runtime's functions are not the program's");
}

#[test]
fn repeated_runs_say_how_long_one_takes() {
    let out = printed("length_of --packet 000102030405060708090a0b0c0d0800 --repeat 1000");
    let time = out.strip_prefix("16, duration (average): ").and_then(|rest| rest.strip_suffix("ns\n"));
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{out}");
    // Each run is one: the counter says how many there were.
    let (_, out, _) = run("filter --packet 02280000 --repeat 5 --maps=json");
    assert!(out.contains("\"packets\":5"), "{out}");
}

#[test]
fn floats_are_arguments() {
    let entries = fixture("faults/entries.o");
    let half = |value: &str| {
        let object = entries.to_str().unwrap();
        crate::command::run(&mut command(Path::new("."), &["run", "--entry", "of_double", object, "--", value]))
    };
    assert_eq!(half("0.25"), (0, "0.25\n".to_owned(), String::new()));
    assert_eq!(half("-inf"), (0, "-inf\n".to_owned(), String::new()));
    assert_eq!(half("x").0, 1);
}
