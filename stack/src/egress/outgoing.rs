//! One packet as smoltcp emits it: written into a frame, or into scratch memory of which only the headers are kept.
//!
//! What belongs to a zero-copy connection and is longer than a small frame goes through scratch memory. All else is written where the device will read it; if a zero-copy connection's payload
//! is in it, that gives way to the stream's.

use std::num::NonZeroU16;
use std::sync::atomic::Ordering;

use pagewire_nic::dma::Frame;
use pagewire_nic::port::{TxOffload, TxQueue};
use smoltcp::phy::{PacketMeta, TxToken};

use super::{Egress, SMALL_FRAME};
use crate::flow::Flow;
use crate::headers::{Peek, TcpHeaders, peek_egress, rewrite_segment};
use crate::phantom::TransmitRing;
use crate::vlan;

/// One packet on its way out of smoltcp.
pub(crate) struct Outgoing<'a, T> {
    pub(crate) egress: &'a mut Egress<T>,
    /// The connection it belongs to; none for ARP, ICMP and refusals.
    pub(crate) flow: Option<&'a mut Flow>,
    pub(crate) mss: Option<NonZeroU16>,
}

impl<T: TxQueue> TxToken for Outgoing<'_, T> {
    fn set_meta(&mut self, meta: PacketMeta) {
        self.mss = meta.segmentation_offload_size;
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let Self { egress, flow, mss } = self;
        match flow {
            Some(flow) if flow.ring == TransmitRing::Phantom && len > SMALL_FRAME - vlan::TAG_LEN => {
                egress.by_reference(flow, mss, len, write)
            }
            flow => egress.in_a_frame(flow, mss, len, write),
        }
    }
}

impl<T: TxQueue> Egress<T> {
    /// The packet is written into scratch memory; its payload, if it is the stream's, goes by reference.
    fn by_reference<R>(
        &mut self,
        flow: &mut Flow,
        mss: Option<NonZeroU16>,
        len: usize,
        write: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        let frame = self.take(SMALL_FRAME);
        let start = self.start();
        let packet = &mut self.scratch[..len];
        let result = write(packet);
        let front = &packet[..SMALL_FRAME - vlan::TAG_LEN];
        let Some(mut frame) = frame else {
            self.counters.absorbed += 1;
            return result;
        };
        let Some(headers) = tcp_headers(front, len) else {
            self.absorb(frame);
            return result;
        };
        let header_len = headers.header_len();
        frame.bytes_mut()[start..start + header_len].copy_from_slice(&front[..header_len]);
        if frame.set_len(start + header_len).is_err() {
            self.absorb(frame);
            return result;
        }
        let (headers, mss) = translated(flow, &headers, mss);
        self.post_by_reference(frame, &headers, flow, mss);
        result
    }

    /// The packet is written where the device will read it.
    fn in_a_frame<R>(
        &mut self,
        flow: Option<&mut Flow>,
        mss: Option<NonZeroU16>,
        len: usize,
        write: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        let start = self.start();
        let Some(mut frame) = self.take(start + len) else {
            self.counters.absorbed += 1;
            return write(&mut self.scratch[..len]);
        };
        let result = write(&mut frame.bytes_mut()[start..]);
        match (tcp_headers(&frame.bytes()[start..], len), flow) {
            (Some(headers), Some(flow)) if flow.ring == TransmitRing::Phantom => {
                let (headers, mss) = translated(flow, &headers, mss);
                if frame.set_len(start + headers.header_len()).is_err() {
                    self.absorb(frame);
                } else if headers.payload_len > 0 {
                    self.post_by_reference(frame, &headers, flow, mss);
                } else {
                    rewrite_segment(&mut frame.bytes_mut()[start..], &headers);
                    self.post_own(frame, &headers, Some(flow), None);
                }
            }
            (Some(headers), flow) => self.post_own(frame, &headers, flow, mss),
            (None, flow) => {
                // smoltcp asks for an address in the place of the segment, which it keeps.
                if let Some(flow) = flow {
                    flow.seeks_neighbour = true;
                }
                self.post(frame, TxOffload::None);
            }
        }
        result
    }

    /// Posts a segment that is whole in its frame.
    fn post_own(
        &mut self,
        mut frame: Frame,
        headers: &TcpHeaders,
        flow: Option<&mut Flow>,
        mss: Option<NonZeroU16>,
    ) {
        self.identify(&mut frame, headers, mss);
        let start = self.start();
        if let Some(flow) = flow
            && flow.on_egress(headers, &frame.bytes()[start..]).is_some()
        {
            self.copied
                .fetch_add(headers.payload_len as u64, Ordering::Relaxed);
        }
        self.post(frame, self.offload_of(headers, mss));
    }
}

/// A segment of smoltcp's as it is to leave, and the payload of each of its frames.
fn translated(
    flow: &mut Flow,
    segment: &TcpHeaders,
    mss: Option<NonZeroU16>,
) -> (TcpHeaders, Option<NonZeroU16>) {
    let grain = flow.counting.grains().size() as u16;
    let mss = mss.and_then(|mss| NonZeroU16::new(mss.get().saturating_mul(grain)));
    (flow.for_wire(segment), mss)
}

/// The headers of a TCP segment of `len` bytes that smoltcp has emitted and that begins with `front`.
fn tcp_headers(front: &[u8], len: usize) -> Option<TcpHeaders> {
    match peek_egress(front, len) {
        Peek::Tcp(headers) => Some(headers),
        _ => None,
    }
}
