//! The 82599's registers (§8.2.3), listed in four blocks: control, receive, transmit, statistics.
//!
//! Reset values of fields that the EEPROM decides are those of a plain SFP+ adapter.

mod control;
mod receive;
mod statistics;
mod transmit;

pub use control::*;
pub use receive::*;
pub use statistics::*;
pub use transmit::*;

use crate::table::{self, Register};

const LEN: usize = control::ROWS.len() + receive::ROWS.len() + transmit::ROWS.len() + statistics::ROWS.len();

static TABLE: [Register; LEN] =
    table::sorted(&[control::ROWS, receive::ROWS, transmit::ROWS, statistics::ROWS]);
static WORDS: [u16; 0x5800] = table::index_of_words(&TABLE);

/// Every register of the 82599 that this crate knows, sorted by offset.
pub static REGISTERS: &[Register] = &TABLE;

/// The row and the element at `offset` in BAR 0, in constant time.
#[inline]
pub fn lookup(offset: u32) -> Option<(&'static Register, u32)> {
    table::find(&TABLE, &WORDS, offset)
}
