//! The receiving end: listens, and hands every byte to the sink as it arrives.

use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::{ConnectionId, Failure, Instant, Progress, TransmitRing};

use super::machine::{Family, Machine};
use super::{PORT, Sink, TransferError};

/// A machine that receives one stream.
pub(super) struct Receiver<'a, F: Family> {
    pub(super) machine: Machine<F>,
    connection: Option<ConnectionId>,
    sink: &'a mut dyn Sink,
    received: &'a AtomicU64,
    declared: u64,
    drained: bool,
}

impl<'a, F: Family> Receiver<'a, F> {
    /// Starts to listen.
    pub(super) fn start(
        mut machine: Machine<F>,
        sink: &'a mut dyn Sink,
        received: &'a AtomicU64,
        declared: u64,
    ) -> Result<Self, TransferError> {
        machine
            .stack
            .listen(PORT, TransmitRing::Phantom, ListenerConfig::default())
            .map_err(|error| TransferError::Memory {
                cause: error.to_string(),
            })?;
        Ok(Self {
            machine,
            connection: None,
            sink,
            received,
            declared,
            drained: false,
        })
    }

    /// One round of the stack; what has arrived goes to the sink.
    ///
    /// # Errors
    /// The sink's, or the connection's.
    pub(super) fn step(&mut self, now: Instant) -> Result<Progress, TransferError> {
        let progress = self.machine.stack.poll(now);
        if progress.received > 0 {
            self.drain()?;
        }
        Ok(progress)
    }

    /// Whether the stream has ended and every byte of it was taken.
    pub(super) fn is_done(&self) -> bool {
        self.drained
    }

    /// Nothing has arrived for `seconds`.
    pub(super) fn stalled(&self, seconds: u64) -> TransferError {
        TransferError::Stalled {
            seconds,
            received: self.received.load(Ordering::Relaxed),
            declared: self.declared,
        }
    }

    /// The stream ended without its end.
    pub(super) fn gave_up(&self, cause: &str) -> TransferError {
        TransferError::Reset {
            received: self.received.load(Ordering::Relaxed),
            declared: self.declared,
            cause: cause.to_string(),
        }
    }

    fn drain(&mut self) -> Result<(), TransferError> {
        let stack = &mut self.machine.stack;
        let Some(id) = self.connection.or_else(|| stack.accept(PORT)) else {
            return Ok(());
        };
        self.connection = Some(id);
        let mut refused = None;
        loop {
            let taken = stack.receive(id, |bytes| match self.sink.write(bytes) {
                Ok(()) => bytes.len(),
                Err(error) => {
                    refused = Some(error);
                    0
                }
            });
            self.received.fetch_add(taken as u64, Ordering::Relaxed);
            if taken == 0 {
                break;
            }
        }
        if let Some(error) = refused {
            stack.abort(id, Failure::Aborted);
            return Err(TransferError::Sink(error));
        }
        if let Some(status) = stack.status(id) {
            if let Some(failure) = status.failure {
                let cause = failure.to_string();
                return Err(self.gave_up(&cause));
            }
            if status.drained && !self.drained {
                self.drained = true;
                stack.finish(id);
            }
        }
        Ok(())
    }
}
