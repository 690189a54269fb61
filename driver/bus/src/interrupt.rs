//! Interrupts, as file descriptors that a thread can sleep on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use crate::BusError;

/// How a function signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InterruptKind {
    /// A message for each of several causes, through a table in a BAR (PCI 3.0 §6.8.2).
    MsiX,
    /// One message, or a few in a row (PCI 3.0 §6.8.1).
    Msi,
    /// A wire, shared and level triggered (PCI 3.0 §2.2.6). The bus masks it each time it fires.
    Intx,
}

/// What a function offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptSupport {
    /// The way.
    pub kind: InterruptKind,
    /// How many vectors it has there.
    pub vectors: u16,
}

/// Lets a line that has fired fire again: what the bus knows of a masked INTx.
pub trait Unmask: Send + Sync {
    /// Lets the line fire again.
    ///
    /// # Errors
    /// What the system says.
    fn unmask(&self) -> Result<(), BusError>;
}

/// One vector. Its file descriptor is readable from the moment it fired until [`take`](Self::take).
pub struct Interrupt {
    kind: InterruptKind,
    event: OwnedFd,
    line: Option<Arc<dyn Unmask>>,
}

impl Interrupt {
    /// A vector that counts in `event`, a non-blocking eventfd. An INTx brings its `line`.
    #[must_use]
    pub fn new(kind: InterruptKind, event: OwnedFd, line: Option<Arc<dyn Unmask>>) -> Self {
        Self { kind, event, line }
    }

    /// How it arrives.
    #[must_use]
    pub fn kind(&self) -> InterruptKind {
        self.kind
    }

    /// Returns how often it fired since the last call, and makes the descriptor unreadable again. One system
    /// call; never waits.
    ///
    /// # Errors
    /// What the system says to the read.
    pub fn take(&self) -> Result<u64, BusError> {
        let mut count = [0; 8];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.event, &mut count)) {
            Ok(_) => Ok(u64::from_ne_bytes(count)),
            Err(Errno::AGAIN) => Ok(0),
            Err(errno) => Err(BusError::Os {
                step: "reading an interrupt's eventfd",
                source: errno.into(),
            }),
        }
    }

    /// Lets an INTx fire again, once its cause in the device is cleared; nothing for messages.
    ///
    /// # Errors
    /// What the system says.
    pub fn unmask(&self) -> Result<(), BusError> {
        self.line.as_ref().map_or(Ok(()), |line| line.unmask())
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupt")
            .field("kind", &self.kind)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    #[test]
    fn taking_tells_how_often_it_fired_and_empties_it() {
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
        let interrupt = Interrupt::new(InterruptKind::MsiX, event, None);
        assert_eq!(interrupt.take().unwrap(), 0);
        for _ in 0..3 {
            rustix::io::write(interrupt.as_fd(), &1u64.to_ne_bytes()).unwrap();
        }
        assert_eq!(interrupt.take().unwrap(), 3);
        assert_eq!(interrupt.take().unwrap(), 0);
        interrupt.unmask().unwrap();
    }
}
