//! One stream from whoever connects first: every byte goes to the sink as it arrives.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::{ConnectionId, Duration, Failure, Instant, Stack, TransmitRing};

use super::{Application, LiveError, Notice, Observer, Turn, linger, reset};
use crate::transfer::Sink;

/// How long nothing may arrive once somebody has connected.
const STALL: Duration = Duration::from_secs(300);

/// A listener for one stream.
pub struct Receiving<'a> {
    port: u16,
    sink: &'a mut dyn Sink,
    connection: Option<ConnectionId>,
    peer: Option<String>,
    received: u64,
    began: Instant,
    /// When a byte arrived last.
    last_move: Instant,
    /// When the stream had ended and every byte of it was taken.
    ended: Option<Instant>,
}

impl<'a> Receiving<'a> {
    /// Listens on `port`, of every address the machine has; what arrives goes to `sink`.
    pub fn new(port: u16, sink: &'a mut dyn Sink) -> Self {
        Self {
            port,
            sink,
            connection: None,
            peer: None,
            received: 0,
            began: Instant::ZERO,
            last_move: Instant::ZERO,
            ended: None,
        }
    }

    /// Bytes given to the sink.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Who connected.
    #[must_use]
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    fn accept<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Option<ConnectionId> {
        while let Some(id) = stack.accept(self.port) {
            if self.connection.is_some() {
                // One stream is what this was started for: others shall not wait in vain.
                stack.abort(id, Failure::Aborted);
                stack.release(id);
                continue;
            }
            self.connection = Some(id);
            (self.began, self.last_move) = (now, now);
            let peer = stack
                .status(id)
                .map(|status| SocketAddr::from(status.remote).to_string())
                .unwrap_or_default();
            (observer.tell)(Notice::Connected { peer: peer.clone() });
            self.peer = Some(peer);
        }
        self.connection
    }

    /// Gives everything that is there to the sink; returns how much that was.
    fn drain<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        id: ConnectionId,
    ) -> Result<u64, LiveError> {
        let mut refused = None;
        let mut total = 0;
        loop {
            let taken = stack.receive(id, |bytes| match self.sink.write(bytes) {
                Ok(()) => bytes.len(),
                Err(error) => {
                    refused = Some(error);
                    0
                }
            });
            if let Some(error) = refused {
                return Err(LiveError::Sink(error));
            }
            if taken == 0 {
                return Ok(total);
            }
            total += taken as u64;
        }
    }
}

impl Application for Receiving<'_> {
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        _observer: &Observer<'_>,
        _now: Instant,
    ) -> Result<(), LiveError> {
        stack.listen(self.port, TransmitRing::Phantom, ListenerConfig::default())?;
        Ok(())
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Turn, LiveError> {
        let Some(id) = self.accept(stack, observer, now) else {
            return Ok(Turn::Going { until: None });
        };
        let taken = self.drain(stack, id)?;
        if taken > 0 {
            self.received += taken;
            self.last_move = now;
            observer.progress.store(self.received, Ordering::Relaxed);
        }
        let Some(status) = stack.status(id) else {
            return Ok(Turn::Done);
        };
        if let Some(ended) = self.ended {
            return Ok(linger(status.state, ended, now));
        }
        if let Some(failure) = status.failure {
            return Err(LiveError::Reset {
                done: self.received,
                of: "an unknown number of".to_string(),
                cause: failure.to_string(),
            });
        }
        if status.drained {
            self.ended = Some(now);
            stack.finish(id);
            return Ok(Turn::Going { until: Some(now) });
        }
        let until = self.last_move + STALL;
        if now >= until {
            return Err(LiveError::Stalled {
                seconds: STALL.secs(),
                done: self.received,
            });
        }
        Ok(Turn::Going { until: Some(until) })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) -> bool {
        self.connection.is_some_and(|id| reset(stack, id))
    }

    fn span(&self) -> Option<(Instant, Instant)> {
        self.ended.map(|ended| (self.began, ended))
    }
}
