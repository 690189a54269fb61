//! The server: an application of a live machine.
//!
//! A turn follows what has happened: it attends to clients that have sent something, or whose connection has room again,
//! and to nobody else. The requests of a client are answered in their order, as long as its connection has room for answers; what
//! it asks for beyond that stays in its receive window. Whether somebody has been silent for too long is looked at when that may be: each
//! second while something happens to a client or is under way, and else when it will have been idle for as long as it may.
//!
//! It ends in two steps: it takes no more requests and lets everybody have the answers under way, within a limit; then it is done.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::sockets::{Event, Ready, Token, Trigger};
use pagewire_stack::timers::TimerHeap;
use pagewire_stack::{Duration, Failure, Instant, Stack, TransmitRing};
use slab::Slab;

use super::answering::{Answering, Bytes};
use super::client::Client;
use super::files::Files;
use super::http::{Clock, Piece, Reading};
use super::limits::Limits;
use super::log::Log;
use crate::live::{Application, LiveError, Notice, Observer, Turn, reset};

/// What the listener is known by; clients are known by their place.
const LISTENER: Token = Token(usize::MAX);
/// How often it looks after what is not a client's: the files, the log, whether it is to end.
const TEND: Duration = Duration::from_millis(100);
/// How often a client is looked at that has to do something soon.
const LOOK: Duration = Duration::from_secs(1);
/// Most clients that are looked at in a turn: the others wait no longer for that.
const LOOKS: usize = 32;
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

    /// Something has happened to a client: attends to it, and has it looked at soon.
    fn attend<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        key: usize,
        ready: Ready,
        now: Instant,
    ) {
        self.listen_to(stack, key, ready, now);
        let soon = now + LOOK;
        // Never later than before: somebody who sends a byte now and then would never be looked at.
        if self.clients.contains(key) && self.next_looks.deadline(key).is_none_or(|look| look > soon) {
            self.next_looks.set(key, soon);
        }
    }

    /// Takes what a client has sent, and answers.
    fn listen_to<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        key: usize,
        ready: Ready,
        now: Instant,
    ) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        if ready.contains(Ready::CLOSED) {
            return self.leave(stack, key);
        }
        let windows = stack.windows().clone();
        let (id, peer) = (client.id, client.peer);
        loop {
            let client = &mut self.clients[key];
            if !client.ending && stack.room(id) == 0 {
                return;
            }
            let answering = &mut self.answering;
            let mut answered = None;
            let taken = stack.receive(id, |bytes| {
                if client.ending {
                    return bytes.len();
                }
                let had_begun = client.requests.have_begun();
                let taken = client.requests.take(bytes, |reading| {
                    answered = Some(answering.answer(reading, peer, &windows, now));
                });
                if !had_begun {
                    client.since = now;
                }
                taken
            });
            match answered {
                Some(bytes) => self.promise(stack, key, bytes, now),
                None if taken == 0 => break,
                None => {}
            }
        }
        let Some(status) = stack.status(id) else { return };
        if !status.drained {
            return;
        }
        // The client has said its last word; what was promised still goes out.
        if self.clients[key].ending && !status.is_under_way() {
            self.leave(stack, key);
        } else {
            self.end(stack, key, now);
        }
    }

    /// Promises the answer that was made, with the bytes that it names.
    fn promise<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        key: usize,
        mut bytes: Bytes,
        now: Instant,
    ) {
        let answer = &self.answering.answer;
        let client = &mut self.clients[key];
        let id = client.id;
        client.since = now;
        for piece in answer.pieces() {
            match (piece, &mut bytes) {
                (Piece::Text(run), _) => {
                    if let Err(error) = stack.send_bytes(id, &answer.text()[run.clone()]) {
                        tracing::warn!("no memory for an answer ({error}): its connection was reset");
                        return stack.abort(id, Failure::Aborted);
                    }
                }
                (Piece::File(run), Bytes::Shared(file)) => stack.send_shared(id, file, run.clone()),
                (Piece::File(_), Bytes::Parts(parts)) => {
                    if let Some(part) = parts.next() {
                        stack.send(id, part);
                    }
                }
                (Piece::File(_), Bytes::None) => {
                    unreachable!("bytes were got ready for each run of the file")
                }
            }
        }
        self.served.answers += 1;
        self.served.refusals += u64::from(answer.status().code() >= 400);
        self.served.body_bytes += answer.body();
        if answer.ends() || self.draining.is_some() {
            self.end(stack, key, now);
        }
    }

    /// Nothing more will be answered: what was promised goes out, and then the end.
    fn end<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, key: usize, now: Instant) {
        let client = &mut self.clients[key];
        if !client.ending {
            client.ending = true;
            client.since = now;
            stack.finish(client.id);
        }
    }

    /// A connection is over.
    fn leave<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, key: usize) {
        let client = self.clients.remove(key);
        self.next_looks.cancel(key);
        if let Some(status) = stack.status(client.id) {
            self.served.cut_short += u64::from(status.is_under_way());
            if let Some(failure) = status.failure {
                let remote = SocketAddr::from(status.remote);
                tracing::info!("the connection with {remote} has ended: {failure}");
            }
        }
        stack.release(client.id);
        // Somebody may wait for the place.
        self.waiting = true;
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

    /// Looks at clients that may have been silent for too long.
    fn look_around<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, now: Instant) {
        for _ in 0..LOOKS {
            let Some(key) = self.next_looks.pop_due(now) else {
                return;
            };
            self.look_at(stack, key, now);
        }
    }

    /// Ends what has been silent for too long, and says when to look again.
    fn look_at<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, key: usize, now: Instant) {
        self.looks += 1;
        self.next_looks.set(key, now + LOOK);
        let client = &mut self.clients[key];
        let Some(status) = stack.status(client.id) else {
            return self.leave(stack, key);
        };
        if status.acknowledged > client.acknowledged {
            client.acknowledged = status.acknowledged;
            client.since = now;
        }
        let silent = now - client.since;
        let Limits {
            idle,
            request,
            stalled,
            linger,
            ..
        } = self.limits;
        if status.is_under_way() {
            if silent >= stalled {
                let seconds = silent.secs();
                stack.abort(client.id, Failure::Silent { seconds });
            }
        } else if client.ending {
            if status.drained {
                self.leave(stack, key);
            } else if silent >= linger {
                stack.abort(client.id, Failure::Aborted);
            }
        } else if client.requests.have_begun() {
            if silent >= request {
                let peer = client.peer;
                let windows = stack.windows().clone();
                let bytes = self.answering.answer(Reading::Incomplete, peer, &windows, now);
                self.promise(stack, key, bytes, now);
            }
        } else if silent >= idle || self.draining.is_some() {
            self.end(stack, key, now);
        } else {
            self.next_looks.set(key, client.since + idle);
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
        let over = self
            .draining
            .is_some_and(|since| self.clients.is_empty() || now >= since + DRAIN);
        if over {
            self.ended = Some(now);
            self.abandon(stack);
            self.answering.flush_log();
            return Ok(Turn::Done);
        }
        let until = if self.clients.is_empty() {
            None
        } else {
            let look = self.next_looks.next();
            Some(look.map_or(self.next_tending, |look| look.min(self.next_tending)))
        };
        Ok(Turn::Going { until })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) -> bool {
        let mut may_ask = false;
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
