//! A packet socket: an existing interface, whose network sees one station more (packet(7)).
//!
//! The interface listens for every station's frames meanwhile, since ours is not its own. What the kernel itself sends
//! through the interface is not seen here: the two share a cable, they are not each other's peers.

use super::interface::{Interface, check_name, packet_socket};
use super::{AttachError, Attachment};

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
            rustix::io::Errno::PERM | rustix::io::Errno::ACCESS => AttachError::PacketNotPermitted {
                name: name.to_owned(),
                cause: errno.into(),
            },
            errno => AttachError::Step {
                step: "opening a packet socket on",
                name: name.to_owned(),
                cause: errno.into(),
            },
        })?;
        Ok(Self::new(socket))
    }
}
