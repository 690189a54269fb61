//! Another process cuts, lengthens or overwrites the file while it is sent.
//!
//! The output is a FIFO that the test reads: as long as it does not, the receiver's window is closed and the sender
//! waits. So each change happens when some of the file has arrived and most of it has not been sent.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;

use crate::driving::{Place, Running, pattern, sentence};

const LENGTH: usize = 64 << 20;
const FIRST: usize = 1 << 20;

/// Every way to send, under real time and on the simulated clock.
const WAYS: [&[&str]; 5] = [
    &["--mode=zero-copy"],
    &["--mode=copy"],
    &["--nic=e1000", "--tso=off"],
    &["--sanitizer=full"],
    &["--virtual-time"],
];

/// How it ended, what it said, and what arrived.
struct End {
    code: Option<i32>,
    stderr: String,
    arrived: Vec<u8>,
}

/// Starts a transfer, lets some of it arrive, changes the file, and lets the rest arrive.
///
/// `holds_open` opens the file for writing before the transfer begins, so that the kernel grants it no read lease and
/// the change happens at once. Otherwise the writer waits for the lease, and the change happens when it is given back.
fn send_and_change(
    place: &Place,
    contents: &[u8],
    way: &[&str],
    holds_open: bool,
    change: impl Fn(&File) + Send + Sync,
) -> End {
    let file = place.file("file", contents);
    let fifo = place.at("fifo");
    let _ = fs::remove_file(&fifo);
    place.fifo("fifo");
    let open = || OpenOptions::new().write(true).open(&file).unwrap();
    let early = holds_open.then(open);
    let words = [file.as_os_str(), "--output".as_ref(), fifo.as_os_str()];
    let running = Running::start(words.into_iter().chain(way.iter().map(AsRef::as_ref)));
    let mut reader = File::open(&fifo).unwrap();
    let mut arrived = vec![0; FIRST];
    reader.read_exact(&mut arrived).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| match &early {
            Some(early) => change(early),
            None => change(&open()),
        });
        if holds_open {
            writer.join().unwrap();
        }
        reader.read_to_end(&mut arrived).unwrap();
    });
    let (status, _, stderr) = running.end();
    assert!(status.code().is_some(), "{way:?}: it was killed: {status}");
    End {
        code: status.code(),
        stderr,
        arrived,
    }
}

fn write_at(file: &File, bytes: &[u8], offset: usize) {
    file.write_all_at(bytes, offset as u64).unwrap();
}

/// It failed, and named who did what.
#[track_caller]
fn failed_because(end: &End, way: &[&str], cause: &str) {
    assert_eq!(end.code, Some(1), "{way:?}: {}", end.stderr);
    let told = sentence(&end.stderr);
    assert!(told.contains(cause), "{way:?}: {told}");
}

#[test]
fn a_writer_waits_until_a_file_under_lease_has_arrived_as_it_was() {
    let (place, contents) = (Place::new(), pattern(LENGTH));
    for way in WAYS {
        let end = send_and_change(&place, &contents, way, false, |file| file.set_len(0).unwrap());
        assert_eq!(end.code, Some(0), "{way:?}: {}", end.stderr);
        assert!(end.arrived == contents, "{way:?}");
    }
}

#[test]
fn a_file_that_is_cut_ends_in_a_reset_with_its_cause_and_never_in_padding() {
    let (place, contents) = (Place::new(), pattern(LENGTH));
    for way in WAYS {
        for length in [LENGTH as u64 / 2, 0] {
            let end = send_and_change(&place, &contents, way, true, |file| file.set_len(length).unwrap());
            assert!(
                contents.starts_with(&end.arrived),
                "{way:?}: something else than the file arrived"
            );
            failed_because(&end, way, "another process cut it from 67108864");
        }
    }
}

#[test]
fn a_file_that_grows_ends_in_the_declared_bytes_or_in_a_reset_with_its_cause() {
    let (place, contents) = (Place::new(), pattern(LENGTH));
    for way in WAYS {
        let end = send_and_change(&place, &contents, way, true, |file| {
            write_at(file, b"more", LENGTH)
        });
        assert!(contents.starts_with(&end.arrived), "{way:?}");
        if end.code == Some(0) {
            assert_eq!(end.arrived.len(), LENGTH, "{way:?}");
            assert!(
                end.stderr.contains("the bytes declared at the start arrived"),
                "{way:?}: {}",
                end.stderr
            );
        } else {
            failed_because(&end, way, "another process");
        }
    }
}

#[test]
fn bytes_that_are_overwritten_after_they_were_sent_are_noticed() {
    let (place, contents) = (Place::new(), pattern(LENGTH));
    for way in WAYS {
        let end = send_and_change(&place, &contents, way, true, |file| {
            write_at(file, b"overwritten", 0)
        });
        failed_because(&end, way, "another process wrote to it");
        assert!(contents.starts_with(&end.arrived), "{way:?}");
    }
}

#[test]
fn bytes_that_are_overwritten_before_they_are_sent_arrive_as_they_are_now_or_are_noticed() {
    let (place, before) = (Place::new(), pattern(LENGTH));
    let late = LENGTH - 100;
    let mut now = before.clone();
    now[late..late + 4].copy_from_slice(b"late");
    for way in WAYS {
        let end = send_and_change(&place, &before, way, true, |file| write_at(file, b"late", late));
        if end.code == Some(0) {
            assert!(end.arrived == now, "{way:?}");
        } else {
            assert!(
                now.starts_with(&end.arrived) || before.starts_with(&end.arrived),
                "{way:?}"
            );
            failed_because(&end, way, "another process wrote to it");
        }
    }
}

#[test]
fn a_file_that_is_deleted_or_replaced_arrives_as_it_was_opened() {
    let (place, contents) = (Place::new(), pattern(LENGTH));
    for way in WAYS {
        let file = place.at("file");
        let end = send_and_change(&place, &contents, way, true, |_| fs::remove_file(&file).unwrap());
        assert_eq!(end.code, Some(0), "{way:?}: {}", end.stderr);
        assert!(end.arrived == contents, "{way:?}");
        let end = send_and_change(&place, &contents, way, true, |_| {
            fs::rename(place.file("new", b"another file"), &file).unwrap();
        });
        assert_eq!(end.code, Some(0), "{way:?}: {}", end.stderr);
        assert!(end.arrived == contents, "{way:?}");
    }
}
