//! The end of a server: answers under way have their time, and no more than that.

use std::sync::atomic::{AtomicBool, Ordering};

use pagewire::serve::Limits;
use pagewire_stack::{Duration, State};
use pagewire_tests::Setup;

use crate::site::{Site, content, folder};

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

/// What was sent meanwhile is lost with the cable, so the reset comes from further on in the stream than the client has got: it
/// asks (RFC 5961 §3.2), and only who is still there can answer.
#[test]
fn a_client_that_doubts_the_reset_of_its_connection_is_answered_before_the_server_ends() {
    let folder = folder(&[("a", &content(4 << 20, 9))]);
    let drain = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &drain);
    let mut busy = site.visit();
    site.say(&busy, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    site.until(&mut busy, 60, |_, visit| visit.arrived.len() > 1000);
    site.pair.unplug();
    drain.store(true, Ordering::Relaxed);
    let limit = site.pair.now + Duration::from_secs(10);
    while site.pair.now + Duration::from_millis(5) < limit {
        site.round();
        site.listen(&mut busy);
    }
    let (arrived, sent) = (busy.arrived.len(), site.pair.near.stack.counters().egress.packets);
    site.pair.plug_in(&Setup::default());
    while !site.done {
        assert!(site.pair.now < limit + Duration::from_secs(2), "it does not end");
        site.round();
        site.listen(&mut busy);
    }
    let sent = site.pair.near.stack.counters().egress.packets - sent;
    assert_eq!(
        (busy.arrived.len(), sent),
        (arrived, 2),
        "a reset, and one that was asked for"
    );
    let failure = site.failure(busy.id).expect("it has heard of the reset");
    assert!(failure.contains("reset"), "{failure}");
}
