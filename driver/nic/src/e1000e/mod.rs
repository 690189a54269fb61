//! The 82574L: 1 Gb/s on PCI Express, driven as the [`e1000`](crate::e1000) line is, with one transmit and one
//! receive queue of its two.
//!
//! Sections (§) are those of the *82574 GbE Controller Family Datasheet*, Intel 317694. [`open`] is the way in;
//! `reset` is how this controller ends its DMA and comes back, `interrupt` how its causes get out, `chip` all else that it does in its own way.

mod chip;
mod interrupt;
mod reset;

use std::sync::Arc;

use pagewire_bus::Function;

pub use chip::Chip82574;

use crate::e1000::{E1000, E1000Opened, E1000Tx, init};
use crate::port::{Delay, NicConfig, NicError};

/// An open 82574L.
pub type E1000e<F> = E1000<F, Chip82574>;
/// Its transmit queue.
pub type E1000eTx<F> = E1000Tx<F, Chip82574>;
/// Its receive queue.
pub use crate::e1000::E1000Rx as E1000eRx;

/// Opens an 82574L: reset, station address, rings, link. It receives when this returns, whether the link is up
/// already or not.
///
/// # Errors
/// [`NicError`] says which step failed. The device is stopped then, as far as it answers, and nothing of it
/// is left.
pub fn open<F: Function>(
    function: Arc<F>,
    config: &NicConfig,
    delay: &mut dyn Delay,
) -> Result<E1000Opened<F, Chip82574>, NicError> {
    init::open(function, config, delay)
}
