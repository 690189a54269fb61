//! Clients beyond what they may do: silent, slow, gone, or too many.

use std::sync::atomic::AtomicBool;

use pagewire::serve::Limits;
use pagewire_stack::Failure;

use crate::site::{Site, Visit, content, folder, head};

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
