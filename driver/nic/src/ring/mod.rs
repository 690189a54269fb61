//! One ring engine for both families.
//!
//! A ring is an array of 16-byte descriptors in memory that the device reads and writes, and beside it, in
//! memory that only the driver sees, a queue of what each descriptor owns.
//!
//! - `fifo`: the ring's indices and its slots, which are one thing;
//! - `descriptors`: the array, as pairs of atomic words;
//! - `split`: where a buffer is cut into several descriptors;
//! - `plan`: whether the device can take a packet, and what that takes;
//! - `headers`: what the hardware wants to find in headers that it completes;
//! - `transmit`: post, doorbell, reap; which descriptor has to report;
//! - `receive`: receive, recycle, refill;
//! - `chain`: packets over several buffers.
//!
//! Who owns a descriptor: the driver writes it and owns it until the doorbell; from there the device owns it,
//! until it sets the done bit. The word with that bit is read with Acquire, so what the device wrote before
//! it is seen after it. Everything else is relaxed; a Release fence stands before the doorbell.
//!
//! What differs between the families is small and named: [`TxDevice`] and [`RxDevice`].

mod chain;
mod descriptors;
mod fifo;
mod headers;
mod plan;
mod receive;
mod split;
mod transmit;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod receive_tests;
#[cfg(test)]
mod transmit_tests;

pub use receive::{Completion, Receiver, RxDevice};
pub use split::SplitRule;
pub use transmit::{Transmitter, TxDevice};
