//! A cable with nothing in between: the sender's frames go straight into the receiver's RX engine.

use std::sync::Arc;
use std::time::Duration;

use super::pcap::{PcapTap, Recorder};
use super::{Batch, Tally};
use crate::wire::{Cable, Delivery, Inlet, LONGEST_IP, Port, WireCounters, WireFrame};

/// Passes the far port's inlet through. It adds no lock, no copy and no allocation: it counts.
#[derive(Debug)]
pub(super) struct Direct {
    to: Arc<dyn Port>,
    tap: Option<Arc<PcapTap>>,
    tally: Tally,
}

impl Direct {
    pub(super) fn new(to: Arc<dyn Port>, tap: Option<Arc<PcapTap>>) -> Self {
        Self {
            to,
            tap,
            tally: Tally::default(),
        }
    }
}

impl Cable for Direct {
    fn carry(&self, now: Duration, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        let mut count = Batch::default();
        // The tap is held for the whole batch: the answer to a frame cannot be recorded before the frame.
        let mut recorder = self.tap.as_deref().map(|tap| tap.open(now));
        self.to.receive(&mut |inlet| {
            batch(&mut Through {
                inlet,
                count: &mut count,
                recorder: recorder.as_mut(),
            });
        });
        self.tally.add(&count);
    }

    fn deliver_due(&self, _now: Duration) -> usize {
        0
    }

    fn next_event(&self) -> Option<Duration> {
        None
    }

    fn counters(&self) -> WireCounters {
        self.tally.counters()
    }
}

/// The receiver's inlet, with someone counting beside it.
struct Through<'a, 'r> {
    inlet: &'a mut dyn Inlet,
    count: &'a mut Batch,
    recorder: Option<&'a mut Recorder<'r>>,
}

impl Inlet for Through<'_, '_> {
    #[inline]
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        let delivery = self.inlet.deliver(frame);
        note(self.count, self.recorder.as_deref_mut(), frame, delivery);
        delivery
    }

    fn deliver_all(
        &mut self,
        frames: &[WireFrame<'_>],
        fate: &mut dyn FnMut(&WireFrame<'_>, Delivery),
    ) -> Delivery {
        let (count, mut recorder) = (&mut *self.count, self.recorder.as_deref_mut());
        self.inlet.deliver_all(frames, &mut |frame, delivery| {
            note(count, recorder.as_deref_mut(), frame, delivery);
            fate(frame, delivery);
        })
    }

    #[inline]
    fn has_room(&mut self, frames: usize, len: usize) -> bool {
        self.inlet.has_room(frames, len)
    }

    /// What is recorded is a packet that says how long it is.
    #[inline]
    fn longest(&self) -> usize {
        let longest = self.inlet.longest();
        if self.recorder.is_some() {
            longest.min(LONGEST_IP)
        } else {
            longest
        }
    }
}

/// Counts a frame, and records it.
#[inline]
fn note(count: &mut Batch, recorder: Option<&mut Recorder<'_>>, frame: &WireFrame<'_>, delivery: Delivery) {
    if delivery.stops() {
        // Nothing was on the wire.
        return;
    }
    count.sent(frame.len());
    count.arrived(delivery);
    if let Some(recorder) = recorder {
        recorder.record(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, TestPort, numbered};
    use super::super::{Impairments, Way, lay};
    use super::*;
    use crate::offload::samples::Sample;
    use crate::wire::{Checksums, IpVersion, Piece, Segmentation};

    #[test]
    fn a_perfect_cable_delivers_within_the_senders_batch() {
        let port = TestPort::new();
        let cable = lay(port.clone(), &Impairments::none(), Way::Forth, None);
        cable.carry(Duration::ZERO, &mut |inlet| {
            for number in 0..3 {
                let frame = numbered(number);
                assert_eq!(
                    inlet.deliver(&WireFrame::single(&frame, Checksums::Inserted)),
                    Delivery::Accepted
                );
            }
        });
        assert_eq!(port.numbers(), [0, 1, 2]);
        assert_eq!((cable.next_event(), cable.deliver_due(Duration::MAX)), (None, 0));
        let counters = cable.counters();
        assert_eq!((counters.frames, counters.bytes, counters.delivered), (3, 180, 3));
    }

    #[test]
    fn every_answer_of_the_receiver_is_counted() {
        let port = TestPort::new();
        let cable = lay(port.clone(), &Impairments::none(), Way::Forth, None);
        let answers = [
            Delivery::Accepted,
            Delivery::Filtered,
            Delivery::BadLength,
            Delivery::NoBuffer,
            Delivery::SourceFault,
            Delivery::CutFirst,
            Delivery::Busy,
        ];
        for answer in answers {
            port.answer(Answer::Always(answer));
            cable.carry(Duration::ZERO, &mut |inlet| {
                let frame = numbered(0);
                assert_eq!(
                    inlet.deliver(&WireFrame::single(&frame, Checksums::Inserted)),
                    answer
                );
            });
        }
        let counters = cable.counters();
        assert_eq!((counters.frames, counters.delivered), (4, 1));
        assert_eq!((counters.refused, counters.no_buffer), (2, 1));
    }

    #[test]
    fn a_whole_segment_passes_uncut_to_a_port_that_takes_it() {
        let port = TestPort::new();
        let cable = lay(port.clone(), &Impairments::none(), Way::Forth, None);
        let header = Sample::v4(6).build(b"");
        let payload = [5; 4_000];
        let plan = Segmentation {
            mss: 1460,
            l2_len: 14,
            l3_len: 20,
            l4_len: 20,
            ip: IpVersion::V4,
        };
        cable.carry(Duration::ZERO, &mut |inlet| {
            let pieces = [
                Piece::from_bytes(&payload[..999]),
                Piece::from_bytes(&payload[999..]),
            ];
            assert_eq!(
                inlet.deliver(&WireFrame::whole(&header, &pieces, plan)),
                Delivery::Accepted
            );
        });
        assert_eq!(port.frames()[0].1.len(), header.len() + payload.len());
        assert_eq!(cable.counters().frames, 1);
    }
}
