//! Cables that cannot be plugged in, or are pulled: which error, and what it names.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use pagewire::live::{LiveError, Receiving, Sending};
use pagewire::transfer::Mode;
use pagewire_emu::Model;
use pagewire_emu::cable::{AttachError, Attachment, Impairments};
use pagewire_netns::Namespace;

use crate::machine::{Kept, file, run};
use crate::network::{KERNEL, Network, TAP, v4};

pub(crate) fn a_tap_has_one_owner() {
    let network = Network::with_tap(1500);
    let second = network.kernel.run(|| Attachment::tap(TAP, 1500));
    assert!(matches!(second, Err(AttachError::Taken { name }) if name == TAP));
}

pub(crate) fn both_mtus_are_named_where_they_differ() {
    let network = Namespace::new().unwrap();
    let far = Namespace::new().unwrap();
    network.veth("a", &far, "b").unwrap();
    let refused = network.run(|| Attachment::packet("a", 9000)).unwrap_err();
    assert!(matches!(
        refused,
        AttachError::Mtu {
            there: 1500,
            here: 9000,
            ..
        }
    ));
    let told = refused.to_string();
    assert!(
        told.contains("--mtu 1500") && told.contains("ip link set a mtu 9000"),
        "{told}"
    );
}

pub(crate) fn what_is_no_tap_or_not_there_is_told_apart() {
    let network = Namespace::new().unwrap();
    for (refused, wanted) in [
        (network.run(|| Attachment::tap("lo", 1500)), "no TAP"),
        (
            network.run(|| Attachment::packet("eth7", 1500)),
            "no interface eth7",
        ),
        (
            network.run(|| Attachment::packet("lo", 65_536)),
            "no Ethernet interface",
        ),
        (network.run(|| Attachment::tap("", 1500)), "1 to 15 characters"),
        (network.run(|| Attachment::tap("a%d", 1500)), "1 to 15 characters"),
        (
            network.run(|| Attachment::tap("sixteen-letters-", 1500)),
            "1 to 15 characters",
        ),
    ] {
        let told = refused.unwrap_err().to_string();
        assert!(told.contains(wanted), "{told}");
    }
}

pub(crate) fn a_tap_of_ones_own_has_the_mtu_that_was_asked_for_and_is_on() {
    let network = Namespace::new().unwrap();
    let tap = network.run(|| Attachment::tap(TAP, 9000)).unwrap();
    assert!(network.has(TAP, Duration::ZERO));
    network
        .run(|| Attachment::packet(TAP, 9000))
        .expect("it is on, and its MTU is ours");
    drop(tap);
    assert!(!network.has(TAP, Duration::ZERO), "it goes with its owner");
}

pub(crate) fn an_interface_that_is_deleted_ends_the_machine() {
    for network in [Network::with_tap(1500), Network::with_packet_socket()] {
        delete_under(&network);
    }
}

fn delete_under(network: &Network) {
    let mut kept = Kept::default();
    let mut receiving = Receiving::new(5001, &mut kept);
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            network.kernel.delete(TAP).unwrap();
        });
        run(Model::Ixgbe, network, &Impairments::none(), &mut receiving)
    });
    assert!(matches!(ended, Err(LiveError::CableGone)), "{ended:?}");
}

pub(crate) fn nobody_listening_is_a_refusal() {
    let network = Network::with_tap(1500);
    let (file, _) = file(10);
    let to = SocketAddr::new(v4(KERNEL), 9);
    let mut sending = Sending::new(to.into(), file, 10, Mode::ZeroCopy);
    let ended = run(Model::Ixgbe, &network, &Impairments::none(), &mut sending);
    assert!(matches!(ended, Err(LiveError::Refused { .. })), "{ended:?}");
}
