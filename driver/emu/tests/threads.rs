//! Devices on threads of their own, drivers and cables on others: nothing is lost uncounted, nothing waits for ever, and
//! a correct driver stays clean whatever the timing.

mod raw;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use pagewire_bus::{Bar, Direction, Function};
use pagewire_emu::cable::Impairments;
use pagewire_emu::schedule::Threaded;
use pagewire_emu::wire::{Cable, Inlet, WireCounters};
use pagewire_emu::{EmulatedNic, Model, Options, connect};
use pagewire_spec::{e1000e, ixgbe};
use raw::{MAC_A, MAC_B, MODELS, Memory, Raw, Setup, frame, pair, pair_of};

const FRAMES: u32 = 20_000;
const LIMIT: Duration = Duration::from_secs(60);

fn start(nic: &EmulatedNic) -> Threaded {
    let began = Instant::now();
    Threaded::start(nic.clone(), move || began.elapsed()).expect("a thread")
}

/// Sends frames as the ring has room, takes what arrives, gives the buffers back. Returns how many arrived.
fn drive(raw: &mut Raw, to: [u8; 6], quiet: impl Fn(u32) -> bool) -> u32 {
    let began = Instant::now();
    let (mut sent, mut reaped, mut received, mut take) = (0_u32, 0_u32, 0, 0);
    raw.post(32);
    let mut posted = 32;
    loop {
        assert!(
            began.elapsed() < LIMIT,
            "sent {sent}, reaped {reaped}, received {received}"
        );
        let mut idle = true;
        while sent < FRAMES && sent - reaped < 16 {
            let at = (sent % 16) as usize * 2048;
            let mut bytes = frame(to, 64 + sent as usize % 1000);
            bytes[14..18].copy_from_slice(&sent.to_be_bytes());
            raw.out.write(at, &bytes);
            let words = raw.data(raw.out.iova + at as u64, bytes.len(), true, None, bytes.len());
            raw.put(words);
            raw.ring();
            sent += 1;
            idle = false;
        }
        while reaped < sent && raw.is_sent(reaped % raw::SLOTS) {
            // A slot is not looked at again before it is written again: clear its done bit.
            raw.tx.memory.set_words(reaped % raw::SLOTS, [0, 0]);
            reaped += 1;
            idle = false;
        }
        while let Some((bytes, _)) = raw.received(take) {
            assert!(bytes[18..] == frame(to, bytes.len())[18..], "payload");
            raw.rx.memory.set_words(take, [0, 0]);
            take = (take + 1) % raw::SLOTS;
            received += 1;
            posted -= 1;
            idle = false;
        }
        if posted < 24 {
            raw.post(32 - posted);
            posted = 32;
        }
        if sent == FRAMES && reaped == FRAMES && quiet(received) {
            return received;
        }
        if idle {
            thread::yield_now();
        }
    }
}

#[test]
fn two_devices_send_to_each_other_while_memory_comes_and_goes() {
    for model in MODELS {
        let mut setups = [Setup::new(model, MAC_A), Setup::new(model, MAC_B)];
        for setup in &mut setups {
            setup.options.sanitizer = pagewire_emu::sanitizer::Level::On;
        }
        let (mut a, mut b) = pair_of(&setups[0], &setups[1]);
        let (nic_a, nic_b) = (a.nic.clone(), b.nic.clone());
        let _threads = [start(&nic_a), start(&nic_b)];
        let over = AtomicBool::new(false);
        let arrived = |from: &EmulatedNic| {
            let counters = from.wire_counters();
            (counters.frames, counters.no_buffer)
        };
        let quiet = |from: &EmulatedNic, received: u32| {
            let (frames, lost) = arrived(from);
            frames == u64::from(FRAMES) && u64::from(received) + lost == frames
        };
        thread::scope(|scope| {
            let churn = scope.spawn(|| {
                let mut maps = 0;
                while !over.load(Ordering::Acquire) {
                    for nic in [&nic_a, &nic_b] {
                        let memory = Memory::new(nic, 8192, Direction::ToDevice);
                        memory.unmap(nic);
                        maps += 1;
                    }
                }
                maps
            });
            let first = scope.spawn(|| drive(&mut a, MAC_B, |received| quiet(&nic_b, received)));
            let got = drive(&mut b, MAC_A, |received| quiet(&nic_a, received));
            let other = first.join().expect("no panic");
            over.store(true, Ordering::Release);
            assert!(churn.join().expect("no panic") > 0);
            assert!(got > 0 && other > 0);
        });
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn a_queue_can_be_switched_off_while_it_is_busy() {
    let (mut a, mut b) = pair_of(&Setup::new(Model::Ixgbe, MAC_A), &Setup::new(Model::Ixgbe, MAC_B));
    let _threads = [start(&a.nic), start(&b.nic)];
    b.post(63);
    a.out.write(0, &frame(MAC_B, 1000));
    for _ in 0..50 {
        for index in 0..40 {
            let words = a.data(a.out.iova + index * 2048, 1000, true, None, 1000);
            a.put(words);
        }
        a.ring();
        a.bar.write32(ixgbe::TXDCTL.at(0), 0);
        assert!(!ixgbe::Txdctl::from_bits(a.read(&ixgbe::TXDCTL)).enable());
        // From here the device is out of the ring: the memory can go.
        let old = std::mem::replace(
            &mut a.tx.memory,
            Memory::new(&a.nic, raw::SLOTS as usize * 16, Direction::Bidirectional),
        );
        old.unmap(&a.nic);
        a.bar.write32(ixgbe::TDBAL.at(0), a.tx.memory.iova as u32);
        a.bar.write32(ixgbe::TDBAH.at(0), (a.tx.memory.iova >> 32) as u32);
        a.bar.write32(ixgbe::TDH.at(0), 0);
        a.bar.write32(ixgbe::TDT.at(0), 0);
        a.bar.write32(
            ixgbe::TXDCTL.at(0),
            ixgbe::Txdctl::new().with_enable(true).into_bits(),
        );
        a.tx.next = 0;
    }
    a.assert_clean();
}

#[test]
fn a_cable_comes_and_goes_while_the_driver_writes_registers() {
    let (a, b) = pair(Model::E1000e);
    let none = Impairments::none();
    let status = || e1000e::Status::from_bits(a.read(&e1000e::STATUS));
    let ctrl = e1000e::Ctrl::from_bits(a.read(&e1000e::CTRL));
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..100_000 {
                let off = turn % 2 == 0;
                a.bar
                    .write32(e1000e::CTRL.offset, ctrl.with_gio_master_disable(off).into_bits());
                assert_eq!(status().gio_master_enable(), !off, "turn {turn}");
            }
        });
        for turn in 0..25_000 {
            a.nic.plug(None);
            assert!(!status().lu(), "pulled, turn {turn}");
            connect(&a.nic, &b.nic, &none, &none, None);
            assert!(status().lu(), "plugged in, turn {turn}");
        }
    });
    a.assert_clean();
}

/// A cable that nothing is sent on. Who asks its NIC when something is due hears of it, so that it shows whether it is in.
#[derive(Debug)]
struct Idle;

impl Cable for Idle {
    fn carry(&self, _now: Duration, _batch: &mut dyn FnMut(&mut dyn Inlet)) {}

    fn deliver_due(&self, _now: Duration) -> usize {
        0
    }

    fn next_event(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn counters(&self) -> WireCounters {
        WireCounters::default()
    }
}

#[test]
fn whoever_of_two_plugs_or_pulls_last_the_link_says_whether_a_cable_is_in() {
    let nic = EmulatedNic::new(&Options::new(Model::Ixgbe, MAC_A));
    let bar = nic.bar(0).expect("BAR 0");
    let has_link = || ixgbe::Links::from_bits(bar.read32(ixgbe::LINKS.offset)).link_up();
    let cable: Arc<dyn Cable> = Arc::new(Idle);
    for round in 0..2_000 {
        let (both, done) = (Barrier::new(2), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                while !done.load(Ordering::Relaxed) {
                    nic.plug(Some(Arc::clone(&cable)));
                    nic.plug(None);
                }
            });
            both.wait();
            for _ in 0..200 {
                nic.plug(None);
                nic.plug(Some(Arc::clone(&cable)));
            }
            // The other one's last turn is under way, too.
            done.store(true, Ordering::Relaxed);
            nic.plug(None);
            nic.plug(Some(Arc::clone(&cable)));
        });
        assert_eq!(has_link(), nic.next_event().is_some(), "round {round}");
    }
}
