//! Opening, link, statistics, several queues, closing.

mod emulated;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use emulated::{NoDelay, device, mac, open_e1000, open_ixgbe, packet, pattern, plug};
use pagewire_emu::Model;
use pagewire_nic::port::{
    IpVersion, L4, Link, Nic, NicConfig, NicError, RxQueue, TxOffload, TxQueue, Verdict,
};
use pagewire_nic::{e1000, e1000e, ixgbe};

fn promiscuous() -> NicConfig {
    NicConfig {
        promiscuous: true,
        ..NicConfig::default()
    }
}

#[test]
fn the_address_comes_from_the_eeprom_and_the_link_from_the_cable() {
    for_each_pair!(NicConfig::default(), true, |a, b| {
        let (near, far) = (a.nic.as_ref().unwrap(), b.nic.as_ref().unwrap());
        assert_eq!((near.mac(), far.mac()), (mac(1), mac(2)));
        let link = near.wait_for_link(100, &mut NoDelay);
        assert!(link.up && link.full_duplex && link.mbps >= 1000);
        a.device.plug(None);
        assert_eq!(near.read_link(), Link::default());
    });
}

#[test]
fn statistics_clear_in_the_device_and_add_up_in_the_driver() {
    for_each_pair!(promiscuous(), true, |a, b| {
        for round in 1..=3u64 {
            for _ in 0..10 {
                a.send(&pattern(96), TxOffload::None);
            }
            assert_eq!(b.receive(0).len(), 10);
            let sent = a.nic.as_mut().unwrap().read_statistics();
            let got = b.nic.as_mut().unwrap().read_statistics();
            assert_eq!((sent.tx_packets, sent.tx_bytes), (10 * round, 1000 * round));
            assert_eq!(
                (got.rx_packets, got.rx_bytes, got.rx_missed),
                (10 * round, 1000 * round, 0)
            );
        }
    });
}

#[test]
fn a_nic_that_was_stopped_opens_again() {
    let (da, db) = (device(Model::Ixgbe, 1, true), device(Model::E1000, 2, true));
    plug(&da, &db);
    for _ in 0..3 {
        let (mut a, mut b) = (open_ixgbe(&da, &promiscuous()), open_e1000(&db, &promiscuous()));
        a.send(&pattern(100), TxOffload::None);
        b.send(&pattern(200), TxOffload::None);
        assert_eq!((b.receive(0).len(), a.receive(0).len()), (1, 1));
        a.finish();
        b.finish();
    }
}

#[test]
fn a_nic_that_is_dropped_is_stopped() {
    let (da, db) = (device(Model::Ixgbe, 1, true), device(Model::E1000, 2, true));
    plug(&da, &db);
    for _ in 0..2 {
        let (a, b) = (open_ixgbe(&da, &promiscuous()), open_e1000(&db, &promiscuous()));
        // In either order: the NIC before its queues, and after.
        let emulated::End {
            nic, queues, pool, ..
        } = a;
        drop((nic, pool));
        drop(queues);
        let emulated::End {
            nic, queues, pool, ..
        } = b;
        drop((queues, pool));
        drop(nic);
    }
    for device in [da, db] {
        let report = device.report();
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn queues_that_outlive_their_nic_cannot_touch_its_successor() {
    let (da, db) = (device(Model::Ixgbe, 1, true), device(Model::E1000, 2, true));
    plug(&da, &db);
    let mut old = open_ixgbe(&da, &promiscuous());
    old.nic.take().unwrap().stop(&mut NoDelay).unwrap();
    let (mut a, mut b) = (open_ixgbe(&da, &promiscuous()), open_e1000(&db, &promiscuous()));
    let frame = old.frame(&pattern(100));
    old.queues[0].0.post(frame, TxOffload::None).unwrap();
    old.queues[0].0.doorbell();
    assert_eq!(old.step(), 0);
    drop(old);
    a.send(&pattern(200), TxOffload::None);
    b.send(&pattern(300), TxOffload::None);
    assert_eq!(b.receive(0)[0].bytes, pattern(200));
    assert_eq!(a.receive(0)[0].bytes, pattern(300));
    a.finish();
    b.finish();
}

#[test]
fn one_queue_pair_can_end_while_the_others_go_on() {
    let (da, db) = (device(Model::Ixgbe, 1, true), device(Model::Ixgbe, 2, true));
    plug(&da, &db);
    let mut a = open_ixgbe(
        &da,
        &NicConfig {
            queues: 2,
            ..promiscuous()
        },
    );
    let mut b = open_ixgbe(&db, &promiscuous());
    let frame = a.frame(&pattern(100));
    a.queues[0].0.post(frame, TxOffload::None).unwrap();
    a.queues[0].0.doorbell();
    drop(a.queues.remove(0));
    a.send(&pattern(200), TxOffload::None);
    assert_eq!(b.receive(0).last().unwrap().bytes, pattern(200));
    a.finish();
    b.finish();
}

#[test]
fn rss_spreads_connections_over_all_queues_and_keeps_each_on_one() {
    let (da, db) = (device(Model::Ixgbe, 1, false), device(Model::Ixgbe, 2, false));
    plug(&da, &db);
    let mut a = open_ixgbe(&da, &NicConfig::default());
    let mut b = open_ixgbe(
        &db,
        &NicConfig {
            queues: 4,
            ..NicConfig::default()
        },
    );
    for ip in [IpVersion::V4, IpVersion::V6] {
        let mut seen = [0; 4];
        for port in 1..=200u16 {
            let (bytes, layout) = packet(ip, L4::Tcp, (port, 80), &pattern(100));
            for _ in 0..3 {
                a.send(&bytes, TxOffload::Checksum(layout));
            }
            let got: Vec<_> = (0..4).map(|queue| b.receive(queue)).collect();
            let queue = got.iter().position(|packets| !packets.is_empty()).unwrap();
            assert_eq!(got[queue].len(), 3, "a connection stays on its queue");
            let hashes: HashSet<u32> = got[queue].iter().map(|packet| packet.rss_hash).collect();
            assert_eq!(hashes.len(), 1);
            assert!(got[queue].iter().all(|packet| packet.verdict == Verdict::Good));
            assert_eq!(hashes.into_iter().next().unwrap() as usize % 128 % 4, queue);
            seen[queue] += 1;
        }
        assert!(seen.iter().all(|count| (25..=75).contains(count)), "{seen:?}");
    }
    a.finish();
    b.finish();
}

#[test]
fn the_rss_hash_is_the_published_one() {
    // Verification suite of "RSS hashing functions": 66.9.149.187:2794 to 161.142.100.80:1766.
    let (da, db) = (device(Model::Ixgbe, 1, false), device(Model::Ixgbe, 2, false));
    plug(&da, &db);
    let (mut a, mut b) = (
        open_ixgbe(&da, &NicConfig::default()),
        open_ixgbe(&db, &NicConfig::default()),
    );
    let (mut bytes, layout) = packet(IpVersion::V4, L4::Tcp, (2794, 1766), &pattern(10));
    bytes[26..34].copy_from_slice(&[66, 9, 149, 187, 161, 142, 100, 80]);
    a.send(&bytes, TxOffload::Checksum(layout));
    assert_eq!(b.receive(0)[0].rss_hash, 0x51cc_c178);
    a.finish();
    b.finish();
}

/// Counts a thread that has ended, by a panic too.
struct Ended<'a>(&'a AtomicU16);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

#[test]
fn queue_pairs_work_on_threads_of_their_own() {
    const QUEUES: u16 = 4;
    const FRAMES: usize = 2_000;
    let (da, db) = (device(Model::Ixgbe, 1, true), device(Model::Ixgbe, 2, true));
    plug(&da, &db);
    let config = NicConfig {
        queues: QUEUES,
        ..promiscuous()
    };
    let (mut a, mut b) = (open_ixgbe(&da, &config), open_ixgbe(&db, &config));
    let done = &AtomicU16::new(0);
    let received = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..)
            .zip(a.queues.drain(..))
            .map(|(number, (mut transmitter, _receiver))| {
                let device = da.clone();
                let ended = Ended(done);
                scope.spawn(move || {
                    let mapper = pagewire_bus::Function::mapper(&device);
                    let mut pool = pagewire_nic::dma::FramePool::new(&mapper, 64, 2048).unwrap();
                    let mut freed = Vec::new();
                    let mut sent = 0;
                    while sent < FRAMES {
                        while let Some(mut frame) = pool.take().filter(|_| sent < FRAMES) {
                            let (bytes, _) =
                                packet(IpVersion::V4, L4::Tcp, (sent as u16, number), &pattern(30));
                            frame.set_len(bytes.len()).unwrap();
                            frame.bytes_mut().copy_from_slice(&bytes);
                            transmitter.post(frame, TxOffload::None).unwrap();
                            sent += 1;
                        }
                        transmitter.doorbell();
                        device.step_queue(number.into(), Duration::ZERO);
                        transmitter.reap(&mut freed);
                        freed.drain(..).for_each(|frame| pool.give(frame).unwrap());
                        std::thread::yield_now();
                    }
                    drop(ended);
                    transmitter
                })
            })
            .collect();
        let receivers: Vec<_> = b
            .queues
            .drain(..)
            .map(|(_transmitter, mut receiver)| {
                scope.spawn(move || {
                    let mut out = Vec::new();
                    loop {
                        // Asked before the look: what comes after the last sender's end is nothing.
                        let all_sent = done.load(Ordering::Acquire) == QUEUES;
                        let found = receiver.receive(32, &mut out);
                        out.drain(..).for_each(|got| receiver.recycle(got.frame));
                        receiver.refill();
                        if all_sent && found == 0 {
                            return receiver.counters().packets;
                        }
                        std::thread::yield_now();
                    }
                })
            })
            .collect();
        senders
            .into_iter()
            .for_each(|sender| drop(sender.join().unwrap()));
        receivers
            .into_iter()
            .map(|receiver| receiver.join().unwrap())
            .sum::<u64>()
    });
    let missed = b.nic.as_mut().unwrap().read_statistics().rx_missed;
    assert_eq!(received + missed, u64::from(QUEUES) * FRAMES as u64);
    assert!(received > 0);
    a.finish();
    b.finish();
}

#[test]
fn the_wrong_driver_and_impossible_settings_are_refused() {
    let (da, db) = (device(Model::Ixgbe, 1, true), device(Model::E1000, 2, true));
    let config = NicConfig::default();
    let error = e1000::open(da.clone().into(), &config, &mut NoDelay)
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(
            error,
            NicError::WrongDevice {
                family: "e1000",
                device: 0x10fb,
                ..
            }
        ),
        "{error}"
    );
    let error = ixgbe::open(db.clone().into(), &config, &mut NoDelay)
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(
            error,
            NicError::WrongDevice {
                family: "ixgbe",
                device: 0x100e,
                ..
            }
        ),
        "{error}"
    );
    let error = e1000e::open(db.clone().into(), &config, &mut NoDelay)
        .map(drop)
        .unwrap_err();
    assert!(
        error.to_string().contains("e1000e driver does not know"),
        "{error}"
    );
    let two = NicConfig {
        queues: 2,
        ..config.clone()
    };
    let error = e1000::open(db.into(), &two, &mut NoDelay).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            NicError::Setting {
                setting: "queues",
                ..
            }
        ),
        "{error}"
    );
    let many = NicConfig { queues: 17, ..config };
    let error = ixgbe::open(da.into(), &many, &mut NoDelay).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            NicError::Setting {
                setting: "queues",
                ..
            }
        ),
        "{error}"
    );
}
