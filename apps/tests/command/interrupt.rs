//! Ctrl-C stops everything, leaves nothing, and exits with 130.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::driving::{Place, Running, pattern, sentence};

const SOON: Duration = Duration::from_secs(10);

#[track_caller]
fn ends_soon(running: Running, signal: Signal, code: i32) {
    let begin = Instant::now();
    running.signal(signal);
    let (status, stdout, stderr) = running.end();
    assert!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    assert_eq!(status.code(), Some(code), "{status}: {stderr}");
    assert_eq!(stdout, "");
    assert!(sentence(&stderr).contains("interrupted"), "{stderr}");
}

#[test]
fn a_transfer_of_a_terabyte_ends_at_once() {
    let place = Place::new();
    let file = place.sparse("file", 1 << 40);
    for mode in ["zero-copy", "copy"] {
        let mut running = Running::start([file.as_os_str(), "--mode".as_ref(), mode.as_ref()]);
        running.wait_for("sending");
        sleep(Duration::from_millis(300));
        ends_soon(running, Signal::INT, 130);
    }
}

#[test]
fn other_signals_that_ask_for_an_end_are_named_by_the_code() {
    let place = Place::new();
    let file = place.sparse("file", 1 << 40);
    let mut running = Running::start([&file]);
    running.wait_for("sending");
    ends_soon(running, Signal::TERM, 143);
}

#[test]
fn a_transfer_in_virtual_time_ends_too() {
    let place = Place::new();
    let file = place.sparse("file", 1 << 40);
    let mut running = Running::start([file.as_os_str(), "--virtual-time".as_ref()]);
    running.wait_for("sending");
    sleep(Duration::from_millis(300));
    ends_soon(running, Signal::INT, 130);
}

#[test]
fn an_output_that_was_half_written_is_gone() {
    let place = Place::new();
    let (file, output) = (place.file("file", &pattern(32 << 20)), place.at("out"));
    // Half of the frames are lost: it would take very long.
    let mut running = Running::start([
        file.as_os_str(),
        "--output".as_ref(),
        output.as_ref(),
        "--loss=0.5".as_ref(),
    ]);
    running.wait_for("sending");
    sleep(Duration::from_millis(300));
    ends_soon(running, Signal::INT, 130);
    assert_eq!(place.names(), ["file"]);
}

#[test]
fn a_fifo_that_nobody_reads_does_not_hold_it() {
    let place = Place::new();
    let (file, fifo) = (place.file("file", b"contents"), place.fifo("fifo"));
    let mut running = Running::start([file.as_os_str(), "--output".as_ref(), fifo.as_ref()]);
    running.wait_for("waiting for somebody to read");
    ends_soon(running, Signal::INT, 130);
}

#[test]
fn a_reader_that_has_stopped_reading_does_not_hold_it() {
    let place = Place::new();
    let (file, fifo) = (place.sparse("file", 1 << 30), place.fifo("fifo"));
    let mut running = Running::start([file.as_os_str(), "--output".as_ref(), fifo.as_ref()]);
    let _reader = std::fs::File::open(&fifo).unwrap();
    running.wait_for("sending");
    sleep(Duration::from_millis(300));
    ends_soon(running, Signal::INT, 130);
}
