//! A segmentation request longer than a packet travels in parts, and two threads may copy them.

mod raw;

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pagewire_emu::sanitizer::Rule;
use pagewire_emu::{EmulatedNic, Model};
use raw::{MAC_A, MAC_B, Memory, Offload, Raw, SLOTS, Setup, headers, pair_of};

/// Bytes of a receive buffer; four hold a part.
const BUFFER: usize = 16_384;
/// Payload of a part: the whole frames of this MSS that a packet holds.
const PART: usize = 65_495 / MSS as usize * MSS as usize;
const MSS: u16 = 1448;
const HEADER: usize = 54;

fn two() -> (Raw, Raw) {
    let mut far = Setup::new(Model::Ixgbe, MAC_B);
    far.coalesce = true;
    far.buffer_len = BUFFER;
    pair_of(&Setup::new(Model::Ixgbe, MAC_A), &far)
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

/// Sends `len` bytes of `pages` in one request; returns the slot of its last descriptor.
fn request(a: &mut Raw, pages: &Memory, len: usize) -> u32 {
    let offload = Offload { v4: true, mss: MSS };
    a.out.write(0, &headers(MAC_B, true, None, 4000));
    let context = a.context(offload, len);
    a.put(context);
    let words = a.data(a.out.iova, HEADER, false, Some(offload), len);
    let mut slot = a.put(words);
    for offset in (0..len).step_by(BUFFER) {
        let here = (len - offset).min(BUFFER);
        let words = a.data(
            pages.iova + offset as u64,
            here,
            offset + here == len,
            Some(offload),
            len,
        );
        slot = a.put(words);
    }
    a.ring();
    a.step();
    slot
}

/// The payload of the parts from `slot` on, one after the other, and the slot behind them.
fn arrived(b: &Raw, mut slot: u32) -> (Vec<Vec<u8>>, u32) {
    let mut parts = Vec::new();
    while let Some((frame, _)) = b.received(slot) {
        slot = (slot + frame.len().div_ceil(BUFFER) as u32) % SLOTS;
        parts.push(frame[HEADER.min(frame.len())..].to_vec());
    }
    (parts, slot)
}

/// Sets a flag when it goes, a panic being one way to go.
struct Over<'f>(&'f AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls `work` while another thread steps a NIC.
fn while_stepped<R>(nic: &EmulatedNic, work: impl FnOnce() -> R) -> R {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                nic.step(Duration::ZERO);
            }
        });
        let _over = Over(&over);
        work()
    })
}

#[test]
fn parts_arrive_whole_and_in_order_whoever_copies_them() {
    let sent = bytes(3 * PART + 20_000);
    let (mut a, mut b) = two();
    let (_file, pages) = mapped(&a.nic, &sent);
    let nic = b.nic.clone();
    while_stepped(&nic, || {
        let mut slot = 0;
        for round in 0..100 {
            b.post(14);
            let last = request(&mut a, &pages, sent.len());
            assert!(a.is_sent(last));
            let (parts, next) = arrived(&b, slot);
            let lens: Vec<usize> = parts.iter().map(Vec::len).collect();
            assert_eq!(lens, [PART, PART, PART, 20_000], "round {round}");
            assert!(parts.concat() == sent, "round {round}");
            while slot != next {
                b.rx.memory.set_words(slot, [0, 0]);
                slot = (slot + 1) % SLOTS;
            }
        }
    });
    a.assert_clean();
    b.assert_clean();
}

#[test]
fn a_last_part_of_three_bytes_arrives() {
    let sent = bytes(2 * PART + 3);
    let (mut a, mut b) = two();
    let (_file, pages) = mapped(&a.nic, &sent);
    b.post(10);
    request(&mut a, &pages, sent.len());
    let (parts, _) = arrived(&b, 0);
    assert!(parts.len() == 3 && parts.concat() == sent);
    assert_eq!(a.nic.wire_counters().refused, 0);
}

#[test]
fn a_gone_page_drops_its_part_and_those_behind_it() {
    for stepped in [true, false] {
        let sent = bytes(3 * PART);
        let (mut a, mut b) = two();
        let (file, pages) = mapped(&a.nic, &sent);
        b.post(30);
        file.set_len(PART as u64 + 8_192).expect("truncated");
        let nic = b.nic.clone();
        let slot = if stepped {
            while_stepped(&nic, || request(&mut a, &pages, sent.len()))
        } else {
            request(&mut a, &pages, sent.len())
        };
        assert!(a.is_sent(slot), "the descriptors come back");
        assert_eq!(a.nic.dma_faults(), 1);
        let (parts, next) = arrived(&b, 0);
        // They go through one mapping, in which nothing is trusted any more once a page was found gone.
        assert!(parts.len() <= 1 && parts.iter().all(|part| part[..] == sent[..PART]));
        // What follows takes the descriptors that were not used.
        a.out.write(0, &raw::frame(MAC_B, 100));
        a.send(0, 100);
        assert_eq!(arrived(&b, next).0.len(), 1);
        a.assert_clean();
        b.assert_clean();
    }
}

#[test]
fn parts_without_descriptors_are_dropped_and_counted_one_by_one() {
    let sent = bytes(3 * PART);
    let (mut a, mut b) = two();
    let (_file, pages) = mapped(&a.nic, &sent);
    b.post(5);
    let slot = request(&mut a, &pages, sent.len());
    assert!(a.is_sent(slot));
    let (parts, next) = arrived(&b, 0);
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
    let (mut a, mut b) = two();
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
