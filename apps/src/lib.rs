//! The engines of the `pagewire` command, as a library: [`transfer`] carries a file between two machines of this process,
//! [`live`] runs one machine on any bus, [`serve`] answers HTTP with files.
//!
//! The command itself (arguments, progress, summary) is the binary; tests drive the engines directly.

mod by_reference;
mod copying;
pub mod live;
mod meter;
pub mod serve;
pub mod transfer;
