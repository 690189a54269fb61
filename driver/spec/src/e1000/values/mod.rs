//! Bits of the 82540EM's register values.

mod control;
mod receive;
mod transmit;

pub use control::*;
pub use receive::*;
pub use transmit::*;
