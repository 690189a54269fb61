//! A packet socket: an existing interface, whose network sees one station more (packet(7)).
//!
//! The interface listens for every station's frames meanwhile, since ours is not its own. What the kernel itself sends
//! through the interface is not seen here: the two share a cable, they are not each other's peers.

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};

use super::interface::{Interface, check_name, packet_socket};
use super::{AttachError, Attachment};

/// Bytes of packets that the kernel keeps for us; what comes beyond is lost, as on a wire. A TCP window of 1 MiB takes twice
/// that here.
const ROOM: usize = 16 << 20;

impl Attachment {
    /// Opens the interface `name` for a station beside the kernel's own.
    ///
    /// # Errors
    /// [`AttachError`]: not permitted, no such interface, down, another MTU.
    pub fn packet(name: &str, mtu: u32) -> Result<Self, AttachError> {
        check_name(name)?;
        let interface = Interface::expect(name)?;
        interface.agree_on(mtu)?;
        interface.switch_on()?;
        let socket = packet_socket(interface.index()).map_err(|errno| match errno {
            Errno::PERM | Errno::ACCESS => AttachError::PacketNotPermitted {
                name: name.to_owned(),
                cause: errno.into(),
            },
            errno => AttachError::Step {
                step: "opening a packet socket on",
                name: name.to_owned(),
                cause: errno.into(),
            },
        })?;
        // More than the system's limit only root may ask for; less holds fewer packets.
        let roomy = set_socket_recv_buffer_size_force(&socket, ROOM);
        let _ = roomy.or_else(|_| set_socket_recv_buffer_size(&socket, ROOM));
        Ok(Self::new(socket))
    }
}
