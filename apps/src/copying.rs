//! A file that is read into a socket's ring, as a program on an ordinary stack would.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::{ConnectionId, Stack};

/// What is still to be read of a file.
#[derive(Debug)]
pub(crate) struct Copying {
    file: File,
    next: u64,
    len: u64,
    reads: u64,
}

impl Copying {
    /// The first `len` bytes of `file`.
    pub(crate) fn new(file: File, len: u64) -> Self {
        Self {
            file,
            next: 0,
            len,
            reads: 0,
        }
    }

    /// How many bytes were read so far.
    pub(crate) fn read(&self) -> u64 {
        self.next
    }

    /// How many calls that took.
    pub(crate) fn reads(&self) -> u64 {
        self.reads
    }

    /// Reads as much as the ring of `connection` has room for, and counts it. Returns whether that was the last.
    ///
    /// # Errors
    /// The file could not be read, or has become shorter: the sentence says which.
    pub(crate) fn fill<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        connection: ConnectionId,
    ) -> Result<bool, String> {
        let copied = stack.copied_counter();
        let mut failure = None;
        while self.next < self.len {
            let written = stack.write(connection, |ring| {
                let len = (ring.len() as u64).min(self.len - self.next) as usize;
                self.reads += 1;
                match self.file.read_at(&mut ring[..len], self.next) {
                    Ok(0) => {
                        failure = Some(format!("it now ends at byte {}", self.next));
                        0
                    }
                    Ok(read) => read,
                    Err(error) => {
                        failure = Some(error.to_string());
                        0
                    }
                }
            });
            if let Some(cause) = failure {
                return Err(cause);
            }
            if written == 0 {
                return Ok(false);
            }
            copied.fetch_add(written as u64, Ordering::Relaxed);
            self.next += written as u64;
        }
        Ok(true)
    }
}
