//! Files that somebody else renames, writes or cuts short, between requests and under way.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use pagewire::serve::Limits;

use crate::site::{Site, content, folder, head_len};

#[test]
fn what_stands_under_a_name_is_what_is_sent_a_second_later_at_most() {
    let folder = folder(&[("a", b"old"), ("b", b"new")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (old_head, body) = site.fetch("GET /a", "");
    assert_eq!(body, b"old");
    fs::rename(folder.path().join("b"), folder.path().join("a")).unwrap();
    site.run_for(1);
    let (head, body) = site.fetch("GET /a", "");
    assert_eq!(body, b"new");
    assert_ne!(tag(&head), tag(&old_head));
    fs::remove_file(folder.path().join("a")).unwrap();
    site.run_for(1);
    assert!(site.fetch("GET /a", "").0.starts_with("HTTP/1.1 404 "));
}

fn tag(head: &str) -> &str {
    head.lines().find(|line| line.starts_with("ETag")).expect("a tag")
}

#[test]
fn a_file_that_somebody_writes_ends_in_its_old_bytes_or_in_a_reset_and_then_comes_new() {
    let (old, new) = (content(8 << 20, 3), content(8 << 20, 4));
    let folder = folder(&[("a", &old)]);
    let path = folder.path().join("a");
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let mut visit = site.visit();
    site.say(&visit, "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    site.until(&mut visit, 60, |_, visit| visit.arrived.len() > 1 << 20);
    let written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Waits for the lease, where there is one.
            let file = File::options().write(true).open(&path).unwrap();
            file.write_all_at(&new, 0).unwrap();
            drop(file);
            written.store(true, Ordering::Release);
        });
        site.until(&mut visit, 600, |site, visit| {
            site.is_drained(visit.id) || site.failure(visit.id).is_some()
        });
        // What has been let go by the server's next look around.
        while !written.load(Ordering::Acquire) {
            site.run_for(1);
        }
    });
    let end = head_len(&visit.arrived).unwrap();
    if site.is_drained(visit.id) {
        assert!(visit.arrived[end..] == old, "bytes of two files arrived as one");
    }
    site.run_for(2);
    assert!(site.fetch("GET /a", "").1 == new);
}

#[test]
fn a_file_that_is_cut_short_while_it_is_sent_is_reset_and_never_padded() {
    let bytes = content(8 << 20, 5);
    let folder = folder(&[("a", &bytes)]);
    let path = folder.path().join("a");
    // Who holds it open for writing already is not held off by a lease.
    let writer = File::options().write(true).open(&path).unwrap();
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let mut visit = site.visit();
    site.say(&visit, "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    site.until(&mut visit, 60, |_, visit| visit.arrived.len() > 1 << 20);
    writer.set_len(100).unwrap();
    site.until(&mut visit, 60, |site, visit| {
        site.failure(visit.id).is_some() || site.is_drained(visit.id)
    });
    assert!(!site.is_drained(visit.id), "a regular end of what was not sent");
    let end = head_len(&visit.arrived).unwrap();
    assert!(
        bytes.starts_with(&visit.arrived[end..]),
        "bytes arrived that are not the file's"
    );
    site.run_for(2);
    assert_eq!(site.fetch("GET /a", "").1, &bytes[..100]);
    assert_eq!(site.served().cut_short, 1);
}

#[test]
fn the_last_byte_of_a_file_that_changed_while_it_was_sent_never_arrives() {
    let bytes = content(8 << 20, 6);
    let folder = folder(&[("a", &bytes)]);
    // Who holds it open for writing already is not held off by a lease.
    let writer = File::options().write(true).open(folder.path().join("a")).unwrap();
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let mut visit = site.visit();
    // On a connection that stays nothing but its length tells the client that it has all of the file.
    site.say(&visit, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    site.until(&mut visit, 60, |_, visit| visit.arrived.len() > 1 << 20);
    writer.write_all_at(b"new", bytes.len() as u64 / 2).unwrap();
    let all = head_len(&visit.arrived).unwrap() + bytes.len();
    site.until(&mut visit, 60, |site, visit| {
        site.failure(visit.id).is_some() || visit.arrived.len() == all
    });
    assert!(
        visit.arrived.len() < all,
        "bytes of two states of a file arrived as one"
    );
}
