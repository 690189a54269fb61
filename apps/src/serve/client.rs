//! One client, and since when it is waited for.

use pagewire_stack::{ConnectionId, Instant, IpAddress};

use super::http::Requests;

/// A connection that was accepted.
pub(super) struct Client {
    pub(super) id: ConnectionId,
    pub(super) peer: IpAddress,
    pub(super) requests: Requests,
    /// Nothing more will be answered: what still arrives means nothing.
    pub(super) ending: bool,
    /// When something moved last: an answer was promised, a request began, bytes were acknowledged.
    pub(super) since: Instant,
    /// How much it had acknowledged by then.
    pub(super) acknowledged: u64,
}

impl Client {
    pub(super) fn new(id: ConnectionId, peer: IpAddress, now: Instant) -> Self {
        Self {
            id,
            peer,
            requests: Requests::default(),
            ending: false,
            since: now,
            acknowledged: 0,
        }
    }
}
