//! One connection: a socket in a set of its own, and what the stack knows beside it.
//!
//! Its life: born by a connect or a SYN; *established*; the application promises bytes and takes bytes;
//! *finishing*, when the application has promised all it will; *over*, when smoltcp has closed it. It stays
//! to be asked about until the application releases it; then its socket goes back to the pool.
//!
//! What goes out on it is in `sending`, what comes in is in `receiving`, and what can end it early in `failure`.

mod failure;
mod receiving;
mod sending;

pub use failure::Failure;
pub(crate) use receiving::Rest;

use pagewire_nic::dma::RingMemory;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::Instant;

use crate::flow::{Flow, has_finished};
use crate::headers::FourTuple;
use crate::inbox::Inbox;
use crate::patience::Silence;
use crate::phantom::{PooledSocket, TransmitRing};
use crate::sockets::{Ready, Registration};

/// Who brought the connection about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// We connected.
    Connected,
    /// A listener on this port took a SYN.
    Accepted {
        /// The listener's port.
        port: u16,
    },
}

/// A connection.
pub(crate) struct Connection {
    pub(crate) sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// The memory of its receive ring, or of what its inbox keeps.
    receive: RingMemory,
    pub(crate) flow: Flow,
    /// Where its received bytes are, if its receive ring is a phantom.
    pub(crate) inbox: Option<Inbox>,
    pub(crate) tuple: FourTuple,
    pub(crate) origin: Origin,
    pub(crate) generation: u32,
    /// Whether it stands in the queue of connections that have something to do.
    pub(crate) queued: bool,
    /// The application will ask no more.
    pub(crate) released: bool,
    /// Whether an application knows of it, where a listener took it.
    pub(crate) accepted: bool,
    /// Whether the listener has heard that the handshake is done.
    pub(crate) announced: bool,
    pub(crate) failure: Option<Failure>,
    /// Whether it was ended without a word: no segment that comes or goes is its own.
    pub(crate) dismissed: bool,
    /// Whether the peer has sent its last byte.
    pub(crate) peer_finished: bool,
    /// Whether its receive ring takes memory.
    pub(crate) rest: Rest,
    /// Who wants to hear of it.
    pub(crate) registration: Option<Registration>,
    finishing: bool,
    /// Whether an answer was waited for in the last round.
    waited: bool,
    last_state: State,
}

impl Connection {
    pub(crate) fn new(
        pooled: PooledSocket,
        ring: TransmitRing,
        tuple: FourTuple,
        origin: Origin,
        generation: u32,
        now: Instant,
    ) -> Self {
        let PooledSocket {
            socket,
            receive,
            store,
        } = pooled;
        let last_state = socket.state();
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Self {
            sockets,
            handle,
            receive,
            rest: Rest::default(),
            flow: Flow::new(ring, now),
            inbox: store.map(Inbox::new),
            tuple,
            origin,
            generation,
            queued: false,
            released: false,
            accepted: false,
            announced: false,
            failure: None,
            dismissed: false,
            peer_finished: false,
            registration: None,
            finishing: false,
            waited: false,
            last_state,
        }
    }

    #[inline]
    pub(crate) fn socket(&self) -> &tcp::Socket<'static> {
        self.sockets.get(self.handle)
    }

    #[inline]
    pub(crate) fn socket_mut(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// Its socket, for the pool.
    pub(crate) fn into_socket(mut self) -> PooledSocket {
        match self.sockets.remove(self.handle) {
            smoltcp::socket::Socket::Tcp(socket) => PooledSocket {
                socket,
                receive: self.receive,
                store: self.inbox.map(Inbox::into_store),
            },
            _ => unreachable!("only TCP sockets are added to a connection's set"),
        }
    }

    /// TCP's state.
    #[inline]
    pub(crate) fn state(&self) -> State {
        if self.dismissed {
            State::Closed
        } else {
            self.socket().state()
        }
    }

    /// Ends it in its TIME-WAIT, without a word: its peer opens another one from the same port. What has arrived can still be
    /// taken.
    pub(crate) fn supersede(&mut self, now: Instant) {
        // The end of the peer's stream may have come in the same round.
        self.observe(now);
        self.dismissed = true;
    }

    /// Ends it at once: the peer gets a RST, unless both have finished (RFC 9293 §3.10.5).
    pub(crate) fn abort(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        match self.socket().state() {
            State::Closing | State::LastAck | State::TimeWait => self.dismissed = true,
            _ => self.socket_mut().abort(),
        }
    }

    /// How the peer has tried our patience, if it has.
    fn silence(&self, now: Instant) -> Option<Silence> {
        let (state, spoken) = (self.socket().state(), self.flow.has_spoken());
        self.flow.patience.spent(state, spoken, now)
    }

    /// Notes the socket's state after smoltcp has worked on it; returns whether it has just become closed.
    pub(crate) fn observe(&mut self, now: Instant) -> bool {
        if self.last_state == State::SynReceived && self.socket().state() == State::Listen {
            // A reset in the handshake: smoltcp would listen again, but this set is found by one peer only.
            self.socket_mut().close();
        }
        let Self {
            sockets,
            handle,
            flow,
            ..
        } = self;
        flow.patience.look(sockets.get(*handle), now);
        let state = self.state();
        let before = std::mem::replace(&mut self.last_state, state);
        self.peer_finished |= has_finished(state);
        if state != State::Closed || before == State::Closed {
            return false;
        }
        self.flow.patience.heard(now);
        if self.failure.is_none() {
            self.failure = Failure::when_closed_in(before);
        }
        true
    }

    /// Whether the handshake is done, in a connection that lives.
    pub(crate) fn is_established(&self) -> bool {
        !matches!(
            self.last_state,
            State::Listen | State::SynSent | State::SynReceived | State::Closed
        )
    }

    /// Whether smoltcp has nothing more to say for it: closed, and the RST, if there is one, is out, or has found no
    /// neighbour to go to.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let socket = self.socket();
        let said = || socket.remote_endpoint().is_none() || self.silence(now).is_some();
        self.dismissed || socket.state() == State::Closed && said()
    }

    /// What can be done with it now.
    pub(crate) fn readiness(&self) -> Ready {
        let socket = self.socket();
        let mut ready = Ready::NONE;
        if self.state() == State::Closed {
            ready = ready | Ready::CLOSED;
        }
        if socket.can_recv() || self.peer_finished {
            ready = ready | Ready::READABLE;
        }
        if self.room() > 0 {
            ready = ready | Ready::WRITABLE;
        }
        ready
    }

    /// The application has promised or written something: less room may be news when it is gone.
    pub(crate) fn used_room(&mut self) {
        let ready = self.readiness();
        if let Some(registration) = &mut self.registration {
            registration.used(ready);
        }
    }

    /// Whether bytes have just arrived that somebody will be told of: what he answers carries their acknowledgment, so a
    /// segment is saved where he does so before the next round. Longer they do not wait.
    pub(crate) fn awaits_answer(&mut self) -> bool {
        let arrived = self.arrived();
        let news = |registration: &Registration| registration.will_tell_of_bytes(arrived);
        self.waited = !self.waited && self.registration.as_ref().is_some_and(news);
        self.waited
    }
}
