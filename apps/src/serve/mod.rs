//! Files over HTTP, from a machine of one's own.
//!
//! - [`http`]: what a request asks and what is answered, without files and without sockets;
//! - [`files`]: a folder, the wall around it, and its files, which stay open between requests;
//! - [`Serving`]: clients and their connections, on the readiness of a stack's sockets;
//! - [`Log`]: who has asked for what.
//!
//! The head of an answer is copied into memory that the device reads; the bytes of a file are not: they go out in the same segment,
//! from the page cache. Files are guarded while they are sent, by a lease where the kernel grants one and by their fingerprint where
//! not: a file that changes under way ends in a reset, never in bytes of two files.

mod answering;
mod client;
pub mod files;
pub mod http;
mod limits;
mod log;
mod serving;

pub use limits::Limits;
pub use log::Log;
pub use serving::{Served, Serving};
