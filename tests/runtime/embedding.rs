//! The library's side of maps, variables and packets.

use bpf2native::jit::{ANY, EXIST, GlobalError, MapError, NOEXIST, PacketError, Pod, XdpAction};
use bpf2native::parse::{self, Input, Options};
use bpf2native::{Config, Jit, Linker, Module, Program};

use crate::command::fixture;

/// The fixture of this name for this machine.
fn input(name: &str) -> Input {
    let order = if cfg!(target_endian = "big") { ".be" } else { "" };
    let name = fixture(&format!("runtime/{name}{order}.o")).to_str().unwrap().to_owned();
    Input { bytes: std::fs::read(&name).unwrap(), name }
}

fn load(program: &Program) -> Module {
    Jit::new(&Config::new()).unwrap().load(program, &Linker::new()).unwrap()
}

fn module(name: &str) -> Module {
    load(&parse::parse(&[input(name)], &Options::default()).unwrap())
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Flow {
    port: u32,
    colour: u32,
}

// SAFETY: a C struct of integers without padding.
unsafe impl Pod for Flow {}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Seen {
    packets: u64,
    bytes: u64,
    note: [u8; 8],
}

// SAFETY: as above.
unsafe impl Pod for Seen {}

const RED: Flow = Flow { port: 7, colour: 0 };
const BLUE: Flow = Flow { port: 2, colour: 40 };

#[test]
fn programs_and_their_users_share_maps() {
    let module = module("entry");
    let flows = module.map::<Flow, Seen>("flows").unwrap();
    assert!(flows.is_empty().unwrap());
    let before = Seen { packets: 9, bytes: 100, note: *b"before\0\0" };
    flows.insert(BLUE, before, NOEXIST).unwrap();
    let mut context = module.xdp(&[2, 40, 0, 0]).unwrap();
    // SAFETY: the fixture is trusted.
    assert_eq!(unsafe { context.run("filter") }.unwrap(), XdpAction::Pass);
    assert_eq!(flows.get(&BLUE).unwrap(), Some(Seen { packets: 10, bytes: 104, ..before }));
    assert_eq!(flows.get(&RED).unwrap(), None);
    let lengths = module.per_cpu_map::<u32, u32>("lengths").unwrap();
    assert_eq!(lengths.get(&0).unwrap().unwrap()[0], 4);
    let mut events = module.ring_buffer("events").unwrap();
    assert_eq!(events.next_as::<Flow>().unwrap(), Some(BLUE));
    assert_eq!(events.next().unwrap(), None);
    assert_eq!(module.queue::<u32>("order").unwrap().pop().unwrap(), Some(2));
    assert_eq!(module.map_names().collect::<Vec<_>>(), ["events", "flows", "last", "lengths", "order"]);
}

#[test]
fn hashes_are_filled_listed_and_emptied() {
    let module = module("entry");
    let flows = module.map::<Flow, Seen>("flows").unwrap();
    let value = |packets| Seen { packets, bytes: 0, note: [0; 8] };
    let refused = |result: Result<(), MapError>| match result {
        Err(MapError::Refused { errno, .. }) => errno,
        other => panic!("{other:?}"),
    };
    for port in 0..16 {
        flows.insert(Flow { port, colour: 1 }, value(port.into()), ANY).unwrap();
    }
    assert_eq!(refused(flows.insert(BLUE, value(0), ANY)), 7, "it is full");
    assert_eq!(refused(flows.insert(Flow { port: 3, colour: 1 }, value(0), NOEXIST)), 17);
    assert_eq!(flows.len().unwrap(), 16);
    let mut all: Vec<(Flow, Seen)> = flows.iter().collect::<Result<_, _>>().unwrap();
    all.sort_by_key(|(flow, _)| flow.port);
    assert!(all.iter().zip(0..).all(|((flow, seen), port)| flow.port == port && seen.packets == u64::from(port)));
    // Each key may be removed when it has come.
    for key in flows.keys() {
        assert!(flows.remove(&key.unwrap()).unwrap());
    }
    assert!(flows.is_empty().unwrap());
    assert!(!flows.remove(&BLUE).unwrap());
    assert_eq!(refused(flows.insert(BLUE, value(0), EXIST)), 2);
    let error = flows.insert(BLUE, value(0), EXIST).unwrap_err().to_string();
    assert_eq!(error, "cannot insert into map `flows`, of type `hash`: there is no such element (ENOENT)");
}

#[test]
fn queues_and_stacks_have_their_orders() {
    let module = module("entry");
    let (queue, stack) = (module.queue::<u32>("order").unwrap(), module.queue::<u32>("last").unwrap());
    for value in 0..4 {
        queue.push(value, ANY).unwrap();
        stack.push(value, ANY).unwrap();
    }
    assert!(matches!(queue.push(4, ANY), Err(MapError::Refused { errno: 7, .. })), "it is full");
    queue.push(4, EXIST).unwrap();
    assert_eq!((queue.peek().unwrap(), stack.peek().unwrap()), (Some(1), Some(3)));
    assert_eq!(std::iter::from_fn(|| queue.pop().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(std::iter::from_fn(|| stack.pop().unwrap()).collect::<Vec<_>>(), [3, 2, 1, 0]);
}

#[test]
fn values_of_processors_are_apart() {
    let module = module("entry");
    let lengths = module.per_cpu_map::<u32, u32>("lengths").unwrap();
    let values: Vec<u32> = (10..).take(lengths.processors().unwrap()).collect();
    lengths.insert(1, &values, ANY).unwrap();
    assert_eq!(lengths.get(&1).unwrap(), Some(values));
    assert_eq!(lengths.get(&2).unwrap(), None);
    assert!(matches!(lengths.insert(1, &[1], ANY), Err(MapError::Processors { values: 1, .. })));
}

#[test]
fn sizes_and_kinds_are_checked() {
    let module = module("entry");
    let errors = [
        (module.map::<u32, Seen>("flows").err(), "the keys of map `flows` have 8 bytes, and `u32` has 4"),
        (module.map::<Flow, u64>("flows").err(), "the values of map `flows` have 24 bytes, and `u64` has 8"),
        (
            module.map::<u32, u32>("lengths").err(),
            "map `lengths` is of type `percpu_array`: use `Module::per_cpu_map`",
        ),
        (module.queue::<u32>("events").err(), "map `events` is of type `ringbuf`: use `Module::ring_buffer`"),
        (module.ring_buffer("order").err(), "map `order` is of type `queue`: use `Module::queue`"),
        (module.map::<u32, u32>("nope").err(), "the program has no map `nope`; it has `events`, `flows`, `last`"),
    ];
    for (error, expected) in errors {
        let error = error.unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let program = parse::parse(&[input("entry")], &Options::without_runtime()).unwrap();
    let module = Jit::new(&Config::new()).unwrap().load_reachable(&program, &Linker::new(), ["two"]).unwrap();
    // What is not there is data that nothing reaches.
    assert!(matches!(module.raw_map("flows"), Err(MapError::Missing { .. })));
    assert!(matches!(module.xdp(&[0; 14]), Err(PacketError::NoRuntime(_))));
}

#[test]
fn contexts_hold_packets() {
    let module = module("entry");
    let packet: Vec<u8> = (0..60).collect();
    let mut xdp = module.xdp(&packet).unwrap();
    assert_eq!(xdp.fields().data_end.get() - xdp.fields().data.get(), 60);
    assert_eq!(xdp.fields().data.offset(60), Some(xdp.fields().data_end));
    // SAFETY: the fixture is trusted.
    assert_eq!(unsafe { xdp.run("strip") }.unwrap(), XdpAction::Tx);
    assert_eq!(xdp.packet(), packet[14..]);
    let mut skb = module.skb(&packet).unwrap();
    skb.fields().mark = 200;
    skb.fields().cb[1] = 5;
    // SAFETY: as above.
    assert_eq!(unsafe { skb.run("marked") }.unwrap(), 5);
    assert_eq!((skb.packet()[0], skb.fields().len), (200, 60));
    // SAFETY: they are refused.
    let (missing, other) = unsafe { (xdp.run("nope").unwrap_err(), xdp.run("two").unwrap_err()) };
    assert!(missing.to_string().contains("`strip`") && !missing.to_string().contains("bpf2native_"), "{missing}");
    assert!(other.to_string().contains("`long two(long, long)`"), "{other}");
    assert!(matches!(module.xdp(&vec![0; 1 << 20]), Err(PacketError::Memory(_))));
}

#[test]
fn variables_are_read_and_set() {
    let program = |writable_constants, name: &str| {
        let mut options = Options::default();
        options.writable_constants = writable_constants;
        let name = fixture(&format!("runtime/{name}")).to_str().unwrap().to_owned();
        parse::parse(&[Input { bytes: std::fs::read(&name).unwrap(), name }], &options).unwrap()
    };
    let object = if cfg!(target_endian = "big") { "settings.be.o" } else { "settings.o" };
    for optimised in [false, true] {
        let mut config = Config::new();
        if !optimised {
            config.opt_level(bpf2native::config::OptLevel::O0);
        }
        let jit = Jit::new(&config).unwrap();
        let module = jit.load(&program(true, object), &Linker::new()).unwrap();
        let limit = module.global::<u32>("limit").unwrap();
        assert_eq!(limit.get(), 10);
        limit.set(20).unwrap();
        module.global::<[u8; 8]>("names").unwrap().set(*b"z\0\0\0b\0\0\0").unwrap();
        // SAFETY: the fixture is trusted, and its types are checked.
        let (limited, first) =
            unsafe { (module.func::<(u64,), u64>("limited").unwrap(), module.func::<(), u32>("first").unwrap()) };
        assert_eq!((limited.call((15,)), limited.call((25,))), (15, 20));
        assert_eq!(first.call(()), u32::from(b'z'), "a copy is not of what it was when it was translated");
        assert_eq!(module.global::<u64>("calls").unwrap().get(), 2);
    }
    let constant = load(&program(false, object));
    assert_eq!(constant.global::<u32>("limit").unwrap().get(), 10);
    let error = constant.global::<u32>("limit").unwrap().set(20).unwrap_err();
    assert!(
        matches!(error, GlobalError::Constant { .. }) && error.to_string().contains("writable_constants"),
        "{error}"
    );
    assert!(matches!(constant.global::<u64>("limit"), Err(GlobalError::Size { has: 4, .. })));
    let error = constant.global::<u64>("nope").err().unwrap().to_string();
    assert!(error.ends_with("it has `calls`, `fixed`, `limit`, `names`"), "{error}");
    if cfg!(target_endian = "little") {
        // Without BTF, `.rodata` may have settings.
        let module = load(&program(true, "settings.plain.o"));
        module.global::<u32>("limit").unwrap().set(20).unwrap();
    }
}

#[test]
fn functions_of_any_type_are_called_with_words() {
    let name = fixture("faults/entries.o").to_str().unwrap().to_owned();
    if cfg!(target_endian = "big") {
        crate::native::skip("the object is little-endian");
        return;
    }
    let program = Program::from_files([name]).unwrap();
    let jit = Jit::new(&Config::new()).unwrap();
    let module = jit.load(&program, &Linker::new()).unwrap();
    // SAFETY: the fixture is trusted, and the words are of its types.
    let function = |name: &str| unsafe { jit.dynamic(&module, name) };
    let of_double = function("of_double").unwrap();
    assert_eq!(f64::from_bits(of_double.call(&[1.5f64.to_bits()]).first), 1.5);
    assert_eq!(function("of_three").unwrap().call(&[1, 2, u64::MAX]).first, 2);
    assert!(function("hidden").err().unwrap().to_string().contains("static"));
    assert!(function("nope").err().unwrap().to_string().contains("`of_three`"));
}
