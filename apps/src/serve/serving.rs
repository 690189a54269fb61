//! The server: an application of a live machine.
//!
//! A turn follows what has happened: it attends to clients that have sent something, or whose connection has room again,
//! and to nobody else. The requests of a client are answered in their order, as long as its connection has room for answers; what
//! it asks for beyond that stays in its receive window. Ten times a second a tenth of the others is looked at, whether they have
//! been silent for too long.
//!
//! It ends in two steps: it takes no more requests and lets everybody have the answers under way, within a limit; then it is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::sockets::{Event, Ready, Token, Trigger};
use pagewire_stack::{Duration, Failure, Instant, Stack, TransmitRing};
use slab::Slab;

use super::answering::{Answering, Bytes};
use super::client::Client;
use super::files::Files;
use super::http::{Clock, Piece, Reading};
use super::limits::Limits;
use super::log::Log;
use crate::live::{Application, LiveError, Notice, Observer, Turn};

/// What the listener is known by; clients are known by their place.
const LISTENER: Token = Token(usize::MAX);
/// How often silence is looked for, and in how many steps everybody is looked at.
const SWEEP: Duration = Duration::from_millis(100);
const SWEEPS: usize = 10;
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
    next_sweep: Instant,
    sweep: usize,
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
            next_sweep: Instant::ZERO,
            sweep: 0,
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

    /// Something has happened to a client.
    fn attend<T: TxQueue, R: RxQueue>(
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
        if self.clients[key].ending && status.acknowledged == status.promised {
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
        if let Some(status) = stack.status(client.id) {
            self.served.cut_short += u64::from(status.acknowledged < status.promised);
            if let Some(failure) = status.failure {
                tracing::info!("the connection with {} has ended: {failure}", status.remote);
            }
        }
        stack.release(client.id);
        // Somebody may wait for the place.
        self.waiting = true;
    }

    /// Looks at some of the clients, and ends what has been silent for too long.
    fn look_around<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, now: Instant) {
        self.sweep = (self.sweep + 1) % SWEEPS;
        // Whoever wants to write a file that is only kept open waits no longer than this.
        self.answering.files.tend(now);
        self.answering.flush_log();
        let keys: Vec<usize> = self
            .clients
            .iter()
            .map(|(key, _)| key)
            .filter(|key| key % SWEEPS == self.sweep)
            .collect();
        for key in keys {
            self.look_at(stack, key, now);
        }
    }

    fn look_at<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, key: usize, now: Instant) {
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
        if status.acknowledged < status.promised {
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
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.look_around(stack, now);
            observer.progress.store(self.served.answers, Ordering::Relaxed);
            for fallback in stack.windows().take_fallbacks() {
                (observer.tell)(Notice::Copying(fallback));
            }
            if self.draining.is_none() && self.drain.load(Ordering::Relaxed) {
                self.draining = Some(now);
                stack.stop_listening(self.port);
            }
        }
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
            Some(self.next_sweep)
        };
        Ok(Turn::Going { until })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) {
        for client in self.clients.drain() {
            stack.abort(client.id, Failure::Aborted);
        }
    }

    fn span(&self) -> Option<(Instant, Instant)> {
        self.ended.map(|ended| (self.began, ended))
    }
}
