//! What goes on with one client, until it leaves.
//!
//! Its requests are answered in their order, as long as its connection has room for answers; what it asks for beyond that stays in
//! its receive window.

use std::net::SocketAddr;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::sockets::Ready;
use pagewire_stack::{Failure, Instant, Stack};

use super::Serving;
use crate::serve::answering::Bytes;
use crate::serve::http::Piece;

impl Serving<'_> {
    /// Something has happened to a client: attends to it, and has it looked at soon.
    pub(super) fn attend<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        key: usize,
        ready: Ready,
        now: Instant,
    ) {
        self.listen_to(stack, key, ready, now);
        if self.clients.contains(key) {
            self.look_soon(key, now);
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
    pub(super) fn promise<T: TxQueue, R: RxQueue>(
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
    pub(super) fn end<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, key: usize, now: Instant) {
        let client = &mut self.clients[key];
        if !client.ending {
            client.ending = true;
            client.since = now;
            stack.finish(client.id);
        }
    }

    /// A connection is over.
    pub(super) fn leave<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>, key: usize) {
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
}
