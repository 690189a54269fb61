//! Why no cable could be plugged into the kernel.

use std::io;

/// Why no cable could be plugged into the kernel. Each is one sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// No interface can have this name.
    #[error(
        "'{name}' cannot be the name of an interface: 1 to 15 characters, without spaces, '/', ':' and '%'"
    )]
    Name {
        /// What was asked for.
        name: String,
    },
    /// The kernel has no TAP, or this user may not make one.
    #[error(
        "a TAP could not be opened ({cause}); have one made for you: sudo ip tuntap add dev {name} mode tap user $USER \
         && sudo ip link set {name} up (and, if /dev/net/tun is missing: sudo modprobe tun; if it is not yours to open: \
         sudo chmod a+rw /dev/net/tun)"
    )]
    TapNotPermitted {
        /// Its name.
        name: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// Packet sockets are for root.
    #[error(
        "a packet socket on {name} could not be opened ({cause}); it takes CAP_NET_RAW: sudo, or setcap cap_net_raw+ep \
         on the program"
    )]
    PacketNotPermitted {
        /// Its name.
        name: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel is too old for the rings, or was built without packet sockets.
    #[error(
        "this kernel has no {what} ({cause}), which packet:{name} needs: Linux 4.20 or later with CONFIG_PACKET; a TAP may do \
         instead"
    )]
    NoRing {
        /// The interface.
        name: String,
        /// What the kernel does not have.
        what: &'static str,
        /// What it said.
        cause: io::Error,
    },
    /// The kernel did not make a ring, or did not map it.
    #[error(
        "the {what} of {mib} MiB for {name} could not be had ({cause}): the kernel keeps that much memory for it; free some, \
         or raise the limit of this process's address space (ulimit -v)"
    )]
    RingRefused {
        /// The interface.
        name: String,
        /// Which ring.
        what: &'static str,
        /// How much memory it is.
        mib: usize,
        /// What the kernel said.
        cause: io::Error,
    },
    /// Another process has the TAP.
    #[error("the TAP {name} is in use by another process: end that, or choose another name")]
    Taken {
        /// Its name.
        name: String,
    },
    /// There is an interface of this name, and it is something else.
    #[error("{name} is an interface, but no TAP; choose another name, or reach it with packet:{name}")]
    NotATap {
        /// Its name.
        name: String,
    },
    /// There is none.
    #[error("there is no interface {name} here; `ip link` shows those that are")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// It has no Ethernet addresses: nobody can be one more station there.
    #[error("{name} is no Ethernet interface (loopback and tunnels are not): choose one that is, or a TAP")]
    NotEthernet {
        /// Its name.
        name: String,
    },
    /// It is off, and this user may not switch it on.
    #[error("the interface {name} is down: sudo ip link set {name} up")]
    Down {
        /// Its name.
        name: String,
    },
    /// The two ends would not understand each other's longest packets.
    #[error(
        "the interface {name} has an MTU of {there}, and this machine one of {here}: make them equal, by --mtu {there} or \
         sudo ip link set {name} mtu {here}"
    )]
    Mtu {
        /// The interface.
        name: String,
        /// Its MTU in bytes.
        there: u32,
        /// Ours.
        here: u32,
    },
    /// The kernel refused a step.
    #[error("{step} {name} failed: {cause}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// With which interface.
        name: String,
        /// What the kernel said.
        cause: io::Error,
    },
}
