//! A cable into the kernel: what the NIC sends, this machine's own network stack receives.
//!
//! ```text
//!   NIC's TX engine ──► Cable ──► Port: one writev a packet ──► TAP, or packet socket ──► the kernel's TCP
//!   NIC's port ◄── Cable ◄── one read a packet, into one buffer ◄──────────┘
//! ```
//! Two ways lead in, and differ only in how they are opened ([`Attachment::tap`], [`Attachment::packet`]). On both,
//! each packet has a virtio-net header in front ([`vnet`]), so that segments of 64 KiB pass whole in both directions, and
//! checksums unfinished. Out, a payload byte is copied once, by the kernel, from the file's pages into its own packet:
//! what a NIC's DMA would do. In, once by the kernel and once by the emulated DMA.
//!
//! Nothing is dropped for want of room in the NIC. A write that the kernel does not take now is answered [`Delivery::Busy`], and the
//! NIC tries again; a packet that the NIC has no buffers for waits here, and those behind it in the kernel's queue. That
//! queue has an end (`txqueuelen` packets of a TAP, a packet socket's buffer), beyond which packets are lost.
//!
//! Faults can be laid on either direction, as on any cable.

mod error;
mod interface;
mod packet;
mod tap;
mod vnet;

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;

pub use error::AttachError;

use super::{Impairments, PcapTap, Way, lay};
use crate::EmulatedNic;
use crate::offload::segment;
use crate::wire::{Cable, Checksums, Delivery, Inlet, Port, WireCounters, WireFrame};

/// The longest packet, with its Ethernet header and a VLAN tag.
const LONGEST: usize = 65_535 + 18;
/// Packets that one step takes in at most: the stack is to see them before more come.
const BATCH: usize = 64;
/// How soon a sender that was told to wait tries again.
const RETRY: Duration = Duration::from_micros(50);

/// A way into the kernel's network stack. Clones are the same one; it is closed with the last of them.
#[derive(Clone, Debug)]
pub struct Attachment {
    end: Arc<End>,
}

/// The kernel's end of the cable.
#[derive(Debug)]
struct End {
    socket: OwnedFd,
    /// The last packet found no room.
    busy: AtomicBool,
    /// The interface behind it is no longer there.
    gone: AtomicBool,
    /// Reads and writes so far.
    calls: AtomicU64,
}

impl Attachment {
    fn new(socket: OwnedFd) -> Self {
        let end = Arc::new(End {
            socket,
            busy: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            calls: AtomicU64::new(0),
        });
        Self { end }
    }

    /// Plugs it into a NIC, with faults on the way out and on the way in. With a `tap`, both directions are recorded.
    pub fn plug_into(
        &self,
        nic: &EmulatedNic,
        out: &Impairments,
        back: &Impairments,
        tap: Option<&Arc<PcapTap>>,
    ) {
        let end: Arc<dyn Port> = self.end.clone();
        nic.plug(Some(Arc::new(KernelCable {
            end: Arc::clone(&self.end),
            out: lay(end, out, Way::Forth, tap.cloned()),
            back: lay(nic.port(), back, Way::Back, tap.cloned()),
            reader: Mutex::new(Reader::new()),
            tried: AtomicU64::new(0),
        })));
    }

    /// Reads and writes of the kernel's end so far, those that found nothing or no room among them.
    #[must_use]
    pub fn system_calls(&self) -> u64 {
        self.end.calls.load(Ordering::Relaxed)
    }

    /// Whether the interface was deleted while it was in use.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.end.gone.load(Ordering::Relaxed)
    }
}

impl AsFd for Attachment {
    /// Readable while packets wait: to be slept on.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.socket.as_fd()
    }
}

impl Port for End {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        self.busy.store(false, Ordering::Relaxed);
        batch(&mut Writer(self));
    }
}

/// The kernel's end, for one batch.
struct Writer<'a>(&'a End);

impl Inlet for Writer<'_> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let sent = vnet::with_header(frame, |head| frame.write_to(self.0.socket.as_fd(), head));
        let delivery = match sent {
            Ok(_) => Delivery::Accepted,
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Delivery::Busy,
            // A page of the file is gone: the kernel has read nothing of the packet.
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
}

/// Both directions of a NIC's cable to the kernel.
#[derive(Debug)]
struct KernelCable {
    end: Arc<End>,
    out: Arc<dyn Cable>,
    back: Arc<dyn Cable>,
    reader: Mutex<Reader>,
    /// When something was sent last, in nanoseconds.
    tried: AtomicU64,
}

impl Cable for KernelCable {
    fn carry(&self, now: Duration, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        self.tried.store(now.as_nanos() as u64, Ordering::Relaxed);
        self.out.carry(now, batch);
    }

    fn deliver_due(&self, now: Duration) -> usize {
        let sent = self.out.deliver_due(now);
        let read = match self.reader.try_lock() {
            Some(mut reader) => reader.take_in(&self.end, now, &*self.back),
            // Another thread steps another queue of this NIC.
            None => 0,
        };
        sent + read + self.back.deliver_due(now)
    }

    fn next_event(&self) -> Option<Duration> {
        let busy = self.end.busy.load(Ordering::Relaxed);
        let again = busy.then(|| Duration::from_nanos(self.tried.load(Ordering::Relaxed)) + RETRY);
        [self.out.next_event(), self.back.next_event(), again]
            .into_iter()
            .flatten()
            .min()
    }

    /// Of the way out.
    fn counters(&self) -> WireCounters {
        self.out.counters()
    }
}

/// Takes packets from the kernel, one at a time.
struct Reader {
    /// Room for one packet with its header.
    buffer: Box<[u8]>,
    /// Length of a packet that waits in the buffer until the NIC has room.
    waiting: usize,
    /// Where a segment is cut that the NIC does not take whole.
    cut: Vec<u8>,
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
            cut: Vec::new(),
        }
    }

    /// Reads what is there and hands it to the NIC, as long as that has room. Returns how many packets it took.
    fn take_in(&mut self, end: &End, now: Duration, back: &dyn Cable) -> usize {
        // Most often there is nothing, and the NIC need not be asked.
        if self.waiting == 0 && !self.read(end) {
            return 0;
        }
        let mut taken = 0;
        back.carry(now, &mut |inlet| {
            while taken < BATCH && self.pass_on(inlet) {
                taken += 1;
                if !self.read(end) {
                    break;
                }
            }
        });
        taken
    }

    /// The next packet into the buffer, if there is one.
    fn read(&mut self, end: &End) -> bool {
        end.calls.fetch_add(1, Ordering::Relaxed);
        match rustix::io::read(&end.socket, &mut self.buffer[..]) {
            Ok(len) => {
                self.waiting = len;
                len > 0
            }
            // Nothing there, or down for now.
            Err(Errno::AGAIN | Errno::INTR | Errno::NETDOWN) => false,
            Err(_) => {
                end.gone.store(true, Ordering::Relaxed);
                false
            }
        }
    }

    /// Hands the packet to the NIC. `false` where it must wait.
    fn pass_on(&mut self, inlet: &mut dyn Inlet) -> bool {
        let Some(packet) = vnet::parse(&mut self.buffer, self.waiting) else {
            // Shorter than its headers, or of a kind that was not asked for.
            self.waiting = 0;
            return true;
        };
        if !inlet.has_room(packet.frames(), packet.len()) {
            return false;
        }
        self.waiting = 0;
        let (whole, plan) = match packet {
            vnet::Packet::Single(bytes, checksums) => {
                let _ = inlet.deliver(&WireFrame::single(bytes, checksums));
                return true;
            }
            vnet::Packet::Segment(bytes, plan) => (bytes, plan),
        };
        let (head, payload) = whole.split_at_mut(plan.header_len());
        let payload = [crate::wire::Piece::from_bytes(payload)];
        if inlet.deliver(&WireFrame::whole(head, &payload, plan)) == Delivery::CutFirst {
            vnet::forget_ip_checksum(head, &plan);
            // A header that cannot be replicated is that of a packet that no NIC could have sent.
            let _ = segment::cut(head, &payload, &plan, &mut self.cut, |frame| {
                let _ = inlet.deliver(&WireFrame::single(frame, Checksums::Inserted));
                true
            });
        }
        true
    }
}

#[cfg(test)]
mod tests;
