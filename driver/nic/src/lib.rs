//! The network drivers: memory that a device may reach, descriptor rings, and the two families of NIC.
//!
//! - [`dma`]: memory mapped for a device, frames, and bytes of files named by reference;
//! - [`port`]: what a driver offers: a NIC, its transmit and receive queues, offloads, errors.

pub mod dma;
pub mod port;
