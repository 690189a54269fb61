//! A cable into the kernel: what the NIC sends, this machine's own network stack receives.
//!
//! ```text
//!                                    ┌─► stream: one writev, one read a packet ──► a TAP
//!   NIC ──► Cable ──► the kernel's end
//!    ▲                               └─► ring: slots of shared memory, one send a batch ──► a packet socket
//!    └────── Cable ◄── arrival: parsed where it lies, cut if need be ◄──┘
//! ```
//! Two ways lead in ([`Attachment::tap`], [`Attachment::packet`]). On both, each packet has a virtio-net header in front
//! ([`vnet`]), so that segments pass whole in both directions, and checksums unfinished.
//!
//! Nothing is dropped for want of room in the NIC. A packet that the kernel does not take now is answered [`Busy`](crate::wire::Delivery::Busy),
//! and the NIC tries again; a packet that the NIC has no buffers for waits where it is, and those behind it in the kernel's
//! queue. That queue has an end (`txqueuelen` packets of a TAP, a packet socket's receive ring), beyond which packets
//! are lost.
//!
//! Faults can be laid on either direction, as on any cable.

mod arrival;
mod error;
mod interface;
mod packet;
mod ring;
mod stream;
mod tap;
mod vnet;

use std::fmt::Debug;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use error::AttachError;

use super::{Impairments, PcapTap, Way, lay};
use crate::EmulatedNic;
use crate::wire::{Cable, Inlet, LONGEST_IP, Port, WireCounters};

/// The longest packet, with its Ethernet header and a VLAN tag.
const LONGEST: usize = LONGEST_IP + 18;
/// How soon a sender that was told to wait tries again.
const RETRY: Duration = Duration::from_micros(50);

/// The kernel's end of a cable: packets for the kernel go in as into any [`Port`].
trait End: Port {
    /// Readable while packets of the kernel wait.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Takes packets of the kernel, as far as the NIC behind `back` has room; returns how many.
    fn take_in(&self, now: Duration, back: &dyn Cable) -> usize;

    /// Whether the kernel had no room for all it was given.
    fn is_busy(&self) -> bool;

    /// Offers what it had no room for again, where that waits here.
    fn push_on(&self);

    /// Whether the interface was deleted while it was in use.
    fn is_gone(&self) -> bool;

    /// System calls for packets so far.
    fn system_calls(&self) -> u64;

    /// What did not arrive; `None` where the kernel does not tell.
    fn lost(&self) -> Option<Lost>;
}

/// Packets that the kernel's end of a cable knows to be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Packets of the kernel's that found the receive ring full.
    pub no_slot: u64,
    /// Packets of the kernel's that were longer than 64 KiB and what a slot has beside.
    pub too_long: u64,
    /// Packets of the kernel's that made no sense: shorter than their headers, or of a kind that was not asked for.
    pub malformed: u64,
    /// Times that the kernel dropped packets of ours as malformed.
    pub refused: u64,
    /// Packets of ours that were in the transmit ring when the interface was down.
    pub withdrawn: u64,
}

/// A way into the kernel's network stack. Clones are the same one; it is closed with the last of them.
#[derive(Clone, Debug)]
pub struct Attachment {
    end: Arc<dyn End>,
}

impl Attachment {
    fn new(end: impl End + 'static) -> Self {
        Self { end: Arc::new(end) }
    }

    /// Plugs it into a NIC, with faults on the way out and on the way in. With a `tap`, both directions are recorded.
    pub fn plug_into(
        &self,
        nic: &EmulatedNic,
        out: &Impairments,
        back: &Impairments,
        tap: Option<&Arc<PcapTap>>,
    ) {
        nic.plug(Some(self.cable(nic.port(), out, back, tap)));
    }

    /// The cable between the kernel and a port, with faults as above: what is carried on it goes to the kernel, and
    /// [`Cable::deliver_due`] brings what the kernel has sent to the port.
    #[must_use]
    pub fn cable(
        &self,
        port: Arc<dyn Port>,
        out: &Impairments,
        back: &Impairments,
        tap: Option<&Arc<PcapTap>>,
    ) -> Arc<dyn Cable> {
        let end: Arc<dyn Port> = self.end.clone();
        Arc::new(KernelCable {
            end: Arc::clone(&self.end),
            out: lay(end, out, Way::Forth, tap.cloned()),
            back: lay(port, back, Way::Back, tap.cloned()),
            tried: AtomicU64::new(0),
        })
    }

    /// System calls of the kernel's end for packets so far, those that found nothing or no room among them.
    #[must_use]
    pub fn system_calls(&self) -> u64 {
        self.end.system_calls()
    }

    /// Whether the interface was deleted while it was in use.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.end.is_gone()
    }

    /// What was lost at the kernel's end so far; `None` for a TAP, whose end does not know.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        self.end.lost()
    }
}

impl AsFd for Attachment {
    /// Readable while packets wait: to be slept on.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.descriptor()
    }
}

/// Both directions of a NIC's cable to the kernel.
#[derive(Debug)]
struct KernelCable {
    end: Arc<dyn End>,
    out: Arc<dyn Cable>,
    back: Arc<dyn Cable>,
    /// When something was offered to the kernel last, in nanoseconds.
    tried: AtomicU64,
}

impl KernelCable {
    /// When what the kernel had no room for is to be offered again.
    fn again(&self) -> Option<Duration> {
        let tried = Duration::from_nanos(self.tried.load(Ordering::Relaxed));
        self.end.is_busy().then(|| tried + RETRY)
    }
}

impl Cable for KernelCable {
    fn carry(&self, now: Duration, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        self.tried.store(now.as_nanos() as u64, Ordering::Relaxed);
        self.out.carry(now, batch);
    }

    fn deliver_due(&self, now: Duration) -> usize {
        let sent = self.out.deliver_due(now);
        if self.again().is_some_and(|again| now >= again) {
            self.tried.store(now.as_nanos() as u64, Ordering::Relaxed);
            self.end.push_on();
        }
        sent + self.end.take_in(now, &*self.back) + self.back.deliver_due(now)
    }

    fn next_event(&self) -> Option<Duration> {
        [self.out.next_event(), self.back.next_event(), self.again()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Of both ways.
    fn counters(&self) -> WireCounters {
        self.out.counters() + self.back.counters()
    }
}
