//! What a driver offers to the floors above: a NIC, and its queues.
//!
//! Everything above the drivers is written against these traits, so it neither knows nor cares which
//! family it sends through. A driver's `open` returns [`Opened`]: the device itself ([`Nic`]) and its
//! queue pairs ([`TxQueue`], [`RxQueue`]), each a handle of its own that can move to another thread. No
//! handle shares a lock with another.
//!
//! Life of a packet on its way out: [`TxQueue::post`] or [`TxQueue::post_gather`] takes the buffers and
//! writes descriptors, [`TxQueue::doorbell`] publishes all that was posted since the last one,
//! [`TxQueue::reap`] gives the buffers back that the device is done with.
//!
//! On its way in: [`RxQueue::receive`] hands out filled frames, [`RxQueue::recycle`] takes them back,
//! [`RxQueue::refill`] gives them to the device again.
//!
//! Who has nothing to do asks the device to say when there is something: [`Nic::enable_interrupt`] once, then
//! [`Nic::arm`] and [`Nic::disarm`] around each sleep ([`idle`](crate::idle)).

mod config;
mod interrupt;
mod nic;
mod offload;
mod queue;

pub use config::{Delay, NicConfig, SleepDelay};
pub use interrupt::Causes;
pub use nic::{Link, Nic, NicError, Opened, Statistics, TxLimits};
pub use offload::{IpVersion, L4, PacketLayout, TxOffload};
pub use queue::{Full, Received, RxCounters, RxQueue, TxCounters, TxQueue, Verdict};
