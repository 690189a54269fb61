//! What a live machine says when it cannot go on, and that it leaves nothing behind.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use pagewire::live::LiveError;
use pagewire::transfer::Sink;
use pagewire_emu::Model;
use pagewire_emu::cable::Impairments;

use crate::bench::{Bench, Kept, PORT, Watcher, file, guarded, receive, send, wait_until};

#[test]
fn a_port_where_nobody_listens_is_named_as_a_refusal() {
    let bench = Bench::new(Model::Ixgbe, Impairments::none());
    let (sender, receiver) = (Watcher::default(), Watcher::default());
    let (file, _) = file(1000);
    guarded(&[&sender, &receiver], || {
        thread::scope(|scope| {
            // The machine is there, the listener is not.
            scope.spawn(|| receive(&bench, PORT + 1, &mut Kept::default(), &receiver));
            let error = send(&bench, file, 1000, 2, &sender).unwrap_err();
            assert!(matches!(error, LiveError::Refused { .. }), "{error}");
            receiver.stop.store(true, Ordering::Relaxed);
        });
    });
    bench.assert_clean();
}

#[test]
fn without_a_cable_there_is_no_link_and_it_is_said() {
    let bench = Bench::new(Model::E1000, Impairments::none());
    bench.unplug();
    let (file, _) = file(1);
    let error = send(&bench, file, 1, 2, &Watcher::default()).unwrap_err();
    assert!(matches!(error, LiveError::NoLink { .. }), "{error}");
    assert!(error.to_string().contains("cable"), "{error}");
}

/// 64 MiB are under way when `happens` does, and then the sender is stopped: it says so within a second, and within another the
/// receiver says that it heard a reset, with no stop of its own.
fn stop_the_sender_after(bench: &Bench, happens: impl FnOnce()) {
    let (file, _) = file(64 << 20);
    let (sender, receiver) = (Watcher::default(), Watcher::default());
    guarded(&[&sender, &receiver], || {
        thread::scope(|scope| {
            let receiving = scope.spawn(|| receive(bench, PORT, &mut Kept::default(), &receiver));
            let sending = scope.spawn(|| send(bench, file, 64 << 20, 2, &sender));
            wait_until("some bytes are there", || {
                receiver.progress.load(Ordering::Relaxed) > 1 << 16
            });
            happens();
            let raised = Instant::now();
            sender.stop.store(true, Ordering::Relaxed);
            assert!(matches!(sending.join().unwrap(), Err(LiveError::Interrupted)));
            assert!(raised.elapsed() < Duration::from_secs(1));
            let stopped = Instant::now();
            let error = receiving.join().unwrap().unwrap_err();
            assert!(matches!(error, LiveError::Reset { .. }), "{error}");
            assert!(stopped.elapsed() < Duration::from_secs(1));
        });
    });
}

#[test]
fn a_raised_flag_ends_both_ends_at_once_and_the_nics_can_be_used_again() {
    let bench = Bench::new(
        Model::E1000,
        Impairments {
            latency: Duration::from_millis(1),
            ..Impairments::none()
        },
    );
    for _ in 0..2 {
        stop_the_sender_after(&bench, || {});
    }
    bench.assert_clean();
}

/// What was under way is lost with the cable, so the reset comes from further on in the stream than the peer has got: it asks
/// (RFC 5961 §3.2), and only who is still there can answer.
#[test]
fn a_sender_that_is_stopped_answers_a_peer_that_doubts_its_reset() {
    let bench = Bench::new(Model::Ixgbe, Impairments::none());
    stop_the_sender_after(&bench, || {
        bench.unplug();
        thread::sleep(Duration::from_millis(20));
        bench.plug();
    });
    bench.assert_clean();
}

#[test]
fn a_sink_that_fails_ends_the_receiver_and_resets_the_sender() {
    struct Full;
    impl Sink for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let bench = Bench::new(Model::Ixgbe, Impairments::none());
    let (file, _) = file(8 << 20);
    let (sender, receiver) = (Watcher::default(), Watcher::default());
    guarded(&[&sender, &receiver], || {
        thread::scope(|scope| {
            let receiving = scope.spawn(|| receive(&bench, PORT, &mut Full, &receiver));
            let sent = send(&bench, file, 8 << 20, 2, &sender);
            assert!(matches!(sent, Err(LiveError::Reset { .. })), "{sent:?}");
            assert!(matches!(receiving.join().unwrap(), Err(LiveError::Sink(_))));
        });
    });
    bench.assert_clean();
}

#[test]
fn a_nic_that_the_system_wants_back_is_given_back_within_a_second() {
    let bench = Bench::new(Model::E1000e, Impairments::none());
    let receiver = Watcher::default();
    guarded(&[&receiver], || {
        thread::scope(|scope| {
            let receiving = scope.spawn(|| receive(&bench, PORT, &mut Kept::default(), &receiver));
            wait_until("the machine is up", || receiver.board.lock().unwrap().is_some());
            receiver.wanted_back.store(true, Ordering::Relaxed);
            let since = Instant::now();
            let error = receiving.join().unwrap().unwrap_err();
            assert!(matches!(error, LiveError::Removed { .. }), "{error}");
            assert!(since.elapsed() < Duration::from_secs(1));
        });
    });
    bench.assert_clean();
}
