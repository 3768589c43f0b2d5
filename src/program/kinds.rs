//! The kinds of kernel programs: what a section's name says of the functions in it, as libbpf reads it.
//!
//! In: a section's name, or the name of the context's type. Out: the [`Kind`]: what its programs are given, and what their
//! results mean. The rule: one table, and of several rows that fit the one with the longest prefix.
//!
//! A prefix fits a name that is it, or that goes on with something other than a letter: `xdp`, `xdp/devmap`, `xdp.frags`, and
//! the `xdp_filter` of old loaders.

use crate::btf::{CType, Prototype};

/// What a program of some kind is given, and what its result means.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What the names of its sections begin with.
    prefixes: &'static [&'static str],
    /// What it is given.
    pub context: Context,
    /// What its result means.
    pub verdict: Verdict,
}

/// What a program is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A packet, as `struct xdp_md`.
    Xdp,
    /// A packet, as `struct __sk_buff`.
    Skb,
    /// A struct that it may be given whole; with a name where its type is the kernel's.
    Struct(Option<&'static str>),
    /// A struct with pointers to the first byte of a buffer and past its last, and with its length.
    Buffer(BufferContext),
    /// The registers that a function was called with (`struct pt_regs`).
    Registers,
    /// Words: the arguments of what it is attached to.
    Words,
}

/// A struct with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferContext {
    /// The struct.
    pub name: &'static str,
    /// The member that points to the first byte.
    pub start: &'static str,
    /// The member that points past the last.
    pub end: &'static str,
    /// The member that has the length.
    pub length: &'static str,
}

/// What a result means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A signed number of 32 bits.
    Number,
    /// One of these.
    Named(&'static [(i32, &'static str)]),
    /// Whether the kernel goes on: bit 0; other bits stay numbers.
    Allowed,
}

const XDP: Verdict =
    Verdict::Named(&[(0, "XDP_ABORTED"), (1, "XDP_DROP"), (2, "XDP_PASS"), (3, "XDP_TX"), (4, "XDP_REDIRECT")]);
const TC: Verdict = Verdict::Named(&[
    (-1, "TC_ACT_UNSPEC"),
    (0, "TC_ACT_OK"),
    (1, "TC_ACT_RECLASSIFY"),
    (2, "TC_ACT_SHOT"),
    (3, "TC_ACT_PIPE"),
    (4, "TC_ACT_STOLEN"),
    (5, "TC_ACT_QUEUED"),
    (6, "TC_ACT_REPEAT"),
    (7, "TC_ACT_REDIRECT"),
    (8, "TC_ACT_TRAP"),
]);
const TCX: Verdict = Verdict::Named(&[(-1, "TCX_NEXT"), (0, "TCX_PASS"), (2, "TCX_DROP"), (7, "TCX_REDIRECT")]);
const NETKIT: Verdict =
    Verdict::Named(&[(-1, "NETKIT_NEXT"), (0, "NETKIT_PASS"), (2, "NETKIT_DROP"), (7, "NETKIT_REDIRECT")]);
const SK: Verdict = Verdict::Named(&[(0, "SK_DROP"), (1, "SK_PASS")]);
const LWT: Verdict =
    Verdict::Named(&[(0, "BPF_OK"), (2, "BPF_DROP"), (7, "BPF_REDIRECT"), (128, "BPF_LWT_REROUTE")]);
const DISSECTOR: Verdict = Verdict::Named(&[(0, "BPF_OK"), (2, "BPF_DROP"), (129, "BPF_FLOW_DISSECTOR_CONTINUE")]);
const NETFILTER: Verdict = Verdict::Named(&[(0, "NF_DROP"), (1, "NF_ACCEPT")]);

const fn kind(prefixes: &'static [&'static str], context: Context, verdict: Verdict) -> Kind {
    Kind { prefixes, context, verdict }
}

const fn buffer(name: &'static str, [start, end, length]: [&'static str; 3]) -> Context {
    Context::Buffer(BufferContext { name, start, end, length })
}

/// The kinds. Where a context's type is known and the section is not, the first row with it is meant.
const KINDS: &[Kind] = &[
    kind(&["xdp"], Context::Xdp, XDP),
    kind(&["tc", "classifier", "action"], Context::Skb, TC),
    kind(&["tcx"], Context::Skb, TCX),
    kind(&["netkit"], Context::Skb, NETKIT),
    kind(&["cgroup_skb", "cgroup/skb"], Context::Skb, Verdict::Allowed),
    kind(&["sk_skb", "sk_skb/stream_verdict"], Context::Skb, SK),
    kind(&["socket", "sk_skb/stream_parser"], Context::Skb, Verdict::Number),
    kind(&["lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local"], Context::Skb, LWT),
    kind(&["flow_dissector"], Context::Skb, DISSECTOR),
    kind(&["sk_msg"], buffer("sk_msg_md", ["data", "data_end", "size"]), SK),
    kind(&["sk_reuseport"], buffer("sk_reuseport_md", ["data", "data_end", "len"]), SK),
    kind(
        &["cgroup/getsockopt", "cgroup/setsockopt"],
        buffer("bpf_sockopt", ["optval", "optval_end", "optlen"]),
        Verdict::Allowed,
    ),
    kind(&["sk_lookup"], Context::Struct(Some("bpf_sk_lookup")), SK),
    kind(&["sockops"], Context::Struct(Some("bpf_sock_ops")), Verdict::Number),
    kind(
        &["cgroup/sock", "cgroup/post_bind4", "cgroup/post_bind6"],
        Context::Struct(Some("bpf_sock")),
        Verdict::Allowed,
    ),
    kind(
        &[
            "cgroup/bind4",
            "cgroup/bind6",
            "cgroup/connect4",
            "cgroup/connect6",
            "cgroup/connect_unix",
            "cgroup/sendmsg4",
            "cgroup/sendmsg6",
            "cgroup/sendmsg_unix",
            "cgroup/recvmsg4",
            "cgroup/recvmsg6",
            "cgroup/recvmsg_unix",
            "cgroup/getpeername4",
            "cgroup/getpeername6",
            "cgroup/getpeername_unix",
            "cgroup/getsockname4",
            "cgroup/getsockname6",
            "cgroup/getsockname_unix",
        ],
        Context::Struct(Some("bpf_sock_addr")),
        Verdict::Allowed,
    ),
    kind(&["cgroup/sysctl"], Context::Struct(Some("bpf_sysctl")), Verdict::Allowed),
    kind(&["cgroup/dev", "cgroup_device"], Context::Struct(Some("bpf_cgroup_dev_ctx")), Verdict::Allowed),
    kind(&["perf_event"], Context::Struct(Some("bpf_perf_event_data")), Verdict::Number),
    kind(&["netfilter"], Context::Struct(Some("bpf_nf_ctx")), NETFILTER),
    kind(&["tracepoint", "tp", "iter", "syscall", "lirc_mode2"], Context::Struct(None), Verdict::Number),
    kind(
        &["kprobe", "kretprobe", "ksyscall", "kretsyscall", "uprobe", "uretprobe", "usdt"],
        Context::Registers,
        Verdict::Number,
    ),
    kind(
        &[
            "raw_tp",
            "raw_tracepoint",
            "tp_btf",
            "fentry",
            "fexit",
            "fmod_ret",
            "fsession",
            "lsm",
            "lsm_cgroup",
            "struct_ops",
        ],
        Context::Words,
        Verdict::Number,
    ),
];

/// The kind of the programs in a section of this name.
pub fn of_section(section: &str) -> Option<&'static Kind> {
    // libbpf's mark of programs that are not loaded by themselves.
    let section = section.strip_prefix('?').unwrap_or(section);
    let fits = |prefix: &str| {
        let rest = section.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphabetic()))
    };
    let prefixes = KINDS.iter().flat_map(|kind| kind.prefixes.iter().map(move |prefix| (prefix, kind)));
    prefixes.filter(|(prefix, _)| fits(prefix)).max_by_key(|(prefix, _)| prefix.len()).map(|(_, kind)| kind)
}

/// Whether a function is a kernel program though its type does not say that: in a section of theirs, one that by its type takes
/// nothing, and returns nothing or an `int`. Such are written in assembly (`__naked`), with their context in r1 and a result in r0.
pub fn is_untyped_program(section: &str, prototype: &Prototype) -> bool {
    let has_usual_result = matches!(prototype.result, CType::Void | CType::Int { bytes: 4, .. });
    prototype.parameters.is_empty() && has_usual_result && of_section(section).is_some()
}

/// The kind of the programs that are given a struct of this name.
pub fn of_context(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.context.struct_name() == Some(name))
}

impl Context {
    /// The name of the struct, where that is the kernel's.
    pub fn struct_name(self) -> Option<&'static str> {
        match self {
            Context::Xdp => Some("xdp_md"),
            Context::Skb => Some("__sk_buff"),
            Context::Struct(name) => name,
            Context::Buffer(buffer) => Some(buffer.name),
            Context::Registers => Some("pt_regs"),
            Context::Words => None,
        }
    }
}

impl Verdict {
    /// A result as text.
    pub fn show(self, result: i32) -> String {
        match self {
            Verdict::Named(names) => {
                let name = names.iter().find(|(value, _)| *value == result);
                name.map_or_else(|| result.to_string(), |(_, name)| (*name).to_owned())
            }
            Verdict::Allowed => format!("{result} ({})", if result & 1 == 0 { "denied" } else { "allowed" }),
            Verdict::Number => result.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, TC, TCX, Verdict, XDP, of_context, of_section};

    #[test]
    fn sections_are_read_as_libbpf_reads_them() {
        for (section, context, verdict) in [
            ("xdp", Context::Xdp, XDP),
            ("xdp.frags/devmap", Context::Xdp, XDP),
            ("xdp_filter", Context::Xdp, XDP),
            ("?xdp", Context::Xdp, XDP),
            ("tc", Context::Skb, TC),
            ("tc/ingress", Context::Skb, TC),
            ("classifier/from-netdev", Context::Skb, TC),
            ("tcx/egress", Context::Skb, TCX),
            ("socket1", Context::Skb, Verdict::Number),
            ("cgroup_skb/egress", Context::Skb, Verdict::Allowed),
            ("cgroup/skb", Context::Skb, Verdict::Allowed),
            ("cgroup/sock_create", Context::Struct(Some("bpf_sock")), Verdict::Allowed),
            ("cgroup/connect4", Context::Struct(Some("bpf_sock_addr")), Verdict::Allowed),
            ("cgroup/dev", Context::Struct(Some("bpf_cgroup_dev_ctx")), Verdict::Allowed),
            ("tp/syscalls/sys_enter_openat", Context::Struct(None), Verdict::Number),
            ("tp_btf/sched_switch", Context::Words, Verdict::Number),
            ("raw_tp.w/x", Context::Words, Verdict::Number),
            ("lsm.s/bpf", Context::Words, Verdict::Number),
            ("lsm_cgroup/socket_bind", Context::Words, Verdict::Number),
            ("kprobe.multi/tcp_*", Context::Registers, Verdict::Number),
            ("uretprobe/bin/true:main", Context::Registers, Verdict::Number),
        ] {
            let kind = of_section(section).expect(section);
            assert_eq!((kind.context, kind.verdict), (context, verdict), "{section}");
        }
        for other in [".text", "xdpx", "raw_syscalls:sys_enter", "license", "tcp", "lsmod", "", "?"] {
            assert!(of_section(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_context_tells_what_an_unknown_section_is() {
        assert_eq!(of_context("xdp_md").map(|kind| kind.verdict), Some(XDP));
        assert_eq!(of_context("__sk_buff").map(|kind| kind.verdict), Some(TC));
        assert!(of_context("sk_buff").is_none());
    }

    #[test]
    fn verdicts_have_names_where_the_kernel_has_them() {
        for (verdict, result, shown) in [
            (XDP, 1, "XDP_DROP"),
            (XDP, 17, "17"),
            (TC, -1, "TC_ACT_UNSPEC"),
            (Verdict::Allowed, 1, "1 (allowed)"),
            (Verdict::Allowed, 2, "2 (denied)"),
            (Verdict::Number, -22, "-22"),
        ] {
            assert_eq!(verdict.show(result), shown);
        }
    }
}
