# Daily recipes; `just` lists them.

default:
    @just --list

# Builds the command
build:
    cargo build --release

# Runs the tests, which need only cc; with a name, the tests of that name
test *name:
    cargo test {{ name }}

# Runs some programs of the fixtures: `just programs wc,json`
programs names:
    BPF2NATIVE_PROGRAMS={{ names }} cargo test --test programs natively::

# Format, lints and documentation, with warnings as errors
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Builds the objects of the fixtures again, with all compilers that are installed
fixtures:
    runtime/build.sh
    src/coverage/build.sh
    fixtures/build.sh
    fixtures/build-small.sh

# Measures translation and translated programs, and writes BENCHMARKS.md and its plots
bench:
    cargo bench --bench programs -- --write
    cargo bench --bench programs -- --floats --write
    cargo bench --bench programs -- --whole --write
    cargo bench --bench programs -- --vectors --write
    cargo bench --bench translation -- --write
    cargo bench --bench counts -- aarch64 --write

# Measures some of the programs: `just bench-programs --quick sha256 vm`; `--help` says more
bench-programs *ARGUMENTS:
    cargo bench --bench programs -- {{ARGUMENTS}}

# Builds the kernel's BPF programs outside the repository, and translates them all: none may fail
corpus *ARGUMENTS:
    tools/corpus.sh {{ARGUMENTS}}

# Runs the corpus' selftests that say their result without a kernel: so many percent have to be right, and so many objects complete,
# by the runtime alone and with what their authors give them
selftests right="99" complete="98" alone="95":
    BPF2NATIVE_CORPUS_BUILDS=clang-22:v3:bpf tools/corpus/build.sh
    cargo build --release
    corpus="${BPF2NATIVE_CORPUS:-$HOME/.cache/bpf2native-corpus}" && tools/corpus/results.py \
        --least-right {{ right }} --least-complete {{ complete }} --least-alone {{ alone }} \
        --sources "$(find "$corpus" -maxdepth 1 -name "linux-source-*" | sort | tail -1)" --given "$corpus/given" \
        target/release/bpf2native "$corpus/objects/clang-22-v3-bpf"

# Fuzzes one of `object`, `instructions`, `differential`: `just fuzz object -max_total_time=600` (see fuzz/README.md)
fuzz target *ARGUMENTS:
    fuzz/run.sh {{ target }} {{ ARGUMENTS }}

# Runs all tests of random input, from fresh seeds, with so many each: `just torture 100000 semantics programs` (see fuzz/README.md)
torture programs="10000" *crates:
    tools/torture.sh {{ programs }} {{ crates }}

# Accepts the code that is generated now, and the output of comparisons, as what the tests expect
bless:
    cargo build
    for folder in fixtures/golden/*; do target/debug/bpf2native golden $folder --bless; done
    BPF2NATIVE_BLESS=1 cargo test --test outputs listing::
    BPF2NATIVE_BLESS=1 cargo test --test outputs docs::
    BPF2NATIVE_BLESS=1 cargo test --test semantics opt::
    BPF2NATIVE_BLESS=1 cargo test --test comparing formats::

# Compares code generation with that of another commit, over the fixtures: `just codegen-diff main`; see target/codegen-diff
codegen-diff base="HEAD" objects="fixtures/obj/clang22-v4": build
    BPF2NATIVE=target/release/bpf2native tools/codegen-diff.sh --base {{ base }} --output target/codegen-diff \
        --build 'cargo build --release --target-dir target/codegen && \
            mkdir -p target && target/codegen/release/bpf2native report --texts {{ objects }} -o target/codegen.json' \
        --objects target/codegen.json

# All that continuous integration runs
ci:
    .ci/run
