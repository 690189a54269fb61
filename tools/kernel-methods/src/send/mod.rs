//! The sending thread's part, a file for each family: `copying` (read, write), `spliced` (sendfile, splice, vmsplice), `zerocopy`
//! (MSG_ZEROCOPY) and `uring`.
//!
//! Each function loops until the file is with the kernel, counts its calls and copies, and looks at the stop flag between calls.

mod copying;
mod spliced;
mod uring;
mod zerocopy;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::mapped::Mapped;
use crate::{Method, MethodError};

/// Bytes of one call, where the method does not say otherwise.
const CHUNK: usize = 1 << 20;

/// What sending took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) system_calls: u64,
    /// Into the sender's own buffer.
    pub(crate) copied_in_user: u64,
    /// Into the socket's memory.
    pub(crate) copied_in_kernel: u64,
    pub(crate) reported_copied: Option<u64>,
    pub(crate) in_flight: u64,
    pub(crate) own_buffers: u64,
}

/// A file on its way into a socket.
pub(crate) struct Outgoing<'a> {
    socket: BorrowedFd<'a>,
    file: &'a File,
    len: u64,
    done: u64,
    received: &'a AtomicU64,
    stop: &'a AtomicBool,
    sent: Sent,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(
        socket: &'a impl AsFd,
        file: &'a File,
        len: u64,
        received: &'a AtomicU64,
        stop: &'a AtomicBool,
    ) -> Self {
        Self {
            socket: socket.as_fd(),
            file,
            len,
            done: 0,
            received,
            stop,
            sent: Sent::default(),
        }
    }

    pub(crate) fn sent(&self) -> Sent {
        self.sent
    }

    /// Bytes of the next call, `chunk` at most; `None` when all is sent.
    fn next(&self, chunk: usize) -> Result<Option<usize>, MethodError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(MethodError::Interrupted);
        }
        let left = usize::try_from(self.len - self.done).map_or(chunk, |left| left.min(chunk));
        Ok((left > 0).then_some(left))
    }

    /// The kernel has taken `bytes`.
    fn took(&mut self, bytes: usize) {
        self.done += bytes as u64;
        let in_flight = self.done.saturating_sub(self.received.load(Ordering::Relaxed));
        self.sent.in_flight = self.sent.in_flight.max(in_flight);
    }

    /// A call is about to be made.
    fn call(&mut self) {
        self.sent.system_calls += 1;
    }

    /// The whole file as memory.
    fn map(&mut self) -> Result<Mapped, MethodError> {
        self.mapped(Mapped::new)
    }

    fn mapped(
        &mut self,
        map: impl FnOnce(&File, usize) -> std::io::Result<Mapped>,
    ) -> Result<Mapped, MethodError> {
        // One to map, one to unmap.
        self.sent.system_calls += 2;
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        map(self.file, len).map_err(|cause| MethodError::Failed { call: "mmap", cause })
    }

    fn ends_early(&self) -> MethodError {
        MethodError::Short { at: self.done }
    }
}

/// Sends all of it.
pub(crate) fn send(method: Method, outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    if outgoing.len == 0 {
        return Ok(());
    }
    match method {
        Method::ReadWrite64K => copying::read_write(outgoing, 64 << 10),
        Method::ReadWrite1M => copying::read_write(outgoing, 1 << 20),
        Method::MmapWrite => copying::mmap_write(outgoing),
        Method::Sendfile => spliced::sendfile(outgoing),
        Method::Splice => spliced::splice(outgoing),
        Method::VmspliceGift => spliced::vmsplice_gift(outgoing),
        Method::MsgZerocopy => zerocopy::msg_zerocopy(outgoing),
        Method::UringSend => uring::send(outgoing),
        Method::UringSendZc => uring::send_zc(outgoing),
    }
}
