//! A live machine asks another for an echo, and is asked itself, whatever it does besides.

use std::sync::atomic::Ordering;
use std::thread;

use pagewire::live::{LiveError, Pinging};
use pagewire_emu::Model;
use pagewire_emu::cable::Impairments;

use crate::bench::{Bench, Kept, PORT, Watcher, address, guarded, receive, run_near};

/// Pings 10.0.0.`to` from the near machine; returns how many replies came.
fn ping(bench: &Bench, to: u8, count: u16, watcher: &Watcher) -> Result<u16, LiveError> {
    let mut heard = 0;
    let mut replied = |_: &_| heard += 1;
    let mut pinging = Pinging::new(address(to), count, 56, &mut replied);
    run_near(bench, &mut pinging, watcher)?;
    let received = pinging.received();
    assert_eq!(received, heard);
    Ok(received)
}

#[test]
fn a_machine_that_waits_for_a_file_answers_echo_requests() {
    for model in [Model::E1000, Model::E1000e, Model::Ixgbe] {
        let bench = Bench::new(model, Impairments::none());
        let (asker, receiver) = (Watcher::default(), Watcher::default());
        guarded(&[&asker, &receiver], || {
            thread::scope(|scope| {
                scope.spawn(|| receive(&bench, PORT, &mut Kept::default(), &receiver));
                // The first may find nobody yet: the far machine is still coming up.
                assert!(ping(&bench, 2, 3, &asker).unwrap() >= 2);
                receiver.stop.store(true, Ordering::Relaxed);
            });
        });
        bench.assert_clean();
    }
}

#[test]
fn nobody_answers_for_an_address_that_is_nobodys() {
    let bench = Bench::new(Model::Ixgbe, Impairments::none());
    assert_eq!(ping(&bench, 77, 1, &Watcher::default()).unwrap(), 0);
    bench.assert_clean();
}
