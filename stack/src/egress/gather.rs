//! A segment by reference: headers in a frame, and behind them the slices that the send queue finds for its payload.

use std::num::NonZeroU16;

use pagewire_nic::dma::Frame;
use pagewire_nic::port::{Full, TxQueue};

use super::{Egress, parts};
use crate::flow::Flow;
use crate::headers::TcpHeaders;

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
            if frame.set_len(len + headers.payload_len.min(1)).is_err() {
                return self.absorb(frame);
            }
            frame.bytes_mut()[len..].fill(0);
            return self.post(frame, self.offload_of(headers, None));
        };
        self.gather.clear();
        if let Err(error) = flow.queue.gather(offset, headers.payload_len, &mut self.gather) {
            self.gather.clear();
            flow.failure.get_or_insert(error);
            return self.absorb(frame);
        }
        if parts::first_part(&self.gather, self.most) < self.gather.len() {
            return self.post_in_parts(frame, headers, mss);
        }
        std::mem::swap(&mut self.gather, &mut self.part);
        self.post_part(frame, headers, mss);
    }

    /// Posts a segment of many pieces, divided. What finds no room of it is as good as lost on the wire.
    fn post_in_parts(&mut self, whole: Frame, headers: &TcpHeaders, mss: Option<NonZeroU16>) {
        let mut offset = 0;
        while !self.gather.is_empty() {
            let count = parts::first_part(&self.gather, self.most);
            self.part.extend(self.gather.drain(..count));
            let len = self.part.iter().map(|slice| slice.len() as usize).sum();
            let own = parts::headers_of_part(headers, offset, len);
            offset += len;
            let Some(mut frame) = self.take(whole.len()) else {
                self.gather.clear();
                self.part.clear();
                break;
            };
            frame.bytes_mut().copy_from_slice(whole.bytes());
            let start = self.start();
            parts::rewrite(&mut frame.bytes_mut()[start..], &own);
            let cut = mss.filter(|mss| len > usize::from(mss.get()));
            self.post_part(frame, &own, cut);
        }
        self.put_back(whole);
    }

    /// Posts `frame`, followed by the slices of the part at hand.
    fn post_part(&mut self, mut frame: Frame, headers: &TcpHeaders, mss: Option<NonZeroU16>) {
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
