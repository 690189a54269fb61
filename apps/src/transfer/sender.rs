//! The sending end: connects, promises the file, and waits until its last byte is acknowledged.

use pagewire_stack::{ConnectionId, Failure, Instant, IpEndpoint, Progress, State, TransmitRing};

use super::machine::{End, Family, Machine};
use super::{Mode, PORT, Plan, TransferError};
use crate::by_reference::by_reference;
use crate::copying::Copying;

/// A machine that sends one file.
pub(super) struct Sender<F: Family> {
    pub(super) machine: Machine<F>,
    connection: ConnectionId,
    declared: u64,
    /// For a copying sender: what is still to be read.
    copying: Option<Copying>,
    /// System calls that reading it took.
    pub(super) reads: u64,
}

impl<F: Family> Sender<F> {
    /// Starts the connection. The bytes of the file are promised, not yet touched.
    pub(super) fn start(mut machine: Machine<F>, plan: &Plan) -> Result<Self, TransferError> {
        let remote = IpEndpoint::new(End::Receiver.address(), PORT);
        let open = |error: pagewire_stack::OpenError| TransferError::Memory {
            cause: error.to_string(),
        };
        let file = plan.file.try_clone().map_err(|cause| TransferError::Source {
            cause: cause.to_string(),
        })?;
        let (connection, copying) = match plan.mode {
            Mode::ZeroCopy => {
                let connection = machine
                    .stack
                    .connect(remote, TransmitRing::Phantom, Instant::ZERO)
                    .map_err(open)?;
                let source = by_reference(&machine.stack, file, plan.declared_len)
                    .map_err(|cause| TransferError::Source { cause })?;
                machine.stack.send(connection, source);
                machine.stack.finish(connection);
                (connection, None)
            }
            Mode::Copy => {
                let connection = machine
                    .stack
                    .connect(remote, TransmitRing::Real, Instant::ZERO)
                    .map_err(open)?;
                (connection, Some(Copying::new(file, plan.declared_len)))
            }
        };
        let sender = Self {
            machine,
            connection,
            declared: plan.declared_len,
            copying,
            reads: 0,
        };
        sender.tell_fallbacks();
        Ok(sender)
    }

    /// Warns that the file, or the rest of it, is copied, where that has come about since the last call.
    pub(super) fn tell_fallbacks(&self) {
        for fallback in self.machine.stack.windows().take_fallbacks() {
            tracing::warn!("{fallback}");
        }
    }

    /// One round of the stack.
    pub(super) fn step(&mut self, now: Instant) -> Result<Progress, TransferError> {
        self.fill_ring()?;
        Ok(self.machine.stack.poll(now))
    }

    /// Whether every byte, and the end, is acknowledged.
    ///
    /// # Errors
    /// The connection has failed.
    pub(super) fn is_done(&self) -> Result<bool, TransferError> {
        let Some(status) = self.machine.stack.status(self.connection) else {
            return Ok(true);
        };
        match status.failure {
            Some(Failure::Source(error)) => Err(TransferError::Source {
                cause: error.to_string(),
            }),
            Some(other) => Err(TransferError::Reset {
                received: status.acknowledged,
                declared: self.declared,
                cause: other.to_string(),
            }),
            None => Ok(matches!(
                status.state,
                State::FinWait2 | State::TimeWait | State::Closed
            )),
        }
    }

    /// Ends the transfer before its time; the receiver gets a RST.
    pub(super) fn abort(&mut self) {
        self.machine.stack.abort(self.connection, Failure::Aborted);
    }

    /// Reads more of the file into the socket's ring, where it has room.
    fn fill_ring(&mut self) -> Result<(), TransferError> {
        let Some(copying) = &mut self.copying else {
            return Ok(());
        };
        let filled = copying.fill(&mut self.machine.stack, self.connection);
        self.reads = copying.reads();
        match filled {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(cause) => return Err(TransferError::Source { cause }),
        }
        self.copying = None;
        self.machine.stack.finish(self.connection);
        Ok(())
    }
}
