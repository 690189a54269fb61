//! Connections as tokio's tasks have them: streams to be read from and written to, listeners to accept from.
//!
//! [`Streams`] holds a stack, and whoever owns the stack's NIC calls [`Streams::poll`]: a task that waits for the
//! interrupt, or that runs whenever the others rest. A round wakes the tasks whose connections have become ready. All of
//! them are on one thread (tokio's `LocalSet`): a stream can't be sent to another.
//!
//! ```no_run
//! use pagewire_nic::port::{RxQueue, TxQueue};
//! use pagewire_stack::Stack;
//! use pagewire_stack::listener::ListenerConfig;
//! use pagewire_stack::sockets::streams::Streams;
//!
//! async fn echo<T: TxQueue + 'static, R: RxQueue + 'static>(stack: Stack<T, R>) -> std::io::Result<()> {
//!     let streams = Streams::new(stack);
//!     let begin = std::time::Instant::now();
//!     let network = streams.clone();
//!     tokio::task::spawn_local(async move {
//!         loop {
//!             let now = pagewire_stack::Instant::from_micros(begin.elapsed().as_micros() as i64);
//!             network.poll(now);
//!             tokio::task::yield_now().await;
//!         }
//!     });
//!     let listener = streams.listen(7, ListenerConfig::default())?;
//!     loop {
//!         let mut stream = listener.accept().await;
//!         tokio::task::spawn_local(async move {
//!             let mut bytes = [0; 4096];
//!             while let Ok(len @ 1..) = tokio::io::AsyncReadExt::read(&mut stream, &mut bytes).await {
//!                 tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes[..len]).await.unwrap();
//!             }
//!         });
//!     }
//! }
//! ```
//!
//! What is written is copied, into memory of the stack's that is used again. Files go without a copy through
//! [`Streams::with`], which gives the stack to [`send_shared`](crate::Stack::send_shared) and the like, by
//! [`Stream::id`].

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use pagewire_nic::port::{RxQueue, TxQueue};
use slab::Slab;
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::IpEndpoint;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Event, Ready, Token, Trigger};
use crate::connection::Failure;
use crate::listener::ListenerConfig;
use crate::phantom::TransmitRing;
use crate::stack::{ConnectionId, OpenError, Progress, Stack};

/// A stack whose connections are streams. Clones are the same stack.
pub struct Streams<T, R>(Rc<RefCell<Inner<T, R>>>);

struct Inner<T, R> {
    stack: Stack<T, R>,
    /// By token.
    tasks: Slab<Tasks>,
    events: Vec<Event>,
    /// The time of the last round.
    now: Instant,
}

/// Who waits for a connection or a listener.
#[derive(Default)]
struct Tasks {
    /// For bytes, or for a connection.
    reader: Option<Waker>,
    /// For room, or for the handshake.
    writer: Option<Waker>,
}

/// One connection. Dropping it ends our side of the stream, after all that was written; what the peer still sends is
/// received by nobody.
pub struct Stream<T: TxQueue, R: RxQueue> {
    streams: Streams<T, R>,
    id: ConnectionId,
    token: usize,
}

/// A port that takes connections, until it is dropped.
pub struct Listener<T: TxQueue, R: RxQueue> {
    streams: Streams<T, R>,
    port: u16,
    token: usize,
}

impl<T, R> Clone for Streams<T, R> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: TxQueue, R: RxQueue> Streams<T, R> {
    /// The connections that are made from here on are streams.
    #[must_use]
    pub fn new(stack: Stack<T, R>) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            stack,
            tasks: Slab::new(),
            events: Vec::new(),
            now: Instant::ZERO,
        })))
    }

    /// Does one round of the [stack](Stack::poll), and wakes the tasks that can go on.
    pub fn poll(&self, now: Instant) -> Progress {
        let Inner {
            stack,
            tasks,
            events,
            now: last,
        } = &mut *self.0.borrow_mut();
        *last = now;
        let progress = stack.poll(now);
        stack.events(events);
        for Event { token, ready } in events.drain(..) {
            let Some(waiting) = tasks.get_mut(token.0) else {
                continue;
            };
            let over = ready.contains(Ready::CLOSED);
            if over || ready.contains(Ready::READABLE) || ready.contains(Ready::ACCEPTABLE) {
                waiting.reader.take().into_iter().for_each(Waker::wake);
            }
            if over || ready.contains(Ready::WRITABLE) {
                waiting.writer.take().into_iter().for_each(Waker::wake);
            }
        }
        progress
    }

    /// When [`poll`](Self::poll) must be called again at the latest: see [`Stack::next_deadline`].
    #[must_use]
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.0.borrow_mut().stack.next_deadline(now)
    }

    /// Gives the stack to `work`: for what streams do not do.
    pub fn with<O>(&self, work: impl FnOnce(&mut Stack<T, R>) -> O) -> O {
        work(&mut self.0.borrow_mut().stack)
    }

    /// A connection to `remote`, once it is there.
    ///
    /// # Errors
    /// What [`Stack::connect`] refuses, and why the peer could not be reached.
    pub async fn connect(&self, remote: IpEndpoint) -> io::Result<Stream<T, R>> {
        let id = {
            let Inner { stack, now, .. } = &mut *self.0.borrow_mut();
            stack
                .connect(remote, TransmitRing::Phantom, *now)
                .map_err(refused)?
        };
        let stream = self.stream(id);
        poll_fn(|context| stream.poll_connected(context)).await?;
        Ok(stream)
    }

    /// Takes connections on `port`.
    ///
    /// # Errors
    /// What [`Stack::listen`] refuses.
    pub fn listen(&self, port: u16, config: ListenerConfig) -> io::Result<Listener<T, R>> {
        let Inner { stack, tasks, .. } = &mut *self.0.borrow_mut();
        stack
            .listen(port, TransmitRing::Phantom, config)
            .map_err(refused)?;
        let token = tasks.insert(Tasks::default());
        stack.register_listener(port, Token(token), Trigger::Edge);
        Ok(Listener {
            streams: self.clone(),
            port,
            token,
        })
    }

    fn stream(&self, id: ConnectionId) -> Stream<T, R> {
        let Inner { stack, tasks, .. } = &mut *self.0.borrow_mut();
        let token = tasks.insert(Tasks::default());
        stack.register(id, Token(token), Ready::READABLE | Ready::WRITABLE, Trigger::Edge);
        Stream {
            streams: self.clone(),
            id,
            token,
        }
    }
}

impl<T: TxQueue, R: RxQueue> Listener<T, R> {
    /// The next connection, as soon as there is one. For one task at a time.
    pub async fn accept(&self) -> Stream<T, R> {
        let id = poll_fn(|context| {
            let Inner { stack, tasks, .. } = &mut *self.streams.0.borrow_mut();
            if let Some(id) = stack.accept(self.port) {
                return Poll::Ready(id);
            }
            tasks[self.token].reader = Some(context.waker().clone());
            Poll::Pending
        });
        self.streams.stream(id.await)
    }
}

impl<T: TxQueue, R: RxQueue> Drop for Listener<T, R> {
    fn drop(&mut self) {
        let Inner { stack, tasks, .. } = &mut *self.streams.0.borrow_mut();
        stack.stop_listening(self.port);
        tasks.remove(self.token);
    }
}

impl<T: TxQueue, R: RxQueue> Stream<T, R> {
    /// The connection.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    fn poll_connected(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let Inner { stack, tasks, .. } = &mut *self.streams.0.borrow_mut();
        match stack.state(self.id)? {
            State::SynSent | State::SynReceived => {
                tasks[self.token].writer = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<T: TxQueue, R: RxQueue> Stack<T, R> {
    /// The state of a connection that has not failed.
    fn state(&self, id: ConnectionId) -> io::Result<State> {
        let status = self.status(id).ok_or(io::ErrorKind::NotConnected)?;
        let Some(failure) = status.failure else {
            return Ok(status.state);
        };
        let kind = match failure {
            Failure::ResetByPeer => io::ErrorKind::ConnectionReset,
            Failure::Refused => io::ErrorKind::ConnectionRefused,
            Failure::NoNeighbour => io::ErrorKind::HostUnreachable,
            Failure::Silent { .. } => io::ErrorKind::TimedOut,
            Failure::Aborted => io::ErrorKind::ConnectionAborted,
            Failure::Source(_) => io::ErrorKind::Other,
        };
        Err(io::Error::new(kind, failure.to_string()))
    }
}

impl<T: TxQueue, R: RxQueue> AsyncRead for Stream<T, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Inner { stack, tasks, .. } = &mut *self.streams.0.borrow_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // The ring's end may lie between two pieces.
        let mut taken = 0;
        for _ in 0..2 {
            taken += stack.receive(self.id, |bytes| {
                let len = bytes.len().min(buffer.remaining());
                buffer.put_slice(&bytes[..len]);
                len
            });
        }
        if taken > 0 {
            return Poll::Ready(Ok(()));
        }
        let state = stack.state(self.id)?;
        if state == State::Closed || stack.status(self.id).is_some_and(|status| status.drained) {
            return Poll::Ready(Ok(()));
        }
        tasks[self.token].reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T: TxQueue, R: RxQueue> AsyncWrite for Stream<T, R> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Inner { stack, tasks, .. } = &mut *self.streams.0.borrow_mut();
        if !matches!(stack.state(self.id)?, State::Established | State::CloseWait) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len = bytes.len().min(stack.room(self.id));
        if len == 0 && !bytes.is_empty() {
            tasks[self.token].writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        stack
            .send_bytes(self.id, &bytes[..len])
            .map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
        Poll::Ready(Ok(len))
    }

    /// What was written is on its way with the next round.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.streams.with(|stack| stack.finish(self.id));
        Poll::Ready(Ok(()))
    }
}

impl<T: TxQueue, R: RxQueue> Drop for Stream<T, R> {
    fn drop(&mut self) {
        let Inner { stack, tasks, .. } = &mut *self.streams.0.borrow_mut();
        stack.finish(self.id);
        stack.release(self.id);
        tasks.remove(self.token);
    }
}

/// Why there is no connection or no listener.
fn refused(error: OpenError) -> io::Error {
    let kind = match error {
        OpenError::PortTaken { .. } | OpenError::NoPort { .. } => io::ErrorKind::AddrInUse,
        OpenError::Unreachable { .. } => io::ErrorKind::HostUnreachable,
        OpenError::Memory(_) => io::ErrorKind::OutOfMemory,
        OpenError::TooMany { .. } => io::ErrorKind::QuotaExceeded,
    };
    io::Error::new(kind, error)
}
