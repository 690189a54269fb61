//! Bits of the 82599's register values, in the blocks of [`registers`](super::registers).

mod control;
mod link;
mod receive;
mod transmit;

pub use control::*;
pub use link::*;
pub use receive::*;
pub use transmit::*;
