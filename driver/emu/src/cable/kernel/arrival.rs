//! The kernel's packets on their way into the NIC.

use super::vnet::{self, Packet};
use crate::offload::segment;
use crate::wire::{Checksums, Delivery, Inlet, Piece, WireFrame};

/// Packets that one step takes in at most: the stack is to see them before more come.
pub(super) const BATCH: usize = 64;

/// Hands packets over, and keeps what that takes.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// Where a segment is cut that the NIC does not take whole.
    cut: Vec<u8>,
}

impl Handover {
    /// Hands the packet to the NIC. `false` where it must wait.
    pub(super) fn pass_on(&mut self, packet: Packet<'_>, inlet: &mut dyn Inlet) -> bool {
        if !inlet.has_room(packet.frames(), packet.len()) {
            return false;
        }
        let (whole, plan) = match packet {
            Packet::Single(bytes, checksums) => {
                let _ = inlet.deliver(&WireFrame::single(bytes, checksums));
                return true;
            }
            Packet::Segment(bytes, plan) => (bytes, plan),
        };
        let (head, payload) = whole.split_at_mut(plan.header_len());
        let payload = [Piece::from_bytes(payload)];
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
