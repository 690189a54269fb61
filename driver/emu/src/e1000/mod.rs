//! The 82540EM.
//!
//! - [`descriptors`]: formats of descriptors;
//! - [`control`]: what its registers do: reset, EEPROM, PHY, link, queues on and off;
//! - [`settings`]: what its receive registers say;
//! - [`counters`]: its statistics and interrupt causes.

mod control;
mod counters;
mod descriptors;
mod settings;

pub(crate) use control::MODEL;
