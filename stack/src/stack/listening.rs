//! Ports that take connections.

use pagewire_nic::port::{RxQueue, TxQueue};

use super::{ConnectionId, Listening, OpenError, Stack};
use crate::connection::Failure;
use crate::listener::{Listener, ListenerConfig};
use crate::phantom::TransmitRing;
use crate::sockets::Ready;

impl<T: TxQueue, R: RxQueue> Stack<T, R> {
    /// Takes connections on `port`, on all own addresses; `ring` says how their payload will be sent.
    ///
    /// # Errors
    /// [`OpenError::PortTaken`]; [`OpenError::Memory`] where there is none for even one connection.
    pub fn listen(&mut self, port: u16, ring: TransmitRing, config: ListenerConfig) -> Result<(), OpenError> {
        let core = &mut self.core;
        if core.listeners.contains_key(&port) {
            return Err(OpenError::PortTaken { port });
        }
        // The first connection's socket: memory that cannot be had shows here, not as silence towards a SYN.
        let pooled = core.pool(ring).take()?;
        core.pool(ring).give(pooled);
        core.listeners.insert(
            port,
            Listening {
                ring,
                backlog: Listener::new(config),
                arrived: 0,
                registration: None,
            },
        );
        Ok(())
    }

    /// The oldest connection on `port` whose handshake is done and that nobody has accepted yet.
    pub fn accept(&mut self, port: u16) -> Option<ConnectionId> {
        let core = &mut self.core;
        while let Some(id) = core.listeners.get_mut(&port)?.backlog.accept() {
            if let Some(connection) = core.find_mut(id) {
                connection.accepted = true;
                return Some(id);
            }
        }
        None
    }

    /// Takes no more connections on `port`; those that nobody has accepted are reset, the others stay. Whoever comes from
    /// now on is refused.
    pub fn stop_listening(&mut self, port: u16) {
        let core = &mut self.core;
        let Some(listening) = core.listeners.remove(&port) else {
            return;
        };
        for id in listening.backlog.close() {
            if let Some(connection) = core.find_mut(id) {
                connection.abort(Failure::Aborted);
                core.wake(id.key);
            }
        }
    }
}

impl Listening {
    /// What can be done with it now.
    pub(super) fn readiness(&self) -> Ready {
        if self.backlog.waiting() > 0 {
            Ready::ACCEPTABLE
        } else {
            Ready::NONE
        }
    }
}
