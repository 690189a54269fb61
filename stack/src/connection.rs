//! One connection: a socket in a set of its own, and what the stack knows beside it.
//!
//! Its life: born by a connect or a SYN; *established*; the application promises bytes and takes bytes;
//! *finishing*, when the application has promised all it will; *over*, when smoltcp has closed it. It stays
//! to be asked about until the application releases it; then its socket goes back to the pool.

use pagewire_nic::dma::RingMemory;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::Instant;

use crate::flow::Flow;
use crate::headers::FourTuple;
use crate::inbox::Inbox;
use crate::patience::Silence;
use crate::phantom::{PooledSocket, TransmitRing, filled_to};
use crate::small_bytes::SmallBytes;
use crate::sockets::{Ready, Registration};
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

/// What is known of a receive ring's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It takes none.
    #[default]
    Untouched,
    /// It takes some; so much had arrived when it was looked at last.
    Since(u64),
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

    /// The offset in the stream up to which there is room.
    pub(crate) fn window_end(&self) -> u64 {
        self.flow.consumed + self.socket().recv_capacity() as u64
    }

    /// Takes `len` bytes, which have been read, out of smoltcp's ring.
    pub(crate) fn consume(&mut self, len: usize) {
        let mut left = len;
        // Twice, because smoltcp shows what there is up to the ring's end first.
        for _ in 0..2 {
            let taken = self.socket_mut().recv(|ring| {
                let len = ring.len().min(left);
                (len, len)
            });
            left -= taken.unwrap_or(0);
        }
        debug_assert_eq!(left, 0, "only what was in the ring can have been read");
        self.flow.consumed += len as u64;
    }

    /// All bytes that will be sent are promised: after the last of them comes a FIN.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
    }

    /// Ends it at once: the peer gets a RST.
    pub(crate) fn abort(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.socket_mut().abort();
    }

    /// Takes note of what was acknowledged, hands newly promised bytes to smoltcp, and closes when the last
    /// one is acknowledged. A source that fails resets the connection, and so does a peer that is silent for too
    /// long. `request` is what smoltcp emits at once, in bytes of payload.
    pub(crate) fn advance(&mut self, chunks: &mut SmallBytes, request: usize, now: Instant) {
        match self.silence(now) {
            None => {}
            Some(Silence::NoNeighbour) => self.abort(Failure::NoNeighbour),
            Some(Silence::NoAnswer(time)) => self.abort(Failure::Silent { seconds: time.secs() }),
        }
        if let Err(error) = self.try_advance(chunks, request, now) {
            self.abort(Failure::Source(error));
        }
    }

    /// How the peer has tried our patience, if it has.
    fn silence(&self, now: Instant) -> Option<Silence> {
        let (state, spoken) = (self.socket().state(), self.flow.has_spoken());
        self.flow.patience.spent(state, spoken, now)
    }

    fn try_advance(
        &mut self,
        chunks: &mut SmallBytes,
        request: usize,
        now: Instant,
    ) -> Result<(), SourceError> {
        if let Some(error) = self.flow.failure.take() {
            return Err(error);
        }
        if self.flow.ring == TransmitRing::Phantom {
            let acknowledged = self.flow.enqueued - self.socket().send_queue() as u64;
            if acknowledged > self.flow.queue.acknowledged() && self.failure.is_none() {
                self.flow.queue.release(acknowledged, chunks, now)?;
            }
            self.flow.queue.watch(now)?;
            // What is sent again may be what the device found gone: that would go on for ever.
            if self.flow.retransmitted > self.flow.asked_after {
                self.flow.asked_after = self.flow.retransmitted;
                self.flow.queue.verify(now)?;
            }
            self.promise(request);
        }
        // The FIN waits for the last acknowledgment, so that a file which turns out to have changed ends in
        // a reset and never in a regular close.
        let all_acknowledged = self.flow.ring == TransmitRing::Real
            || self.flow.queue.acknowledged() == self.flow.queue.promised();
        if self.finishing && all_acknowledged && self.socket().may_send() {
            self.finishing = false;
            self.socket_mut().close();
        }
        Ok(())
    }

    /// Whether bytes have just arrived that somebody will be told of: what he answers carries their acknowledgment, so a
    /// segment is saved where he does so before the next round. Longer they do not wait.
    pub(crate) fn awaits_answer(&mut self) -> bool {
        let arrived = self.arrived();
        let news = |registration: &Registration| registration.will_tell_of_bytes(arrived);
        self.waited = !self.waited && self.registration.as_ref().is_some_and(news);
        self.waited
    }

    /// Lets the end of what is promised leave at once, though it is no full segment and others are under way: nobody knows
    /// of anything that it could be sent with. `full` is a segment's length.
    pub(crate) fn spare_the_end(&mut self, full: usize) {
        if self.flow.ring == TransmitRing::Phantom {
            let is_end = self.flow.queue.promised() < self.flow.sent() + full as u64;
            self.socket_mut().set_nagle_enabled(!is_end);
        }
    }

    /// Enqueues promised bytes in the phantom ring: nothing is written.
    fn promise(&mut self, request: usize) {
        let socket = self.socket();
        let (queued, capacity) = (socket.send_queue(), socket.send_capacity());
        let (from, promised) = (self.flow.enqueued, self.flow.queue.promised());
        let mut left = filled_to(from, promised, queued, capacity, request) - from;
        // Twice, because smoltcp offers the room up to the ring's end first.
        for _ in 0..2 {
            if left == 0 {
                break;
            }
            let take = |ring: &mut [u8]| {
                let len = (ring.len() as u64).min(left) as usize;
                (len, len)
            };
            match self.socket_mut().send(take) {
                Ok(len) => {
                    self.flow.enqueued += len as u64;
                    left -= len as u64;
                }
                Err(_) => break,
            }
        }
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
        let state = self.socket().state();
        let before = std::mem::replace(&mut self.last_state, state);
        self.peer_finished |= matches!(
            state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait
        );
        if state != State::Closed || before == State::Closed {
            return false;
        }
        self.flow.patience.heard(now);
        if self.failure.is_none() {
            match before {
                State::LastAck | State::TimeWait | State::Closing => {}
                State::SynSent => self.failure = Some(Failure::Refused),
                _ => self.failure = Some(Failure::ResetByPeer),
            }
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

    /// How many more bytes can be promised, or written, before what is promised waits for its turn.
    pub(crate) fn room(&self) -> usize {
        let socket = self.socket();
        if self.finishing || !socket.may_send() {
            return 0;
        }
        let waiting = match self.flow.ring {
            TransmitRing::Phantom => self.flow.queue.promised() - self.flow.queue.acknowledged(),
            TransmitRing::Real => socket.send_queue() as u64,
        };
        (socket.send_capacity() as u64).saturating_sub(waiting) as usize
    }

    /// What can be done with it now.
    pub(crate) fn readiness(&self) -> Ready {
        let socket = self.socket();
        let mut ready = Ready::NONE;
        if socket.state() == State::Closed {
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

    /// How much has arrived, the end of the stream counted as a byte.
    pub(crate) fn arrived(&self) -> u64 {
        self.flow.consumed + self.socket().recv_queue() as u64 + u64::from(self.peer_finished)
    }

    /// Gives the receive ring's memory back where the ring is empty and nothing has come since it was asked last; returns
    /// whether it did.
    pub(crate) fn try_rest(&mut self) -> bool {
        let arrived = self.arrived();
        let quiet = self.rest == Rest::Since(arrived);
        // What has arrived out of order lies in the ring too, though smoltcp does not count it.
        let empty = self.socket().recv_queue() == 0 && !self.flow.has_gaps(arrived);
        if quiet && empty {
            self.receive.give_back();
            self.rest = Rest::Untouched;
            return true;
        }
        self.rest = Rest::Since(arrived);
        false
    }

    /// Whether smoltcp has nothing more to say for it: closed, and the RST, if there is one, is out, or has found no
    /// neighbour to go to.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let socket = self.socket();
        let said = || socket.remote_endpoint().is_none() || self.silence(now).is_some();
        socket.state() == State::Closed && said()
    }
}
