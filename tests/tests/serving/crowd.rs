//! Clients among many others that are open and idle.

use std::sync::atomic::AtomicBool;

use pagewire::serve::Limits;

use crate::site::{Site, Visit, content, folder, head};

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// Opens a connection and has it answered once.
fn answered(site: &mut Site<'_>, body: &[u8]) -> Visit {
    let mut visit = site.visit();
    ask(site, &mut visit, body);
    visit
}

fn ask(site: &mut Site<'_>, visit: &mut Visit, body: &[u8]) {
    visit.arrived.clear();
    site.say(visit, REQUEST);
    site.until(visit, 10, |_, visit| visit.arrived.ends_with(body));
    assert!(head(&visit.arrived).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn two_thousand_that_are_idle_cost_a_server_nothing_while_it_answers_twenty() {
    const IDLE: u64 = 2_000;
    const ACTIVE: u64 = 20;
    const SECONDS: u64 = 10;
    let body = content(1024, 8);
    let folder = folder(&[("a", &body)]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let idle: Vec<Visit> = (0..IDLE).map(|_| answered(&mut site, &body)).collect();
    let mut active: Vec<Visit> = (0..ACTIVE).map(|_| answered(&mut site, &body)).collect();
    // By now it has seen of each that it rests.
    site.run_for(3);
    let looks = site.serving.looks();
    let packets = site.pair.near.stack.counters().egress.packets;
    for _ in 0..SECONDS {
        for visit in &mut active {
            ask(&mut site, visit, &body);
        }
        site.run_for(1);
    }
    let requests = ACTIVE * SECONDS;
    assert_eq!(site.served().answers, IDLE + ACTIVE + requests);
    let looks = site.serving.looks() - looks;
    assert!(
        looks <= 2 * requests,
        "{looks} looks at clients for {requests} requests"
    );
    let packets = site.pair.near.stack.counters().egress.packets - packets;
    assert!(
        packets <= 3 * requests,
        "{packets} packets for {requests} requests"
    );
    // They are still there, and let go when their time has come.
    assert_eq!(site.serving.clients() as u64, IDLE + ACTIVE);
    site.run_for(70);
    assert_eq!(site.serving.clients(), 0);
    for visit in idle.iter().chain(&active) {
        assert!(site.is_drained(visit.id));
    }
}

#[test]
fn who_sends_a_byte_of_a_request_now_and_then_is_told_too() {
    let folder = folder(&[("a", b"a")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let mut slow = site.visit();
    for _ in 0..30 {
        site.say(&slow, "G");
        let end = site.pair.now + pagewire_stack::Duration::from_millis(500);
        while site.pair.now < end {
            site.round();
        }
        site.listen(&mut slow);
    }
    assert!(head(&slow.arrived).starts_with("HTTP/1.1 408 "));
}
