//! BTF: the types that a BPF object carries (kernel `Documentation/bpf/btf.rst`).

mod prototype;

pub use prototype::{Aggregate, CType, Parameter, Prototype};
