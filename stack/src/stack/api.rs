//! What an application asks of a stack.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use pagewire_nic::dma::DmaError;
use pagewire_nic::port::{RxQueue, TxQueue};
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint};

use super::{Core, FIRST_EPHEMERAL, Stack, Unreachable};
use crate::connection::{Connection, Failure, Origin};
use crate::headers::FourTuple;
use crate::host::{EchoReply, Lease, PingError};
use crate::inbox::Inbox;
use crate::phantom::{NoSocketMemory, PooledSocket, SocketPool, TransmitRing};
use crate::send_queue::SendQueue;
use crate::source::{SharedFile, Source};

/// Names a connection; never names another one, even after the first is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    pub(super) key: usize,
    pub(super) generation: u32,
}

/// Why a connection or a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The table is full.
    #[error(
        "{limit} connections are open, the most this stack was set up for: close some, or raise the limit"
    )]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// No free local port towards that peer.
    #[error("all local ports towards {} are in use: close some connections", SocketAddr::from(*remote))]
    NoPort {
        /// The peer.
        remote: IpEndpoint,
    },
    /// The peer is out of reach.
    #[error("{} cannot be reached: {why}", SocketAddr::from(*remote))]
    Unreachable {
        /// The peer.
        remote: IpEndpoint,
        /// Why.
        why: Unreachable,
    },
    /// Somebody listens there already.
    #[error("port {port} is taken by another listener of this stack: choose another port")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// No memory for a socket.
    #[error("{0}")]
    Memory(#[from] NoSocketMemory),
}

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
    /// Starts a connection to `remote`; `ring` says how its payload will be sent.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn connect(
        &mut self,
        remote: IpEndpoint,
        ring: TransmitRing,
        now: Instant,
    ) -> Result<ConnectionId, OpenError> {
        let core = &mut self.core;
        if core.connections.len() >= core.config.max_connections {
            return Err(OpenError::TooMany {
                limit: core.config.max_connections,
            });
        }
        let unreachable = |why| OpenError::Unreachable { remote, why };
        if remote.port == 0 {
            return Err(unreachable(Unreachable::PortZero));
        }
        let address = core.source_towards(remote.addr).map_err(unreachable)?;
        let local = core.free_port(address, remote)?;
        let mut pooled = core.pool(ring).take()?;
        let context = core.interface.context();
        if pooled.socket.connect(context, remote, local).is_err() {
            core.pool(ring).give(pooled);
            return Err(unreachable(Unreachable::NotAHost));
        }
        let key = core.insert(
            pooled,
            ring,
            FourTuple::new(local, remote),
            Origin::Connected,
            now,
        );
        core.wake(key);
        Ok(core.id_of(key))
    }

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

    /// Ends a connection at once; the peer gets a RST.
    pub fn abort(&mut self, id: ConnectionId, failure: Failure) {
        if let Some(connection) = self.core.find_mut(id) {
            connection.abort(failure);
            self.core.wake(id.key);
        }
    }

    /// How a connection stands; `None` once it was released and is over.
    #[must_use]
    pub fn status(&self, id: ConnectionId) -> Option<Status<'_>> {
        let connection = self.core.find(id)?;
        let socket = connection.socket();
        Some(Status {
            state: socket.state(),
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
    pub(super) fn pool(&mut self, ring: TransmitRing) -> &mut SocketPool {
        match ring {
            TransmitRing::Phantom => &mut self.phantom_sockets,
            TransmitRing::Real => &mut self.real_sockets,
        }
    }

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

    pub(super) fn insert(
        &mut self,
        pooled: PooledSocket,
        ring: TransmitRing,
        tuple: FourTuple,
        origin: Origin,
        now: Instant,
    ) -> usize {
        self.next_generation = self.next_generation.wrapping_add(1);
        let connection = Connection::new(pooled, ring, tuple, origin, self.next_generation, now);
        let key = self.connections.insert(connection);
        self.table.insert(tuple, key);
        key
    }

    /// Ends a connection without a word and gives its socket back to the pool.
    pub(super) fn forget(&mut self, key: usize) {
        let Some(mut connection) = self.connections.try_remove(key) else {
            return;
        };
        connection.flow.queue.abandon(&mut self.small_bytes);
        self.table.remove(&connection.tuple);
        self.timers.cancel(key);
        self.counters.retransmitted_bytes += connection.flow.retransmitted;
        self.counters.kept_bytes += connection.inbox.as_ref().map_or(0, Inbox::kept);
        let ring = connection.flow.ring;
        self.pool(ring).give(connection.into_socket());
    }

    pub(super) fn id_of(&self, key: usize) -> ConnectionId {
        ConnectionId {
            key,
            generation: self.connections[key].generation,
        }
    }

    pub(super) fn find(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections
            .get(id.key)
            .filter(|connection| connection.generation == id.generation)
    }

    pub(super) fn find_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections
            .get_mut(id.key)
            .filter(|connection| connection.generation == id.generation)
    }

    /// An unused local endpoint towards `remote`.
    fn free_port(&mut self, address: IpAddress, remote: IpEndpoint) -> Result<IpEndpoint, OpenError> {
        for _ in FIRST_EPHEMERAL..=u16::MAX {
            let port = self.next_ephemeral;
            self.next_ephemeral = if port == u16::MAX {
                FIRST_EPHEMERAL
            } else {
                port + 1
            };
            let local = IpEndpoint::new(address, port);
            if !self.table.contains_key(&FourTuple::new(local, remote)) {
                return Ok(local);
            }
        }
        Err(OpenError::NoPort { remote })
    }
}
