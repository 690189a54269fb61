//! What clients may do.

use pagewire_stack::{Duration, SocketSizes};

use super::http::request::MOST_HEAD;

/// What clients may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many there may be at a time; more wait until somebody has left.
    pub clients: usize,
    /// How long one may stay without a request.
    pub idle: Duration,
    /// How long a request may take from its first byte to its last.
    pub request: Duration,
    /// How long one may take none of what it is sent.
    pub stalled: Duration,
    /// How long one may take to end its side of the connection after the last answer.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 10_000,
            idle: Duration::from_secs(60),
            request: Duration::from_secs(10),
            stalled: Duration::from_secs(30),
            linger: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// The sockets of a server's stack: little comes in, and what goes out takes no memory.
    pub const SOCKETS: SocketSizes = SocketSizes {
        receive: 2 * MOST_HEAD,
        transmit: 1 << 20,
    };
}
