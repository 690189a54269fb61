//! The network drivers: memory that a device may reach, descriptor rings, and three models of NIC.
//!
//! - [`port`]: what a driver offers: a NIC, its transmit and receive queues, offloads, errors;
//! - [`dma`]: memory mapped for a device, frames, and bytes of files named by reference;
//! - [`ring`]: the engine of all: indices, slots, who owns a descriptor when;
//! - [`e1000`]: the 82540EM, 1 Gb/s, one queue pair;
//! - [`e1000e`]: the 82574L, its descendant on PCI Express;
//! - [`ixgbe`]: the 82599, 10 Gb/s, up to 16 queue pairs with RSS;
//! - [`idle`]: polling under load, sleeping until an interrupt when there is nothing to do.
//!
//! A driver is generic over [`pagewire_bus::Function`], so that the code a test runs against an emulated NIC
//! is the code that drives silicon.
//!
//! The life of a NIC:
//! 1. `e1000::open`, `e1000e::open` or `ixgbe::open`: DMA off, reset, station address, rings, link; the receive rings are
//!    full of buffers and the device runs. Every wait on the way has a limit;
//! 2. the queue handles go to the threads that use them; the [`port::Nic`] stays where link and statistics
//!    are wanted;
//! 3. a queue handle that is dropped turns its queue off and asks for confirmation;
//! 4. [`port::Nic::stop`]: all DMA off, reset, confirmed;
//! 5. only then is memory freed that the device could reach. What no confirmation covers is leaked: see
//!    `life`.

pub mod dma;
pub mod e1000;
pub mod e1000e;
pub mod idle;
mod interrupt;
pub mod ixgbe;
mod life;
pub mod port;
pub mod ring;
mod settings;
mod wait;
