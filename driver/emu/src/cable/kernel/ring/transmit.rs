//! The transmit ring: slots are filled as packets come, and the kernel is told of them once a batch.
//!
//! A slot is ours, filled, given to the kernel (`SEND_REQUEST`), found by it within a call of ours, in order, and ours again
//! once the device has sent the packet or the kernel has a copy of it. What the kernel cannot take yet stays as it
//! is, and is found by the next call.

use rustix::io::Errno;

use super::Line;
use super::slots::{LEN, Slots};
use crate::cable::kernel::{LONGEST, vnet};
use crate::wire::{Delivery, Piece, SourceFault, WireFrame};

/// Bytes of packets after which the kernel is told within a batch: while they are still in the cache that it copies
/// from, and it in turn can fill the receiver's while we go on.
const ENOUGH: usize = 512 << 10;

/// Our side of the ring.
#[derive(Debug)]
pub(super) struct Transmit {
    slots: Slots,
    /// The slot to be filled next.
    next: usize,
    /// Bytes of packets since the kernel was last told.
    fresh: usize,
    /// Slots wait until the kernel looks at them.
    pub(super) unsent: bool,
    /// Bytes of packets that the kernel has been given and has not told of; `None` where it told of an error instead.
    owed: Option<usize>,
    /// The longest frame of the interface, without a VLAN tag.
    longest: usize,
    /// Times that the kernel has dropped some of what it was told of, as malformed.
    pub(super) refused: u64,
    /// Packets that were taken back because the interface was down.
    pub(super) withdrawn: u64,
}

impl Transmit {
    pub(super) fn new(slots: Slots, mtu: u32) -> Self {
        Self {
            slots,
            next: 0,
            fresh: 0,
            unsent: false,
            owed: Some(0),
            longest: mtu as usize + 14,
            refused: 0,
            withdrawn: 0,
        }
    }

    /// Puts a packet into the ring.
    pub(super) fn put(&mut self, frame: &WireFrame<'_>, line: &Line) -> Delivery {
        // The kernel checks no length against the MTU here: the device would have to.
        if !(14..=LONGEST).contains(&frame.len())
            || longest_on_wire(frame) > self.longest + tags(frame.head())
        {
            return Delivery::BadLength;
        }
        if self.fresh >= ENOUGH || !self.slots.is_ours(self.next) {
            self.push(line);
        }
        let Some(mut slot) = self.slots.take(self.next) else {
            return Delivery::Busy;
        };
        let written = vnet::with_header(frame, |heads| fill(slot.packet(), heads, frame.payload()));
        let Ok(written) = written else {
            // The slot stays ours: nobody sees what is in it.
            return Delivery::SourceFault;
        };
        slot.set_word(LEN, written);
        slot.give(libc::TP_STATUS_SEND_REQUEST);
        self.next = self.slots.after(self.next);
        self.fresh += frame.len();
        self.owed = self.owed.map(|owed| owed + frame.len());
        self.unsent = true;
        Delivery::Accepted
    }

    /// Has the kernel send what waits, if something does.
    pub(super) fn push(&mut self, line: &Line) {
        if !self.unsent {
            return;
        }
        self.fresh = 0;
        let sent = match line.kick() {
            // Either it is down, or it was, and the socket has kept that to be told once.
            Err(Errno::NETDOWN) => {
                line.take_error();
                line.kick()
            }
            sent => sent,
        };
        match sent {
            Ok(sent) => self.owed = self.owed.map(|owed| owed.saturating_sub(sent)),
            // As on a wire that leads nowhere: what is sent again later is TCP's to decide.
            Err(Errno::NETDOWN | Errno::NXIO | Errno::NODEV) => self.withdraw(),
            // No memory or no room in a queue now; it has not told what it sent before.
            Err(_) => self.owed = None,
        }
        self.unsent = self.slots.is_asked_for(self.slots.before(self.next));
        if !self.unsent {
            self.refused += u64::from(self.owed.is_some_and(|owed| owed > 0));
            self.owed = Some(0);
        }
    }

    /// Takes back what the kernel has not looked at, from the last to the first: there it goes on.
    fn withdraw(&mut self) {
        for _ in 0..self.slots.count() {
            let last = self.slots.before(self.next);
            if !self.slots.is_asked_for(last) {
                break;
            }
            self.slots.withdraw(last);
            self.next = last;
            self.withdrawn += 1;
        }
        self.owed = Some(0);
    }
}

/// Writes a packet to a slot. Returns its length, the virtio-net header among it.
fn fill(room: &mut [u8], heads: &[&[u8]], payload: &[Piece<'_>]) -> Result<usize, SourceFault> {
    let mut at = 0;
    for head in heads {
        room[at..at + head.len()].copy_from_slice(head);
        at += head.len();
    }
    for piece in payload {
        piece.copy_to(&mut room[at..at + piece.len()])?;
        at += piece.len();
    }
    Ok(at)
}

/// The longest frame that this is on a wire.
fn longest_on_wire(frame: &WireFrame<'_>) -> usize {
    let cut = |plan: &crate::wire::Segmentation| plan.header_len() + usize::from(plan.mss);
    frame
        .segmentation()
        .map_or(frame.len(), |plan| cut(plan).min(frame.len()))
}

/// Bytes of a VLAN tag that a frame has beyond its MTU.
fn tags(head: &[u8]) -> usize {
    let tagged = head
        .get(12..14)
        .is_some_and(|kind| matches!(kind, [0x81, 0] | [0x88, 0xa8]));
    if tagged { 4 } else { 0 }
}
