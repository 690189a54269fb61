//! What both sides of a connection said of their windows.

use crate::headers::TcpHeaders;

/// Window scaling (RFC 7323 §2) and window edges of one connection, learned from its headers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Windows {
    own_scale: Option<u8>,
    peer_scale: Option<u8>,
    /// Right edge of the window in the last segment sent.
    advertised_end: Option<u32>,
    /// The last segment sent was a SYN, whose window smoltcp scales in hindsight although SYNs are not.
    last_was_syn: bool,
    /// Largest window that the peer ever offered, in bytes.
    largest_offered: u32,
}

impl Windows {
    /// Learns from a segment that is sent.
    pub fn on_egress(&mut self, segment: &TcpHeaders) {
        let flags = segment.flags;
        if flags.rst() {
            return;
        }
        if flags.syn() {
            self.own_scale = segment.syn_options.window_scale;
        }
        self.last_was_syn = flags.syn();
        if flags.ack() {
            let shift = if flags.syn() { 0 } else { self.receive_shift() };
            self.advertised_end = Some(
                segment
                    .acknowledgment
                    .wrapping_add(u32::from(segment.window) << shift),
            );
        }
    }

    /// Learns from a segment that was received and passed.
    pub fn on_ingress(&mut self, segment: &TcpHeaders) {
        if segment.flags.syn() {
            self.peer_scale = segment.syn_options.window_scale;
        }
        self.largest_offered = self.largest_offered.max(self.offered(segment));
    }

    /// The window field that announces `window` bytes in any segment but a SYN.
    pub fn field(&self, window: u32) -> u16 {
        u16::try_from(window >> self.receive_shift()).unwrap_or(u16::MAX)
    }

    /// The window that a segment of the peer's offers, in bytes.
    pub fn offered(&self, segment: &TcpHeaders) -> u32 {
        let shift = if segment.flags.syn() || !self.scaled() {
            0
        } else {
            self.peer_scale.unwrap_or(0)
        };
        u32::from(segment.window) << shift
    }

    /// Right edge of the window that was announced last, as a sequence number.
    pub const fn advertised_end(&self) -> Option<u32> {
        self.advertised_end
    }

    /// Largest window that the peer ever offered, in bytes: RFC 5961's MAX.SND.WND. The largest that can be
    /// offered (RFC 7323 §2.2) where nothing was learned yet.
    pub const fn largest_offered(&self) -> u32 {
        if self.largest_offered == 0 {
            1 << 30
        } else {
            self.largest_offered
        }
    }

    /// Whether smoltcp takes the receive window for larger than it is: from its SYN or SYN|ACK until the next
    /// segment it shifts the window of the SYN, which was not scaled, and so may believe in room that the
    /// buffer does not have.
    pub const fn overstated(&self) -> bool {
        self.last_was_syn
    }

    /// Both sides sent the option, so both scale.
    const fn scaled(&self) -> bool {
        self.own_scale.is_some() && self.peer_scale.is_some()
    }

    fn receive_shift(&self) -> u8 {
        if self.scaled() {
            self.own_scale.unwrap_or(0).min(14)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tests::segment;
    use crate::headers::{SynOptions, TcpFlags};

    fn syn(scale: Option<u8>, window: u16) -> TcpHeaders {
        let syn_options = SynOptions {
            window_scale: scale,
            ..SynOptions::default()
        };
        TcpHeaders {
            window,
            syn_options,
            ..segment(TcpFlags::SYN | TcpFlags::ACK, 0, 100, 0)
        }
    }

    fn ack(acknowledgment: u32, window: u16) -> TcpHeaders {
        TcpHeaders {
            window,
            ..segment(TcpFlags::ACK, 0, acknowledgment, 0)
        }
    }

    /// RFC 7323 §2.2: the window of a SYN is never scaled, every other is, if both sides sent the option.
    #[test]
    fn rfc7323_2_2_only_segments_without_syn_are_scaled() {
        let mut windows = Windows::default();
        windows.on_ingress(&syn(Some(3), 1000));
        assert_eq!(windows.largest_offered(), 1000);
        windows.on_egress(&syn(Some(5), 0xffff));
        assert_eq!(
            (windows.advertised_end(), windows.overstated()),
            (Some(100 + 0xffff), true)
        );
        windows.on_egress(&ack(200, 10));
        assert_eq!(
            (windows.advertised_end(), windows.overstated()),
            (Some(200 + 320), false)
        );
        windows.on_ingress(&ack(0, 1000));
        windows.on_ingress(&ack(0, 10));
        assert_eq!(windows.largest_offered(), 8000);
        assert_eq!(windows.field(320), 10);
        assert_eq!(windows.field(u32::MAX), 0xffff);
    }

    /// RFC 7323 §2.2: without the option in both SYNs nobody scales.
    #[test]
    fn rfc7323_2_2_one_side_without_the_option_turns_scaling_off() {
        let mut windows = Windows::default();
        windows.on_egress(&syn(Some(5), 0xffff));
        windows.on_ingress(&syn(None, 1000));
        windows.on_egress(&ack(200, 10));
        windows.on_ingress(&ack(0, 2000));
        assert_eq!(
            (windows.advertised_end(), windows.largest_offered()),
            (Some(210), 2000)
        );
        assert_eq!(windows.field(320), 320);
    }

    #[test]
    fn a_reset_announces_nothing() {
        let mut windows = Windows::default();
        windows.on_egress(&ack(200, 10));
        windows.on_egress(&segment(TcpFlags::RST | TcpFlags::ACK, 0, 900, 0));
        assert_eq!(windows.advertised_end(), Some(210));
    }
}
