//! The table of connections: how one comes into it, by which names it is found there, and how it goes.
//!
//! A connection has its place in a slab, the *key*. The stack finds the key by the addresses and ports of a packet; an
//! application names key and *generation*, so that it never means a later connection of the same place. Its socket comes from
//! a pool, and goes back there with it.

use smoltcp::time::Instant;

use super::Core;
use crate::connection::{Connection, Origin};
use crate::headers::FourTuple;
use crate::inbox::Inbox;
use crate::phantom::{PooledSocket, SocketPool, TransmitRing};

/// Names a connection; never names another one, even after the first is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    pub(super) key: usize,
    pub(super) generation: u32,
}

impl<T> Core<T> {
    /// Where the sockets of connections with such a transmit ring come from.
    pub(super) fn pool(&mut self, ring: TransmitRing) -> &mut SocketPool {
        match ring {
            TransmitRing::Phantom => &mut self.phantom_sockets,
            TransmitRing::Real => &mut self.real_sockets,
        }
    }

    /// Makes a connection and returns its key. Its addresses and ports are nobody else's.
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

    /// Lets neither a segment nor a timer find a connection any more.
    pub(super) fn unlist(&mut self, key: usize) {
        let tuple = self.connections[key].tuple;
        // Where it was unlisted before, another one may have the same addresses and ports.
        if self.table.get(&tuple) == Some(&key) {
            self.table.remove(&tuple);
        }
        self.timers.cancel(key);
    }

    /// Ends a connection without a word and gives its socket back to the pool.
    pub(super) fn forget(&mut self, key: usize) {
        if !self.connections.contains(key) {
            return;
        }
        self.unlist(key);
        let mut connection = self.connections.remove(key);
        connection.flow.queue.abandon(&mut self.small_bytes);
        self.counters.retransmitted_bytes += connection.flow.retransmitted;
        self.counters.kept_bytes += connection.inbox.as_ref().map_or(0, Inbox::kept);
        let ring = connection.flow.ring;
        self.pool(ring).give(connection.into_socket());
    }

    /// The name by which an application knows a connection.
    pub(super) fn id_of(&self, key: usize) -> ConnectionId {
        ConnectionId {
            key,
            generation: self.connections[key].generation,
        }
    }

    /// The connection of that name, if it is still here.
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
}

impl<T> Drop for Core<T> {
    /// Sockets outlive their stack: those of connections that are still open go to their pools, too.
    fn drop(&mut self) {
        for (_, connection) in std::mem::take(&mut self.connections) {
            self.pool(connection.flow.ring).give(connection.into_socket());
        }
    }
}
