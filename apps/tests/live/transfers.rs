//! Files from one live machine to the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use pagewire::live::{self, Application, Counters, LiveError, Notice, Observer, Outcome, Sending, Turn};
use pagewire::transfer::Mode;
use pagewire_cost::thread_time;
use pagewire_emu::Model;
use pagewire_emu::cable::Impairments;
use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::{Instant as StackInstant, IpCidr, IpEndpoint, Stack, VlanId};

use crate::bench::{
    Bench, Kept, PORT, Watcher, address, address_v6, file, guarded, receive, receive_as, run_near, send,
    settings, wait_until,
};

/// Sends `len` bytes over the bench, with `meanwhile` going on; both ends end well and what arrives is what was sent.
fn transfer(bench: &Bench, len: usize, meanwhile: impl FnOnce(&Watcher, &Watcher)) -> (Outcome, Outcome) {
    let (file, contents) = file(len);
    let (sender, receiver) = (Watcher::default(), Watcher::default());
    let mut kept = Kept::default();
    let outcomes = guarded(&[&sender, &receiver], || {
        thread::scope(|scope| {
            let receiving = scope.spawn(|| receive(bench, PORT, &mut kept, &receiver));
            let sending = scope.spawn(|| send(bench, file, len, 2, &sender));
            meanwhile(&sender, &receiver);
            let sent = sending.join().unwrap().expect("the sender ends well");
            (sent, receiving.join().unwrap().expect("the receiver ends well"))
        })
    });
    assert!(kept.0 == contents, "what arrived is not what was sent");
    assert_eq!(sender.progress.load(Ordering::Relaxed), len as u64);
    assert_eq!(receiver.progress.load(Ordering::Relaxed), len as u64);
    bench.assert_clean();
    outcomes
}

#[test]
fn a_file_arrives_whole_and_the_sender_copies_none_of_it() {
    for model in [Model::E1000, Model::E1000e, Model::Ixgbe] {
        let bench = Bench::new(model, Impairments::none());
        let (sent, received) = transfer(&bench, 16 << 20, |_, _| {});
        assert_eq!(sent.counters.stack.payload_bytes_copied, 0, "{model:?}");
        assert_eq!(sent.counters.stack.egress.gathered_bytes, 16 << 20, "{model:?}");
        // It came up with an interrupt, and waited for the peer by it.
        assert!(
            received.counters.interrupts && received.counters.idle.wake_ups > 0,
            "{received:?}"
        );
        assert!(
            sent.counters.tx.segments > 100 && sent.counters.nic.tx_packets > 10_000,
            "{sent:?}"
        );
        assert!(received.counters.nic.rx_packets > 10_000, "{received:?}");
    }
}

/// Runs an application that sends, beside a machine that receives; it ends well.
fn sent_by<A: Application>(application: &mut A) -> Outcome {
    let bench = Bench::new(Model::Ixgbe, Impairments::none());
    let (sender, receiver) = (Watcher::default(), Watcher::default());
    let sent = guarded(&[&sender, &receiver], || {
        thread::scope(|scope| {
            scope.spawn(|| receive(&bench, PORT, &mut Kept::default(), &receiver));
            run_near(&bench, application, &sender)
        })
    });
    sent.expect("the sender ends well")
}

/// What it takes a slow application to begin.
const TO_BEGIN: Duration = Duration::from_millis(300);

/// One file on its way, which takes its time to begin.
struct Slow(Sending);

impl Application for Slow {
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: StackInstant,
    ) -> Result<(), LiveError> {
        let before = thread_time();
        while thread_time() - before < TO_BEGIN {
            std::hint::spin_loop();
        }
        self.0.begin(stack, observer, now)
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: StackInstant,
    ) -> Result<Turn, LiveError> {
        self.0.turn(stack, observer, now)
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) -> bool {
        self.0.abandon(stack)
    }

    fn span(&self) -> Option<(StackInstant, StackInstant)> {
        self.0.span()
    }
}

#[test]
fn what_it_takes_to_map_the_file_is_told_apart_from_the_transfer() {
    let (file, _) = file(1000);
    let to = IpEndpoint::new(address(2), PORT);
    let sent = sent_by(&mut Slow(Sending::new(to, file, 1000, Mode::ZeroCopy)));
    let to_begin = TO_BEGIN.as_secs_f64();
    assert!(
        sent.beginning_seconds >= to_begin && sent.beginning_cpu_s >= to_begin,
        "{sent:?}"
    );
    assert!(sent.setup_seconds >= to_begin, "{sent:?}");
    // A kilobyte's own part is some hundred times less.
    assert!(sent.cpu_s + sent.idle_poll_cpu_s < to_begin, "{sent:?}");
}

#[test]
fn a_file_that_is_copied_is_read_by_calls_that_are_counted_and_one_by_reference_by_none() {
    const LEN: u64 = 4 << 20;
    for mode in [Mode::Copy, Mode::ZeroCopy] {
        let (file, _) = file(LEN as usize);
        let mut sending = Sending::new(IpEndpoint::new(address(2), PORT), file, LEN, mode);
        sent_by(&mut sending);
        // A call fills what is free of the socket's ring, and no more.
        let least = match mode {
            Mode::Copy => LEN / settings(1).stack.sockets.transmit as u64,
            Mode::ZeroCopy => 0,
        };
        let reads = sending.reads();
        assert!(
            reads >= least && (reads > 0) == (mode == Mode::Copy),
            "{mode:?}: {reads}"
        );
    }
}

#[test]
fn an_empty_file_and_one_of_a_byte_arrive() {
    let bench = Bench::new(Model::Ixgbe, Impairments::none());
    for len in [0, 1] {
        transfer(&bench, len, |_, _| {});
    }
}

#[test]
fn one_frame_in_a_thousand_lost_is_sent_again() {
    let cable = Impairments {
        loss: 0.001,
        seed: 3,
        ..Impairments::none()
    };
    let bench = Bench::new(Model::E1000, cable);
    let (sent, _) = transfer(&bench, 4 << 20, |_, _| {});
    assert!(sent.counters.stack.retransmitted_bytes > 0);
}

#[test]
fn frames_that_came_damaged_are_counted_on_every_nic() {
    let cable = Impairments {
        corrupt: 0.005,
        seed: 5,
        ..Impairments::none()
    };
    for model in [Model::E1000, Model::E1000e, Model::Ixgbe] {
        let (_, received) = transfer(&Bench::new(model, cable), 2 << 20, |_, _| {});
        let Counters { nic, stack, .. } = received.counters;
        // Not every NIC counts them; each marks them, and the stack drops what is marked.
        assert!(stack.ingress.bad_checksums > 0, "{model:?}: {received:?}");
        let counts = model == Model::Ixgbe;
        assert_eq!(nic.rx_checksum_errors > 0, counts, "{model:?}: {received:?}");
    }
}

#[test]
fn a_cable_pulled_and_plugged_in_again_is_told_and_survived() {
    let bench = Bench::new(
        Model::E1000,
        Impairments {
            latency: Duration::from_micros(200),
            ..Impairments::none()
        },
    );
    transfer(&bench, 64 << 20, |sender, _| {
        wait_until("some bytes are there", || {
            sender.progress.load(Ordering::Relaxed) > 1 << 20
        });
        bench.unplug();
        wait_until("the sender notices", || sender.told(&Notice::LinkDown));
        bench.plug();
        wait_until("and is glad", || {
            sender
                .notices
                .lock()
                .unwrap()
                .iter()
                .any(|notice| matches!(notice, Notice::LinkUp { .. }))
        });
    });
}

#[test]
fn over_ipv6_on_a_vlan_a_file_arrives_as_well() {
    let bench = Bench::new(Model::Ixgbe, Impairments::none());
    let on_vlan = |end: u8| {
        let mut settings = settings(end);
        settings.stack.addresses = vec![IpCidr::new(address_v6(end), 64)];
        settings.stack.vlan = VlanId::new(7);
        settings
    };
    let (file, contents) = file(1 << 20);
    let (sender, receiver) = (Watcher::default(), Watcher::default());
    let mut kept = Kept::default();
    guarded(&[&sender, &receiver], || {
        thread::scope(|scope| {
            scope.spawn(|| receive_as(&bench, &on_vlan(2), PORT, &mut kept, &receiver));
            let mut sending = Sending::new(IpEndpoint::new(address_v6(2), PORT), file, 1 << 20, Mode::Copy);
            let nic = Arc::new(bench.near.clone());
            let sent = sender.watch(|observer| live::run(nic, &on_vlan(1), &mut sending, observer));
            // By way of the socket's ring: read into it, and copied out of it again.
            assert!(sent.unwrap().counters.stack.payload_bytes_copied >= 2 << 20);
        });
    });
    assert!(kept.0 == contents, "what arrived is not what was sent");
    bench.assert_clean();
}
