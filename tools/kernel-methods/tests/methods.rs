//! Every method carries every byte to every receiver, over loopback, and tells what it took.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pagewire_kernel_methods::{Ends, Inspect, Measured, Method, MethodError, Receiver, Receiving, run};

/// A file of `len` bytes that no two places have alike.
fn file(len: usize) -> (File, Vec<u8>) {
    let contents: Vec<u8> = (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&contents).unwrap();
    (file, contents)
}

/// Runs over loopback; `None`, with the reason told, where this kernel lacks the method.
fn over_loopback(
    method: Method,
    receiver: Receiver,
    file: &File,
    len: u64,
    inspect: Option<&mut Inspect<'_>>,
) -> Option<Measured> {
    let (received, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let receiving = Receiving {
        receiver,
        len,
        inspect: inspect.map(|inspect| inspect as &mut Inspect<'_>),
        received: &received,
        stop: &stop,
    };
    let ends = Ends::loopback().unwrap();
    match run(method, ends, file, receiving) {
        Ok(measured) => {
            assert_eq!(received.load(Ordering::Relaxed), len);
            Some(measured)
        }
        Err(MethodError::NotAvailable { why }) => {
            println!("skipped: {}: {why}", method.name());
            None
        }
        Err(error) => panic!("{}: {error}", method.name()),
    }
}

#[test]
fn every_method_carries_every_byte() {
    for len in [1, 4096, 65_537, 3 << 20, (5 << 20) + 1234] {
        let (file, contents) = file(len);
        for method in Method::ALL {
            for receiver in [Receiver::Blocking, Receiver::Spinning] {
                let mut arrived = Vec::new();
                let mut keep = |bytes: &[u8]| arrived.extend_from_slice(bytes);
                if over_loopback(method, receiver, &file, len as u64, Some(&mut keep)).is_some() {
                    assert!(arrived == contents, "{} of {len} bytes", method.name());
                }
            }
            over_loopback(method, Receiver::Discard, &file, len as u64, None);
        }
    }
}

#[test]
fn copies_are_those_that_the_method_is_known_for() {
    let len = 8 << 20;
    let (file, _) = file(len as usize);
    let copies = |method, receiver| {
        over_loopback(method, receiver, &file, len, None)
            .map(|measured| (measured.sender_copied, measured.receiver.copied))
    };
    for (method, sender) in [
        (Method::ReadWrite64K, 2 * len),
        (Method::ReadWrite1M, 2 * len),
        (Method::MmapWrite, len),
        (Method::Sendfile, 0),
        (Method::Splice, 0),
        (Method::VmspliceGift, 0),
        (Method::UringSend, len),
    ] {
        for (receiver, received) in [(Receiver::Blocking, len), (Receiver::Discard, 0)] {
            if let Some(copied) = copies(method, receiver) {
                assert_eq!(copied, (sender, received), "{}", method.name());
            }
        }
    }
}

#[test]
fn over_loopback_the_kernel_reports_that_it_has_copied_after_all() {
    let len = 8 << 20;
    let (file, _) = file(len as usize);
    for method in [Method::MsgZerocopy, Method::UringSendZc] {
        if let Some(measured) = over_loopback(method, Receiver::Blocking, &file, len, None) {
            assert_eq!(measured.reported_copied, Some(len), "{}", method.name());
            assert_eq!(measured.sender_copied, len, "{}", method.name());
        }
    }
}

#[test]
fn calls_and_times_are_told() {
    let len = 8 << 20;
    let (file, _) = file(len as usize);
    let measured = over_loopback(Method::ReadWrite64K, Receiver::Blocking, &file, len, None).unwrap();
    assert!(
        measured.sender_system_calls >= 2 * len / (64 << 10),
        "{measured:?}"
    );
    assert!(
        measured.receiver.system_calls >= len / (256 << 10),
        "{measured:?}"
    );
    assert!(measured.elapsed > Duration::ZERO && measured.sender_cpu > Duration::ZERO);
    assert!(measured.total_cpu >= measured.sender_cpu, "{measured:?}");
    assert!(measured.in_flight <= len, "{measured:?}");
    assert_eq!(measured.own_buffers, 64 << 10);
}

#[test]
fn a_file_that_is_shorter_than_announced_ends_the_run_with_its_reason() {
    let (file, _) = file(3 << 20);
    for method in Method::ALL {
        let (received, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let ends = Ends::loopback().unwrap();
        let receiving = Receiving {
            receiver: Receiver::Blocking,
            len: 8 << 20,
            inspect: None,
            received: &received,
            stop: &stop,
        };
        match run(method, ends, &file, receiving) {
            Err(MethodError::Short { at }) => assert_eq!(at, 3 << 20, "{}", method.name()),
            Err(MethodError::NotAvailable { .. }) => {}
            other => panic!("{}: {other:?}", method.name()),
        }
    }
}

#[test]
fn a_raised_flag_ends_a_run_at_once() {
    let file = tempfile::tempfile().unwrap();
    let len = 1 << 40;
    file.set_len(len).unwrap();
    for method in Method::ALL {
        for receiver in Receiver::ALL {
            let (received, stop) = (AtomicU64::new(0), AtomicBool::new(false));
            let ends = Ends::loopback().unwrap();
            let result = std::thread::scope(|scope| {
                let receiving = Receiving {
                    receiver,
                    len,
                    inspect: None,
                    received: &received,
                    stop: &stop,
                };
                let file = &file;
                let running = scope.spawn(move || run(method, ends, file, receiving));
                std::thread::sleep(Duration::from_millis(20));
                stop.store(true, Ordering::Relaxed);
                let begin = Instant::now();
                let result = running.join().unwrap();
                assert!(begin.elapsed() < Duration::from_secs(5), "{}", method.name());
                result
            });
            match result {
                Err(MethodError::Interrupted) => {}
                other => panic!("{}: {other:?}", method.name()),
            }
        }
    }
}
