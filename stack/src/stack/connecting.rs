//! Connections that we open: from which address, from which port, with whose socket.

use std::net::SocketAddr;

use pagewire_nic::port::{RxQueue, TxQueue};
use smoltcp::time::Instant;
use smoltcp::wire::{IpAddress, IpEndpoint};

use super::{ConnectionId, Core, Stack, Unreachable};
use crate::connection::Origin;
use crate::headers::FourTuple;
use crate::phantom::{NoSocketMemory, TransmitRing};

/// First port of the range for outgoing connections (RFC 6335 §6).
pub(super) const FIRST_EPHEMERAL: u16 = 49_152;

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
}

impl<T: TxQueue> Core<T> {
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
