//! Who gets in: the backlog of a listening port.
//!
//! smoltcp has no backlog, and a silent SYN would hold a socket for ever. This object holds the policy, not
//! the sockets: connections are ids, and it says of them, in the order of their lives,
//!
//! 1. *half-open* ([`on_syn`](Listener::on_syn)): the handshake has [`handshake_timeout`] to be completed,
//!    then [`pop_expired`](Listener::pop_expired) names the connection to be dropped;
//! 2. *established* ([`on_established`](Listener::on_established)): it waits to be accepted;
//! 3. *accepted* ([`accept`](Listener::accept)): it is the application's, and forgotten here.
//!
//! A SYN is refused, by silence, while [`backlog`] connections wait to be accepted: the client tries again,
//! and the application is what is slow. A SYN that finds [`half_open`] handshakes under way takes the place
//! of the oldest of them. Under a flood of SYNs from forged addresses every entry is equally old within one
//! round trip or so, and a refusal would shut out the good client with certainty; the oldest has had the
//! longest to answer. A good client gets in as long as its round trip is shorter than the time the flood
//! takes to fill the limit: with the default, 4,096 SYNs.
//!
//! [`handshake_timeout`]: ListenerConfig::handshake_timeout
//! [`backlog`]: ListenerConfig::backlog
//! [`half_open`]: ListenerConfig::half_open

use std::collections::VecDeque;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use smoltcp::time::{Duration, Instant};

/// The limits of a listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerConfig {
    /// Most connections that wait to be accepted.
    pub backlog: usize,
    /// Most handshakes under way.
    pub half_open: usize,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            backlog: 1024,
            half_open: 4096,
            handshake_timeout: Duration::from_secs(30),
        }
    }
}

/// What a listener has seen so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ListenerCounters {
    /// Connections given to the application.
    pub accepted: u64,
    /// SYNs that were not taken because too many connections waited to be accepted.
    pub refused_backlog: u64,
    /// Handshakes that took too long.
    pub half_open_expired: u64,
    /// Handshakes that gave way to a newer SYN.
    pub half_open_evicted: u64,
    /// Connections that ended before they were accepted.
    pub closed_early: u64,
}

/// A SYN is not taken: as many connections as the backlog allows wait to be accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{waiting} connections wait to be accepted, as many as the backlog allows: accept faster, or raise it"
)]
pub struct BacklogFull {
    /// Connections that wait.
    pub waiting: usize,
}

/// The backlog of one listening port. `Id` names a connection, and never again another one.
#[derive(Debug)]
pub struct Listener<Id> {
    config: ListenerConfig,
    counters: ListenerCounters,
    /// Oldest first, so that deadlines are in order. The first is half-open, others may no longer be.
    handshakes: VecDeque<(Id, Instant)>,
    half_open: HashSet<Id, FixedState>,
    established: VecDeque<Id>,
}

impl<Id: Copy + Eq + Hash> Listener<Id> {
    /// Nobody waits.
    pub fn new(config: ListenerConfig) -> Self {
        Self {
            config,
            counters: ListenerCounters::default(),
            handshakes: VecDeque::new(),
            half_open: HashSet::with_hasher(FixedState::default()),
            established: VecDeque::new(),
        }
    }

    /// Whether a SYN would be taken now; counts a refusal.
    ///
    /// # Errors
    /// [`BacklogFull`], and the SYN is to be ignored.
    pub fn admit(&mut self) -> Result<(), BacklogFull> {
        let waiting = self.established.len();
        if waiting >= self.config.backlog || self.config.half_open == 0 {
            self.counters.refused_backlog += 1;
            return Err(BacklogFull { waiting });
        }
        Ok(())
    }

    /// A SYN has come, for which `id` was made. Returns the half-open connection that must give way to it,
    /// if one must: it is to be dropped without a word, and is forgotten here.
    ///
    /// # Errors
    /// [`BacklogFull`], and `id` is not taken: the SYN is to be ignored.
    pub fn on_syn(&mut self, id: Id, now: Instant) -> Result<Option<Id>, BacklogFull> {
        self.admit()?;
        let evicted = if self.half_open.len() >= self.config.half_open {
            self.pop_oldest()
        } else {
            None
        };
        self.counters.half_open_evicted += u64::from(evicted.is_some());
        self.half_open.insert(id);
        self.handshakes
            .push_back((id, now + self.config.handshake_timeout));
        self.sweep();
        Ok(evicted)
    }

    /// The handshake of `id` is done: it waits to be accepted. `false` where it is not one of the half-open.
    pub fn on_established(&mut self, id: Id) -> bool {
        let known = self.half_open.remove(&id);
        if known {
            self.established.push_back(id);
            self.sweep();
        }
        known
    }

    /// The connection `id` is over, in whatever state it was.
    pub fn on_closed(&mut self, id: Id) {
        let waiting = self.established.len();
        let half_open = self.half_open.remove(&id);
        if half_open {
            self.sweep();
        } else {
            self.established.retain(|other| *other != id);
        }
        self.counters.closed_early += u64::from(half_open || self.established.len() < waiting);
    }

    /// The connection that has waited longest to be accepted.
    pub fn accept(&mut self) -> Option<Id> {
        let id = self.established.pop_front()?;
        self.counters.accepted += 1;
        Some(id)
    }

    /// One half-open connection whose time is up: it is to be dropped, and is forgotten here.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Id> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        let id = self.pop_oldest();
        self.counters.half_open_expired += u64::from(id.is_some());
        id
    }

    /// Nobody is listening any more: the connections that were half-open, or waited to be accepted.
    pub fn close(self) -> impl Iterator<Item = Id> {
        self.half_open.into_iter().chain(self.established)
    }

    /// When the oldest handshake must be done.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.handshakes.front().map(|(_, deadline)| *deadline)
    }

    /// Connections whose handshake is under way.
    pub fn half_open(&self) -> usize {
        self.half_open.len()
    }

    /// Connections that wait to be accepted.
    pub fn waiting(&self) -> usize {
        self.established.len()
    }

    /// What has been seen so far.
    pub const fn counters(&self) -> ListenerCounters {
        self.counters
    }

    fn pop_oldest(&mut self) -> Option<Id> {
        let (id, _) = self.handshakes.pop_front()?;
        self.half_open.remove(&id);
        self.sweep();
        Some(id)
    }

    /// Takes out what is no longer half-open, at the front always, everywhere once it is the larger part.
    fn sweep(&mut self) {
        let half_open = &self.half_open;
        while self
            .handshakes
            .front()
            .is_some_and(|(id, _)| !half_open.contains(id))
        {
            self.handshakes.pop_front();
        }
        if self.handshakes.len() > 2 * half_open.len() + 64 {
            self.handshakes.retain(|(id, _)| half_open.contains(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_secs(seconds)
    }

    fn listener(backlog: usize, half_open: usize) -> Listener<u32> {
        let handshake_timeout = Duration::from_secs(30);
        Listener::new(ListenerConfig {
            backlog,
            half_open,
            handshake_timeout,
        })
    }

    #[test]
    fn connections_are_accepted_in_the_order_in_which_their_handshakes_were_done() {
        let mut listener = listener(10, 10);
        for id in [1, 2, 3] {
            assert_eq!(listener.on_syn(id, at(0)), Ok(None));
        }
        assert_eq!(listener.accept(), None);
        assert!(listener.on_established(3));
        assert!(listener.on_established(1));
        assert_eq!(
            [listener.accept(), listener.accept(), listener.accept()],
            [Some(3), Some(1), None]
        );
        assert_eq!(
            (
                listener.half_open(),
                listener.waiting(),
                listener.counters().accepted
            ),
            (1, 0, 2)
        );
    }

    #[test]
    fn a_handshake_that_takes_too_long_expires_once_and_a_finished_one_never() {
        let mut listener = listener(10, 10);
        listener.on_syn(1, at(0)).unwrap();
        listener.on_syn(2, at(1)).unwrap();
        listener.on_syn(3, at(2)).unwrap();
        listener.on_established(1);
        assert_eq!(listener.next_deadline(), Some(at(31)));
        assert_eq!(listener.pop_expired(at(30)), None);
        assert_eq!(listener.pop_expired(at(31)), Some(2));
        assert_eq!(listener.pop_expired(at(31)), None);
        listener.on_closed(3);
        assert_eq!(
            (listener.next_deadline(), listener.pop_expired(at(99))),
            (None, None)
        );
        assert_eq!(listener.counters().half_open_expired, 1);
    }

    #[test]
    fn a_full_backlog_refuses_syns_until_somebody_accepts() {
        let mut listener = listener(2, 10);
        for id in [1, 2] {
            listener.on_syn(id, at(0)).unwrap();
            listener.on_established(id);
        }
        assert_eq!(listener.on_syn(3, at(0)), Err(BacklogFull { waiting: 2 }));
        assert_eq!(listener.accept(), Some(1));
        assert_eq!(listener.on_syn(4, at(0)), Ok(None));
        assert_eq!(listener.counters().refused_backlog, 1);
    }

    #[test]
    fn a_good_client_gets_in_while_a_flood_of_silent_syns_goes_on() {
        let mut listener = listener(10, 100);
        for id in 0..1000 {
            listener.on_syn(id, at(0)).unwrap();
        }
        listener.on_syn(5000, at(0)).unwrap();
        for id in 1000..1099 {
            assert_eq!(listener.on_syn(id, at(0)), Ok(Some(id - 99)));
        }
        assert!(listener.on_established(5000));
        assert_eq!(listener.accept(), Some(5000));
        assert_eq!(
            (listener.half_open(), listener.counters().half_open_evicted),
            (99, 1000)
        );
    }

    #[test]
    fn a_connection_that_ends_before_it_is_accepted_is_never_accepted() {
        let mut listener = listener(10, 10);
        listener.on_syn(1, at(0)).unwrap();
        listener.on_established(1);
        listener.on_closed(1);
        listener.on_closed(1);
        assert!(!listener.on_established(1));
        assert_eq!((listener.accept(), listener.counters().closed_early), (None, 1));
    }

    #[test]
    fn a_limit_of_zero_lets_nobody_in() {
        assert!(listener(0, 10).on_syn(1, at(0)).is_err());
        assert!(listener(10, 0).on_syn(1, at(0)).is_err());
    }

    proptest! {
        #[test]
        fn memory_follows_the_limits_and_every_connection_is_in_one_place(
            events in prop::collection::vec((0u8..6, 0u32..64), 1..3000),
        ) {
            let mut listener = listener(8, 16);
            let (mut next, mut now) = (0, 0);
            let (mut half_open, mut established) = (Vec::new(), Vec::new());
            for (event, pick) in events {
                now += 1;
                let picked = (!half_open.is_empty()).then(|| half_open[pick as usize % half_open.len()]);
                match event {
                    0..=2 => {
                        next += 1;
                        match listener.on_syn(next, at(now)) {
                            Ok(evicted) => {
                                prop_assert_eq!(evicted, (half_open.len() == 16).then(|| half_open.remove(0)));
                                half_open.push(next);
                            }
                            Err(_) => prop_assert!(established.len() >= 8),
                        }
                    }
                    3 => if let Some(id) = picked {
                        listener.on_established(id);
                        half_open.retain(|other| *other != id);
                        established.push(id);
                    },
                    4 => if let Some(id) = picked {
                        listener.on_closed(id);
                        half_open.retain(|other| *other != id);
                    },
                    _ => prop_assert_eq!(listener.accept(), (!established.is_empty()).then(|| established.remove(0))),
                }
                while let Some(id) = listener.pop_expired(at(now)) {
                    prop_assert_eq!(half_open.remove(0), id);
                }
                prop_assert_eq!((listener.half_open(), listener.waiting()), (half_open.len(), established.len()));
                prop_assert!(listener.handshakes.len() <= 2 * 16 + 65);
            }
        }
    }
}
