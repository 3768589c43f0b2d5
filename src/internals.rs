//! What the command and the tests need of the phases, and nobody else: it may change in any release.

/// Calls between BPF and native code.
pub mod abi {
    pub use crate::abi::{helpers, libc, libcalls};
}

/// CLIF to bytes.
pub mod codegen {
    pub use crate::codegen::{CodeRange, CompiledFunction, FrameRow, FrameRows, NativeFrame, Unwind};
    pub use crate::codegen::{GivenUp, Keep, StepOutcome, Until, functions, graphs, thread_pool};
}

/// Coverage of programs that run elsewhere.
#[cfg(feature = "cli")]
pub mod coverage {
    pub use crate::coverage::counted::Counted;
    pub use crate::coverage::profile_of;
}

/// Machine code of a program, before it is an object.
pub mod emit {
    /// Adapters.
    pub mod adapters {
        pub use crate::emit::adapters::functions;
    }

    pub use crate::emit::translation::{Declared, Translation, declared, translate};
}

/// Files that are read, and written whole.
pub mod files {
    pub use crate::files::*;
}

/// Basic blocks.
pub mod graph {
    pub use crate::graph::{Graph, Unverified};
}

/// The halves of an object.
pub mod halves {
    pub use crate::parse::kernel_copy;
}

/// Kinds of kernel programs.
pub mod kinds {
    pub use crate::program::kinds::*;
}

/// The tables of the passes.
pub mod pipeline {
    pub use crate::pipeline::*;
}

/// What is made faster before it is lifted.
pub mod plan {
    pub use crate::plan::{PointerEffects, PromotedSlots};
}

/// Who defines what a program refers to.
pub mod resolution {
    pub use crate::resolution::Resolution;
}
