//! Files as a connection asks for them: forward, again from the oldest byte that is not acknowledged, and released.

use std::os::unix::fs::FileExt;

use pagewire_bus::Function;
use pagewire_emu::{EmulatedNic, Model, Options};

use super::super::{WindowLimits, Windows};
use super::*;

/// A page of the machines that run this; windows are a page each.
const PAGE: u64 = 4096;

/// Room for `windows` windows of a page, of which `kept` may be kept.
fn windows(windows: u64, kept: u64) -> (Windows, EmulatedNic) {
    let nic = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1]));
    let limits = WindowLimits {
        bytes: windows * PAGE,
        kept_bytes: kept * PAGE,
        windows: 100,
    };
    (Windows::new(nic.mapper(), limits, Arc::default()), nic)
}

/// A file that is old enough for its windows to be shared.
fn file(pages: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(pages * PAGE).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    file
}

/// Asks for `pages` pages from page `first`; returns how long the slices are together.
fn gather(source: &mut MappedFile, first: u64, pages: u64) -> Result<u64, SourceError> {
    let mut slices = vec![];
    source.gather(first * PAGE, (pages * PAGE) as usize, &mut slices)?;
    Ok(slices.iter().map(|slice| u64::from(slice.len())).sum())
}

#[test]
fn a_file_that_is_sent_again_is_not_mapped_again() {
    let (windows, _nic) = windows(8, 8);
    let file = file(3);
    for _ in 0..3 {
        let mut source = MappedFile::new(file.try_clone().unwrap(), &windows).unwrap();
        source.prepare().unwrap();
        assert_eq!(gather(&mut source, 0, 3).unwrap(), 3 * PAGE);
        source.release(3 * PAGE);
    }
    let counters = windows.counters();
    assert_eq!((counters.maps, counters.unmaps, counters.hits), (3, 0, 6));
}

#[test]
fn of_a_file_that_cannot_be_kept_whole_a_few_windows_are_mapped_at_a_time_and_none_stays() {
    let (windows, nic) = windows(8, 4);
    let mut source = MappedFile::new(file(100), &windows).unwrap();
    source.prepare().unwrap();
    for page in 0..100 {
        assert_eq!(gather(&mut source, page, 1).unwrap(), PAGE);
        source.release(page * PAGE);
    }
    assert!(windows.counters().bytes_peak <= 3 * PAGE);
    drop(source);
    assert_eq!(windows.counters().windows, 0);
    assert_eq!(nic.mapper().counters().unmaps, 100);
    assert!(windows.take_fallbacks().is_empty());
}

#[test]
fn a_young_file_leaves_no_windows_that_nobody_can_find() {
    let (windows, _nic) = windows(8, 8);
    let file = file(2);
    file.write_all_at(b"now", 0).unwrap();
    let mut source = MappedFile::new(file, &windows).unwrap();
    if source.version.is_shared() {
        return println!("skipped: the file is old already");
    }
    source.prepare().unwrap();
    assert_eq!(windows.counters().windows, 2);
    drop(source);
    assert_eq!(windows.counters().windows, 0);
}

#[test]
fn a_connection_may_begin_further_on_and_come_back() {
    // The frames of the first segments found no room in the ring.
    let (windows, _nic) = windows(8, 8);
    let mut source = MappedFile::new(file(6), &windows).unwrap();
    assert_eq!(gather(&mut source, 3, 2).unwrap(), 2 * PAGE);
    assert_eq!(gather(&mut source, 0, 4).unwrap(), 4 * PAGE);
    source.release(5 * PAGE);
    assert_eq!(gather(&mut source, 5, 1).unwrap(), PAGE);
}

#[test]
fn from_a_window_that_is_refused_on_the_file_is_copied_and_what_is_mapped_is_sent_again_from_there() {
    let (windows, _nic) = windows(8, 8);
    let mut other = MappedFile::new(file(5), &windows).unwrap();
    other.prepare().unwrap();
    let mut source = MappedFile::new(file(6), &windows).unwrap();
    // Three windows of it have room: the others may have later on.
    source.prepare().unwrap();
    assert!(windows.take_fallbacks().is_empty());
    assert_eq!(gather(&mut source, 0, 6).unwrap(), 6 * PAGE);
    let fallbacks = windows.take_fallbacks();
    assert_eq!(fallbacks.len(), 1);
    assert_eq!(fallbacks[0].offset, 3 * PAGE);
    assert!(fallbacks[0].to_string().contains("from byte 12288 on"));
    let copied = windows.copied().load(std::sync::atomic::Ordering::Relaxed);
    assert!(
        (3 * PAGE..=6 * PAGE).contains(&copied),
        "{copied} bytes were copied"
    );
    assert_eq!(gather(&mut source, 1, 5).unwrap(), 5 * PAGE);
    source.release(4 * PAGE);
    assert_eq!(gather(&mut source, 4, 2).unwrap(), 2 * PAGE);
    assert_eq!(windows.counters().fallbacks, 1);
    source.verify().unwrap();
}

#[test]
fn a_file_that_cannot_be_mapped_at_all_says_so_before_its_first_byte() {
    let (windows, nic) = windows(0, 0);
    let mut source = MappedFile::new(file(2), &windows).unwrap();
    source.prepare().unwrap();
    assert_eq!(windows.take_fallbacks()[0].offset, 0);
    assert_eq!(gather(&mut source, 0, 2).unwrap(), 2 * PAGE);
    assert_eq!((windows.counters().maps, nic.mapper().counters().maps), (0, 1));
}

#[test]
fn a_file_that_was_cut_is_neither_mapped_nor_copied_any_further() {
    let (windows, _nic) = windows(2, 1);
    let file = file(4);
    let mut source = MappedFile::new(file.try_clone().unwrap(), &windows).unwrap();
    gather(&mut source, 0, 1).unwrap();
    file.set_len(PAGE).unwrap();
    let error = gather(&mut source, 1, 1).unwrap_err();
    assert!(matches!(error, SourceError::Changed { .. }), "{error}");
    assert!(windows.take_fallbacks().is_empty());
}
