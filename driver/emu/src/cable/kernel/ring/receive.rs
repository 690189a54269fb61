//! The receive ring: the kernel fills slots in order, and they are given back in order.
//!
//! A packet is looked at where it lies, and goes from there into the NIC's buffers. One that the NIC has no room for stays
//! in its slot, and those behind it in theirs.

use std::time::Duration;

use super::slots::{HEADER, LEN, MAC, SLOT, SNAPLEN, Slot, Slots, VLAN_TCI, VLAN_TPID};
use crate::cable::kernel::arrival::{BATCH, Handover};
use crate::cable::kernel::vnet;
use crate::wire::Cable;

/// Both Ethernet addresses.
const ADDRESSES: usize = 12;
/// The tag of a VLAN (IEEE 802.1Q).
const TAG: usize = 4;

/// Our side of the ring.
#[derive(Debug)]
pub(super) struct Receive {
    slots: Slots,
    /// The slot that the kernel fills next, or has filled.
    next: usize,
    handover: Handover,
    /// When it is time to ask how the interface is, if nothing arrives.
    pub(super) look: Duration,
    /// Packets that were longer than a slot.
    pub(super) too_long: u64,
    /// Packets that made no sense.
    pub(super) malformed: u64,
}

/// What a step has brought.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) packets: usize,
    /// The kernel says that it has dropped others for want of a slot.
    pub(super) losing: bool,
}

impl Receive {
    pub(super) fn new(slots: Slots) -> Self {
        Self {
            slots,
            next: 0,
            handover: Handover::default(),
            look: Duration::ZERO,
            too_long: 0,
            malformed: 0,
        }
    }

    /// Whether a packet is there.
    pub(super) fn has_packet(&self) -> bool {
        self.slots.is_ours(self.next)
    }

    /// Hands what is there to the NIC, as long as that has room.
    pub(super) fn take_in(&mut self, now: Duration, back: &dyn Cable) -> Taken {
        let mut taken = Taken::default();
        back.carry(now, &mut |inlet| {
            while taken.packets < BATCH {
                let Some(mut slot) = self.slots.take(self.next) else {
                    break;
                };
                if slot.status() & libc::TP_STATUS_LOSING != 0 {
                    // Told once, though the packet may wait and be looked at again.
                    slot.forget(libc::TP_STATUS_LOSING);
                    taken.losing = true;
                }
                let found = place(&mut slot).and_then(|(start, len)| {
                    vnet::parse(&mut slot.packet()[start..], len).ok_or(Unfit::Malformed)
                });
                match found {
                    Ok(packet) => {
                        if !self.handover.pass_on(packet, inlet) {
                            break;
                        }
                    }
                    Err(Unfit::TooLong) => self.too_long += 1,
                    Err(Unfit::Malformed) => self.malformed += 1,
                }
                slot.give(libc::TP_STATUS_KERNEL);
                self.next = self.slots.after(self.next);
                taken.packets += 1;
            }
        });
        taken
    }
}

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    TooLong,
    Malformed,
}

/// Where in [`Slot::packet`] the virtio-net header begins with the packet behind it, and how long both are. A VLAN tag that
/// the kernel has put aside is back in its place.
fn place(slot: &mut Slot<'_>) -> Result<(usize, usize), Unfit> {
    let (mac, len) = (usize::from(slot.half(MAC)), slot.word(SNAPLEN));
    // The kernel's word is checked: `start` and `start + len` are to lie in the slot.
    let start = mac.checked_sub(HEADER + vnet::HEADER).ok_or(Unfit::Malformed)?;
    if len > SLOT - HEADER || mac + len > SLOT {
        return Err(Unfit::Malformed);
    }
    if slot.word(LEN) > len {
        return Err(Unfit::TooLong);
    }
    if slot.status() & libc::TP_STATUS_VLAN_VALID == 0 {
        return Ok((start, vnet::HEADER + len));
    }
    let start = start
        .checked_sub(TAG)
        .filter(|_| len >= ADDRESSES)
        .ok_or(Unfit::Malformed)?;
    insert_tag(slot, start);
    // Done once: a packet that waits has its tag when it is looked at again.
    slot.forget(libc::TP_STATUS_VLAN_VALID);
    slot.set_half(MAC, (mac - TAG) as u16);
    slot.set_word(SNAPLEN, len + TAG);
    slot.set_word(LEN, len + TAG);
    Ok((start, vnet::HEADER + len + TAG))
}

/// Moves what is in front of the tag, so that the virtio-net header begins at `start`, and writes the tag behind it.
fn insert_tag(slot: &mut Slot<'_>, start: usize) {
    let kind = if slot.status() & libc::TP_STATUS_VLAN_TPID_VALID == 0 {
        0x8100
    } else {
        slot.half(VLAN_TPID)
    };
    let tag = slot.half(VLAN_TCI);
    let front = vnet::HEADER + ADDRESSES;
    let bytes = slot.packet();
    bytes.copy_within(start + TAG..start + TAG + front, start);
    bytes[start + front..start + front + 2].copy_from_slice(&kind.to_be_bytes());
    bytes[start + front + 2..start + front + 4].copy_from_slice(&tag.to_be_bytes());
    vnet::moved_on(&mut bytes[start..], TAG as u16);
}
