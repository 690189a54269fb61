//! Who is ready for what: the registrations of connections and listeners, and the list of those with events.
//!
//! A connection is looked at when it had its turn in a round, a listener when a handshake was done. What has
//! something to tell is put into the list, once. Asking takes the list through once: what was told by its edge
//! leaves it, what is told by its level stays and is looked at again by the next question.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use pagewire_nic::port::{RxQueue, TxQueue};

use super::{ConnectionId, Core, Stack};
use crate::sockets::{Event, Ready, Registration, Signal, Token, Trigger};

/// What can be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registered {
    /// A connection.
    Connection(ConnectionId),
    /// The listener of a port.
    Listener(u16),
}

impl<T: TxQueue, R: RxQueue> Stack<T, R> {
    /// Registers a connection, or registers it anew: from now on [`events`](Self::events) tell when it is ready for
    /// any of `interest`, or closed. What it is ready for already is told first.
    ///
    /// Registered until it is [released](Self::release) or [deregistered](Self::deregister).
    pub fn register(&mut self, id: ConnectionId, token: Token, interest: Ready, trigger: Trigger) {
        let Some(connection) = self.core.find_mut(id) else {
            return;
        };
        let registration = Registration::new(token, interest, trigger);
        connection.registration = Some(registration.renewed(connection.registration.as_ref()));
        self.core.note(id.key);
        self.core.signal_events();
    }

    /// Takes the registration of a connection back.
    pub fn deregister(&mut self, id: ConnectionId) {
        if let Some(connection) = self.core.find_mut(id)
            && let Some(registration) = &mut connection.registration
        {
            registration.mute();
        }
    }

    /// Registers the listener of a port: [`events`](Self::events) tell when a connection waits to be
    /// [accepted](Self::accept) there.
    pub fn register_listener(&mut self, port: u16, token: Token, trigger: Trigger) {
        if let Some(listening) = self.core.listeners.get_mut(&port) {
            let registration = Registration::new(token, Ready::ACCEPTABLE, trigger);
            listening.registration = Some(registration.renewed(listening.registration.as_ref()));
            self.core.note_listener(port);
            self.core.signal_events();
        }
    }

    /// Appends what is ready to `events`, each connection and each listener once.
    pub fn events(&mut self, events: &mut Vec<Event>) {
        let core = &mut self.core;
        for _ in 0..core.eventful.len() {
            let Some(next) = core.eventful.pop_front() else {
                break;
            };
            let (registration, ready) = match next {
                Registered::Connection(id) => {
                    let Some(connection) = core.find_mut(id) else {
                        continue;
                    };
                    let ready = connection.readiness();
                    (&mut connection.registration, ready)
                }
                Registered::Listener(port) => {
                    let Some(listening) = core.listeners.get_mut(&port) else {
                        continue;
                    };
                    let ready = listening.readiness();
                    (&mut listening.registration, ready)
                }
            };
            let Some(registration) = registration else {
                continue;
            };
            events.extend(registration.tell(ready));
            if registration.is_listed() {
                core.eventful.push_back(next);
            }
        }
        core.signal_events();
    }

    /// A descriptor that is readable while events wait: for epoll and the like, beside the kernel's sockets. Somebody
    /// must [poll](Self::poll) the stack all the same; what a round has found shows when it is over. An event that waits
    /// may be gone when it is asked for: then [`events`](Self::events) tells nothing, and the descriptor is quiet again.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn event_descriptor(&mut self) -> io::Result<BorrowedFd<'_>> {
        let core = &mut self.core;
        let signal = match &mut core.signal {
            Some(signal) => signal,
            none => none.insert(Signal::new()?),
        };
        signal.set(!core.eventful.is_empty());
        Ok(Signal::as_fd(signal))
    }
}

impl<T: TxQueue> Core<T> {
    /// Says whether events wait, where anybody wants to know.
    #[inline]
    pub(super) fn signal_events(&mut self) {
        if let Some(signal) = &mut self.signal {
            signal.set(!self.eventful.is_empty());
        }
    }

    /// Looks at a connection that something has happened to.
    #[inline]
    pub(super) fn note(&mut self, key: usize) {
        let connection = &mut self.connections[key];
        if connection.registration.is_none() {
            return;
        }
        let (ready, arrived) = (connection.readiness(), connection.arrived());
        if let Some(registration) = &mut connection.registration
            && registration.look(ready, arrived, Ready::READABLE)
        {
            let id = self.id_of(key);
            self.eventful.push_back(Registered::Connection(id));
        }
    }

    /// Looks at a listener that a connection has come to.
    pub(super) fn note_listener(&mut self, port: u16) {
        if let Some(listening) = self.listeners.get_mut(&port) {
            let (ready, arrived) = (listening.readiness(), listening.arrived);
            if let Some(registration) = &mut listening.registration
                && registration.look(ready, arrived, Ready::ACCEPTABLE)
            {
                self.eventful.push_back(Registered::Listener(port));
            }
        }
    }
}
