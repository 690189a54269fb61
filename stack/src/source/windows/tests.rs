//! Windows over the emulated IOMMU, which never hands an address out twice: an address is a mapping.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use pagewire_bus::{Function, Iova};
use pagewire_emu::{EmulatedNic, Model, Options};
use proptest::prelude::*;

use super::*;

/// A page of the machines that run this.
const PAGE: u64 = 4096;

const LIMITS: WindowLimits = WindowLimits {
    bytes: 8 * PAGE,
    kept_bytes: 6 * PAGE,
    windows: 100,
};

/// Windows of a page under `limits`, over an IOMMU of `max_mappings`.
fn windows(limits: WindowLimits, max_mappings: usize) -> (Windows, EmulatedNic) {
    let nic = EmulatedNic::new(&Options {
        max_mappings,
        ..Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1])
    });
    (Windows::new(nic.mapper(), limits, Arc::default()), nic)
}

fn file(pages: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(pages * PAGE).unwrap();
    file
}

/// The file as it is, old enough to be shared.
fn version(file: &File) -> Version {
    Version {
        fingerprint: Fingerprint::of(file).unwrap(),
        owner: 0,
    }
}

/// Lets the file system's clock tick.
fn let_it_settle() {
    std::thread::sleep(Duration::from_millis(30));
}

#[test]
fn a_window_that_nobody_uses_any_more_is_found_again() {
    let (windows, _nic) = windows(LIMITS, 100);
    let file = file(2);
    let first = windows.get(&file, &version(&file), 1).unwrap().iova();
    assert_eq!(windows.get(&file, &version(&file), 1).unwrap().iova(), first);
    let told = WindowCounters {
        maps: 1,
        hits: 1,
        windows: 1,
        bytes: PAGE,
        bytes_peak: PAGE,
        ..WindowCounters::default()
    };
    assert_eq!(windows.counters(), told);
}

#[test]
fn what_was_used_longest_ago_goes_first_and_what_is_in_use_stays() {
    let (windows, nic) = windows(LIMITS, 100);
    let (file, version) = (file(10), |file: &File| version(file));
    let get = |index| windows.get(&file, &version(&file), index).unwrap();
    let held = get(0);
    for index in 1..6 {
        get(index);
    }
    get(1);
    // Six pages are kept; the oldest that is free is window 2.
    get(6);
    assert_eq!(windows.counters().unmaps, 1);
    let hits = windows.counters().hits;
    get(1);
    assert_eq!(get(0).iova(), held.iova());
    assert_eq!(windows.counters().hits, hits + 2);
    get(2);
    assert_eq!(windows.counters().maps, 8);
    assert_eq!(nic.mapper().counters().pinned_bytes, windows.counters().bytes);
}

#[test]
fn windows_in_use_are_beyond_what_is_kept_and_never_beyond_the_limit() {
    let (windows, _nic) = windows(LIMITS, 100);
    let (file, other) = (file(9), file(1));
    let mut held: Vec<_> = (0..8)
        .map(|index| windows.get(&file, &version(&file), index).unwrap())
        .collect();
    let refusal = windows.get(&other, &version(&other), 0).unwrap_err();
    assert!(refusal.lacks_room(), "{refusal}");
    assert!(
        refusal
            .to_string()
            .contains("32768 bytes of files are mapped and in use")
    );
    assert_eq!(windows.counters().unmaps, 0);
    held.pop();
    windows.get(&other, &version(&other), 0).unwrap();
    assert_eq!(windows.counters().bytes_peak, LIMITS.bytes);
}

#[test]
fn there_are_never_more_windows_than_mappings_to_be_had() {
    let few = WindowLimits { windows: 2, ..LIMITS };
    let (windows, _nic) = windows(few, 100);
    let file = file(3);
    let held: Vec<_> = (0..2)
        .map(|index| windows.get(&file, &version(&file), index).unwrap())
        .collect();
    assert!(windows.get(&file, &version(&file), 2).unwrap_err().lacks_room());
    drop(held);
    windows.get(&file, &version(&file), 2).unwrap();
    assert_eq!(windows.counters().windows, 2);
}

#[test]
fn when_the_mapper_refuses_for_lack_of_room_windows_that_nobody_uses_make_some() {
    let (windows, nic) = windows(LIMITS, 2);
    let file = file(4);
    let get = |index| windows.get(&file, &version(&file), index);
    get(0).unwrap();
    let held = [get(1).unwrap(), get(2).unwrap()];
    let refusal = get(3).unwrap_err();
    assert!(
        refusal.lacks_room() && matches!(refusal, Refusal::Dma(_)),
        "{refusal}"
    );
    drop(held);
    get(3).unwrap();
    assert_eq!(nic.mapper().counters().mappings, 2);
}

#[test]
fn a_file_that_cannot_be_mapped_costs_no_other_its_windows() {
    let (windows, _nic) = windows(LIMITS, 100);
    let (file, unreadable) = (file(1), tempfile::NamedTempFile::new().unwrap());
    unreadable.as_file().set_len(PAGE).unwrap();
    let unreadable = File::options().write(true).open(unreadable.path()).unwrap();
    windows.get(&file, &version(&file), 0).unwrap();
    let refusal = windows.get(&unreadable, &version(&unreadable), 0).unwrap_err();
    assert!(!refusal.lacks_room(), "{refusal}");
    assert_eq!(windows.counters().unmaps, 0);
}

#[test]
fn a_file_that_was_cut_and_written_again_is_not_found_in_its_old_windows() {
    let (windows, _nic) = windows(LIMITS, 100);
    let file = file(2);
    let_it_settle();
    let before = windows.declare(&file).unwrap();
    assert!(before.is_shared());
    let old = windows.get(&file, &before, 0).unwrap();
    windows.get(&file, &before, 1).unwrap();
    file.set_len(0).unwrap();
    file.set_len(2 * PAGE).unwrap();
    let_it_settle();
    let after = windows.declare(&file).unwrap();
    assert_eq!(windows.counters().unmaps, 1, "the one that nobody uses");
    let new = windows.get(&file, &after, 0).unwrap();
    assert_ne!(new.iova(), old.iova());
    drop(old);
    windows.declare(&file).unwrap();
    assert_eq!(windows.counters().windows, 1);
}

#[test]
fn a_file_that_was_written_a_moment_ago_shares_no_window() {
    let (windows, _nic) = windows(LIMITS, 100);
    let file = file(1);
    file.write_all_at(b"a moment ago", 0).unwrap();
    let (one, two) = (windows.declare(&file).unwrap(), windows.declare(&file).unwrap());
    // A slow machine may have taken longer than a tick.
    if one.is_shared() || two.is_shared() {
        return println!("skipped: the file is old already");
    }
    let window = windows.get(&file, &one, 0).unwrap();
    assert_eq!(windows.get(&file, &one, 0).unwrap().iova(), window.iova());
    assert_ne!(windows.get(&file, &two, 0).unwrap().iova(), window.iova());
}

#[test]
fn a_window_that_is_let_go_goes_when_its_last_user_does() {
    let (windows, _nic) = windows(LIMITS, 100);
    let file = file(3);
    let get = |index| windows.get(&file, &version(&file), index).unwrap();
    let held = get(0);
    get(1);
    windows.let_go(&version(&file), 0);
    windows.let_go(&version(&file), 1);
    assert_eq!(windows.counters().windows, 1);
    drop(held);
    get(2);
    assert_eq!(windows.counters().windows, 1);
    windows.let_go_all(&version(&file));
    assert_eq!((windows.counters().windows, windows.counters().bytes), (0, 0));
}

/// What the sources of a stack may do in turn.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// One asks for a window, and holds it.
    Get { file: usize, index: u64 },
    /// One lets the window go that it has held for longest.
    Drop { place: usize },
    /// One that sends a long file says that a window need not be kept.
    LetGo { file: usize, index: u64 },
    /// One is over, and its windows are of no use to others.
    End { file: usize },
    /// A file changes, and is declared anew.
    Change { file: usize },
    /// Memory is needed to copy into.
    Yield { pages: u64 },
}

const PAGES: u64 = 6;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_usize, 0..PAGES).prop_map(|(file, index)| Step::Get { file, index }),
        4 => (0..8_usize).prop_map(|place| Step::Drop { place }),
        1 => (0..3_usize, 0..PAGES).prop_map(|(file, index)| Step::LetGo { file, index }),
        1 => (0..3_usize).prop_map(|file| Step::End { file }),
        1 => (0..3_usize).prop_map(|file| Step::Change { file }),
        1 => (1..4_u64).prop_map(|pages| Step::Yield { pages }),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_sources_do_the_limits_hold_and_nothing_in_use_is_unmapped_and_nothing_stale_is_found(
        steps in steps(),
        max_mappings in 3..12_usize,
    ) {
        let (windows, nic) = windows(LIMITS, max_mappings);
        let files: Vec<(File, Fingerprint)> = (0..3)
            .map(|_| {
                let file = file(PAGES);
                let fingerprint = Fingerprint::of(&file).unwrap();
                (file, fingerprint)
            })
            .collect();
        let mut changes = [0; 3];
        let mut held = Vec::new();
        let mut mapped_for: HashMap<Iova, (usize, i64, u64)> = HashMap::new();
        for step in steps {
            let version = |file: usize| Version {
                fingerprint: files[file].1.changed(changes[file]),
                owner: 0,
            };
            match step {
                Step::Get { file, index } => match windows.get(&files[file].0, &version(file), index) {
                    Ok(region) => {
                        let what = (file, changes[file], index);
                        let before = *mapped_for.entry(region.iova()).or_insert(what);
                        prop_assert_eq!(before, what, "a window serves what it was mapped for");
                        held.push(region);
                    }
                    Err(refusal) => {
                        prop_assert!(refusal.lacks_room());
                        prop_assert!(!windows.yield_room(1), "refused with a window that nobody uses");
                    }
                },
                Step::Drop { place } => {
                    if place < held.len() {
                        held.remove(place);
                    }
                }
                Step::LetGo { file, index } => windows.let_go(&version(file), index),
                Step::End { file } => windows.let_go_all(&version(file)),
                Step::Change { file } => {
                    changes[file] += 1;
                    let now = files[file].1.changed(changes[file]);
                    windows.shared.cache.lock().evict_outdated(&now);
                }
                Step::Yield { pages } => {
                    windows.yield_room(pages * PAGE);
                }
            }
            let (counters, mapper) = (windows.counters(), nic.mapper().counters());
            prop_assert!(counters.bytes <= LIMITS.bytes && counters.windows <= LIMITS.windows);
            prop_assert_eq!(counters.bytes, mapper.pinned_bytes);
            prop_assert_eq!(counters.windows, mapper.mappings);
            prop_assert_eq!((counters.maps, counters.unmaps), (mapper.maps, mapper.unmaps));
            for region in &held {
                prop_assert!(Arc::strong_count(region) > 1, "a window in use is no longer known");
            }
        }
        held.clear();
        windows.yield_room(u64::MAX);
        prop_assert_eq!(nic.mapper().counters().mappings, 0);
    }
}
