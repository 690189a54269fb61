//! Files over HTTP.
//!
//! - [`http`]: what a request asks and what is answered, without files and without sockets.

pub mod http;
