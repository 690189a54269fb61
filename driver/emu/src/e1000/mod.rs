//! The 82540EM, and what its descendants kept.
//!
//! - [`controller`]: what a controller does in its own way, and the 82540EM's; [`e1000e`](crate::e1000e) has the
//!   82574L's;
//! - [`descriptors`]: formats of descriptors;
//! - [`control`]: what registers do: reset, PHY, link, queues on and off;
//! - [`settings`]: what the receive registers say;
//! - [`counters`]: statistics and interrupt causes.

pub(crate) mod control;
mod controller;
pub(crate) mod counters;
mod descriptors;
mod settings;

pub(crate) use control::Line;
pub(crate) use controller::{Controller, Em82540};

/// The 82540EM.
pub(crate) static MODEL: Line<Em82540> = Line(Em82540);
