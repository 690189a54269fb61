//! One file in many hands.

use std::os::unix::fs::{FileExt, OpenOptionsExt};

use pagewire_bus::Function;
use pagewire_emu::{EmulatedNic, Model, Options};

use super::super::{LEASE_GRACE, WindowLimits};
use super::*;

/// A page of the machines that run this; windows are a page each.
const PAGE: u64 = 4096;

/// Room for eight windows of a page.
fn windows() -> (Windows, EmulatedNic) {
    let nic = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1]));
    let limits = WindowLimits {
        bytes: 8 * PAGE,
        kept_bytes: 6 * PAGE,
        windows: 100,
    };
    (Windows::new(nic.mapper(), limits, Arc::default()), nic)
}

/// A named file, which nobody has open for writing: one that leases are granted for.
fn file(len: u64) -> tempfile::TempPath {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(len).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    file.into_temp_path()
}

fn open(path: &std::path::Path, windows: &Windows) -> Result<SharedFile, NotShared> {
    SharedFile::open(File::open(path).unwrap(), windows)
}

fn at(milliseconds: i64) -> Instant {
    Instant::from_millis(milliseconds)
}

#[test]
fn all_of_it_is_mapped_once_and_any_part_is_there() {
    let (windows, nic) = windows();
    let path = file(3 * PAGE + 5);
    let shared = open(&path, &windows).unwrap();
    for (offset, len, slices) in [
        (0, 1, 1),
        (PAGE - 1, 2, 2),
        (3 * PAGE, 5, 1),
        (0, 3 * PAGE + 5, 4),
    ] {
        let mut out = vec![];
        shared.gather(offset, len as usize, &mut out).unwrap();
        let total: u64 = out.iter().map(|slice| u64::from(slice.len())).sum();
        assert_eq!((out.len(), total), (slices, len), "from {offset}");
    }
    assert_eq!(nic.mapper().counters().maps, 4);
    shared.verify(at(0)).unwrap();
}

#[test]
fn a_range_is_what_the_file_has_of_it() {
    let (windows, _nic) = windows();
    let shared = open(&file(100), &windows).unwrap();
    assert_eq!(shared.clamp(10..20), 10..20);
    assert_eq!(shared.clamp(90..u64::MAX), 90..100);
    assert_eq!(shared.clamp(200..300), 100..100);
}

#[test]
fn one_that_is_too_long_or_finds_no_room_is_refused_and_says_why() {
    let (windows, _nic) = windows();
    let error = open(&file(7 * PAGE), &windows).err().unwrap();
    assert!(matches!(error, NotShared::TooLong { .. }), "{error}");
    let _first = open(&file(5 * PAGE), &windows).unwrap();
    let error = open(&file(5 * PAGE), &windows).err().unwrap();
    assert!(matches!(error, NotShared::NotMapped { .. }), "{error}");
}

#[test]
fn without_a_lease_a_change_shows_when_the_response_was_acknowledged() {
    let (windows, _nic) = windows();
    let path = file(PAGE);
    let writer = File::options().write(true).open(&path).unwrap();
    let shared = open(&path, &windows).unwrap();
    assert!(matches!(shared.lease(), LeaseState::Refused(_)));
    shared.verify(at(0)).unwrap();
    writer.write_all_at(b"new", 0).unwrap();
    assert!(!shared.is_current());
    let error = shared.verify(at(1)).unwrap_err();
    assert!(matches!(error, SourceError::Changed { .. }), "{error}");
}

#[test]
fn a_writer_waits_for_the_lease_and_connections_are_given_up_after_the_grace() {
    let (windows, _nic) = windows();
    let path = file(PAGE);
    let shared = open(&path, &windows).unwrap();
    if let LeaseState::Refused(why) = shared.lease() {
        return println!("skipped: no lease on {}: {why}", path.display());
    }
    assert!(shared.is_current());
    let waiting = File::options()
        .write(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open(&path);
    assert!(waiting.is_err(), "a writer got in");
    assert!(!shared.is_current());
    shared.watch(at(0)).unwrap();
    shared.verify(at(100)).unwrap();
    let grace = LEASE_GRACE.total_millis() as i64;
    shared.watch(at(grace - 1)).unwrap();
    let error = shared.watch(at(grace + 20)).unwrap_err();
    assert!(matches!(error, SourceError::LeaseBroken { .. }), "{error}");
}
