//! When bytes that have arrived are acknowledged.
//!
//! RFC 9293 §3.8.6.3 asks for an acknowledgment of at least every second full segment; smoltcp owes one for each, and pays
//! at once. A NIC that coalesces hands over packets of dozens of segments, and an acknowledgment costs both machines more
//! than such a packet's own headers do. So as many long packets as a segmentation request makes are acknowledged
//! together, and fewer where no other comes within [`HELD`]. A sender that had to wait for that may have been waiting for the
//! acknowledgment, its congestion window being full: the next long packets are then acknowledged one by one.

use smoltcp::time::{Duration, Instant};

use crate::headers::TcpHeaders;

/// A packet with as many bytes of payload was coalesced from a stream that goes on.
const LONG: usize = 32 << 10;
/// How many of them are acknowledged together: a request of 256 KiB is as many packets (decision 10).
const TOGETHER: u32 = 4;
/// How long the first of them waits for the others. A thread that finds nothing to do polls on for longer
/// ([`POLL_FOR`](pagewire_nic::idle::POLL_FOR)), so none sleeps on it.
const HELD: Duration = Duration::from_micros(48);
/// How many are acknowledged one by one after the others have not come in time.
const ONE_BY_ONE: u32 = 64;
/// The shortest receive window of which anything waits, in bytes: 1 MiB, as long as a stack has it unless it is told otherwise,
/// less the packets of up to 64 KiB that may wait, which nobody can have read in the round that they come in. They are less
/// than a fifth of it all; of a much shorter one a sender would stop for them.
const LONG_WINDOW: usize = (1 << 20) - (TOGETHER as usize - 1) * (64 << 10);

/// What one connection owes its peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owed {
    /// Long packets that are not acknowledged.
    long: u32,
    /// A shorter one is not acknowledged either.
    short: bool,
    /// Since when a long packet has waited for others.
    since: Option<Instant>,
    /// Long packets that are not to wait.
    one_by_one: u32,
}

impl Owed {
    /// A segment of ours leaves: it acknowledges everything.
    #[inline]
    pub(crate) fn on_egress(&mut self) {
        (self.long, self.short, self.since) = (0, false, None);
    }

    /// A segment of the peer's has come.
    #[inline]
    pub(crate) fn on_ingress(&mut self, headers: &TcpHeaders) {
        match headers.payload_len {
            0 => {}
            LONG.. => {
                self.long = self.long.saturating_add(1);
                self.one_by_one = self.one_by_one.saturating_sub(1);
            }
            _ => self.short = true,
        }
    }

    /// Whether nothing is owed but for a few long packets, which others may join: else nothing waits, whatever more is known.
    #[inline]
    pub(crate) fn is_for_few_long(&self) -> bool {
        (1..TOGETHER).contains(&self.long) && !self.short && self.one_by_one == 0
    }

    /// Until when what is owed may wait for more; `None` where it is due, or nothing is owed. `window` is the
    /// receive window that is offered now, in bytes: what has arrived and was not read is no part of it.
    #[inline]
    pub(crate) fn may_wait(&mut self, window: usize, now: Instant) -> Option<Instant> {
        if !self.is_for_few_long() || window < LONG_WINDOW {
            return None;
        }
        let due = *self.since.get_or_insert(now) + HELD;
        if now < due {
            return Some(due);
        }
        self.one_by_one = ONE_BY_ONE;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tests::segment;
    use crate::headers::TcpFlags;

    const WINDOW: usize = LONG_WINDOW;
    const T0: Instant = Instant::from_micros_const(1_000_000);

    fn come(owed: &mut Owed, len: usize) {
        owed.on_ingress(&segment(TcpFlags::ACK, 0, 0, len));
    }

    /// To whom packets of these lengths have come since he paid.
    fn after(lens: &[usize]) -> Owed {
        let mut owed = Owed::default();
        lens.iter().for_each(|len| come(&mut owed, *len));
        owed
    }

    #[test]
    fn long_packets_are_acknowledged_together() {
        let mut owed = Owed::default();
        for _ in 0..10 {
            for _ in 1..TOGETHER {
                come(&mut owed, LONG);
                assert_eq!(owed.may_wait(WINDOW, T0), Some(T0 + HELD));
            }
            come(&mut owed, LONG);
            assert_eq!(owed.may_wait(WINDOW, T0), None);
            owed.on_egress();
        }
    }

    #[test]
    fn a_long_packet_that_few_follow_is_acknowledged_and_the_next_ones_do_not_wait() {
        let mut owed = after(&[LONG]);
        let due = owed.may_wait(WINDOW, T0).unwrap();
        come(&mut owed, LONG);
        assert_eq!(owed.may_wait(WINDOW, due - Duration::from_micros(1)), Some(due));
        assert_eq!(owed.may_wait(WINDOW, due), None);
        for _ in 1..ONE_BY_ONE {
            owed.on_egress();
            come(&mut owed, LONG);
            assert_eq!(owed.may_wait(WINDOW, due), None);
        }
        owed.on_egress();
        come(&mut owed, LONG);
        assert_eq!(owed.may_wait(WINDOW, due), Some(due + HELD));
    }

    #[test]
    fn shorter_packets_are_acknowledged_at_once() {
        for lens in [&[1][..], &[LONG - 1], &[LONG, 1], &[1, LONG]] {
            assert_eq!(after(lens).may_wait(WINDOW, T0), None, "{lens:?}");
        }
    }

    #[test]
    fn an_acknowledgment_of_the_peers_is_not_owed_for() {
        assert_eq!(after(&[0]).may_wait(WINDOW, T0), None);
        assert!(after(&[LONG, 0]).may_wait(WINDOW, T0).is_some());
    }

    #[test]
    fn nothing_waits_where_the_window_is_short() {
        assert_eq!(after(&[LONG]).may_wait(WINDOW - 1, T0), None);
    }

    #[test]
    fn nobody_sleeps_while_an_acknowledgment_waits() {
        assert!(std::time::Duration::from(HELD) < pagewire_nic::idle::POLL_FOR);
    }
}
