//! What two hosts say to each other beside TCP's bytes, and where they find each other: echo requests, several
//! addresses, VLANs; over the real driver and the emulated 82599.

use pagewire_stack::{Duration, EchoReply, IpAddress};
use pagewire_tests::{Pair, Setup, address_v4, address_v6};

/// The link-local address of the far machine, whose Ethernet address is 02:00:00:00:00:02.
const FAR_LINK_LOCAL: &str = "fe80::ff:fe00:2";

/// Pings the far machine once and returns its reply, if there is one within a second and a half.
fn ping(pair: &mut Pair, to: IpAddress, sequence: u16, payload_len: usize) -> Option<EchoReply> {
    pair.near
        .stack
        .ping(to, sequence, payload_len, pair.now)
        .expect("it can be asked");
    let end = pair.now + Duration::from_millis(1_500);
    while pair.now < end && pair.round() {
        if let Some(reply) = pair.near.stack.next_echo_reply() {
            return Some(reply);
        }
    }
    None
}

#[test]
fn rfc792_and_rfc4443_4_a_host_answers_an_echo_request_on_each_of_its_addresses() {
    let mut pair = Pair::new(&Setup::default());
    let far = [address_v4(2), address_v6(2), FAR_LINK_LOCAL.parse().unwrap()];
    for (sequence, to) in far.into_iter().enumerate() {
        // smoltcp asks for one neighbour a second.
        pair.now += Duration::from_secs(1);
        let longest = if matches!(to, IpAddress::Ipv4(_)) {
            1472
        } else {
            1452
        };
        for payload_len in [0, 1, 56, longest] {
            let reply = ping(&mut pair, to, sequence as u16, payload_len).expect("an answer");
            assert_eq!((reply.from, reply.sequence), (to, sequence as u16));
            assert_eq!(reply.payload_len, payload_len);
            assert!(reply.round_trip < Duration::from_millis(10), "{reply:?}");
        }
    }
    pair.finish();
}
