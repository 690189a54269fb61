//! The receive side: frames from the cable go into the driver's buffers.
//!
//! 1. [`filter`]: is the frame for this device? Settings are taken from the registers when they change;
//! 2. [`steer`]: which queue, by the RSS hash;
//! 3. [`place`]: enough descriptors? Then the bytes go into their buffers, and the descriptors are written back.
//!
//! [`intake`] does the first two, and counts. The frames of one request are a [`burst`], which two threads copy.
//!
//! A batch ([`engine`]) holds the receiver's lock, the table and the queues that it meets; a driver that
//! rings a tail doorbell waits for none of these.

mod burst;
pub(crate) mod engine;
pub(crate) mod filter;
pub(crate) mod intake;
mod place;
pub(crate) mod steer;

pub(crate) use intake::State;
