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

fn rule(state: State, segment: TcpHeaders) -> Ruling {
    ingress(&flow(state), &segment)
}

/// What an honest peer sends in every synchronised state.
#[test]
fn rfc9293_3_10_7_4_what_is_acceptable_passes() {
    for state in SYNCHRONISED {
        assert_eq!(
            rule(state, segment(ACK, 5000, 3000, 0)),
            Pass,
            "{state}: a pure ACK"
        );
        assert_eq!(
            rule(state, segment(ACK, 4999, 3000, 0)),
            Pass,
            "{state}: a keep-alive"
        );
        assert_eq!(
            rule(state, segment(ACK, 4999, 3000, 1)),
            Pass,
            "{state}: a keep-alive with a byte"
        );
        assert_eq!(
            rule(state, segment(ACK, 4000, 3000, 1000)),
            Pass,
            "{state}: data once more"
        );
        assert_eq!(
            rule(state, segment(ACK | TcpFlags::FIN, 4999, 3000, 0)),
            Pass,
            "{state}: a FIN once more"
        );
    }
    for state in [State::Established, State::FinWait1, State::FinWait2] {
        assert_eq!(
            rule(state, segment(ACK | TcpFlags::PSH, 5000, 3000, 1000)),
            Pass,
            "{state}: data"
        );
        assert_eq!(
            rule(state, segment(ACK, 9000, 3000, 1000)),
            Pass,
            "{state}: data out of order"
        );
        assert_eq!(
            rule(state, segment(ACK | TcpFlags::FIN, 5000, 3000, 10_000)),
            Pass,
            "{state}: up to the edge"
        );
        assert_eq!(
            rule(state, segment(ACK, 15_000, 3000, 1)),
            Pass,
            "{state}: a probe of the closed window"
        );
    }
}

#[test]
fn rfc5961_4_2_a_syn_in_a_synchronised_state_is_challenged_wherever_it_lies() {
    for state in SYNCHRONISED {
        for sequence in [0, 4999, 5000, 9999, 20_000, u32::MAX] {
            for flags in [SYN, SYN | ACK] {
                assert_eq!(
                    rule(state, segment(flags, sequence, 0, 0)),
                    Challenge(SynOnConnection),
                    "{state}"
                );
            }
        }
    }
}

#[test]
fn rfc5961_3_2_only_a_reset_at_the_left_edge_resets() {
    for state in SYNCHRONISED.into_iter().chain([State::SynReceived]) {
        for flags in [RST, RST | ACK] {
            assert_eq!(rule(state, segment(flags, 5000, 7, 0)), Pass, "{state}");
            assert_eq!(
                rule(state, segment(flags, 5001, 7, 0)),
                Challenge(ResetInWindow),
                "{state}"
            );
            assert_eq!(
                rule(state, segment(flags, 14_999, 7, 0)),
                Challenge(ResetInWindow),
                "{state}"
            );
            assert_eq!(
                rule(state, segment(flags, 15_000, 7, 0)),
                Swallow(ResetOutsideWindow),
                "{state}"
            );
            assert_eq!(
                rule(state, segment(flags, 4999, 7, 0)),
                Swallow(ResetOutsideWindow),
                "{state}"
            );
            assert_eq!(
                rule(state, segment(flags, 5000 ^ (1 << 31), 7, 0)),
                Swallow(ResetOutsideWindow),
                "{state}"
            );
        }
    }
}

#[test]
fn rfc5961_3_2_a_reset_at_the_left_edge_resets_when_the_window_is_closed() {
    let closed = FlowView {
        rcv_wnd: 0,
        ..flow(State::Established)
    };
    assert_eq!(ingress(&closed, &segment(RST, 5000, 0, 0)), Pass);
    assert_eq!(
        ingress(&closed, &segment(RST, 5001, 0, 0)),
        Swallow(ResetOutsideWindow)
    );
}

#[test]
fn rfc5961_5_2_an_ack_of_what_was_never_sent_is_challenged() {
    for state in SYNCHRONISED {
        for ahead in [1, 1000, 1 << 30, i32::MAX as u32] {
            let ack = segment(ACK, 5000, 3000u32.wrapping_add(ahead), 0);
            assert_eq!(rule(state, ack), Challenge(AckOfUnsent), "{state} {ahead}");
        }
    }
}

#[test]
fn rfc5961_5_2_an_ack_older_than_the_largest_window_is_challenged() {
    for state in [State::Established, State::FinWait1, State::CloseWait] {
        // acknowledged up to 2000, the peer's window was 1000
        assert_eq!(rule(state, segment(ACK, 5000, 1000, 0)), Pass, "{state}");
        assert_eq!(
            rule(state, segment(ACK, 5000, 999, 0)),
            Challenge(AckTooOld),
            "{state}"
        );
        assert_eq!(
            rule(state, segment(ACK, 4000, 999, 100)),
            Challenge(AckTooOld),
            "{state}"
        );
        assert!(
            matches!(rule(state, segment(ACK, 5000, 2000 ^ (1 << 31), 0)), Challenge(_)),
            "{state}"
        );
    }
}

#[test]
fn rfc9293_3_10_7_4_data_whose_ack_was_overtaken_passes_with_the_newest_ack() {
    assert_eq!(
        rule(State::Established, segment(ACK, 5000, 1999, 10)),
        PassWithAck(2000)
    );
    assert_eq!(
        rule(State::Established, segment(ACK | TcpFlags::FIN, 5000, 1999, 0)),
        PassWithAck(2000)
    );
    // our FIN is acknowledged in FIN-WAIT-2, so everything is
    assert_eq!(
        rule(State::FinWait2, segment(ACK, 5000, 2999, 10)),
        PassWithAck(3000)
    );
}

#[test]
fn rfc9293_3_10_7_4_a_segment_without_ack_is_dropped() {
    for state in SYNCHRONISED {
        assert_eq!(
            rule(state, segment(TcpFlags::NONE, 5000, 0, 10)),
            Swallow(NoAcknowledgment),
            "{state}"
        );
        assert_eq!(
            rule(state, segment(TcpFlags::FIN, 5000, 0, 0)),
            Swallow(NoAcknowledgment),
            "{state}"
        );
    }
}

#[test]
fn rfc9293_3_10_7_4_text_behind_the_peers_fin_is_ignored() {
    for state in [State::CloseWait, State::Closing, State::LastAck, State::TimeWait] {
        assert_eq!(
            rule(state, segment(ACK, 5000, 3000, 1)),
            Challenge(DataAfterFin),
            "{state}"
        );
        assert_eq!(
            rule(state, segment(ACK, 4990, 3000, 11)),
            Challenge(DataAfterFin),
            "{state}"
        );
        assert_eq!(rule(state, segment(ACK, 4990, 3000, 10)), Pass, "{state}");
    }
}

#[test]
fn rfc9293_3_4_numbers_half_the_space_away_never_reach_smoltcp() {
    for state in SYNCHRONISED {
        for away in [
            (1 << 30) + 1,
            i32::MAX as u32,
            1 << 31,
            (1 << 31) + 1,
            u32::MAX - (1 << 30) - 1,
        ] {
            let far = segment(ACK, 5000u32.wrapping_add(away), 3000, 0);
            assert_eq!(rule(state, far), Challenge(SequenceTooFar), "{state} {away}");
        }
    }
}

#[test]
fn rfc9293_3_10_7_3_a_reset_in_syn_sent_must_acknowledge_the_syn() {
    let sent = FlowView {
        snd_una: 2999,
        ..flow(State::SynSent)
    };
    assert_eq!(ingress(&sent, &segment(RST | ACK, 77, 3000, 0)), Pass);
    assert_eq!(
        ingress(&sent, &segment(RST | ACK, 77, 2999, 0)),
        Swallow(ResetWithoutAck)
    );
    assert_eq!(
        ingress(&sent, &segment(RST | ACK, 77, 3001, 0)),
        Swallow(ResetWithoutAck)
    );
    assert_eq!(
        ingress(&sent, &segment(RST, 77, 3000, 0)),
        Swallow(ResetWithoutAck)
    );
    let unsent = FlowView {
        snd_una: 3000,
        ..sent
    };
    assert_eq!(
        ingress(&unsent, &segment(RST | ACK, 77, 3000, 0)),
        Swallow(ResetWithoutAck)
    );
}

#[test]
fn rfc9293_3_10_7_3_the_rest_of_syn_sent_is_smoltcps() {
    for flags in [SYN, SYN | ACK, ACK] {
        assert_eq!(rule(State::SynSent, segment(flags, 77, 3000, 0)), Pass);
        assert_eq!(rule(State::SynSent, segment(flags, 77, 9, 0)), Pass);
    }
}

#[test]
fn rfc9293_3_10_7_4_in_syn_received_the_same_syn_is_swallowed_and_another_challenged() {
    assert_eq!(
        rule(State::SynReceived, segment(SYN, 4999, 0, 0)),
        Swallow(RepeatedSyn)
    );
    assert_eq!(
        rule(State::SynReceived, segment(SYN, 4998, 0, 0)),
        Challenge(SynOnConnection)
    );
    assert_eq!(
        rule(State::SynReceived, segment(SYN | ACK, 4999, 3000, 0)),
        Challenge(SynOnConnection)
    );
}

#[test]
fn rfc9293_3_10_7_4_a_wrong_ack_in_syn_received_passes_to_be_reset() {
    assert_eq!(rule(State::SynReceived, segment(ACK, 5000, 9, 0)), Pass);
}

#[test]
fn rfc1337_time_wait_is_not_ended_by_a_reset() {
    for sequence in [5000, 5001] {
        assert_eq!(
            rule(State::TimeWait, segment(RST, sequence, 0, 0)),
            Swallow(ResetInTimeWait)
        );
    }
}

#[test]
fn rfc9293_3_6_1_a_newer_syn_may_reopen_time_wait_and_an_older_one_is_challenged() {
    assert_eq!(rule(State::TimeWait, segment(SYN, 5001, 0, 0)), Reopen);
    assert_eq!(
        rule(State::TimeWait, segment(SYN, 5000, 0, 0)),
        Challenge(SynOnConnection)
    );
    assert_eq!(
        rule(State::TimeWait, segment(SYN, 1, 0, 0)),
        Challenge(SynOnConnection)
    );
    assert_eq!(
        rule(State::TimeWait, segment(SYN | ACK, 5001, 3000, 0)),
        Challenge(SynOnConnection)
    );
}

#[test]
fn rfc7323_2_2_the_first_flight_stays_within_the_window_of_the_syn_ack() {
    let mut first = flow(State::SynReceived);
    first.windows.on_egress(&TcpHeaders {
        window: 10_000,
        ..segment(SYN | ACK, 2999, 5000, 0)
    });
    assert_eq!(ingress(&first, &segment(ACK, 5000, 3000, 10_000)), Pass);
    assert_eq!(
        ingress(&first, &segment(ACK, 14_999, 3000, 2)),
        Challenge(BeyondWindow)
    );
    assert_eq!(
        ingress(&first, &segment(ACK, 90_000, 3000, 1)),
        Challenge(BeyondWindow)
    );
}

#[test]
fn rfc9293_3_8_6_a_fin_is_not_taken_from_a_segment_that_is_cut_at_the_window() {
    let fin = ACK | TcpFlags::FIN;
    assert_eq!(
        rule(State::Established, segment(fin, 14_000, 3000, 1001)),
        Challenge(FinBeyondWindow)
    );
    assert_eq!(
        rule(State::Established, segment(ACK, 14_000, 3000, 1001)),
        Pass,
        "smoltcp cuts it"
    );
    // the buffer has more room than was advertised last
    let roomy = FlowView {
        rcv_wnd: 20_000,
        ..flow(State::Established)
    };
    assert_eq!(
        ingress(&roomy, &segment(fin, 14_000, 3000, 1001)),
        Challenge(FinBeyondWindow)
    );
}

#[test]
fn a_lone_fin_is_not_stopped_by_duplicate_acks() {
    for state in [State::FinWait1, State::Closing, State::LastAck] {
        let lone = FlowView {
            snd_una: 2999,
            ..flow(state)
        };
        assert_eq!(
            ingress(&lone, &segment(ACK, 5000, 2999, 0)),
            Swallow(DuplicateAckOfFin),
            "{state}"
        );
        assert_eq!(
            ingress(&lone, &segment(ACK, 5000, 3000, 0)),
            Pass,
            "{state}: its ACK"
        );
        assert_eq!(
            ingress(&lone, &segment(ACK, 4999, 2999, 0)),
            Pass,
            "{state}: a keep-alive"
        );
        let with_data = FlowView {
            snd_una: 2990,
            ..flow(state)
        };
        assert_eq!(
            ingress(&with_data, &segment(ACK, 5000, 2990, 0)),
            Pass,
            "{state}: data is outstanding"
        );
    }
}

#[test]
fn control_bits_that_exclude_each_other_are_dropped_in_every_state() {
    for state in SYNCHRONISED
        .into_iter()
        .chain([State::SynSent, State::SynReceived, State::TimeWait])
    {
        for flags in [SYN | RST, SYN | TcpFlags::FIN, RST | TcpFlags::FIN] {
            assert_eq!(
                rule(state, segment(flags | ACK, 5000, 3000, 0)),
                Swallow(BadFlags),
                "{state}"
            );
        }
    }
}
