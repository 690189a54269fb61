//! The guard: what may reach smoltcp, and what is answered in its place.
//!
//! smoltcp is used unmodified, and leaves some of RFC 9293 and RFC 5961 open. Every segment of a known
//! connection is ruled upon here first, by pure functions of the connection's state:
//!
//! | A peer, or a stranger, sends | smoltcp alone | with the guard |
//! |---|---|---|
//! | SYN on a live connection | no answer: a rebooted peer hangs | challenge ACK (RFC 5961 §4) |
//! | RST somewhere in the window | the connection dies | challenge ACK; only the exact number resets (§3) |
//! | ACK of what was never sent | taken, if it is queued | challenge ACK (§5, RFC 9293 §3.10.7.4) |
//! | an ancient ACK | dropped | challenge ACK (§5.2) |
//! | data with an ACK that was overtaken | dropped, data and all | passed with the newest ACK |
//! | data beyond the window in the first flight | corrupts the stream, then panics | challenge ACK |
//! | FIN whose data reaches beyond the window | data is cut off, the FIN is taken | challenge ACK |
//! | data after its FIN | appended to the stream | challenge ACK |
//! | numbers half the space away | compare ambiguously; can panic | challenge ACK |
//! | third duplicate ACK of a lone FIN | the FIN is never sent again | swallowed |
//! | RST, SYN in TIME-WAIT | TIME-WAIT ends; SYN ignored | RFC 1337; a newer SYN may reopen |
//!
//! A *challenge* is a bare ACK `<SEQ=SND.NXT><ACK=RCV.NXT>`, rate limited by [`ChallengeBudget`]: a peer that
//! did send the segment answers with a reset that is exact. What can't be helped from here: an out-of-order
//! FIN is dropped until it is sent again, and there is no PAWS.
//!
//! Addresses that no answer may go to are [`may_answer`]'s.

mod addresses;
mod budget;
mod windows;

pub(crate) use addresses::is_host;
pub use addresses::{is_answerable, may_answer};
pub use budget::ChallengeBudget;
pub use windows::Windows;

use smoltcp::socket::tcp::State;

use crate::headers::TcpHeaders;

/// Peer numbers further than this from our own are never handed to smoltcp: its comparisons wrap at 2^31,
/// and no window is larger (RFC 7323 §2.2).
const HORIZON: i32 = 1 << 30;

/// One connection as the guard sees it. Names are RFC 9293's (§3.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowView {
    /// State of the socket.
    pub state: State,
    /// Oldest sequence number that is not acknowledged.
    pub snd_una: u32,
    /// One past the highest sequence number that was ever sent, SYN and FIN counted. Equal to `snd_una`
    /// before the SYN is sent.
    pub snd_max: u32,
    /// Next sequence number expected, all that was received in order counted, acknowledged or not.
    pub rcv_nxt: u32,
    /// Bytes of free room in the receive buffer from `rcv_nxt` on.
    pub rcv_wnd: u32,
    /// What both sides said of their windows.
    pub windows: Windows,
}

impl FlowView {
    /// Whether a segment that passes begins in the receive window, where smoltcp acts upon its acknowledgment too.
    pub(crate) fn takes(&self, segment: &TcpHeaders) -> bool {
        u32::try_from(distance(segment.sequence, self.rcv_nxt)).is_ok_and(|ahead| ahead <= self.rcv_wnd)
    }
}

/// What becomes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ruling {
    /// It goes to smoltcp.
    Pass,
    /// It goes to smoltcp, with this acknowledgment number in the place of its own: its ACK was overtaken by a newer one, its
    /// data was not.
    PassWithAck(u32),
    /// It vanishes.
    Swallow(Reason),
    /// It vanishes, and a challenge ACK is due if the budget has one.
    Challenge(Reason),
    /// A new connection knocks where the old one is in TIME-WAIT: the old one may be dropped and the SYN
    /// handed to a listener (RFC 9293 §3.6.1, MAY-2), or, where there is none, a challenge ACK is due.
    /// smoltcp picks the new initial sequence number at random, so old duplicates *towards the peer* are
    /// told apart by chance alone.
    Reopen,
}

/// Why a segment did not pass.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// SYN on a synchronised connection (RFC 5961 §4.2).
    SynOnConnection,
    /// The SYN of the connection once more; the SYN|ACK has a timer of its own.
    RepeatedSyn,
    /// RST in the window, but not at its left edge (RFC 5961 §3.2).
    ResetInWindow,
    /// RST outside the window (RFC 5961 §3.2).
    ResetOutsideWindow,
    /// RST in SYN-SENT that does not acknowledge the SYN (RFC 9293 §3.10.7.3).
    ResetWithoutAck,
    /// RST in TIME-WAIT (RFC 1337).
    ResetInTimeWait,
    /// Control bits that exclude each other.
    BadFlags,
    /// No ACK bit on a synchronised connection (RFC 9293 §3.10.7.4).
    NoAcknowledgment,
    /// ACK of a sequence number that was never sent (RFC 9293 §3.10.7.4).
    AckOfUnsent,
    /// ACK from before the largest window the peer ever offered (RFC 5961 §5.2).
    AckTooOld,
    /// Sequence number too far from the window to be compared safely.
    SequenceTooFar,
    /// Data where the receive buffer has no room, which smoltcp would take for room.
    BeyondWindow,
    /// FIN whose data ends outside the advertised window.
    FinBeyondWindow,
    /// Data behind the peer's own FIN.
    DataAfterFin,
    /// Duplicate ACK while only our FIN is outstanding.
    DuplicateAckOfFin,
}

/// Rules on a segment that arrived for a known connection.
pub fn ingress(flow: &FlowView, segment: &TcpHeaders) -> Ruling {
    use Ruling::{Challenge, Pass, Reopen, Swallow};
    let flags = segment.flags;
    if u8::from(flags.syn()) + u8::from(flags.fin()) + u8::from(flags.rst()) > 1 {
        return Swallow(Reason::BadFlags);
    }
    match flow.state {
        State::Closed | State::Listen => return Pass,
        State::SynSent => return syn_sent(flow, segment),
        State::TimeWait if flags.rst() => return Swallow(Reason::ResetInTimeWait),
        State::TimeWait if flags.syn() && !flags.ack() && distance(segment.sequence, flow.rcv_nxt) > 0 => {
            return Reopen;
        }
        _ => {}
    }
    if flags.syn() {
        let again = segment.sequence.wrapping_add(1) == flow.rcv_nxt && !flags.ack();
        return if flow.state == State::SynReceived && again {
            Swallow(Reason::RepeatedSyn)
        } else {
            Challenge(Reason::SynOnConnection)
        };
    }
    let from_left_edge = distance(segment.sequence, flow.rcv_nxt);
    if flags.rst() {
        return match from_left_edge {
            0 => Pass,
            1.. if from_left_edge.unsigned_abs() < flow.rcv_wnd => Challenge(Reason::ResetInWindow),
            _ => Swallow(Reason::ResetOutsideWindow),
        };
    }
    if !flags.ack() {
        return Swallow(Reason::NoAcknowledgment);
    }
    if !(-HORIZON..=HORIZON).contains(&from_left_edge) {
        return Challenge(Reason::SequenceTooFar);
    }
    if let Some(reason) = text(flow, segment) {
        return Challenge(reason);
    }
    // smoltcp answers a wrong ACK in SYN-RECEIVED with a reset, as RFC 9293 §3.10.7.4 asks.
    if flow.state == State::SynReceived {
        Pass
    } else {
        acknowledgment(flow, segment)
    }
}

/// RFC 9293 §3.10.7.3; what else is wrong there, smoltcp answers as it should.
fn syn_sent(flow: &FlowView, segment: &TcpHeaders) -> Ruling {
    let acceptable =
        segment.flags.ack() && segment.acknowledgment == flow.snd_max && flow.snd_max != flow.snd_una;
    if segment.flags.rst() && !acceptable {
        Ruling::Swallow(Reason::ResetWithoutAck)
    } else {
        Ruling::Pass
    }
}

/// What smoltcp must not read of a segment's text, or of a FIN behind it.
fn text(flow: &FlowView, segment: &TcpHeaders) -> Option<Reason> {
    if segment.payload_len == 0 {
        return None;
    }
    let end = segment.sequence.wrapping_add(segment.payload_len as u32);
    let finished = matches!(
        flow.state,
        State::CloseWait | State::Closing | State::LastAck | State::TimeWait
    );
    if finished && distance(end, flow.rcv_nxt) > 0 {
        return Some(Reason::DataAfterFin);
    }
    let room_end = flow.rcv_nxt.wrapping_add(flow.rcv_wnd);
    if flow.windows.overstated() && distance(end, room_end) > 0 {
        return Some(Reason::BeyondWindow);
    }
    let straddles = |edge: u32| distance(segment.sequence, edge) < 0 && distance(end, edge) > 0;
    if segment.flags.fin() && (straddles(room_end) || flow.windows.advertised_end().is_some_and(straddles)) {
        return Some(Reason::FinBeyondWindow);
    }
    None
}

/// RFC 9293 §3.10.7.4, "fifth, check the ACK field", with RFC 5961 §5.2.
fn acknowledgment(flow: &FlowView, segment: &TcpHeaders) -> Ruling {
    // In these two states our FIN is acknowledged, so everything is.
    let everything = matches!(flow.state, State::FinWait2 | State::TimeWait);
    let una = if everything { flow.snd_max } else { flow.snd_una };
    let ahead = distance(segment.acknowledgment, una);
    if distance(segment.acknowledgment, flow.snd_max) > 0 || ahead == i32::MIN {
        return Ruling::Challenge(Reason::AckOfUnsent);
    }
    if ahead < 0 && ahead.unsigned_abs() > flow.windows.largest_offered() {
        return Ruling::Challenge(Reason::AckTooOld);
    }
    let bare = segment.payload_len == 0 && !segment.flags.fin();
    if ahead < 0 && !bare {
        return Ruling::PassWithAck(una);
    }
    // Three of these stop smoltcp's retransmission timer with nothing in the buffer to send again.
    let closing = matches!(flow.state, State::FinWait1 | State::Closing | State::LastAck);
    let lone_fin = closing && flow.snd_max.wrapping_sub(una) == 1;
    if lone_fin && bare && ahead == 0 && segment.sequence == flow.rcv_nxt {
        return Ruling::Swallow(Reason::DuplicateAckOfFin);
    }
    Ruling::Pass
}

/// How far `a` lies after `b` in the sequence space; negative where it lies before.
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

#[cfg(test)]
mod smoltcp_facts;
#[cfg(test)]
pub(crate) mod tests;
