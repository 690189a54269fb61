//! The rulings, each test named after the clause it checks.

use smoltcp::wire::{IpAddress, IpEndpoint};

use super::Reason::*;
use super::Ruling::{Challenge, Pass, PassWithAck, Reopen, Swallow};
use super::*;
use crate::headers::{SynOptions, TcpFlags};

const ACK: TcpFlags = TcpFlags::ACK;
const RST: TcpFlags = TcpFlags::RST;
const SYN: TcpFlags = TcpFlags::SYN;

/// States in which both sides know each other's sequence numbers, and RFC 5961 applies in full.
const SYNCHRONISED: [State; 6] = [
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
];

pub(crate) fn segment(flags: TcpFlags, sequence: u32, acknowledgment: u32, payload_len: usize) -> TcpHeaders {
    TcpHeaders {
        l2_len: 14,
        l3_len: 20,
        l4_len: 20,
        source_mac: [2, 0, 0, 0, 0, 2],
        destination_mac: [2, 0, 0, 0, 0, 1],
        source: IpEndpoint::new(IpAddress::v4(10, 1, 2, 4), 40_000),
        destination: IpEndpoint::new(IpAddress::v4(10, 1, 2, 3), 80),
        sequence,
        acknowledgment,
        flags,
        window: 1000,
        syn_options: SynOptions::default(),
        payload_len,
    }
}

/// Sent 1000..3000, acknowledged up to 2000; expects 5000, room for 10,000; the peer's window is 1000.
fn flow(state: State) -> FlowView {
    let mut windows = Windows::default();
    windows.on_egress(&TcpHeaders {
        window: 10_000,
        ..segment(ACK, 3000, 5000, 0)
    });
    windows.on_ingress(&segment(ACK, 5000, 2000, 0));
    FlowView {
        state,
        snd_una: 2000,
        snd_max: 3000,
        rcv_nxt: 5000,
        rcv_wnd: 10_000,
        windows,
    }
}
