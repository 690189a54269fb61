//! Windows of files on the wire: a file that is sent again, one that has changed, one that cannot be mapped to its end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pagewire_stack::source::{MappedFile, WindowLimits, Windows};
use pagewire_tests::{Pair, Setup, address_v4};

const LENGTH: usize = 3_000_000;

fn bytes(salt: u8) -> Vec<u8> {
    (0..LENGTH)
        .map(|index| (index as u8).wrapping_mul(31) ^ (index >> 8) as u8 ^ salt)
        .collect()
}

/// Writes the file, and lets its times grow old enough to tell the next change.
fn write(file: &File, bytes: &[u8]) {
    file.set_len(0).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    std::thread::sleep(Duration::from_millis(30));
}

/// Sends the file over a connection of its own; returns what arrives.
fn send(pair: &mut Pair, file: &File, windows: &Windows) -> Vec<u8> {
    let mut source = MappedFile::new(file.try_clone().unwrap(), windows).unwrap();
    source.prepare().unwrap();
    let (near, far) = pair.connect(address_v4(2));
    pair.near.stack.send(near, Box::new(source));
    pair.near.stack.finish(near);
    let mut received = vec![];
    pair.run_until(60, |pair| {
        let stack = &mut pair.far.stack;
        while stack.receive(far, |bytes| {
            received.extend_from_slice(bytes);
            bytes.len()
        }) > 0
        {}
        stack.status(far).unwrap().drained
    });
    pair.far.stack.finish(far);
    pair.near.stack.release(near);
    pair.far.stack.release(far);
    pair.run_for(1);
    received
}

#[test]
fn a_file_that_is_sent_again_is_sent_from_the_windows_it_has() {
    let mut pair = Pair::new(&Setup::default());
    let (file, contents) = (tempfile::tempfile().unwrap(), bytes(1));
    write(&file, &contents);
    let windows = pair.near.stack.windows().clone();
    for _ in 0..3 {
        assert!(send(&mut pair, &file, &windows) == contents);
    }
    let counters = pair.near.stack.counters();
    assert_eq!((counters.windows.maps, counters.windows.hits), (1, 2));
    assert_eq!(counters.payload_bytes_copied, 0);
    pair.finish();
}

#[test]
fn a_file_that_was_cut_and_written_again_arrives_as_it_is_now() {
    let (mut pair, file) = (Pair::new(&Setup::default()), tempfile::tempfile().unwrap());
    let windows = pair.near.stack.windows().clone();
    for salt in 0..3 {
        let contents = bytes(salt);
        write(&file, &contents);
        assert!(send(&mut pair, &file, &windows) == contents, "something stale");
    }
    let counters = windows.counters();
    assert_eq!((counters.maps, counters.hits, counters.windows), (3, 0, 1));
    pair.finish();
}

#[test]
fn a_file_that_cannot_be_mapped_to_its_end_arrives_whole_over_the_same_connection() {
    let (mut pair, contents) = (Pair::new(&Setup::default()), bytes(9));
    let [file, other] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    write(&file, &contents);
    write(&other, &contents);
    let copied = Arc::new(AtomicU64::new(0));
    let limits = WindowLimits {
        bytes: 4 << 20,
        kept_bytes: 4 << 20,
        windows: 100,
    };
    let windows = Windows::new(Arc::clone(pair.near.stack.mapper()), limits, Arc::clone(&copied));
    // Somebody else has seven of the eight windows there is room for. The second one is asked for by a segment that
    // begins in the first.
    other.set_len(7 << 19).unwrap();
    let mut holder = MappedFile::new(other, &windows).unwrap();
    holder.prepare().unwrap();
    assert!(send(&mut pair, &file, &windows) == contents);
    let fallbacks = windows.take_fallbacks();
    assert_eq!(fallbacks.len(), 1);
    let copied = copied.load(Ordering::Relaxed);
    assert_eq!(fallbacks[0].offset, 1 << 19);
    assert_eq!(copied, LENGTH as u64 - (1 << 19));
    assert!(windows.counters().bytes_peak <= limits.bytes);
    drop((holder, windows));
    pair.finish();
}
