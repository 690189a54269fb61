//! Why a connection ends before its time, and how that is known.

use smoltcp::socket::tcp::State;

use crate::patience::Silence;
use crate::source::SourceError;

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The bytes to send could not be had.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The peer reset the connection.
    #[error("the peer reset the connection")]
    ResetByPeer,
    /// The peer refused it: nobody listens there.
    #[error("the peer refused the connection: nobody listens on that port")]
    Refused,
    /// Nobody has told the Ethernet address of the peer.
    #[error(
        "nobody tells the Ethernet address of the peer, or of the gateway on the way: see that it is up, on this \
         network and on this VLAN"
    )]
    NoNeighbour,
    /// The peer has been silent for too long.
    #[error("the peer has not answered for {seconds} s")]
    Silent {
        /// How long, in seconds.
        seconds: u64,
    },
    /// The application aborted it.
    #[error("the connection was aborted")]
    Aborted,
}

impl Failure {
    /// Why a connection that was in the state `before` is closed, where nobody here has ended it. `None` where it was time.
    pub(super) fn when_closed_in(before: State) -> Option<Self> {
        match before {
            State::LastAck | State::TimeWait | State::Closing => None,
            State::SynSent => Some(Self::Refused),
            _ => Some(Self::ResetByPeer),
        }
    }
}

impl From<Silence> for Failure {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::NoNeighbour => Self::NoNeighbour,
            Silence::NoAnswer(time) => Self::Silent { seconds: time.secs() },
        }
    }
}
