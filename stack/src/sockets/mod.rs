//! Which of many connections and listeners are ready, and for what: one question for all of them.
//!
//! Whoever has thousands of connections does not ask each of them. It registers them, under a [`Token`] of its own
//! choosing, with what it wants to hear of ([`Ready`]) and how ([`Trigger`]), and asks the stack for its
//! [`events`](crate::Stack::events): those of the connections that something has happened to, fed by the packets that
//! arrive. A connection at rest costs nothing. All of it is one thread's: there is no lock.
//!
//! What a server does with it, on a stack that somebody polls:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use pagewire_nic::port::{RxQueue, TxQueue};
//! use pagewire_stack::listener::ListenerConfig;
//! use pagewire_stack::sockets::{Event, Ready, Token, Trigger};
//! use pagewire_stack::source::SharedFile;
//! use pagewire_stack::{ConnectionId, Instant, Stack, TransmitRing};
//!
//! const LISTENER: Token = Token(usize::MAX);
//!
//! fn serve<T: TxQueue, R: RxQueue>(
//!     stack: &mut Stack<T, R>,
//!     page: &Arc<SharedFile>,
//!     now: impl Fn() -> Instant,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     stack.listen(80, TransmitRing::Phantom, ListenerConfig::default())?;
//!     stack.register_listener(80, LISTENER, Trigger::Level);
//!     let mut clients: Vec<ConnectionId> = vec![];
//!     let mut events: Vec<Event> = vec![];
//!     loop {
//!         stack.poll(now());
//!         stack.events(&mut events);
//!         for event in events.drain(..) {
//!             if event.token == LISTENER {
//!                 while let Some(id) = stack.accept(80) {
//!                     stack.register(id, Token(clients.len()), Ready::READABLE, Trigger::Level);
//!                     clients.push(id);
//!                 }
//!                 continue;
//!             }
//!             let id = clients[event.token.0];
//!             if event.ready.contains(Ready::CLOSED) {
//!                 stack.release(id);
//!                 continue;
//!             }
//!             let mut requests = 0;
//!             while stack.receive(id, |bytes| {
//!                 requests += bytes.windows(4).filter(|end| end == b"\r\n\r\n").count();
//!                 bytes.len()
//!             }) > 0
//!             {}
//!             for _ in 0..requests {
//!                 // Copied into DMA memory that is there already, then the file's pages: one segment, one gather.
//!                 let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
//!                 stack.send_bytes(id, head.as_bytes())?;
//!                 stack.send_shared(id, page, 0..page.len());
//!             }
//!             if stack.status(id).is_some_and(|status| status.drained) {
//!                 stack.finish(id);
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! What a server for real does besides: it puts requests together that arrive in pieces, stops reading from a client
//! whose connection has no [`room`](crate::Stack::room) (and asks for [`Ready::WRITABLE`] instead of
//! [`Ready::READABLE`] until it has), and looks at the clock.
//!
//! A loop that waits for other things too, the kernel's sockets among them, waits for
//! [a descriptor](crate::Stack::event_descriptor) that is readable while events wait here. With the feature `tokio`,
//! the module `streams` makes of each connection a stream as tokio has them.
//!
//! What the two triggers mean, in the cases that tell them apart, is a table of tests in `registration`.

mod registration;
mod signal;
#[cfg(feature = "tokio")]
pub mod streams;

pub(crate) use registration::Registration;
pub(crate) use signal::Signal;

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

/// The caller's name for a connection or a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub usize);

/// When an event is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// As often as it is asked for, for as long as it holds.
    Level,
    /// Once each time that it comes true: when it had been false, or when more bytes have arrived (another
    /// connection, for a listener), whether the last ones were taken or not.
    Edge,
}

/// What can be done without waiting: a set of conditions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ready(u8);

impl Ready {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// There are bytes to be received, or the peer has sent its last one.
    pub const READABLE: Self = Self(1);
    /// There is [`room`](crate::Stack::room) for more to be sent.
    pub const WRITABLE: Self = Self(2);
    /// A connection waits to be accepted.
    pub const ACCEPTABLE: Self = Self(4);
    /// The connection is over, whichever way; bytes that were received may still be there. It is always told, whether
    /// it was asked for or not.
    pub const CLOSED: Self = Self(8);

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Ready {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Ready {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0 & 0x0f)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::READABLE, "readable"),
            (Self::WRITABLE, "writable"),
            (Self::ACCEPTABLE, "acceptable"),
            (Self::CLOSED, "closed"),
        ];
        let there = names.iter().filter(|(ready, _)| self.contains(*ready));
        f.debug_set().entries(there.map(|(_, name)| name)).finish()
    }
}

/// Something that was registered is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it was registered as.
    pub token: Token,
    /// For what; with [`Trigger::Edge`], what has come true since it was told last, and still is.
    pub ready: Ready,
}
