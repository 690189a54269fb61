//! A segmentation request longer than a packet travels in parts, and two threads may copy them.

mod raw;

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pagewire_emu::sanitizer::{Level, Rule};
use pagewire_emu::{EmulatedNic, Model};
use raw::{MAC_A, MAC_B, Memory, Offload, Raw, SLOTS, Setup, headers, pair_of};

/// Bytes of a receive buffer; four hold a part.
const BUFFER: usize = 16_384;
/// Payload that a descriptor names: an 82540EM takes 16,288 bytes.
const DATA: usize = 16_000;
/// Payload of a part: the whole frames of this MSS that a packet holds.
const PART: usize = 65_495 / MSS as usize * MSS as usize;
const MSS: u16 = 1448;
const HEADER: usize = 54;
const LIMIT: Duration = Duration::from_secs(60);

/// Two NICs, of which the second takes segments whole.
fn two(model: Model, level: Level) -> (Raw, Raw) {
    let [near, mut far] = [MAC_A, MAC_B].map(|mac| {
        let mut setup = Setup::new(model, mac);
        setup.options.sanitizer = level;
        setup
    });
    far.coalesce = true;
    far.buffer_len = BUFFER;
    pair_of(&near, &far)
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 13 + at / 257) as u8).collect()
}

/// A file of these bytes, and a NIC's mapping of its pages.
fn mapped(nic: &EmulatedNic, bytes: &[u8]) -> (File, Memory) {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    let pages = Memory::of_file(nic, &file, bytes.len().next_multiple_of(4096));
    (file, pages)
}

/// Publishes a request to send `len` bytes, the last `rest` of them from where nothing is ever gone and the others from
/// `pages`; returns the slot of its last descriptor.
fn publish(a: &mut Raw, pages: &Memory, len: usize, rest: usize) -> u32 {
    let offload = Offload { v4: true, mss: MSS };
    a.out.write(0, &headers(MAC_B, true, None, 4000));
    let context = a.context(offload, len);
    a.put(context);
    let words = a.data(a.out.iova, HEADER, false, Some(offload), len);
    let mut slot = a.put(words);
    for offset in (0..len - rest).step_by(DATA) {
        let here = (len - rest - offset).min(DATA);
        let end = offset + here == len;
        let words = a.data(pages.iova + offset as u64, here, end, Some(offload), len);
        slot = a.put(words);
    }
    if rest > 0 {
        let words = a.data(a.out.iova + 4096, rest, true, Some(offload), len);
        slot = a.put(words);
    }
    a.ring();
    slot
}

/// Sends `len` bytes of `pages` in one request; returns the slot of its last descriptor.
fn request(a: &mut Raw, pages: &Memory, len: usize) -> u32 {
    let slot = publish(a, pages, len, 0);
    a.step();
    slot
}

/// Takes the part that begins at `slot`, if it is there: returns its payload, and moves `slot` behind it.
fn take(b: &Raw, slot: &mut u32) -> Option<Vec<u8>> {
    let (frame, _) = b.received(*slot)?;
    for _ in 0..frame.len().div_ceil(BUFFER) {
        b.rx.memory.set_words(*slot, [0, 0]);
        *slot = (*slot + 1) % SLOTS;
    }
    Some(frame[HEADER..].to_vec())
}

/// Takes all parts from `slot` on, and moves it behind them.
fn arrived(b: &Raw, slot: &mut u32) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| take(b, slot)).collect()
}

/// Sets a flag when it goes, a panic being one way to go.
struct Over<'f>(&'f AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls `work` while another thread steps a NIC; returns how much that had to do as well.
fn while_stepped<R>(nic: &EmulatedNic, work: impl FnOnce() -> R) -> (R, usize) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let stepping = scope.spawn(|| {
            let mut worked = 0;
            while !over.load(Ordering::Relaxed) {
                worked += nic.step(Duration::ZERO);
            }
            worked
        });
        let result = {
            let _over = Over(&over);
            work()
        };
        (result, stepping.join().expect("no panic"))
    })
}

#[test]
fn parts_arrive_whole_and_in_order_whoever_copies_them() {
    let sent = bytes(3 * PART + 20_000);
    let (mut a, mut b) = two(Model::Ixgbe, Level::Full);
    let (_file, pages) = mapped(&a.nic, &sent);
    let nic = b.nic.clone();
    // The receiving NIC has nothing else to do: it helps, sooner or later.
    let (mut slot, mut helped, mut round) = (0, 0, 0);
    while helped == 0 || round < 100 {
        assert!(round < 100_000, "nobody helps");
        round += 1;
        ((), helped) = while_stepped(&nic, || {
            b.post(14);
            let last = request(&mut a, &pages, sent.len());
            assert!(a.is_sent(last));
            let parts = arrived(&b, &mut slot);
            let lens: Vec<usize> = parts.iter().map(Vec::len).collect();
            assert_eq!(lens, [PART, PART, PART, 20_000], "round {round}");
            assert!(parts.concat() == sent, "round {round}");
        });
    }
    a.assert_clean();
    b.assert_clean();
}

#[test]
fn a_last_part_of_three_bytes_arrives() {
    let sent = bytes(2 * PART + 3);
    let (mut a, mut b) = two(Model::Ixgbe, Level::Full);
    let (_file, pages) = mapped(&a.nic, &sent);
    b.post(10);
    request(&mut a, &pages, sent.len());
    let parts = arrived(&b, &mut 0);
    assert!(parts.len() == 3 && parts.concat() == sent);
    assert_eq!(a.nic.wire_counters().refused, 0);
}

#[test]
fn a_gone_page_drops_its_part_and_those_behind_it() {
    for stepped in [true, false] {
        let sent = bytes(3 * PART);
        let (mut a, mut b) = two(Model::Ixgbe, Level::Full);
        let (file, pages) = mapped(&a.nic, &sent);
        b.post(30);
        file.set_len(PART as u64 + 8_192).expect("truncated");
        let nic = b.nic.clone();
        let slot = if stepped {
            while_stepped(&nic, || request(&mut a, &pages, sent.len())).0
        } else {
            request(&mut a, &pages, sent.len())
        };
        assert!(a.is_sent(slot), "the descriptors come back");
        assert_eq!(a.nic.dma_faults(), 1);
        let mut slot = 0;
        let parts = arrived(&b, &mut slot);
        // They go through one mapping, in which nothing is trusted any more once a page was found gone.
        assert!(parts.len() <= 1 && parts.iter().all(|part| part[..] == sent[..PART]));
        // What follows takes the descriptors that were not used.
        a.out.write(0, &raw::frame(MAC_B, 100));
        a.send(0, 100);
        assert_eq!(arrived(&b, &mut slot).len(), 1);
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn parts_without_descriptors_are_dropped_and_counted_one_by_one() {
    let sent = bytes(3 * PART);
    let (mut a, mut b) = two(Model::Ixgbe, Level::Full);
    let (_file, pages) = mapped(&a.nic, &sent);
    b.post(5);
    let slot = request(&mut a, &pages, sent.len());
    assert!(a.is_sent(slot));
    let mut next = 0;
    let parts = arrived(&b, &mut next);
    assert!(parts.len() == 1 && parts[0] == sent[..PART]);
    assert_eq!(next, 4, "the fifth buffer holds no part alone");
    let counters = a.nic.wire_counters();
    assert_eq!(
        (counters.frames, counters.delivered, counters.no_buffer),
        (3, 1, 2)
    );
    b.assert_clean();
}

#[test]
fn a_part_whose_buffer_cannot_be_written_comes_back_bad_and_the_others_arrive() {
    let sent = bytes(3 * PART);
    let (mut a, mut b) = two(Model::Ixgbe, Level::Full);
    let (_file, pages) = mapped(&a.nic, &sent);
    b.post(5);
    // The second part's second buffer.
    b.rx.memory.set_words(b.rx.next, [0x5000, 0]);
    b.rx.next += 1;
    b.post(8);
    let nic = b.nic.clone();
    while_stepped(&nic, || request(&mut a, &pages, sent.len()));
    assert!(b.received(0).expect("the first").0[HEADER..] == sent[..PART]);
    assert_eq!(b.received(4).expect("comes back").0.len(), 0);
    assert!(b.received(6).expect("the third").0[HEADER..] == sent[2 * PART..]);
    assert_eq!(b.count(Rule::UnmappedAddress), 1);
    assert_eq!(a.nic.wire_counters().no_buffer, 1);
}

#[test]
fn a_descriptor_that_is_done_has_its_bytes_while_others_are_still_copied() {
    let sent = bytes(3 * PART + 20_000);
    // The strict level would close the buffers that are looked at here.
    let (mut a, mut b) = two(Model::Ixgbe, Level::On);
    let (_file, pages) = mapped(&a.nic, &sent);
    let (mut slot, began) = (0, Instant::now());
    for _ in 0..1_000 {
        b.inn.write(0, &vec![0xee; SLOTS as usize * BUFFER]);
        b.post(14);
        publish(&mut a, &pages, sent.len(), 0);
        let sender = a.nic.clone();
        thread::scope(|scope| {
            scope.spawn(move || sender.step(Duration::ZERO));
            let mut at = 0;
            while at < sent.len() {
                assert!(began.elapsed() < LIMIT, "{at} bytes have arrived");
                let Some(part) = take(&b, &mut slot) else {
                    b.nic.step(Duration::ZERO);
                    continue;
                };
                assert!(part == sent[at..at + part.len()], "done too early at {at}");
                at += part.len();
            }
        });
    }
}

#[test]
fn a_gone_page_stops_the_rest_though_that_finds_no_buffers_or_other_memory() {
    for buffers in [5, 9, 14] {
        let rest = 1_000;
        let sent = bytes(2 * PART);
        let (mut a, mut b) = two(Model::Ixgbe, Level::Full);
        let (file, pages) = mapped(&a.nic, &sent);
        b.post(buffers);
        file.set_len(8_192).expect("truncated");
        let slot = publish(&mut a, &pages, sent.len() + rest, rest);
        a.step();
        assert!(a.is_sent(slot));
        assert_eq!(a.nic.dma_faults(), 1, "{buffers} buffers");
        let counters = a.nic.wire_counters();
        assert_eq!((counters.frames, counters.no_buffer), (0, 0), "{buffers} buffers");
        assert!((0..buffers).all(|slot| b.received(slot).is_none()));
        // All buffers are still the device's.
        a.out.write(0, &raw::frame(MAC_B, 100));
        a.send(0, 100);
        assert!(b.received(0).is_some(), "{buffers} buffers");
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn a_short_part_behind_one_without_buffers_arrives() {
    let sent = bytes(2 * PART + 1_000);
    let (mut a, mut b) = two(Model::Ixgbe, Level::Full);
    let (_file, pages) = mapped(&a.nic, &sent);
    b.post(5);
    request(&mut a, &pages, sent.len());
    assert!(b.received(0).expect("the first").0[HEADER..] == sent[..PART]);
    assert!(b.received(4).expect("the last").0[HEADER..] == sent[2 * PART..]);
    let counters = a.nic.wire_counters();
    assert_eq!(
        (counters.frames, counters.delivered, counters.no_buffer),
        (3, 2, 1)
    );
}

#[test]
fn more_parts_than_go_together_arrive() {
    let (mut a, mut b) = two(Model::E1000, Level::Full);
    let sent = bytes(10 * PART + 100);
    let (_file, pages) = mapped(&a.nic, &sent);
    b.post(50);
    request(&mut a, &pages, sent.len());
    let parts = arrived(&b, &mut 0);
    assert!(parts.len() == 11 && parts.concat() == sent);
    b.assert_clean();
}
