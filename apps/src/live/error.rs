//! Why a machine stopped before its work was done.

use std::io;
use std::net::SocketAddr;

use pagewire_bus::BusError;
use pagewire_nic::port::NicError;
use pagewire_stack::{IpEndpoint, OpenError, PingError, SetupError};

use super::Driver;

/// Why a machine stopped before its work was done. Each is one sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// No driver knows the device.
    #[error(
        "pagewire has no driver for device {vendor:04x}:{device:04x}; it drives {}",
        Driver::names()
    )]
    UnknownNic {
        /// PCI vendor ID.
        vendor: u16,
        /// PCI device ID.
        device: u16,
    },
    /// The NIC did not start, or did not stop.
    #[error("the {driver} network card did not work: {source}")]
    Nic {
        /// The driver's name.
        driver: &'static str,
        /// What the driver found.
        source: NicError,
    },
    /// Rings, frames or sockets could not be had.
    #[error(
        "could not get memory for the NIC's rings and buffers ({cause}); free some memory or raise the limit (ulimit -l)"
    )]
    Memory {
        /// What was asked for and what the system said.
        cause: String,
    },
    /// Nobody is at the other end of the cable.
    #[error("the network card has had no link for {seconds} s: is its cable plugged in, and the far end on?")]
    NoLink {
        /// How long it was waited for.
        seconds: u64,
    },
    /// No DHCP server answered.
    #[error(
        "no DHCP server has lent an address within {seconds} s: is one on this network (and VLAN)? --ip ADDR/LEN goes without"
    )]
    NoLease {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The machine cannot be set up as asked.
    #[error("{0}")]
    Setup(SetupError),
    /// The connection could not even be tried.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// An echo request could not even be sent.
    #[error("{0}")]
    Ping(#[from] PingError),
    /// The NIC is gone.
    #[error(
        "the network card went while it was in use ({cause}): put it back, or bind it again, and start over"
    )]
    Removed {
        /// How that showed.
        cause: &'static str,
    },
    /// The other end of the cable into the kernel is gone.
    #[error(
        "the interface that the cable ends at was deleted while it was in use: make it again, and start over"
    )]
    CableGone,
    /// The system would not let the thread wait.
    #[error("{0}")]
    Wait(#[source] BusError),
    /// Nobody answered.
    #[error(
        "{} has not answered for {seconds} s: check its address, and that --ip (and --gateway, if it is not on the same network) let it be reached",
        SocketAddr::from(*remote)
    )]
    NoAnswer {
        /// The peer.
        remote: IpEndpoint,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It could not even be asked.
    #[error(
        "nobody tells the Ethernet address of {}, or of the gateway on the way: see that it is up, on this network and on this VLAN",
        SocketAddr::from(*remote)
    )]
    NoNeighbour {
        /// The peer.
        remote: IpEndpoint,
    },
    /// Nobody listens there.
    #[error("{} refused the connection: start the receiver first, and check the port", SocketAddr::from(*remote))]
    Refused {
        /// The peer.
        remote: IpEndpoint,
    },
    /// The file could not be read or mapped, or is no longer what it was.
    #[error("the file could not be sent: {cause}")]
    Source {
        /// What was found.
        cause: String,
    },
    /// The connection ended before the last byte.
    #[error("the connection ended after {done} of {of} bytes: {cause}")]
    Reset {
        /// Bytes that were acknowledged or had arrived.
        done: u64,
        /// Bytes that were announced, in words.
        of: String,
        /// Who ended it and why.
        cause: String,
    },
    /// What arrived could not be kept.
    #[error("the received bytes could not be kept: {0}")]
    Sink(#[source] io::Error),
    /// Nothing has moved for too long.
    #[error("nothing has moved for {seconds} s ({done} bytes had): the peer or the way to it is gone")]
    Stalled {
        /// How long nothing moved.
        seconds: u64,
        /// Bytes that had been acknowledged or had arrived.
        done: u64,
    },
    /// The stop flag was raised.
    #[error("interrupted")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use pagewire_stack::IpAddress;

    use super::*;

    #[test]
    fn an_ipv6_peer_is_written_as_the_command_line_takes_it() {
        let remote = IpEndpoint::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 9), 5001);
        for error in [
            LiveError::NoAnswer { remote, seconds: 1 },
            LiveError::NoNeighbour { remote },
            LiveError::Refused { remote },
        ] {
            assert!(error.to_string().contains("[fd00::9]:5001"), "{error}");
        }
    }
}
