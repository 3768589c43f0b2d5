//! The runtime (`runtime/`): what programs get of it, beside the kernel.

#![allow(clippy::unwrap_used)]

mod kernel;
mod packets;
