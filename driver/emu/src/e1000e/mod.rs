//! The 82574L: a controller of the [`e1000`](crate::e1000) line.
//!
//! - [`controller`]: what it does in its own way: EEPROM, end of DMA, what must be set before its queues go on;
//! - [`interrupt`]: its causes, and the vectors they go to.

mod controller;
mod interrupt;

use controller::L82574;

use crate::e1000::Line;

/// The 82574L.
pub(crate) static MODEL: Line<L82574> = Line(L82574);
