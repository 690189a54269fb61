//! What an application asks of a stack: to send and to take bytes on a connection, how that stands, and what the host is to
//! do by itself.
//!
//! How it comes by a connection is in `connecting` and `listening`, how it hears of what is ready in `readiness`.

use std::ops::Range;
use std::sync::Arc;

use pagewire_nic::dma::DmaError;
use pagewire_nic::port::{RxQueue, TxQueue};
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint};

use super::{ConnectionId, Core, Stack};
use crate::connection::{Connection, Failure};
use crate::host::{EchoReply, Lease, PingError};
use crate::phantom::TransmitRing;
use crate::send_queue::SendQueue;
use crate::source::{SharedFile, Source};

/// How a connection stands.
#[derive(Debug)]
pub struct Status<'a> {
    /// TCP's state (RFC 9293 §3.3.2).
    pub state: State,
    /// The peer.
    pub remote: IpEndpoint,
    /// Bytes that the application promised to send.
    pub promised: u64,
    /// Of these, bytes that the peer has acknowledged.
    pub acknowledged: u64,
    /// Whether the peer has sent its last byte and all bytes were taken.
    pub drained: bool,
    /// Why it ended before its time, if it did.
    pub failure: Option<&'a Failure>,
}

impl Status<'_> {
    /// Whether bytes that were promised have not been acknowledged yet.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.acknowledged < self.promised
    }
}

impl<T: TxQueue, R: RxQueue> Stack<T, R> {
    /// Promises all bytes of `source`, after those promised before. For a phantom ring.
    pub fn send(&mut self, id: ConnectionId, source: Box<dyn Source>) {
        self.core.promise(id, |queue| queue.push(source));
    }

    /// Promises the bytes `range` of `file`, those of them that it has: nothing is allocated or looked up. For a
    /// phantom ring.
    pub fn send_shared(&mut self, id: ConnectionId, file: &Arc<SharedFile>, range: Range<u64>) {
        self.core.promise(id, |queue| queue.push_shared(file, range));
    }

    /// Promises a copy of `bytes`: the head of a response, a short answer. It goes to DMA memory that is used again.
    /// What is promised after it before the next round goes out in the same segment. For a phantom ring.
    ///
    /// # Errors
    /// There is no memory for them; the first of them may have been promised.
    pub fn send_bytes(&mut self, id: ConnectionId, mut bytes: &[u8]) -> Result<(), DmaError> {
        while !bytes.is_empty() && self.core.find(id).is_some() {
            let (chunk, rest) = self.core.small_bytes.fill(bytes)?;
            self.core.promise(id, |queue| queue.push_chunk(chunk));
            bytes = rest;
        }
        Ok(())
    }

    /// How many bytes can be promised, or written, before they would only wait: a connection is writable while there
    /// is room. More can be promised by reference.
    #[must_use]
    pub fn room(&self, id: ConnectionId) -> usize {
        self.core.find(id).map_or(0, Connection::room)
    }

    /// Lets `fill` write into the free part of the socket's ring; it returns how much it wrote. For a real
    /// ring. Returns what `fill` returned; 0 where there is no room, or no connection.
    pub fn write(&mut self, id: ConnectionId, fill: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let Some(connection) = self.core.find_mut(id) else {
            return 0;
        };
        let written = connection.write(fill);
        if written > 0 {
            self.core.wake(id.key);
        }
        written
    }

    /// No more will be promised: the last byte is followed by a FIN.
    pub fn finish(&mut self, id: ConnectionId) {
        if let Some(connection) = self.core.find_mut(id) {
            connection.finish();
            self.core.wake(id.key);
        }
    }

    /// Shows the received bytes that lie in one piece to `take`, which returns how many of them it took.
    /// Returns that number; 0 where nothing is there. With a phantom receive ring, bytes that are taken before the next
    /// [`poll`](Self::poll) are never copied.
    pub fn receive(&mut self, id: ConnectionId, take: impl FnOnce(&[u8]) -> usize) -> usize {
        let Self { ingress, core } = self;
        let Some(connection) = core.find_mut(id) else {
            return 0;
        };
        let taken = connection.receive(|place| ingress.packet(place), take);
        if taken > 0 {
            // The window has grown: the peer may have to hear of it.
            core.wake(id.key);
        }
        taken
    }

    /// Ends a connection at once; the peer gets a RST, unless both ends have finished their streams: in CLOSING, LAST-ACK and
    /// TIME-WAIT it is ended without a word (RFC 9293 §3.10.5).
    pub fn abort(&mut self, id: ConnectionId, failure: Failure) {
        if let Some(connection) = self.core.find_mut(id) {
            connection.abort(failure);
            if connection.dismissed {
                self.core.unlist(id.key);
            }
            self.core.wake(id.key);
        }
    }

    /// How a connection stands; `None` once it was released and is over. One in TIME-WAIT is closed as soon as its peer opens
    /// another one from the same port (RFC 9293 §3.6.1).
    #[must_use]
    pub fn status(&self, id: ConnectionId) -> Option<Status<'_>> {
        let connection = self.core.find(id)?;
        let socket = connection.socket();
        Some(Status {
            state: connection.state(),
            remote: connection.tuple.remote(),
            promised: connection.flow.queue.promised(),
            acknowledged: connection.flow.queue.acknowledged(),
            drained: connection.peer_finished && !socket.can_recv(),
            failure: connection.failure.as_ref(),
        })
    }

    /// The application will not ask about this connection again: when it is over, it is forgotten.
    pub fn release(&mut self, id: ConnectionId) {
        if let Some(connection) = self.core.find_mut(id) {
            connection.released = true;
            connection.registration = None;
            self.core.wake(id.key);
        }
    }

    /// Asks `to` for an echo of `payload_len` bytes; `sequence` is the number by which the caller knows the request.
    /// It goes out with the next [`poll`](Self::poll)s. How long to wait for the reply is the caller's business.
    ///
    /// # Errors
    /// See [`PingError`].
    pub fn ping(
        &mut self,
        to: IpAddress,
        sequence: u16,
        payload_len: usize,
        now: Instant,
    ) -> Result<(), PingError> {
        let unreachable = |why| PingError::Unreachable { to, why };
        self.core.source_towards(to).map_err(unreachable)?;
        self.core.host.ping(to, sequence, payload_len, now)
    }

    /// The oldest reply to an echo request that was not taken yet.
    pub fn next_echo_reply(&mut self) -> Option<EchoReply> {
        self.core.host.next_echo_reply()
    }

    /// What a DHCP server has lent, if [`dhcp`](super::StackConfig::dhcp) was asked for and there is one. The address
    /// is ours by then.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.core.host.lease()
    }

    /// Own addresses as they are now, leased and link-local ones included.
    #[must_use]
    pub fn addresses(&self) -> &[IpCidr] {
        self.core.interface.ip_addrs()
    }

    /// How many connections the table holds, half-open and released ones included.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.core.connections.len()
    }
}

impl<T: TxQueue> Core<T> {
    /// Appends to what a connection has promised.
    fn promise(&mut self, id: ConnectionId, append: impl FnOnce(&mut SendQueue)) {
        let Some(connection) = self.find_mut(id) else {
            return;
        };
        debug_assert_eq!(
            connection.flow.ring,
            TransmitRing::Phantom,
            "a real ring is written to"
        );
        append(&mut connection.flow.queue);
        connection.used_room();
        self.wake(id.key);
    }
}
