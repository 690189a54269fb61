//! An emulated NIC on a cable into the kernel: a machine that needs no slot.
//!
//! A device in silicon works by itself. This one works when it is stepped, which the engine does after each round of the
//! stack, on the same thread: what the stack has posted is in the kernel before the next round, and what the kernel has
//! answered is in the NIC's buffers. While nothing happens the thread sleeps on the cable's descriptor.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use pagewire_emu::cable::{Attachment, Impairments, Lost};
use pagewire_emu::{EmulatedNic, Model, Options};

/// An emulated NIC that is plugged into the kernel.
#[derive(Debug)]
pub struct OnCable {
    nic: EmulatedNic,
    attachment: Attachment,
    /// Segments come uncut. Where things happen to frames on the way, they come as frames.
    pub(super) whole_segments: bool,
}

impl OnCable {
    /// A NIC with the address `mac` at the other end of `attachment`; `wire` is what happens to frames on the way, in
    /// both directions.
    #[must_use]
    pub fn new(model: Model, mac: [u8; 6], attachment: Attachment, wire: &Impairments) -> Self {
        let nic = EmulatedNic::new(&Options {
            whole_segments: wire.is_none(),
            ..Options::new(model, mac)
        });
        attachment.plug_into(&nic, wire, wire, None);
        Self {
            nic,
            attachment,
            whole_segments: wire.is_none(),
        }
    }

    /// The NIC.
    #[must_use]
    pub fn nic(&self) -> &EmulatedNic {
        &self.nic
    }

    /// What wakes its thread.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.attachment.as_fd()
    }

    /// Whether the interface at the other end is there no more.
    pub(super) fn is_gone(&self) -> bool {
        self.attachment.is_gone()
    }

    /// What was lost where the cable meets the kernel, as far as that knows.
    pub(super) fn lost(&self) -> Option<Lost> {
        self.attachment.lost()
    }

    /// Does the NIC's work; returns how much there was.
    pub(super) fn step(&self, now: Duration) -> usize {
        self.nic.step(now)
    }

    /// Makes what is mapped for the NIC by now ready, before anything is sent: a card's mapping has pinned its pages, while
    /// the kernel's copy would meet each of them for the first time.
    pub(super) fn warm_up(&self) {
        self.nic.warm_up();
    }

    /// When it has work to do even if nothing arrives.
    pub(super) fn next_event(&self) -> Option<Duration> {
        self.nic.next_event()
    }
}
