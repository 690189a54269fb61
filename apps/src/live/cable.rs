//! An emulated NIC on a cable into the kernel: a machine that needs no slot.
//!
//! A device in silicon works by itself. This one works when it is stepped, which the engine does after each round of the
//! stack, on the same thread: what the stack has posted is in the kernel before the next round, and what the kernel has
//! answered is in the NIC's buffers. While nothing happens the thread sleeps on the cable's descriptor.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pagewire_emu::cable::{Attachment, Impairments, Lost, PcapTap};
use pagewire_emu::wire::WireCounters;
use pagewire_emu::{EmulatedNic, Model, Options};

/// An emulated NIC that is plugged into the kernel.
#[derive(Debug)]
pub struct OnCable {
    nic: EmulatedNic,
    attachment: Attachment,
    tap: Option<Arc<PcapTap>>,
    /// Segments come uncut. Where things happen to frames on the way, they come as frames.
    pub(super) whole_segments: bool,
}

impl OnCable {
    /// A NIC with the address `mac` at the other end of `attachment`; `wire` is what happens to frames on the way, in
    /// both directions, and a `tap` records them as they enter it.
    #[must_use]
    pub fn new(
        model: Model,
        mac: [u8; 6],
        attachment: Attachment,
        wire: &Impairments,
        tap: Option<Arc<PcapTap>>,
    ) -> Self {
        let nic = EmulatedNic::new(&Options {
            whole_segments: wire.is_none(),
            ..Options::new(model, mac)
        });
        attachment.plug_into(&nic, wire, wire, tap.as_ref());
        Self {
            nic,
            attachment,
            tap,
            whole_segments: wire.is_none(),
        }
    }

    /// The NIC.
    #[must_use]
    pub fn nic(&self) -> &EmulatedNic {
        &self.nic
    }

    /// The clock that the cable's times are by was started at `now`: what is recorded has the time of day.
    pub(super) fn begin(&self, now: SystemTime) {
        if let Some(tap) = &self.tap {
            tap.count_from(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        }
    }

    /// What was recorded so far is in the file, for whoever reads along.
    pub(super) fn write_out(&self) {
        if let Some(tap) = &self.tap {
            tap.write_out();
        }
    }

    /// What wakes its thread.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.attachment.as_fd()
    }

    /// Whether the interface at the other end is there no more.
    pub(super) fn is_gone(&self) -> bool {
        self.attachment.is_gone()
    }

    /// What became of frames on the way, in both directions.
    pub(super) fn wire_counters(&self) -> WireCounters {
        self.nic.wire_counters()
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
