//! The server: an application of a live machine.
//!
//! A turn follows what has happened: it attends to clients that have sent something, or whose connection has room again,
//! and to nobody else ([`conversation`]). Whether somebody has been silent for too long is looked at when that may be ([`timeouts`]).
//!
//! It ends in two steps: it takes no more requests and lets everybody have the answers under way, within a limit; then it is done.

mod conversation;
mod timeouts;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::sockets::{Event, Ready, Token, Trigger};
use pagewire_stack::timers::TimerHeap;
use pagewire_stack::{Duration, Instant, Stack, TransmitRing};
use slab::Slab;

use super::answering::Answering;
use super::client::Client;
use super::files::Files;
use super::http::Clock;
use super::limits::Limits;
use super::log::Log;
use crate::live::{Application, DOUBT, LiveError, Notice, Observer, Turn, reset};

/// What the listener is known by; clients are known by their place.
const LISTENER: Token = Token(usize::MAX);
/// How often it looks after what is not a client's: the files, the log, whether it is to end.
const TEND: Duration = Duration::from_millis(100);
/// How long answers under way may take once the server is to end.
const DRAIN: Duration = Duration::from_secs(10);

/// What a server has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Connections that were accepted.
    pub connections: u64,
    /// The most of them at a time.
    pub clients_peak: usize,
    /// Answers that were promised.
    pub answers: u64,
    /// Of these, how many say that something is wrong.
    pub refusals: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Connections that ended before the last byte of an answer was acknowledged.
    pub cut_short: u64,
}

/// A server of files.
pub struct Serving<'a> {
    port: u16,
    limits: Limits,
    answering: Answering,
    /// Raised by whoever wants it to end in good order.
    drain: &'a AtomicBool,
    clients: Slab<Client>,
    events: Vec<Event>,
    /// Whether somebody may wait to be accepted.
    waiting: bool,
    next_tending: Instant,
    /// When each client is looked at next.
    next_looks: TimerHeap<usize>,
    looks: u64,
    draining: Option<Instant>,
    /// Until when somebody may ask whether he was meant to be reset.
    doubted_until: Instant,
    began: Instant,
    ended: Option<Instant>,
    served: Served,
}

impl<'a> Serving<'a> {
    /// Serves `files` on `port` until `drain` is raised. The `seed` is told to clients: nothing else may hang on it.
    pub fn new(
        port: u16,
        files: Files,
        limits: Limits,
        log: Option<Log>,
        seed: u64,
        drain: &'a AtomicBool,
    ) -> Self {
        Self {
            port,
            limits,
            answering: Answering::new(files, log, seed, Clock::at(SystemTime::now())),
            drain,
            clients: Slab::new(),
            events: Vec::new(),
            waiting: false,
            next_tending: Instant::ZERO,
            next_looks: TimerHeap::new(),
            looks: 0,
            draining: None,
            doubted_until: Instant::ZERO,
            began: Instant::ZERO,
            ended: None,
            served: Served::default(),
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn served(&self) -> Served {
        self.served
    }

    /// How many clients it has.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// How often it has looked at a client for its silence.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// How many files it has open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.answering.files.open_files()
    }

    fn accept<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, now: Instant) {
        while self.waiting && self.clients.len() < self.limits.clients {
            let Some(id) = stack.accept(self.port) else {
                self.waiting = false;
                return;
            };
            let Some(peer) = stack.status(id).map(|status| status.remote.addr) else {
                continue;
            };
            let key = self.clients.insert(Client::new(id, peer, now));
            self.served.connections += 1;
            self.served.clients_peak = self.served.clients_peak.max(self.clients.len());
            stack.register(id, Token(key), Ready::READABLE | Ready::WRITABLE, Trigger::Edge);
            // Its first request may be there already.
            self.attend(stack, key, Ready::READABLE, now);
        }
    }

    /// Looks after what is not a client's.
    fn tend<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) {
        self.next_tending = now + TEND;
        // Whoever is answered because he was silent has had no event.
        self.answering.clock.set(SystemTime::now());
        // Whoever wants to write a file that is only kept open waits no longer than this.
        self.answering.files.tend(now);
        self.answering.flush_log();
        observer.progress.store(self.served.answers, Ordering::Relaxed);
        for fallback in stack.windows().take_fallbacks() {
            (observer.tell)(Notice::Copying(fallback));
        }
        if self.draining.is_none() && self.drain.load(Ordering::Relaxed) {
            self.draining = Some(now);
            stack.stop_listening(self.port);
            for (key, _) in &self.clients {
                self.next_looks.set(key, now);
            }
        }
    }
}

impl Application for Serving<'_> {
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<(), LiveError> {
        self.began = now;
        stack.listen(self.port, TransmitRing::Phantom, ListenerConfig::default())?;
        stack.register_listener(self.port, LISTENER, Trigger::Edge);
        (observer.tell)(Notice::Listening {
            addresses: stack.addresses().to_vec(),
            port: self.port,
        });
        Ok(())
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Turn, LiveError> {
        let mut events = std::mem::take(&mut self.events);
        stack.events(&mut events);
        if !events.is_empty() {
            self.answering.clock.set(SystemTime::now());
        }
        for Event { token, ready } in events.drain(..) {
            if token == LISTENER {
                self.waiting = true;
            } else {
                self.attend(stack, token.0, ready, now);
            }
        }
        self.events = events;
        if now >= self.next_tending {
            self.tend(stack, observer, now);
        }
        self.look_around(stack, now);
        self.accept(stack, now);
        if let Some(since) = self.draining {
            if now >= since + DRAIN && self.abandon(stack) {
                self.doubted_until = now + DOUBT;
            }
            if self.clients.is_empty() && now >= self.doubted_until {
                self.ended = Some(now);
                self.answering.flush_log();
                return Ok(Turn::Done);
            }
        }
        let until = if self.clients.is_empty() {
            (now < self.doubted_until).then_some(self.doubted_until)
        } else {
            let look = self.next_looks.next();
            Some(look.map_or(self.next_tending, |look| look.min(self.next_tending)))
        };
        Ok(Turn::Going { until })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) -> bool {
        let mut may_ask = false;
        self.next_looks = TimerHeap::new();
        for client in self.clients.drain() {
            let under_way = stack
                .status(client.id)
                .is_some_and(|status| status.is_under_way());
            self.served.cut_short += u64::from(under_way);
            may_ask |= reset(stack, client.id);
        }
        may_ask
    }

    fn span(&self) -> Option<(Instant, Instant)> {
        self.ended.map(|ended| (self.began, ended))
    }
}
