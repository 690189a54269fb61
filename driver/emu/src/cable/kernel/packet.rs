//! A packet socket: an existing interface, whose network sees one station more (packet(7)).
//!
//! The interface listens for every station's frames meanwhile, since ours is not its own. What the kernel itself sends
//! through the interface is not seen here: the two share a cable, they are not each other's peers.

use super::interface::{Interface, check_name};
use super::ring::Ring;
use super::{AttachError, Attachment};

impl Attachment {
    /// Opens the interface `name` for a station beside the kernel's own.
    ///
    /// # Errors
    /// [`AttachError`]: not permitted, no such interface, no Ethernet, down, another MTU, no rings.
    pub fn packet(name: &str, mtu: u32) -> Result<Self, AttachError> {
        check_name(name)?;
        let interface = Interface::expect(name)?;
        interface.speaks_ethernet()?;
        interface.agree_on(mtu)?;
        interface.switch_on()?;
        Ring::open(name, interface.index(), mtu).map(Self::new)
    }
}
