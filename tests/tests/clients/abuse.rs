//! Clients that mean no good, or know no better: nobody else notices, and memory stays bounded.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use pagewire::serve::Limits;
use pagewire_cost::private_memory;
use pagewire_tests::peer::empty;
use rustix::net::{
    AddressFamily, Protocol, RawProtocol, SendFlags, SocketAddrV4, SocketType, sendto, socket,
};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
};

use crate::network::{Network, OURS, v4};
use crate::server::{PORT, at, content, while_serving};

pub(crate) fn nothing_leads_out_of_the_folder_and_what_is_no_request_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let served = folder.path().join("served");
    fs::create_dir(&served).unwrap();
    fs::write(folder.path().join("secret"), "the secret").unwrap();
    std::os::unix::fs::symlink("../secret", served.join("link")).unwrap();
    let ways = [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/./../secret",
        "/a/../../secret",
        "/%2e%2e%2fsecret",
        "//../secret",
        "/.%2e/secret",
        "/link",
        "/..\\secret",
        "/%c0%ae%c0%ae/secret",
        "/..%00/secret",
        "/..;/secret",
        "../secret",
        "http://host/../secret",
        "/%252e%252e/secret",
    ];
    while_serving(&served, Limits::default(), |network| {
        for way in ways {
            let request = format!("GET {way} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            let said = network.exchange(at(v4(OURS)), request.as_bytes()).unwrap();
            let said = String::from_utf8_lossy(&said);
            assert!(
                said.starts_with("HTTP/1.1 4") && !said.contains("the secret"),
                "{way}: {said}"
            );
        }
        for (bytes, status) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], "400"),
            (b"GET / HTTP/1.1\r\n\r\n", "400"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"),
            (
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                "405",
            ),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                "400",
            ),
            (&[b'A'; 20_000], "414"),
        ] {
            let said = network.exchange(at(v4(OURS)), bytes).unwrap();
            let said = String::from_utf8_lossy(&said);
            assert!(
                said.starts_with(&format!("HTTP/1.1 {status} ")),
                "{bytes:?}: {said}"
            );
        }
    });
}

pub(crate) fn who_reads_nothing_and_who_vanishes_cost_little_and_stop_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let big = content(16 << 20, 3);
    fs::write(folder.path().join("big"), &big).unwrap();
    let request = b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
    while_serving(folder.path(), Limits::default(), |network| {
        let good = || {
            let request = [&request[..request.len() - 2], b"Connection: close\r\n\r\n"].concat();
            let said = network.exchange(at(v4(OURS)), &request).unwrap();
            assert!(said.ends_with(&big), "other bytes arrived");
        };
        good();
        let before = private_bytes();
        let mut readers: Vec<_> = (0..200).map(|_| network.client()).collect();
        for reader in &mut readers {
            // Gigabytes in all, had they been copied.
            reader.write_all(&request.repeat(20)).unwrap();
        }
        good();
        let more = private_bytes().saturating_sub(before);
        assert!(more < 64 << 20, "200 clients that read nothing take {more} bytes");
        // Half of them close with bytes unread, which is a reset; the others have read a little.
        for (number, mut reader) in readers.into_iter().enumerate() {
            if number % 2 == 0 {
                let _ = reader.read(&mut [0; 1000]);
            }
        }
        good();
    });
}

/// How long a good client may take in the midst of a flood.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many SYNs come from nowhere.
const FLOOD: u32 = 100_000;

pub(crate) fn a_hundred_thousand_syns_from_nowhere_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    while_serving(folder.path(), Limits::default(), |network| {
        let before = private_bytes();
        std::thread::scope(|scope| {
            let flood = scope.spawn(|| network.kernel.run(flood));
            while !flood.is_finished() {
                is_served(network);
            }
        });
        is_served(network);
        let more = private_bytes().saturating_sub(before);
        assert!(more < 256 << 20, "the flood takes {more} bytes");
    });
}

/// A good client gets a file, as quickly as a few lost SYNs allow. One whose handshake took longer than the flood takes to
/// fill the limit is refused, and tries again: on a busy machine its thread may have stood still for so long.
fn is_served(network: &Network) {
    let began = Instant::now();
    let request = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let said = loop {
        match network.exchange(at(v4(OURS)), request) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            said => break said.expect("an answer"),
        }
        assert!(began.elapsed() < PATIENCE, "refused for {:?}", began.elapsed());
    };
    assert!(said.ends_with(b"\r\n\r\na"));
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

/// SYNs from hosts that are not there, some of our own network, some of others.
fn flood() {
    let raw = Protocol::from_raw(RawProtocol::new(255).expect("it is not 0"));
    let socket = socket(AddressFamily::INET, SocketType::RAW, Some(raw)).expect("a raw socket");
    let ours = match v4(OURS) {
        std::net::IpAddr::V4(address) => address,
        std::net::IpAddr::V6(_) => unreachable!("it is IPv4"),
    };
    let mut packet = [0; 40];
    for number in 0..FLOOD {
        let [_, _, c, d] = number.wrapping_mul(2_654_435_761).to_be_bytes();
        let from = if number % 2 == 0 {
            [10, 7, 0, 3 + d % 250]
        } else {
            [198, 51, c, d]
        };
        syn(
            &mut packet,
            from.into(),
            ours,
            1024 + (number / 7 % 60_000) as u16,
            number,
        );
        // A full queue drops them: that is a flood too.
        let _ = sendto(&socket, &packet, SendFlags::empty(), &SocketAddrV4::new(ours, 0));
    }
}

fn syn(packet: &mut [u8; 40], from: Ipv4Address, to: Ipv4Address, port: u16, number: u32) {
    let segment = TcpRepr {
        control: TcpControl::Syn,
        window_len: 65_535,
        ..empty(port, PORT, number.wrapping_mul(40_503))
    };
    let datagram = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Tcp,
        payload_len: segment.buffer_len(),
        hop_limit: 64,
    };
    let sums = ChecksumCapabilities::default();
    datagram.emit(&mut Ipv4Packet::new_unchecked(&mut packet[..]), &sums);
    let segment_bytes = &mut TcpPacket::new_unchecked(&mut packet[20..]);
    segment.emit(segment_bytes, &IpAddress::from(from), &IpAddress::from(to), &sums);
}

/// Memory of this process that nobody shares, in bytes.
fn private_bytes() -> u64 {
    private_memory(std::process::id()).unwrap().all
}
