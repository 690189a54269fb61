//! The many queues of an 82599: which one a flow is received in, and which one is stepped.

mod raw;

use std::time::Duration;

use pagewire_bus::{Bar, Direction};
use pagewire_emu::Model;
use pagewire_emu::sanitizer::Level;
use pagewire_spec::ixgbe;
use raw::{MAC_A, MAC_B, Memory, Setup, frame, headers, pair, pair_of};

#[test]
fn receive_side_scaling_keeps_a_flow_in_its_queue() {
    let mut far = Setup::new(Model::Ixgbe, MAC_B);
    far.options.sanitizer = Level::On;
    let (mut a, b) = pair_of(&Setup::new(Model::Ixgbe, MAC_A), &far);
    // Four queues, each with a ring of its own; the verification suite's key.
    let key: [u8; 40] = std::array::from_fn(|index| (index * 11 + 3) as u8);
    for (index, word) in key.chunks(4).enumerate() {
        b.bar.write32(
            ixgbe::RSSRK.at(index as u32),
            u32::from_le_bytes(word.try_into().expect("4")),
        );
    }
    for index in 0..32 {
        b.bar.write32(ixgbe::RETA.at(index), 0x0302_0100);
    }
    b.bar.write32(
        ixgbe::RXCSUM.offset,
        ixgbe::Rxcsum::new().with_pcsd(true).into_bits(),
    );
    let mode = ixgbe::Mrqc::new().with_mrqe(ixgbe::Mrqc::RSS).with_tcp_ipv4(true);
    b.bar.write32(ixgbe::MRQC.offset, mode.into_bits());
    let mut rings = Vec::new();
    for queue in 1..4 {
        let ring = Memory::new(&b.nic, 4096, Direction::Bidirectional);
        let buffers = Memory::new(&b.nic, 64 * 2048, Direction::FromDevice);
        b.bar.write32(ixgbe::RDBAL.at(queue), ring.iova as u32);
        b.bar.write32(ixgbe::RDBAH.at(queue), (ring.iova >> 32) as u32);
        b.bar.write32(ixgbe::RDLEN.at(queue), 64 * 16);
        b.bar
            .write32(ixgbe::SRRCTL.at(queue), b.bar.read32(ixgbe::SRRCTL.at(0)));
        b.bar.write32(
            ixgbe::RXDCTL.at(queue),
            ixgbe::Rxdctl::new().with_enable(true).into_bits(),
        );
        assert!(ixgbe::Rxdctl::from_bits(b.bar.read32(ixgbe::RXDCTL.at(queue))).enable());
        for slot in 0..63 {
            ring.set_words(slot, [buffers.iova + u64::from(slot) * 2048, 0]);
        }
        b.bar.write32(ixgbe::RDT.at(queue), 63);
        rings.push((ring, buffers));
    }
    let mut b = b;
    b.post(63);
    for port in 1000..1032 {
        for _ in 0..2 {
            let sent = headers(MAC_B, true, Some(10), port);
            a.out.write(0, &[sent, vec![0; 10]].concat());
            a.send(0, 64);
        }
    }
    let mut total = 0;
    for queue in 0..4 {
        let ring = if queue == 0 {
            &b.rx.memory
        } else {
            &rings[queue - 1].0
        };
        let done: Vec<_> = (0..64)
            .map(|slot| ring.words(slot))
            .take_while(|words| words[1] & 1 == 1)
            .collect();
        assert!(
            !done.is_empty() && done.len() % 2 == 0,
            "queue {queue}: {}",
            done.len()
        );
        total += done.len();
        for words in done {
            let first = ixgbe::RxWriteBack0::from_bits(words[0]);
            assert_eq!(first.rss_type(), ixgbe::RssType::TcpIpv4 as u8);
            assert_eq!(first.rss_hash() & 3, queue as u32);
        }
    }
    assert_eq!(total, 64);
    b.assert_clean();
}

#[test]
fn transmit_queues_are_stepped_one_by_one() {
    let (a, mut b) = pair(Model::Ixgbe);
    b.post(8);
    let queue = 5;
    let ring = Memory::new(&a.nic, 1024, Direction::Bidirectional);
    a.bar.write32(ixgbe::TDBAL.at(queue), ring.iova as u32);
    a.bar.write32(ixgbe::TDBAH.at(queue), (ring.iova >> 32) as u32);
    a.bar.write32(ixgbe::TDLEN.at(queue), 1024);
    a.bar.write32(
        ixgbe::TXDCTL.at(queue),
        ixgbe::Txdctl::new().with_enable(true).into_bits(),
    );
    a.bar.write32(ixgbe::TQSM.at(queue / 4), 0x0000_0700);
    a.out.write(0, &frame(MAC_B, 100));
    ring.set_words(0, a.data(a.out.iova, 100, true, None, 100));
    a.bar.write32(ixgbe::TDT.at(queue), 1);
    assert_eq!(a.nic.step_queue(0, Duration::ZERO), 0);
    assert!(b.received(0).is_none());
    assert_eq!(a.nic.step_queue(5, Duration::ZERO), 1);
    assert!(b.received(0).is_some());
    assert_eq!(a.bar.read32(ixgbe::TDH.at(queue)), 1);
    assert_eq!(a.bar.read32(ixgbe::QPTC.at(7)), 1, "counted where TQSM says");
    a.assert_clean();
}
