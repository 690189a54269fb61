//! HTTP/1.1 (RFC 9110, RFC 9112) for files, without a socket: bytes of a request in, an answer out.
//!
//! ```text
//!  bytes ──► Requests ──► target::resolve ──► (a file, as a Representation)
//!               │                                          │
//!               └────────── conditions, ranges ──────► Answer: texts and runs of the file
//! ```
//!
//! Nothing here opens a file, reads a clock or allocates for an ordinary request: an [`Answer`] is used again and again.
//! It names runs of a file, never its bytes.

pub mod answer;
pub mod clock;
pub mod conditions;
pub mod host;
pub mod ranges;
pub mod representation;
pub mod request;
pub mod status;
pub mod stream;
pub mod target;

pub use answer::{Answer, Piece};
pub use clock::Clock;
pub use representation::Representation;
pub use request::{Method, Reading, Request};
pub use status::Status;
pub use stream::Requests;
