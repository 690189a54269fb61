//! The engine of the `pagewire` command, as a library: what carries a file from one machine to another.
//!
//! The command itself (arguments, progress, summary) is the binary; tests drive [`transfer`] directly.

mod copying;
pub mod cpu;
pub mod live;
pub mod transfer;
