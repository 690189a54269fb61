//! Networks of one's own, made and gone. A harness of its own, since a user namespace is entered before there are
//! threads.
//!
//! Where the kernel allows no namespaces, the tests say "skipped" and why; with `PAGEWIRE_CLIENTS=required` in the
//! environment that is a failure.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use libtest_mimic::{Arguments, Trial};
use pagewire_netns::{Namespace, NetnsError, enter_user_namespace};

/// Set in a process that a test has started as a user without any privilege.
const NOBODY: &str = "PAGEWIRE_NOBODY";

fn main() -> ExitCode {
    let allowed = enter_user_namespace();
    if env::var_os(NOBODY).is_some() {
        allowed.expect("the kernel allows user namespaces");
        a_pair_carries_bytes();
        return ExitCode::SUCCESS;
    }
    if let Err(why) = allowed {
        assert_ne!(env::var("PAGEWIRE_CLIENTS").as_deref(), Ok("required"), "{why}");
        println!("skipped: {why}");
        return ExitCode::SUCCESS;
    }
    let trials: [(&str, fn()); 7] = [
        ("a_pair_carries_bytes", a_pair_carries_bytes),
        ("a_network_has_its_own_loopback", a_network_has_its_own_loopback),
        (
            "interfaces_go_with_their_network",
            interfaces_go_with_their_network,
        ),
        ("a_panic_inside_comes_out", a_panic_inside_comes_out),
        ("a_refusal_names_the_step", a_refusal_names_the_step),
        (
            "parameters_and_features_can_be_set",
            parameters_and_features_can_be_set,
        ),
        ("who_is_nobody_has_networks_too", who_is_nobody_has_networks_too),
    ];
    let trials = trials.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// Two networks on a cable, each with an address of either family.
fn pair() -> (Namespace, Namespace) {
    let (near, far) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    near.veth("a", &far, "b").unwrap();
    for (network, name, number) in [(&near, "a", 1), (&far, "b", 2)] {
        network
            .address(name, IpAddr::from([10, 9, 0, number]), 24)
            .unwrap();
        let v6 = IpAddr::from([0xfd09, 0, 0, 0, 0, 0, 0, number.into()]);
        network.address(name, v6, 64).unwrap();
        network.up(name).unwrap();
    }
    (near, far)
}

fn a_pair_carries_bytes() {
    let (near, far) = pair();
    for address in ["10.9.0.2:5001", "[fd09::2]:5001"] {
        let address: SocketAddr = address.parse().unwrap();
        let listener = far.run(|| TcpListener::bind(address)).unwrap();
        let mut client = near
            .run(|| TcpStream::connect_timeout(&address, Duration::from_secs(5)))
            .unwrap();
        client.write_all(b"over the cable").unwrap();
        drop(client);
        let mut arrived = String::new();
        listener.accept().unwrap().0.read_to_string(&mut arrived).unwrap();
        assert_eq!(arrived, "over the cable");
    }
}

fn a_network_has_its_own_loopback() {
    let (first, second) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let bind = || UdpSocket::bind("127.0.0.1:5001");
    let sockets = [first.run(bind).unwrap(), second.run(bind).unwrap()];
    sockets[0].send_to(b"to itself", "127.0.0.1:5001").unwrap();
    let mut bytes = [0; 16];
    assert_eq!(sockets[0].recv(&mut bytes).unwrap(), 9);
}

fn interfaces_go_with_their_network() {
    let (near, far) = pair();
    assert!(near.has("a", Duration::ZERO));
    assert!(!near.has("b", Duration::ZERO), "it is in the other network");
    drop(far);
    let gone = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !near.has("a", Duration::ZERO)
    });
    assert!(gone, "one end of a cable is there, and the other is not");
}

fn a_panic_inside_comes_out() {
    let network = Namespace::new().unwrap();
    let fault = panic::catch_unwind(AssertUnwindSafe(|| network.run(|| panic!("inside"))));
    assert_eq!(fault.unwrap_err().downcast_ref(), Some(&"inside"));
    assert_eq!(network.run(|| 1 + 1), 2);
}

fn a_refusal_names_the_step() {
    let (near, far) = pair();
    let taken = near.veth("a", &far, "c").unwrap_err().to_string();
    assert!(
        taken.contains("veth pair a and c") && taken.contains("File exists"),
        "{taken}"
    );
    let missing = near.up("z").unwrap_err();
    assert!(matches!(missing, NetnsError::Step { .. }), "{missing}");
    assert!(missing.to_string().contains("switching z on"), "{missing}");
}

fn parameters_and_features_can_be_set() {
    let (near, _far) = pair();
    near.mtu("a", 9000).unwrap();
    near.sysctl("net.ipv4.tcp_rmem", "4096 131072 33554432").unwrap();
    let told = near
        .run(|| fs::read_to_string("/proc/sys/net/ipv4/tcp_rmem"))
        .unwrap();
    assert_eq!(told.split_whitespace().last(), Some("33554432"));
    for on in [false, true] {
        near.scatter_gather("a", on).unwrap();
    }
    assert!(near.scatter_gather("z", false).is_err());
}

/// The whole of it without privilege: in a process of its own, whose user owns nothing.
fn who_is_nobody_has_networks_too() {
    let copy = env::temp_dir().join(format!("pagewire-networks-{}", std::process::id()));
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    let mut command = Command::new(&copy);
    command.env(NOBODY, "1").current_dir("/");
    if may_become_nobody() {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output();
    fs::remove_file(&copy).unwrap();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whether this process is root outside of any user namespace.
fn may_become_nobody() -> bool {
    fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_whitespace().last() == Some("4294967295"))
}
