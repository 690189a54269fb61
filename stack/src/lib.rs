//! TCP/IP in user space over a NIC driver's queues, sending by reference.
//!
//! ```text
//!  application ── send(source) ──► send queue: extents by 64-bit offset
//!       │                                │ gather(offset, length)
//!  Stack::poll(now)                      ▼
//!    ingress ─► guard ─► smoltcp ─► egress: header from smoltcp + payload slices ─► TxQueue
//! ```
//!
//! smoltcp is TCP: states, windows, retransmission. It runs unmodified, over transmit rings that hold
//! nothing ([`TransmitRing::Phantom`]); the adapter keeps the headers it emits and sends the bytes that the
//! send queue names in place of the payload. Since such a stream is no more than a count to it, it counts in grains of several
//! bytes, and its numbers are translated on the way. Each connection has a socket set of its own, found by its
//! addresses and ports, so that the cost of a packet does not follow the number of connections.
//!
//! - [`Stack`]: one queue pair, its connections and listeners;
//! - [`sockets`]: which of them are ready, and for what;
//! - [`source`]: files and bytes that can be sent by reference;
//! - [`headers`], [`guard`]: what is read from a packet, and refused, before smoltcp sees it;
//! - [`sequence`], [`template`], [`timers`], [`listener`]: the parts of a connection that need no socket.

mod connection;
mod counting;
mod device;
mod egress;
mod flow;
mod grains;
pub mod guard;
pub mod headers;
mod host;
mod inbox;
mod ingress;
pub mod listener;
mod owed;
mod patience;
mod phantom;
mod send_queue;
pub mod sequence;
mod small_bytes;
pub mod sockets;
pub mod source;
mod stack;
pub mod template;
pub mod timers;
mod vlan;

pub use connection::Failure;
pub use egress::EgressCounters;
pub use host::{EchoReply, Lease, PingError};
pub use ingress::IngressCounters;
pub use phantom::{NoSocketMemory, ReceiveRing, SocketSizes, TransmitRing};
pub use smoltcp::socket::tcp::{CongestionControl, State};
pub use smoltcp::time::{Duration, Instant};
pub use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint, Ipv4Address, Ipv4Cidr};
pub use stack::{
    ConnectionId, OpenError, Progress, SetupError, Stack, StackConfig, StackCounters, Status, Unreachable,
};
pub use vlan::{NotAVlan, VlanId};
