//! The kernel's side of a cable.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use pagewire_emu::cable::Attachment;
use pagewire_netns::Namespace;

/// The TAP's name, in each network.
pub(crate) const TAP: &str = "pagewire0";
/// 10.7.0.1 and fd07::1 are the kernel's, .2 and ::2 are ours.
pub(crate) const KERNEL: u8 = 1;
pub(crate) const OURS: u8 = 2;

/// No connection takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether cables into the kernel can be had here, and why not.
pub(crate) fn possible() -> Result<(), String> {
    let network = Namespace::new().map_err(|why| why.to_string())?;
    network
        .run(|| Attachment::tap(TAP, 1500))
        .map(drop)
        .map_err(|why| why.to_string())
}

/// A network of the kernel, with a TAP in it.
pub(crate) struct Network {
    pub(crate) kernel: Namespace,
    pub(crate) attachment: Attachment,
}

impl Network {
    /// A TAP that is up and has addresses; packets of `mtu` bytes at most.
    pub(crate) fn with_tap(mtu: u32) -> Self {
        let kernel = Namespace::new().unwrap();
        // An address becomes good a second after it was given, when nobody has claimed it (RFC 4862 §5.4). Where that came in the
        // midst of a page, a browser gave up images; so nobody looks for a duplicate.
        for which in ["all", "default"] {
            let _ = kernel.sysctl(&format!("net.ipv6.conf.{which}.accept_dad"), "0");
        }
        let attachment = kernel.run(|| Attachment::tap(TAP, mtu)).unwrap();
        for address in [v4(KERNEL), v6(KERNEL)] {
            let prefix = if address.is_ipv4() { 24 } else { 64 };
            kernel.address(TAP, address, prefix).unwrap();
        }
        Self { kernel, attachment }
    }

    /// A pair of interfaces: the kernel has one, and ours is a station on the other, by a packet socket.
    pub(crate) fn with_packet_socket() -> Self {
        let (kernel, near) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        kernel.veth(TAP, &near, "near").unwrap();
        kernel.up(TAP).unwrap();
        kernel.address(TAP, v4(KERNEL), 24).unwrap();
        let attachment = near.run(|| Attachment::packet("near", 1500)).unwrap();
        Self { kernel, attachment }
    }

    /// A listener of the kernel.
    pub(crate) fn listen(&self, address: SocketAddr) -> TcpListener {
        self.kernel.run(|| TcpListener::bind(address)).unwrap()
    }

    /// A connection of the kernel's TCP, as soon as somebody listens there.
    pub(crate) fn connect(&self, address: SocketAddr) -> TcpStream {
        let connect = || {
            (0..500).find_map(|_| {
                std::thread::sleep(Duration::from_millis(10));
                TcpStream::connect_timeout(&address, PATIENCE).ok()
            })
        };
        let stream = self.kernel.run(connect).expect("nobody listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// 10.7.0.`number`
pub(crate) fn v4(number: u8) -> IpAddr {
    IpAddr::from([10, 7, 0, number])
}

/// fd07::`number`
pub(crate) fn v6(number: u8) -> IpAddr {
    IpAddr::from([0xfd07, 0, 0, 0, 0, 0, 0, number.into()])
}
