//! When a silent peer is given up.
//!
//! TCP itself sends again for as long as nobody stops it, at pauses of up to a minute, so that an outage of minutes
//! costs time and nothing else. The limits here end what cannot be an outage any more (RFC 1122 §4.2.3.5). They count
//! only while something waits for the peer's answer, and from the last segment heard: a connection at rest may be
//! silent for ever, and a peer that keeps its window shut, but answers probes, is not silent.

use smoltcp::socket::tcp::{self, State};
use smoltcp::time::{Duration, Instant};

/// For the Ethernet address of the peer, or of the gateway, before anything was sent to it.
const NEIGHBOUR: Duration = Duration::from_secs(10);
/// For the answer to a SYN (R2 of RFC 1122 §4.2.3.5: at least three minutes).
const HANDSHAKE: Duration = Duration::from_secs(3 * 60);
/// For an acknowledgment on a connection (R2: at least 100 s).
const ACKNOWLEDGMENT: Duration = Duration::from_secs(10 * 60);
/// For the last segment of a connection that is closed, a RST, to find its neighbour.
const LAST_WORD: Duration = Duration::from_secs(3);

/// How a peer keeps silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing could be sent to it: no neighbour has told its address.
    NoNeighbour,
    /// It does not answer.
    NoAnswer(Duration),
}

/// Since when one peer is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    heard: Instant,
    /// Since when something waits for an answer.
    waiting: Option<Instant>,
}

impl Patience {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            waiting: None,
        }
    }

    /// The peer has sent a segment, or the connection was closed: the time counts anew.
    #[inline]
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Takes note of whether `socket` now waits for an answer.
    pub(crate) fn look(&mut self, socket: &tcp::Socket<'_>, now: Instant) {
        let waits = socket.send_queue() > 0
            || matches!(
                socket.state(),
                State::SynSent | State::SynReceived | State::FinWait1 | State::Closing | State::LastAck
            )
            || socket.state() == State::Closed && socket.remote_endpoint().is_some();
        self.waiting = waits.then_some(self.waiting.unwrap_or(now));
    }

    /// How the peer has kept silent for longer than it may; `spoken` says whether anything was sent to it.
    pub(crate) fn spent(&self, state: State, spoken: bool, now: Instant) -> Option<Silence> {
        let silent = now - self.waiting?.max(self.heard);
        let limit = match state {
            State::Closed => LAST_WORD,
            _ if !spoken => NEIGHBOUR,
            State::SynSent | State::SynReceived => HANDSHAKE,
            _ => ACKNOWLEDGMENT,
        };
        (silent >= limit).then_some(if spoken {
            Silence::NoAnswer(silent)
        } else {
            Silence::NoNeighbour
        })
    }
}
