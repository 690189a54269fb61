//! What is written over the headers of a frame. Checksums are left: of what leaves the device fills them in, and of what has
//! arrived they were looked at before.

use super::{IPV6_LEN, SynOptions, TCP_LEN, TcpHeaders};

/// What smoltcp is to read of a segment that has arrived, in the place of what the peer has written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shown {
    pub(crate) acknowledgment: u32,
    /// The window field.
    pub(crate) window: u16,
    /// Options of a SYN; those that are there.
    pub(crate) syn_options: SynOptions,
}

impl Shown {
    /// What is there.
    pub(crate) fn of(segment: &TcpHeaders) -> Self {
        Self {
            acknowledgment: segment.acknowledgment,
            window: segment.window,
            syn_options: segment.syn_options,
        }
    }

    /// Overwrites the headers of `frame`, which `segment` was read from.
    pub(crate) fn write(&self, frame: &mut [u8], segment: &TcpHeaders) {
        let start = segment.l2_len + segment.l3_len;
        let Some(tcp) = frame.get_mut(start..start + segment.l4_len) else {
            return;
        };
        tcp[8..12].copy_from_slice(&self.acknowledgment.to_be_bytes());
        tcp[14..16].copy_from_slice(&self.window.to_be_bytes());
        if segment.flags.syn() {
            self.write_options(&mut tcp[TCP_LEN..]);
        }
    }

    fn write_options(&self, mut options: &mut [u8]) {
        while let [kind, rest @ ..] = options {
            let kind = *kind;
            options = match (kind, rest) {
                (0, _) => break,
                (1, rest) => rest,
                (_, rest) if !rest.is_empty() && (2..=rest.len() + 1).contains(&usize::from(rest[0])) => {
                    let (option, others) = rest.split_at_mut(usize::from(rest[0]) - 1);
                    match (kind, option, self.syn_options) {
                        (2, [_, high, low], SynOptions { mss: Some(mss), .. }) => {
                            [*high, *low] = mss.to_be_bytes()
                        }
                        (
                            3,
                            [_, shift],
                            SynOptions {
                                window_scale: Some(new),
                                ..
                            },
                        ) => *shift = new,
                        _ => {}
                    }
                    others
                }
                _ => break,
            };
        }
    }
}

/// Writes sequence number, length and flags of `segment` over the headers of a packet that leaves, which were a longer segment's, or
/// one's in other numbers. An IP length that does not fit is 0, as smoltcp writes it: the device writes that of each frame.
pub(crate) fn rewrite_segment(packet: &mut [u8], segment: &TcpHeaders) {
    let (ip, tcp) = packet[segment.l2_len..].split_at_mut(segment.l3_len);
    let after_ip = segment.l4_len + segment.payload_len;
    let field = |len: usize| u16::try_from(len).unwrap_or(0).to_be_bytes();
    if ip[0] >> 4 == 4 {
        ip[2..4].copy_from_slice(&field(segment.l3_len + after_ip));
    } else {
        let extensions = segment.l3_len - IPV6_LEN;
        ip[4..6].copy_from_slice(&field(extensions + after_ip));
    }
    tcp[4..8].copy_from_slice(&segment.sequence.to_be_bytes());
    tcp[13] = segment.flags.bits();
}
