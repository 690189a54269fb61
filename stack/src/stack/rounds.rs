//! One round of the stack.

use pagewire_nic::port::{RxQueue, TxQueue};
use smoltcp::iface::PollResult;
use smoltcp::time::{Duration, Instant};

use super::{Core, Progress, Stack};
use crate::connection::{Connection, Origin};
use crate::device::OneCall;
use crate::ingress::Ingress;

/// Most segments one connection emits in a round, so that others get their turn.
const BURST: usize = 32;

/// When to look again at a connection that smoltcp wants polled at once, but that emits nothing: it waits
/// for a neighbour's address.
const RETRY: Duration = Duration::from_millis(1);

impl<T: TxQueue, R: RxQueue> Stack<T, R> {
    /// Does one round at time `now`, which never goes back. Never waits.
    pub fn poll(&mut self, now: Instant) -> Progress {
        let Self { ingress, core } = self;
        let posted_before = core.egress.counters().packets;
        let completed = core.egress.reap();
        let (given, done) = core.egress.descriptors();
        core.small_bytes.settle(given, done);
        if core.settle_inboxes(ingress) {
            ingress.recycle();
            ingress.refill();
        }
        let received = ingress.receive(|arrival| core.process(arrival, now));
        if core.holders.is_empty() {
            ingress.recycle();
        }
        core.fire_timers(now);
        core.run_ready(now);
        core.run_host(now);
        core.let_rest(now);
        core.signal_events();
        core.egress.publish();
        ingress.refill();
        let sent = (core.egress.counters().packets - posted_before) as usize;
        Progress {
            received,
            sent,
            completed,
        }
    }

    /// When [`poll`](Self::poll) must be called again if no packet arrives before: `now` where something is
    /// ready, `None` where nothing is under way.
    #[must_use]
    pub fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        let core = &mut self.core;
        if !core.ready.is_empty() {
            return Some(now);
        }
        let half_open = core
            .listeners
            .values()
            .filter_map(|listening| listening.backlog.next_deadline())
            .min();
        let resting = core.touched.front().map(|(due, _)| *due);
        [core.timers.next(), half_open, core.host.due, resting]
            .into_iter()
            .flatten()
            .min()
    }
}

impl<T: TxQueue> Core<T> {
    /// Puts a connection into the queue of those that have something to do.
    pub(super) fn wake(&mut self, key: usize) {
        let connection = &mut self.connections[key];
        if !std::mem::replace(&mut connection.queued, true) {
            self.ready.push_back(key);
        }
    }

    /// What was left in the frames of the last batch is kept, so that they can go. Returns whether any were held.
    fn settle_inboxes<R: RxQueue>(&mut self, ingress: &Ingress<R>) -> bool {
        let any = !self.holders.is_empty();
        for key in self.holders.drain(..) {
            if let Some(connection) = self.connections.get_mut(key)
                && let Some(inbox) = &mut connection.inbox
            {
                inbox.settle(connection.flow.consumed, |place| ingress.packet(place));
            }
        }
        any
    }

    /// Wakes connections whose deadline has passed, and ends handshakes that took too long.
    fn fire_timers(&mut self, now: Instant) {
        while let Some(key) = self.timers.pop_due(now) {
            if self.connections.contains(key) {
                self.wake(key);
            }
        }
        let listening = self.listeners.values_mut();
        let expired: Vec<_> = listening
            .flat_map(|port| std::iter::from_fn(|| port.backlog.pop_expired(now)))
            .collect();
        for id in expired {
            self.forget(id.key);
        }
    }

    /// Gives every connection that was ready at the start of the round its turn.
    fn run_ready(&mut self, now: Instant) {
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { break };
            if !self.connections.contains(key) {
                continue;
            }
            self.connections[key].queued = false;
            if self.turn(key, now) {
                self.wake(key);
            }
        }
    }

    /// Lets the host itself say what is due: echo requests, DHCP.
    fn run_host(&mut self, now: Instant) {
        if self.host.due.is_none_or(|due| due > now) {
            return;
        }
        for _ in 0..BURST {
            let device = &mut OneCall {
                capabilities: &self.capabilities,
                egress: &mut self.egress,
                flow: None,
                packet: None,
            };
            let sockets = &mut self.host.sockets;
            if self.interface.poll_egress(now, device, sockets) == PollResult::None {
                break;
            }
        }
        self.host.follow_lease(&mut self.interface, now);
        let next = self.interface.poll_at(now, &self.host.sockets);
        self.host.rest(next, now + RETRY);
    }

    /// Lets one connection emit; returns whether it has more to do at once.
    fn turn(&mut self, key: usize, now: Instant) -> bool {
        let connection = &mut self.connections[key];
        if !connection.dismissed {
            connection.advance(&mut self.small_bytes, self.request, now);
        }
        if connection.dismissed {
            self.unlist(key);
            self.settle(key, now);
            return false;
        }
        if connection.awaits_answer() {
            self.settle(key, now);
            return self.connections.contains(key);
        }
        if let Some(due) = connection.owes_until(now) {
            self.timers.set(key, due);
            self.settle(key, now);
            return false;
        }
        let mut emitted = 0;
        while emitted < BURST {
            connection.spare_the_end(self.config.mtu);
            let Connection { sockets, flow, .. } = connection;
            let device = &mut OneCall {
                capabilities: &self.capabilities,
                egress: &mut self.egress,
                flow: Some(flow),
                packet: None,
            };
            if self.interface.poll_egress(now, device, sockets) == PollResult::None {
                break;
            }
            emitted += 1;
            connection.promise(self.request);
        }
        if std::mem::take(&mut connection.flow.seeks_neighbour) {
            self.seeking.push(key);
        }
        let source_failed = connection.flow.failure.is_some();
        let more = emitted == BURST || source_failed || !self.egress.ready();
        self.settle(key, now);
        let Some(connection) = self.connections.get_mut(key) else {
            return false;
        };
        if more {
            return true;
        }
        match self.interface.poll_at(now, &connection.sockets) {
            Some(deadline) if deadline <= now => self.timers.set(key, now + RETRY),
            Some(deadline) => self.timers.set(key, deadline),
            None => self.timers.cancel(key),
        }
        false
    }

    /// Makes way for another connection of the same peer's, from the same port. Whoever has not released this one hears that it
    /// is closed.
    pub(super) fn supersede(&mut self, key: usize, now: Instant) {
        let connection = &mut self.connections[key];
        connection.supersede(now);
        self.unlist(key);
        self.settle(key, now);
    }

    /// Draws the consequences of a connection's new state: tells the listener, frees what is over.
    fn settle(&mut self, key: usize, now: Instant) {
        let connection = &mut self.connections[key];
        let closed = connection.observe(now);
        let established = connection.is_established() && !std::mem::replace(&mut connection.announced, true);
        let (origin, over, released) = (connection.origin, connection.is_over(now), connection.released);
        let unaccepted = matches!(origin, Origin::Accepted { .. }) && !connection.accepted;
        let id = self.id_of(key);
        if let Origin::Accepted { port } = origin
            && let Some(listening) = self.listeners.get_mut(&port)
        {
            if established {
                listening.backlog.on_established(id);
                listening.arrived += 1;
                self.note_listener(port);
            } else if closed {
                listening.backlog.on_closed(id);
            }
        }
        if over && (released || unaccepted) {
            self.forget(key);
        } else {
            self.note(key);
        }
    }
}
