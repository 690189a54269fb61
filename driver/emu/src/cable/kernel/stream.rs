//! A descriptor that takes and gives one packet a call: a TAP.
//!
//! Out, one `writev` a packet, straight from the pages that the pieces name. In, one `read` a packet, into one buffer.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;

use super::arrival::{BATCH, Handover};
use super::{End, LONGEST, Lost, vnet};
use crate::memory::RecentPages;
use crate::wire::{Cable, Delivery, Inlet, Port, WireFrame};

/// The kernel's end of the cable.
#[derive(Debug)]
pub(super) struct Stream {
    descriptor: OwnedFd,
    /// The longest IP packet that it takes whole, in bytes.
    longest: usize,
    /// The last packet found no room.
    busy: AtomicBool,
    /// The interface behind it is no longer there.
    gone: AtomicBool,
    /// Reads and writes so far.
    calls: AtomicU64,
    /// What was written of late.
    recent: RecentPages,
    reader: Mutex<Reader>,
}

impl Stream {
    /// One whose reads and writes do not block, and that takes IP packets of up to `longest` bytes.
    pub(super) fn new(descriptor: OwnedFd, longest: usize) -> Self {
        Self {
            descriptor,
            longest,
            busy: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            recent: RecentPages::new(),
            reader: Mutex::new(Reader::new()),
        }
    }

    /// The next packet into the buffer, if there is one.
    fn read(&self, reader: &mut Reader) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match rustix::io::read(&self.descriptor, &mut reader.buffer[..]) {
            Ok(len) => {
                reader.waiting = len;
                len > 0
            }
            // Nothing there, or down for now.
            Err(Errno::AGAIN | Errno::INTR | Errno::NETDOWN) => false,
            Err(_) => {
                self.gone.store(true, Ordering::Relaxed);
                false
            }
        }
    }
}

impl Port for Stream {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        self.busy.store(false, Ordering::Relaxed);
        batch(&mut Writer(self));
    }
}

impl End for Stream {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    fn take_in(&self, now: Duration, back: &dyn Cable) -> usize {
        // Where it is locked, another thread steps another queue of this NIC.
        let Some(mut reader) = self.reader.try_lock() else {
            return 0;
        };
        // Most often there is nothing, and the NIC need not be asked.
        if reader.waiting == 0 && !self.read(&mut reader) {
            return 0;
        }
        let mut taken = 0;
        back.carry(now, &mut |inlet| {
            while taken < BATCH && reader.pass_on(inlet) {
                taken += 1;
                if !self.read(&mut reader) {
                    break;
                }
            }
        });
        taken
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// What waits, waits in the NIC.
    fn push_on(&self) {}

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    fn system_calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn lost(&self) -> Option<Lost> {
        None
    }
}

/// The kernel's end, for one batch.
struct Writer<'a>(&'a Stream);

impl Inlet for Writer<'_> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let sent = vnet::with_header(frame, |heads| {
            frame.write_to(self.0.descriptor.as_fd(), heads, &self.0.recent)
        });
        let delivery = match sent {
            Ok(_) => Delivery::Accepted,
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Delivery::Busy,
            // A page of the file is gone: nothing of the packet was sent.
            Err(Errno::FAULT) => Delivery::SourceFault,
            Err(Errno::INVAL | Errno::MSGSIZE) => Delivery::BadLength,
            // The interface is down.
            Err(_) => Delivery::Filtered,
        };
        if delivery == Delivery::Busy {
            self.0.busy.store(true, Ordering::Relaxed);
        }
        delivery
    }

    fn longest(&self) -> usize {
        self.0.longest
    }
}

/// Takes packets from the kernel, one at a time.
struct Reader {
    /// Room for one packet with its header.
    buffer: Box<[u8]>,
    /// Length of a packet that waits in the buffer until the NIC has room.
    waiting: usize,
    handover: Handover,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl Reader {
    fn new() -> Self {
        Self {
            buffer: vec![0; vnet::HEADER + LONGEST].into(),
            waiting: 0,
            handover: Handover::default(),
        }
    }

    /// Hands the packet to the NIC. `false` where it must wait.
    fn pass_on(&mut self, inlet: &mut dyn Inlet) -> bool {
        // None: shorter than its headers, or of a kind that was not asked for.
        let taken = match vnet::parse(&mut self.buffer, self.waiting) {
            Some(packet) => self.handover.pass_on(packet, inlet),
            None => true,
        };
        if taken {
            self.waiting = 0;
        }
        taken
    }
}

#[cfg(test)]
mod tests;
