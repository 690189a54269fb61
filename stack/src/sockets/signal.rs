//! A descriptor that is readable while events wait, for a loop that waits for descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

/// An eventfd, and what it says at the moment.
#[derive(Debug)]
pub(crate) struct Signal {
    descriptor: OwnedFd,
    raised: bool,
}

impl Signal {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            descriptor: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            raised: false,
        })
    }

    /// Whether events wait: a system call where that has changed.
    #[inline]
    pub(crate) fn set(&mut self, waiting: bool) {
        if self.raised == waiting {
            return;
        }
        self.raised = waiting;
        // Neither can fail: the counter is 0 before it is raised, and 1 before it is taken.
        if waiting {
            let _ = write(&self.descriptor, &1_u64.to_ne_bytes());
        } else {
            let _ = read(&self.descriptor, &mut [0; 8]);
        }
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
