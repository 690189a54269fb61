//! What a packet will take, found out before anything of it is posted.

use pagewire_bus::Iova;

use super::split::Pieces;
use super::transmit::TxDevice;
use crate::dma::{Frame, GatherSlice};
use crate::port::{L4, TxOffload};

/// A packet that the device can take.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What the device is asked to do.
    pub(crate) offload: TxOffload,
    /// Bytes of the packet, headers once.
    pub(crate) len: u32,
    /// Bytes after the headers that a segmentation request cuts up.
    payload_len: u32,
    /// Data descriptors it takes.
    pub(crate) descriptors: usize,
    /// Whether its last bytes get a descriptor of their own.
    sentinel: bool,
}

impl Plan {
    /// `None` where the device can never take the packet: see [`TxLimits`](crate::port::TxLimits).
    pub(crate) fn of<D: TxDevice>(
        header: &Frame,
        payload: &[GatherSlice],
        offload: TxOffload,
        after_segment: bool,
    ) -> Option<Self> {
        let first = u32::try_from(header.len()).ok().filter(|len| *len != 0)?;
        let len = payload
            .iter()
            .try_fold(first, |sum, slice| sum.checked_add(slice.len()))?;
        let headers = match offload.layout() {
            None => 0,
            Some(layout) if layout.header_len() <= header.len() && D::accepts(layout) => {
                layout.header_len() as u32
            }
            Some(_) => return None,
        };
        let payload_len = len - headers;
        let offload = match offload {
            // Nothing to cut: one packet with its checksums is what comes out.
            TxOffload::Segment(layout, _) if payload_len == 0 => TxOffload::Checksum(layout),
            other => other,
        };
        let fits = match &offload {
            TxOffload::None | TxOffload::Checksum(_) => len <= D::LIMITS.max_frame,
            TxOffload::Segment(layout, mss) => {
                layout.l4 == L4::Tcp
                    && payload_len <= D::LIMITS.max_tso
                    && headers <= D::LIMITS.max_tso_header.into()
                    && headers + u32::from(mss.get()) <= D::LIMITS.max_frame
            }
        };
        if !fits {
            return None;
        }
        let segmented = matches!(offload, TxOffload::Segment(..));
        let sentinel = D::SPLIT.sentinel != 0 && (segmented || after_segment);
        let mut plan = Self {
            offload,
            len,
            payload_len,
            descriptors: 0,
            sentinel,
        };
        plan.descriptors = plan
            .pieces::<D>(header.iova(), first, payload.is_empty())
            .number();
        for (index, slice) in payload.iter().enumerate() {
            plan.descriptors += plan
                .pieces::<D>(slice.iova(), slice.len(), index + 1 == payload.len())
                .number();
        }
        (plan.descriptors <= D::LIMITS.max_descriptors.into()).then_some(plan)
    }

    /// Bytes that the device counts: those of the packet, or those of the payload alone where that is cut.
    #[inline]
    pub(crate) fn work_len(&self) -> u32 {
        if matches!(self.offload, TxOffload::Segment(..)) {
            self.payload_len
        } else {
            self.len
        }
    }

    /// Where one buffer of the packet is cut.
    #[inline]
    pub(crate) fn pieces<D: TxDevice>(&self, start: Iova, len: u32, last: bool) -> Pieces {
        Pieces::new(D::SPLIT, start, len, last && self.sentinel)
    }
}
