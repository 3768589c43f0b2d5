//! Random operations on maps whose keys or values are objects: maps, programs, sockets. The kernel has them by descriptors, the
//! runtime by addresses and numbers; what is the same are the errors, and which keys there are.

use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::map::{OurMap, module};
use crate::maps_random::has_kernel;
use crate::pair::types;
use crate::support::maps::{self, KernelMap, Types};
use crate::support::random::Seed;
use crate::support::{bpf, seeds};

/// Operations on a map, for each seed.
const STEPS: usize = 60;

/// The same objects for both sides: as bytes of keys or of values. Of four, the first two are right for the map.
struct Objects {
    ours: Vec<Vec<u8>>,
    kernel: Vec<Vec<u8>>,
}

/// What the objects are in a map.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Values,
    Keys,
}

struct Pair<'m> {
    ours: OurMap<'m>,
    kernel: KernelMap,
    objects: Objects,
    role: Role,
}

impl Pair<'_> {
    fn check(&self) {
        // What follows would be of nothing, if the kernel did not take the objects.
        let (key, value) = match self.role {
            Role::Values => (vec![0; self.ours.kind().key_size as usize], self.objects.kernel[0].clone()),
            Role::Keys => (self.objects.kernel[0].clone(), vec![0; self.ours.kind().value_size as usize]),
        };
        assert_eq!(self.kernel.update(Some(&key), &value, 0), Ok(()), "{}", self.ours.name());
        self.kernel.delete(Some(&key)).unwrap();
        for seed in seeds::of(&self.ours.name(), 10) {
            let mut seed = Seed::new(seed);
            for step in 0..STEPS {
                let what = self.step(&mut seed);
                what.unwrap_or_else(|what| panic!("{}, step {step}: {what}", self.ours.name()));
            }
        }
    }

    /// An operation on both; the error says how they differ.
    fn step(&self, seed: &mut Seed) -> Result<(), String> {
        let kind = self.ours.kind();
        let object = match seed.below(4) {
            0 => seed.below(self.objects.ours.len()),
            _ => seed.below(2),
        };
        let (mine, theirs) = (&self.objects.ours[object], &self.objects.kernel[object]);
        let mut key = (seed.below(6) as u32).to_ne_bytes().to_vec();
        key.resize(kind.key_size as usize, 0);
        let plain: Vec<u8> = (0..kind.value_size).map(|_| seed.next() as u8).collect();
        let [(our_key, our_value), (key, value)] = match self.role {
            Role::Values => [(&key, mine), (&key, theirs)],
            Role::Keys => [(mine, &plain), (theirs, &plain)],
        };
        let (our_key, key) = (Some(our_key.as_slice()), Some(key.as_slice()));
        let flags = if seed.below(2) == 0 { 0 } else { seed.below(6) as u64 };
        let operation = seed.below(8);
        let (ours, kernel) = match operation {
            0 => {
                let (ours, kernel) = (self.ours.lookup(our_key, &[], 0), self.kernel.lookup(key, &[], 0));
                match self.role {
                    Role::Keys if ours != kernel => return Err(format!("{ours:x?}, the kernel: {kernel:x?}")),
                    _ => (ours.map(drop), kernel.map(drop)),
                }
            }
            1 => (self.ours.delete(our_key), self.kernel.delete(key)),
            2 if kind.kind == 13 || kind.kind == 18 => return self.same_keys(),
            2 => (self.ours.next_key(our_key).map(drop), self.kernel.next_key(key).map(drop)),
            3 => (self.ours.take(our_key, 0).map(drop), self.kernel.take(key, 0).map(drop)),
            _ => (self.ours.update(our_key, our_value, flags), self.kernel.update(key, value, flags)),
        };
        if ours == kernel {
            return Ok(());
        }
        Err(format!("{operation}, key {key:?}, object {object}, flags {flags}: {ours:?}, the kernel: {kernel:?}"))
    }

    fn same_keys(&self) -> Result<(), String> {
        let mut kernel: Vec<Vec<u8>> = Vec::new();
        while let Ok(next) = self.kernel.next_key(kernel.last().map(Vec::as_slice)) {
            kernel.push(next);
            assert!(kernel.len() < 1000);
        }
        let mut ours = self.ours.keys();
        ours.sort();
        kernel.sort();
        if ours == kernel { Ok(()) } else { Err(format!("keys {ours:?}, the kernel: {kernel:?}")) }
    }
}

fn numbers(descriptors: &[i32], size: usize) -> Vec<Vec<u8>> {
    let bytes = |number: &i32| match size {
        4 => number.to_ne_bytes().to_vec(),
        _ => i64::from(*number).to_ne_bytes().to_vec(),
    };
    descriptors.iter().map(bytes).collect()
}

#[test]
fn random_maps_of_maps_are_as_the_kernels() {
    if !has_kernel() {
        return;
    }
    let module = module();
    // The third has other values, the fourth other bounds.
    let inner = ["inner_a", "inner_b", "inner_other", "inner_longer"].map(|name| OurMap::new(&module, name));
    let twins = inner.map(|map| KernelMap::create(&map.kind(), None, None, 1).unwrap());
    for name in ["outer_array", "outer_hash"] {
        let ours = OurMap::new(&module, name);
        // The kernel's begins without elements.
        for key in ours.keys() {
            assert!(matches!(ours.delete(Some(&key)), Ok(()) | Err(-2)));
        }
        let kernel = KernelMap::create(&ours.kind(), Some(&twins[0]), None, 1).unwrap();
        let addresses = inner.iter().map(|map| (map.address as u64).to_ne_bytes().to_vec()).collect();
        let descriptors = numbers(&twins.each_ref().map(KernelMap::descriptor), 4);
        Pair { ours, kernel, objects: Objects { ours: addresses, kernel: descriptors }, role: Role::Values }
            .check();
    }
}

#[test]
fn random_prog_arrays_are_as_the_kernels() {
    if !has_kernel() {
        return;
    }
    let module = module();
    let ours = OurMap::new(&module, "prog_array");
    let programs =
        [0, 1].map(|result| bpf::load(&[0xb7, 0, 0, 0, result, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]).unwrap());
    let kernel = KernelMap::create(&ours.kind(), None, None, 1).unwrap();
    let functions = ["look_4", "look_8"].map(|name| module.function_address(name).unwrap() as u64);
    let functions = functions.iter().map(|function| function.to_ne_bytes().to_vec()).collect();
    let descriptors = numbers(&programs.each_ref().map(OwnedFd::as_raw_fd), 4);
    Pair { ours, kernel, objects: Objects { ours: functions, kernel: descriptors }, role: Role::Values }.check();
}

#[test]
fn random_maps_of_sockets_are_as_the_kernels() {
    if !has_kernel() {
        return;
    }
    let module = module();
    let sockets: [UdpSocket; 3] = std::array::from_fn(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    let descriptors = sockets.each_ref().map(UdpSocket::as_raw_fd);
    let btf = maps::load_types(&types()).unwrap();
    for name in ["sockmap", "sockhash", "sk_locked"] {
        let ours = OurMap::new(&module, name);
        let (types, role) = match name {
            "sk_locked" => (Some(Types { btf: &btf, key: 1, value: 4 }), Role::Keys),
            _ => (None, Role::Values),
        };
        let kernel = KernelMap::create(&ours.kind(), None, types, 1).unwrap();
        let size = if role == Role::Keys { 4 } else { 8 };
        let objects = Objects { ours: numbers(&descriptors, 8), kernel: numbers(&descriptors, size) };
        Pair { ours, kernel, objects, role }.check();
    }
}
