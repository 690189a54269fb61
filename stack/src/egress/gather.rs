//! A segment by reference: headers in a frame, and behind them the slices that the send queue finds for its payload.

use std::num::NonZeroU16;

use pagewire_nic::dma::Frame;
use pagewire_nic::port::{Full, TxQueue};

use super::{Egress, parts};
use crate::flow::Flow;
use crate::headers::{TcpHeaders, rewrite_segment};

impl<T: TxQueue> Egress<T> {
    /// Posts `frame`, which holds exactly the headers, followed by the payload that they stand for.
    pub(super) fn post_by_reference(
        &mut self,
        mut frame: Frame,
        headers: &TcpHeaders,
        flow: &mut Flow,
        mss: Option<NonZeroU16>,
    ) {
        let start = self.start();
        let Some(offset) = flow.on_egress(headers, &frame.bytes()[start..]) else {
            // A keep-alive: one byte below the window, whatever its value (RFC 9293 §3.8.4).
            let len = start + headers.header_len();
            let alive = TcpHeaders {
                payload_len: 1,
                ..*headers
            };
            if frame.set_len(len + 1).is_err() {
                return self.absorb(frame);
            }
            rewrite_segment(&mut frame.bytes_mut()[start..], &alive);
            frame.bytes_mut()[len..].fill(0);
            return self.post(frame, self.offload_of(&alive, None));
        };
        // As many bytes as the device cuts at once: smoltcp, which counts others, may emit more of them when it sends all again.
        let mut done = 0;
        while done < headers.payload_len {
            let len = (headers.payload_len - done).min(self.request);
            self.gather.clear();
            if let Err(error) = flow.queue.gather(offset + done as u64, len, &mut self.gather) {
                self.gather.clear();
                flow.failure.get_or_insert(error);
                return self.absorb(frame);
            }
            if len == headers.payload_len && parts::first_part(&self.gather, self.most) == self.gather.len() {
                rewrite_segment(&mut frame.bytes_mut()[start..], headers);
                std::mem::swap(&mut self.gather, &mut self.part);
                return self.post_part(frame, headers, mss);
            }
            self.post_in_parts(&frame, headers, done, mss);
            done += len;
        }
        self.put_back(frame);
    }

    /// Posts the slices at hand, which are a segment's from its byte `offset` on, divided. What finds no room of them is as good
    /// as lost on the wire.
    fn post_in_parts(
        &mut self,
        whole: &Frame,
        headers: &TcpHeaders,
        mut offset: usize,
        mss: Option<NonZeroU16>,
    ) {
        while !self.gather.is_empty() {
            let count = parts::first_part(&self.gather, self.most);
            self.part.extend(self.gather.drain(..count));
            let len = self.part.iter().map(|slice| slice.len() as usize).sum();
            let own = headers.part(offset, len);
            offset += len;
            let Some(mut frame) = self.take(whole.len()) else {
                self.counters.absorbed += 1;
                self.gather.clear();
                self.part.clear();
                break;
            };
            frame.bytes_mut().copy_from_slice(whole.bytes());
            let start = self.start();
            rewrite_segment(&mut frame.bytes_mut()[start..], &own);
            self.post_part(frame, &own, mss);
        }
    }

    /// Posts `frame`, followed by the slices of the part at hand.
    fn post_part(&mut self, mut frame: Frame, headers: &TcpHeaders, mss: Option<NonZeroU16>) {
        let mss = mss.filter(|mss| headers.payload_len > usize::from(mss.get()));
        self.identify(&mut frame, headers, mss);
        self.tag(&mut frame);
        let offload = self.offload_of(headers, mss);
        match self.queue.post_gather(frame, &mut self.part, offload) {
            Ok(()) => {
                self.counters.packets += 1;
                self.counters.gathered_bytes += headers.payload_len as u64;
                self.unpublished = true;
            }
            Err(Full(frame)) => {
                self.part.clear();
                self.absorb(frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pagewire_bus::Function;
    use pagewire_emu::{EmulatedNic, Model, Options};
    use pagewire_nic::dma::GatherSlice;
    use pagewire_nic::port::{Received, TxCounters, TxLimits, TxOffload};
    use smoltcp::phy::TxToken;
    use smoltcp::time::Instant;

    use super::*;
    use crate::egress::{EgressCounters, Outgoing};
    use crate::guard::tests::segment;
    use crate::headers::TcpFlags;
    use crate::phantom::TransmitRing;
    use crate::small_bytes::SmallBytes;

    /// A ring that is never reaped.
    struct Still {
        room: usize,
        posted: Vec<(Frame, Vec<GatherSlice>)>,
    }

    impl TxQueue for Still {
        fn room(&self) -> usize {
            self.room
        }
        fn post(&mut self, frame: Frame, _: TxOffload) -> Result<(), Full<Frame>> {
            self.room -= 1;
            self.posted.push((frame, vec![]));
            Ok(())
        }
        fn post_gather(
            &mut self,
            header: Frame,
            payload: &mut Vec<GatherSlice>,
            _: TxOffload,
        ) -> Result<(), Full<Frame>> {
            self.room -= 1 + payload.len();
            self.posted.push((header, std::mem::take(payload)));
            Ok(())
        }
        fn post_all(&mut self, _: &mut Vec<Frame>) -> usize {
            0
        }
        fn post_received(&mut self, _: &mut Vec<Received>) -> usize {
            0
        }
        fn doorbell(&mut self) {}
        fn reap(&mut self, _: &mut Vec<Frame>) -> usize {
            0
        }
        fn posted(&self) -> usize {
            self.posted.iter().map(|(_, slices)| 1 + slices.len()).sum()
        }
        fn counters(&self) -> TxCounters {
            TxCounters::default()
        }
    }

    /// Sends a segment over IPv4 in smoltcp's place.
    fn emit(egress: &mut Egress<Still>, flow: &mut Flow, sequence: u32, flags: TcpFlags, len: usize) {
        let mut headers = [0; 54];
        headers[12..18].copy_from_slice(&[8, 0, 0x45, 0, 0, 0]);
        headers[16..18].copy_from_slice(&(40 + len as u16).to_be_bytes());
        headers[22..24].copy_from_slice(&[64, 6]);
        headers[26..38].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 1, 0]);
        headers[38..42].copy_from_slice(&sequence.to_be_bytes());
        headers[46..48].copy_from_slice(&[0x50, flags.bits()]);
        let packet = Outgoing {
            egress,
            flow: Some(flow),
            mss: None,
        };
        packet.consume(54 + len, |bytes| bytes[..54].copy_from_slice(&headers));
    }

    #[test]
    fn of_a_divided_segment_what_finds_no_room_is_counted_and_no_frame_is_lost() {
        let mapper = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1])).mapper();
        let limits = TxLimits {
            max_frame: 9234,
            max_tso: 262_143,
            max_tso_header: 128,
            max_descriptors: 40,
            max_descriptor_bytes: 16 << 10,
        };
        let ring = Still {
            room: 100,
            posted: vec![],
        };
        let mut egress = Egress::new(ring, limits, &mapper, 1460, None, Arc::default()).unwrap();
        let mut flow = Flow::new(TransmitRing::Phantom, Instant::ZERO);
        let mut chunks = SmallBytes::new(mapper);
        for _ in 0..100 {
            let (chunk, _) = chunks.fill(&[1; 10]).unwrap();
            flow.queue.push_chunk(chunk);
        }

        emit(&mut egress, &mut flow, 7, TcpFlags::SYN, 0);
        let answer = segment(TcpFlags::SYN | TcpFlags::ACK, 1, 8, 0);
        flow.on_ingress(&answer, Instant::ZERO);
        emit(&mut egress, &mut flow, 8, TcpFlags::ACK, 1000);

        // Of the 99 descriptors that the SYN leaves, two parts take 39 each: too few are left for the third.
        let counters = EgressCounters {
            packets: 3,
            absorbed: 1,
            gathered_bytes: 760,
        };
        assert_eq!(egress.counters(), counters);
        assert!(egress.conserves_frames());
        assert_eq!(egress.small.total() - egress.small.available(), 3);
    }
}
