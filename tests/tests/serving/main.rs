//! Files over HTTP, from a server on one machine of a pair to clients on the other, by a clock that the test moves.

mod crowd;
mod site;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use pagewire::serve::Limits;
use pagewire_stack::{Duration, Failure, State};

use site::{Site, Visit, content, folder, head, head_len};

#[test]
fn a_file_arrives_as_it_is_with_nothing_of_it_copied() {
    let bytes = content(3_000_001, 1);
    let folder = folder(&[("big", &bytes), ("index.html", b"<p>"), ("empty", b"")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (head, body) = site.fetch("GET /big", "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(body == bytes, "other bytes arrived");
    assert_eq!(site.pair.near.stack.counters().payload_bytes_copied, 0);
    let (head, body) = site.fetch("GET /", "");
    assert!(
        head.contains("Content-Type: text/html\r\n") && body == b"<p>",
        "{head}"
    );
    let (head, body) = site.fetch("GET /empty", "");
    assert!(
        head.contains("Content-Length: 0\r\n") && body.is_empty(),
        "{head}"
    );
    let (head, body) = site.fetch("HEAD /big", "");
    assert!(
        head.contains("Content-Length: 3000001\r\n") && body.is_empty(),
        "{head}"
    );
    site.pair.finish();
}

#[test]
fn ranges_are_the_bytes_they_name_one_or_several() {
    let bytes = content(200_000, 2);
    let folder = folder(&[("a", &bytes)]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (head, body) = site.fetch("GET /a", "Range: bytes=70000-170000\r\n");
    assert!(
        head.starts_with("HTTP/1.1 206 ") && head.contains("bytes 70000-170000/200000"),
        "{head}"
    );
    assert!(body == bytes[70_000..=170_000]);
    let (head, body) = site.fetch("GET /a", "Range: bytes=0-99999,-100\r\n");
    let parts = String::from_utf8_lossy(&body)
        .matches("Content-Range: bytes")
        .count();
    assert!(head.starts_with("HTTP/1.1 206 ") && parts == 2, "{head}");
    let first = body
        .windows(100)
        .position(|run| run == &bytes[..100])
        .expect("the first part");
    assert!(body[first..first + 100_000] == bytes[..100_000]);
    assert!(
        body.windows(100).any(|run| run == &bytes[199_900..]),
        "the second part"
    );
}

#[test]
fn requests_that_were_sent_ahead_are_answered_in_their_order_in_whatever_pieces_they_come() {
    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    let bodies: Vec<Vec<u8>> = (0..20)
        .map(|number| content(1000 + 777 * number as usize, number))
        .collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip(bodies.iter().map(Vec::as_slice))
        .collect();
    let folder = folder(&files);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let requests: String = names
        .iter()
        .map(|name| format!("GET /{name} HTTP/1.1\r\nHost: h\r\n\r\n"))
        .collect();
    let mut visit = site.visit();
    for piece in requests.as_bytes().chunks(37) {
        site.say(&visit, std::str::from_utf8(piece).unwrap());
        site.round();
    }
    let total: usize = bodies.iter().map(Vec::len).sum();
    site.until(&mut visit, 60, |_, visit| {
        visit.arrived.len() > total && visit.arrived.ends_with(&bodies[19])
    });
    let mut rest = &visit.arrived[..];
    for body in &bodies {
        let end = head_len(rest).unwrap();
        assert!(head(rest).contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(rest[end..].starts_with(body));
        rest = &rest[end + body.len()..];
    }
    assert_eq!((site.served().connections, site.served().answers), (1, 20));
}

#[test]
fn folders_are_listed_redirected_to_and_never_left() {
    let folder = folder(&[("served/sub/x.txt", b"x"), ("secret", b"s")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(&folder.path().join("served"), Limits::default(), &never);
    let (head, _) = site.fetch("GET /sub?a=b", "");
    assert!(
        head.starts_with("HTTP/1.1 301 ") && head.contains("Location: /sub/?a=b\r\n"),
        "{head}"
    );
    let (_, body) = site.fetch("GET /sub/", "");
    assert!(String::from_utf8(body).unwrap().contains("href=\"./x.txt\""));
    for bad in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/sub/..%2f..%2fsecret",
    ] {
        let (head, _) = site.fetch(&format!("GET {bad}"), "");
        assert!(head.starts_with("HTTP/1.1 400 "), "{bad}: {head}");
    }
    let (head, _) = site.fetch("GET /nothing", "");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, _) = site.fetch("DELETE /sub/x.txt", "");
    assert!(
        head.starts_with("HTTP/1.1 405 ") && head.contains("Allow: GET, HEAD\r\n"),
        "{head}"
    );
}

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

#[test]
fn a_file_too_long_to_be_kept_mapped_is_sent_in_parts() {
    let folder = folder(&[]);
    let len = 3_u64 << 30;
    let mut file = File::create(folder.path().join("long")).unwrap();
    file.set_len(len).unwrap();
    file.write_all(b"first").unwrap();
    file.write_all_at(b"last", len - 4).unwrap();
    drop(file);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (head, body) = site.fetch("GET /long", "Range: bytes=-70004\r\n");
    assert!(head.contains(&format!("/{len}\r\n")), "{head}");
    assert!(body.len() == 70_004 && body.ends_with(b"last"));
    let (_, body) = site.fetch("GET /long", "Range: bytes=0-4,-4\r\n");
    let body = String::from_utf8(body).unwrap();
    assert!(
        body.contains("\r\n\r\nfirst\r\n--") && body.contains("\r\n\r\nlast\r\n--"),
        "{body}"
    );
}

#[test]
fn who_says_nothing_is_let_go_and_who_begins_and_does_not_end_is_told() {
    let folder = folder(&[("a", b"a")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (mut silent, mut slow) = (site.visit(), site.visit());
    site.say(&slow, "GET /a HTTP/1.1\r\nHost:");
    site.until(&mut slow, 15, |site, visit| site.is_drained(visit.id));
    assert!(head(&slow.arrived).starts_with("HTTP/1.1 408 "));
    assert!(!site.is_drained(silent.id));
    site.until(&mut silent, 60, |site, visit| site.is_drained(visit.id));
    assert!(silent.arrived.is_empty());
    site.run_for(10);
    assert_eq!(site.serving.clients(), 0);
}

#[test]
fn rfc9110_6_6_1_who_is_told_after_a_silence_has_the_date_of_the_answer() {
    let folder = folder(&[("a", b"a")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let mut slow = site.visit();
    site.say(&slow, "GET /a HTTP/1.1\r\nHost:");
    let (before, _) = site.fetch("GET /a", "");
    // All that happens to that connection has happened then.
    site.run_for(1);
    // Dates are in seconds of the system's clock.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    site.until(&mut slow, 15, |site, visit| site.is_drained(visit.id));
    assert_ne!(date(&head(&slow.arrived)), date(&before));
}

fn date(head: &str) -> &str {
    head.lines()
        .find(|line| line.starts_with("Date"))
        .expect("a date")
}

#[test]
fn who_takes_nothing_and_who_vanishes_are_let_go_and_nobody_else_notices() {
    let bytes = content(4 << 20, 6);
    let folder = folder(&[("a", &bytes)]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    // The neighbours know each other from here on.
    site.fetch("HEAD /a", "");
    let (slow, vanishing) = (site.visit(), site.visit());
    for visit in [&slow, &vanishing] {
        // Far more than is read: the rest of the requests waits in the window, not in memory.
        for _ in 0..50 {
            site.say(visit, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        }
    }
    site.run_for(1);
    assert!(
        site.served().answers < 5,
        "answers are promised that nobody takes"
    );
    site.pair.far.stack.abort(vanishing.id, Failure::Aborted);
    let (_, body) = site.fetch("GET /a", "");
    assert!(body == bytes);
    site.run_for(45);
    assert_eq!(site.serving.clients(), 0);
    assert_eq!(site.served().cut_short, 2);
}

#[test]
fn more_clients_than_there_may_be_wait_for_a_place() {
    let folder = folder(&[("a", b"a")]);
    let never = AtomicBool::new(false);
    let limits = Limits {
        clients: 3,
        ..Limits::default()
    };
    let mut site = Site::open(folder.path(), limits, &never);
    let visits: Vec<Visit> = (0..10).map(|_| site.visit()).collect();
    for visit in &visits {
        site.say(visit, "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    }
    for mut visit in visits {
        site.until(&mut visit, 60, |site, visit| site.is_drained(visit.id));
        assert!(visit.arrived.ends_with(b"\r\n\r\na"));
        site.pair.far.stack.finish(visit.id);
    }
    assert_eq!((site.served().connections, site.served().clients_peak), (10, 3));
}

#[test]
fn its_end_waits_for_answers_under_way_and_for_nothing_else() {
    let bytes = content(4 << 20, 7);
    let folder = folder(&[("a", &bytes)]);
    let drain = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &drain);
    // The neighbours know each other from here on.
    site.fetch("HEAD /a", "");
    let (mut busy, mut idle) = (site.visit(), site.visit());
    site.say(&busy, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    site.until(&mut busy, 60, |_, visit| visit.arrived.len() > 1000);
    drain.store(true, Ordering::Relaxed);
    site.until(&mut idle, 5, |site, visit| site.is_drained(visit.id));
    site.pair.far.stack.finish(idle.id);
    site.until(&mut busy, 5, |site, visit| site.is_drained(visit.id));
    assert!(busy.arrived.ends_with(&bytes[bytes.len() - 1000..]));
    site.pair.far.stack.finish(busy.id);
    let late = site.visit();
    site.run_for(1);
    assert!(site.done, "it goes on with nobody there");
    assert_ne!(
        site.pair.far.stack.status(late.id).map(|status| status.state),
        Some(State::Established)
    );
}

#[test]
fn an_answer_that_is_not_over_when_the_server_ends_is_counted_as_cut_short() {
    let folder = folder(&[("a", &content(4 << 20, 8))]);
    let drain = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &drain);
    let mut slow = site.visit();
    site.say(&slow, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    site.until(&mut slow, 60, |_, visit| visit.arrived.len() > 1000);
    drain.store(true, Ordering::Relaxed);
    let limit = site.pair.now + Duration::from_secs(12);
    while !site.done {
        assert!(site.pair.now < limit, "it waits for somebody who takes nothing");
        site.round();
    }
    assert_eq!(site.served().cut_short, 1);
}

#[test]
fn a_port_that_is_taken_is_told_and_who_has_it_goes_on() {
    let folder = folder(&[("a", b"a")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let refused = site
        .open_another(folder.path(), &never)
        .expect_err("the port is taken");
    assert!(refused.contains("port 80 is taken"), "{refused}");
    assert_eq!(site.fetch("GET /a", "").1, b"a");
}
