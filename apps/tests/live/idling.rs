//! A machine that has nothing to do costs next to nothing, and is awake when something comes.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use pagewire::live::{LiveError, Settings, Waiting};
use pagewire_cost::thread_time;
use pagewire_emu::Model;
use pagewire_emu::cable::Impairments;

use crate::bench::{Bench, Kept, PORT, Watcher, guarded, receive_as, settings, wait_until};
#[test]
fn a_machine_that_waits_for_a_peer_takes_less_than_a_fiftieth_of_a_core() {
    for waiting in [Waiting::Interrupts, Waiting::Naps] {
        let bench = Bench::new(Model::Ixgbe, Impairments::none());
        let receiver = Watcher::default();
        let settings = Settings {
            waiting,
            ..settings(2)
        };
        let cpu = guarded(&[&receiver], || {
            thread::scope(|scope| {
                let receiving = scope.spawn(|| {
                    let ended = receive_as(&bench, &settings, PORT, &mut Kept::default(), &receiver);
                    assert!(matches!(ended, Err(LiveError::Interrupted)), "{ended:?}");
                    thread_time()
                });
                // Its counters are on the board when it is up.
                wait_until("the machine is up", || receiver.board.lock().unwrap().is_some());
                thread::sleep(Duration::from_secs(2));
                receiver.stop.store(true, Ordering::Relaxed);
                receiving.join().unwrap()
            })
        });
        // Two hundredths of two seconds, and as much again for coming up and going down.
        assert!(cpu < Duration::from_millis(80), "{waiting:?}: {cpu:?}");
    }
}
