//! What the adapter knows of one connection on its way out: which bytes smoltcp's sequence numbers mean.

use smoltcp::socket::tcp;
use smoltcp::time::Instant;

use crate::counting::Counting;
use crate::guard::{ChallengeBudget, FlowView, Windows};
use crate::headers::{Shown, TcpHeaders};
use crate::owed::Owed;
use crate::patience::Patience;
use crate::phantom::TransmitRing;
use crate::send_queue::SendQueue;
use crate::sequence::Extender;
use crate::source::SourceError;
use crate::template::HeaderTemplate;

/// The egress side of a connection.
pub(crate) struct Flow {
    pub(crate) ring: TransmitRing,
    pub(crate) queue: SendQueue,
    /// Why the stream cannot go on; set by the adapter, acted upon by the stack.
    pub(crate) failure: Option<SourceError>,
    /// Its peer's Ethernet address was asked for: it can go on when a neighbour has answered.
    pub(crate) seeks_neighbour: bool,
    /// How long the peer has been silent.
    pub(crate) patience: Patience,
    /// Payload bytes sent more than once.
    pub(crate) retransmitted: u64,
    /// As many of them as there were when the source was asked last whether it is still what was declared.
    pub(crate) asked_after: u64,
    /// Known from the SYN we send.
    sequence: Option<Extender>,
    /// The bytes that smoltcp was given so far, and the numbers that it has for them.
    pub(crate) counting: Counting,
    /// One past the highest stream offset sent.
    sent: u64,
    /// The peer's initial sequence number.
    peer_initial: Option<u32>,
    /// One past the highest sequence number of the peer's that was seen.
    peer_highest: u32,
    /// Stream bytes that the application has taken.
    pub(crate) consumed: u64,
    template: Option<HeaderTemplate>,
    pub(crate) owed: Owed,
    windows: Windows,
    challenges: ChallengeBudget,
}

impl Flow {
    pub(crate) fn new(ring: TransmitRing, now: Instant) -> Self {
        Self {
            ring,
            queue: SendQueue::default(),
            failure: None,
            seeks_neighbour: false,
            patience: Patience::new(now),
            retransmitted: 0,
            asked_after: 0,
            sequence: None,
            counting: Counting::new(),
            sent: 0,
            peer_initial: None,
            peer_highest: 0,
            consumed: 0,
            template: None,
            owed: Owed::default(),
            windows: Windows::default(),
            challenges: ChallengeBudget::new(now),
        }
    }

    /// A segment of smoltcp's as it is to leave.
    pub(crate) fn for_wire(&self, segment: &TcpHeaders) -> TcpHeaders {
        self.counting.for_wire(segment, self.sequence.as_ref(), self.sent)
    }

    /// Notes a segment of ours that is about to be sent, as it is to leave. Returns the stream offset of its first payload
    /// byte; `None` where it has no payload that the stream knows: a bare ACK, a keep-alive's byte.
    pub(crate) fn on_egress(&mut self, headers: &TcpHeaders, header_bytes: &[u8]) -> Option<u64> {
        if headers.flags.syn() {
            self.sequence = Some(Extender::new(headers.sequence));
        }
        if self.template.is_none() && !headers.flags.rst() {
            self.template = HeaderTemplate::learn(header_bytes, headers);
        }
        self.windows.on_egress(headers);
        self.owed.on_egress();
        let sequence = self.sequence.as_mut()?;
        let offsets = sequence.send(headers.sequence, headers.segment_len())?;
        if headers.payload_len == 0 {
            return None;
        }
        let offset = u64::try_from(offsets.start).ok()?;
        let end = offset + headers.payload_len as u64;
        let in_stream = match self.ring {
            TransmitRing::Phantom => offset >= self.queue.acknowledged() && end <= self.queue.promised(),
            TransmitRing::Real => end <= self.counting.grains().bytes(),
        };
        if !in_stream {
            return None;
        }
        // What the peer does not take has not been sent: it is no repetition when it comes again.
        if !self.counting.is_probe(offset, headers.payload_len) {
            self.retransmitted += self.sent.min(end).saturating_sub(offset);
            self.sent = self.sent.max(end);
        }
        Some(offset)
    }

    /// One past the highest stream offset sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether anything was sent yet.
    pub(crate) fn has_spoken(&self) -> bool {
        self.sequence.is_some()
    }

    /// Notes a segment of the peer's that has passed the guard.
    pub(crate) fn on_ingress(&mut self, headers: &TcpHeaders, now: Instant) {
        self.patience.heard(now);
        if headers.flags.syn() {
            self.peer_initial = Some(headers.sequence);
            self.peer_highest = headers.sequence;
        }
        let end = headers.sequence.wrapping_add(headers.segment_len());
        if end.wrapping_sub(self.peer_highest) as i32 > 0 {
            self.peer_highest = end;
        }
        self.windows.on_ingress(headers);
        if let Some(acknowledged) = self.acknowledged_by(headers) {
            let offered = self.windows.offered(headers);
            self.counting.on_window(acknowledged + u64::from(offered));
        }
        self.owed.on_ingress(headers);
    }

    /// Notes what a segment of the peer's acknowledges, which smoltcp takes.
    pub(crate) fn on_acknowledgment(&mut self, headers: &TcpHeaders) {
        if let Some(acknowledged) = self.acknowledged_by(headers) {
            let offered = self.windows.offered(headers);
            self.counting.on_acknowledgment(acknowledged, offered);
        }
    }

    /// The stream offset before which a segment of the peer's acknowledges everything.
    fn acknowledged_by(&self, headers: &TcpHeaders) -> Option<u64> {
        let sequence = self.sequence.as_ref().filter(|_| headers.flags.ack())?;
        sequence.acknowledged(headers.acknowledgment)
    }

    /// What smoltcp is to read of a segment of the peer's, where it is to acknowledge `acknowledgment`.
    pub(crate) fn to_smoltcp(&self, headers: &TcpHeaders, acknowledgment: u32) -> Shown {
        let offered = self.windows.offered(headers);
        self.counting
            .to_smoltcp(headers, acknowledgment, self.sequence.as_ref(), offered)
    }

    /// How many bytes of the stream the peer has acknowledged, as far as `socket` knows.
    pub(crate) fn acknowledged(&self, socket: &tcp::Socket<'_>) -> u64 {
        self.counting.grains().byte_before_end(socket.send_queue() as u64)
    }

    /// Whether the peer has sent anything beyond the `arrived` bytes that are in order: it may have been kept.
    pub(crate) fn has_gaps(&self, arrived: u64) -> bool {
        let next = self.next_of_peer(arrived);
        self.peer_highest.wrapping_sub(next) as i32 > 0
    }

    /// The peer's sequence number after the first `arrived` bytes.
    fn next_of_peer(&self, arrived: u64) -> u32 {
        self.peer_initial
            .unwrap_or(0)
            .wrapping_add(1)
            .wrapping_add(arrived as u32)
    }

    /// The offset in the peer's stream of a segment's first payload byte, in a stream of which `arrived` bytes are in
    /// order. Negative before its beginning. A segment of the window is less than 2 GiB away.
    pub(crate) fn stream_offset(&self, headers: &TcpHeaders, arrived: u64) -> i64 {
        let first = headers.sequence.wrapping_add(u32::from(headers.flags.syn()));
        arrived as i64 + i64::from(first.wrapping_sub(self.next_of_peer(arrived)) as i32)
    }

    /// The connection as the guard sees it. `None` before our SYN is out.
    pub(crate) fn view(&self, socket: &tcp::Socket<'_>) -> Option<FlowView> {
        let sequence = self.sequence.as_ref()?;
        let finished = has_finished(socket.state());
        let received = self.consumed + socket.recv_queue() as u64 + u64::from(finished);
        let syn_acknowledged = !matches!(socket.state(), tcp::State::SynSent | tcp::State::SynReceived);
        Some(FlowView {
            state: socket.state(),
            snd_una: if syn_acknowledged {
                sequence.sequence(self.acknowledged(socket) as i64)
            } else {
                sequence.initial()
            },
            snd_max: sequence.sequence(sequence.frontier() as i64),
            rcv_nxt: self.next_of_peer(received),
            rcv_wnd: (socket.recv_capacity() - socket.recv_queue()) as u32,
            windows: self.windows,
        })
    }

    /// Whether a challenge ACK may be sent now.
    pub(crate) fn may_challenge(&mut self, now: Instant) -> bool {
        self.template.is_some() && self.challenges.spend(now)
    }

    /// Writes a bare ACK of everything received, a challenge (RFC 5961 §7), to `out`. Returns its length;
    /// `None` before anything was sent.
    pub(crate) fn challenge(&self, view: &FlowView, out: &mut [u8]) -> Option<usize> {
        let window = self.windows.field(view.rcv_wnd);
        self.template
            .as_ref()?
            .emit_ack(view.snd_max, view.rcv_nxt, window, out)
    }
}

/// Whether the peer of a socket in this state has sent its FIN, and all before it has arrived (RFC 9293 §3.3.2).
pub(crate) fn has_finished(state: tcp::State) -> bool {
    matches!(
        state,
        tcp::State::CloseWait | tcp::State::LastAck | tcp::State::Closing | tcp::State::TimeWait
    )
}
