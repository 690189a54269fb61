//! The kernel's ways to send a file over a connected TCP socket, each as one function with honest counters.
//!
//! 1. [`Ends`] are two sockets that are about to meet: a listener, and a socket that will connect to it. Whoever makes them
//!    chooses the path between them, by the network namespaces in which they are made.
//! 2. [`run`] lets one thread connect and send by a [`Method`], and another accept and read as a [`Receiver`] does, and tells
//!    what it took as a [`Measured`].
//! 3. What this kernel lacks is an error of its own, [`MethodError::NotAvailable`], with the reason.
//!
//! Copies and system calls are counted where they are made: `send` has a file for each family of methods.

mod deferred;
mod ends;
mod mapped;
mod measure;
mod method;
mod receive;
mod residency;
mod send;

pub use ends::Ends;
pub use measure::{Measured, run};
pub use method::{Method, MethodError};
pub use receive::{Inspect, Received, Receiver, Receiving};
pub use residency::{drop_cache, fill_cache, resident_share};
