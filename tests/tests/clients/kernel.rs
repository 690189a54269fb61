//! The kernel's own TCP as the peer.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;

use pagewire::live::{LiveError, Outcome, Pinging, Receiving, Sending};
use pagewire::transfer::Mode;
use pagewire_emu::Model;
use pagewire_emu::cable::{Impairments, Lost, PcapTap};

use crate::machine::{Kept, file, run, run_recorded};
use crate::network::{KERNEL, Network, OURS, v4, v6};

pub(crate) const PORT: u16 = 5001;
const MODELS: [Model; 3] = [Model::E1000, Model::E1000e, Model::Ixgbe];

/// Sends `len` bytes to a receiver of the kernel; what arrives is what was sent.
fn send(model: Model, to: IpAddr, len: usize, wire: &Impairments) -> Outcome {
    send_over(&Network::with_tap(1500), model, to, len, wire, None)
}

/// The same over this network, a `tap` writing the frames down.
pub(crate) fn send_over(
    network: &Network,
    model: Model,
    to: IpAddr,
    len: usize,
    wire: &Impairments,
    tap: Option<Arc<PcapTap>>,
) -> Outcome {
    let (file, contents) = file(len);
    let to = SocketAddr::new(to, PORT);
    let listener = network.listen(to);
    let mut sending = Sending::new(to.into(), file, len as u64, Mode::ZeroCopy);
    thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut arrived = Vec::with_capacity(len);
            listener.accept().unwrap().0.read_to_end(&mut arrived).unwrap();
            arrived
        });
        let outcome = run_recorded(model, network, wire, tap, &mut sending).expect("the sender ends well");
        assert!(
            receiver.join().unwrap() == contents,
            "what arrived is not what was sent"
        );
        outcome
    })
}

/// Receives `len` bytes from a sender of the kernel.
fn receive(model: Model, at: IpAddr, len: usize, wire: &Impairments) -> Outcome {
    receive_over(&Network::with_tap(1500), model, at, len, wire, None)
}

/// The same over this network, a `tap` writing the frames down.
pub(crate) fn receive_over(
    network: &Network,
    model: Model,
    at: IpAddr,
    len: usize,
    wire: &Impairments,
    tap: Option<Arc<PcapTap>>,
) -> Outcome {
    let (_, contents) = file(len);
    let mut kept = Kept::default();
    let mut receiving = Receiving::new(PORT, &mut kept);
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = network.connect(SocketAddr::new(at, PORT));
            stream.write_all(&contents).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // Until we have closed as well.
            let _ = stream.read(&mut [0]);
        });
        run_recorded(model, network, wire, tap, &mut receiving).expect("the receiver ends well")
    });
    assert!(kept.0 == contents, "what arrived is not what was sent");
    outcome
}

pub(crate) fn a_file_arrives_at_a_kernel_receiver() {
    for model in MODELS {
        let outcome = send(model, v4(KERNEL), 64 << 20, &Impairments::none());
        assert_eq!(outcome.counters.stack.payload_bytes_copied, 0, "{model:?}");
        // Segments went whole: each as one packet to the kernel.
        assert!(outcome.counters.nic.tx_packets < 5_000, "{model:?}: {outcome:?}");
        assert_eq!(
            outcome.counters.stack.retransmitted_bytes, 0,
            "{model:?}: {outcome:?}"
        );
    }
}

pub(crate) fn a_kernel_sender_reaches_us() {
    for model in MODELS {
        let outcome = receive(model, v4(OURS), 64 << 20, &Impairments::none());
        assert_eq!(outcome.counters.nic.rx_missed, 0, "{model:?}: {outcome:?}");
        assert!(outcome.counters.nic.rx_packets < 10_000, "{model:?}: {outcome:?}");
    }
}

pub(crate) fn lost_frames_are_made_good_both_ways() {
    for loss in [0.001, 0.01] {
        let wire = Impairments {
            loss,
            seed: 4,
            ..Impairments::none()
        };
        let outcome = send(Model::Ixgbe, v4(KERNEL), 4 << 20, &wire);
        assert!(outcome.counters.stack.retransmitted_bytes > 0, "nothing was lost");
        assert!(outcome.counters.wire.lost > 0, "{outcome:?}");
        let outcome = receive(Model::Ixgbe, v4(OURS), 4 << 20, &wire);
        assert!(outcome.counters.wire.lost > 0, "{outcome:?}");
    }
}

pub(crate) fn ipv6_works_both_ways() {
    send(Model::Ixgbe, v6(KERNEL), 16 << 20, &Impairments::none());
    receive(Model::Ixgbe, v6(OURS), 16 << 20, &Impairments::none());
}

pub(crate) fn each_answers_the_others_echo_requests() {
    for kernel in [v4(KERNEL), v6(KERNEL)] {
        let network = Network::with_tap(1500);
        let mut replied = |_: &_| {};
        let mut pinging = Pinging::new(kernel.into(), 2, 1000, &mut replied);
        run(Model::Ixgbe, &network, &Impairments::none(), &mut pinging).expect("the kernel answers");
        assert_eq!(pinging.received(), 2, "{kernel}");
    }
}

pub(crate) fn a_packet_socket_carries_both_ways() {
    let network = Network::with_packet_socket();
    let outcome = send_over(
        &network,
        Model::Ixgbe,
        v4(KERNEL),
        16 << 20,
        &Impairments::none(),
        None,
    );
    assert!(
        outcome.counters.nic.tx_packets < 5_000,
        "segments go whole: {outcome:?}"
    );
    receive_over(
        &network,
        Model::Ixgbe,
        v4(OURS),
        16 << 20,
        &Impairments::none(),
        None,
    );
    assert_eq!(network.attachment.lost(), Some(Lost::default()));
}

pub(crate) fn packets_that_found_no_slot_are_in_what_the_machine_has_counted() {
    let counted = |network: &Network| {
        let mut replied = |_: &_| {};
        let mut pinging = Pinging::new(v4(KERNEL).into(), 1, 56, &mut replied);
        let outcome = run(Model::Ixgbe, network, &Impairments::none(), &mut pinging);
        outcome.expect("the kernel answers").counters.cable
    };
    assert_eq!(counted(&Network::with_tap(1500)), None, "a TAP does not tell");
    let network = Network::with_packet_socket();
    // More datagrams to everybody than there are slots, while nobody takes them out.
    let everybody = SocketAddr::new([10, 7, 0, 255].into(), 9);
    let socket = network.kernel.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
    socket.set_broadcast(true).unwrap();
    let mut lost = 0;
    for _ in 0..10_000 {
        socket.send_to(&[0; 64], everybody).unwrap();
        lost = network.attachment.lost().unwrap().no_slot;
        if lost >= 10 {
            break;
        }
    }
    let counted = counted(&network).expect("a packet socket knows");
    assert!(lost >= 10 && counted.no_slot >= lost, "{lost}: {counted:?}");
}

/// Who reads the payload for the kernel, or the kernel, meets the hole as the device would: no byte of padding gets out, and no signal ends
/// the process.
pub(crate) fn a_file_cut_short_under_way_never_arrives_whole() {
    for network in [Network::with_tap(1500), Network::with_packet_socket()] {
        cut_short_over(&network);
    }
}

fn cut_short_over(network: &Network) {
    let (file, contents) = file(64 << 20);
    let cut = file.try_clone().unwrap();
    let to = SocketAddr::new(v4(KERNEL), PORT);
    let listener = network.listen(to);
    let mut sending = Sending::new(to.into(), file, contents.len() as u64, Mode::ZeroCopy);
    let (ended, arrived) = thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut arrived = vec![0; 4096];
            stream.read_exact(&mut arrived).unwrap();
            cut.set_len(1 << 20).unwrap();
            // Ends with a reset.
            let _ = stream.read_to_end(&mut arrived);
            arrived
        });
        let ended = run(Model::Ixgbe, network, &Impairments::none(), &mut sending);
        (ended, receiver.join().unwrap())
    });
    assert!(matches!(ended, Err(LiveError::Source { .. })), "{ended:?}");
    assert!(
        arrived.len() < contents.len() && contents.starts_with(&arrived),
        "{} bytes",
        arrived.len()
    );
}
