//! What a network card computes on the way: checksums, segments, hashes.
//!
//! Pure functions over bytes: no registers, no memory of a device, no clock. They follow the datasheets and
//! the RFCs and share nothing with the drivers, since they are what judges a driver: a header that a driver
//! prepared wrongly leaves here as a wrong frame, as it would from silicon.
//!
//! - [`headers`]: where the IP packet, its fragment flag and its transport header lie in a frame;
//! - [`checksum`]: the internet checksum: summing, inserting, and the receiver's verdict;
//! - [`segment`]: one large TCP segment into frames of the maximum segment size;
//! - [`hash`]: the Toeplitz hash that spreads connections over receive queues.

pub mod checksum;
pub mod hash;
pub mod headers;
pub mod segment;

#[cfg(test)]
pub(crate) mod samples;
