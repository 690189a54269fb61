//! A TAP: an interface of the kernel whose cable ends in this process (Documentation/networking/tuntap.rst).

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::interface::{Interface, check_name, tap_attach};
use super::stream::Stream;
use super::{AttachError, Attachment};
use crate::wire::LONGEST_IP;

impl Attachment {
    /// Opens the TAP `name`, and switches it on. Where there is none, it is made, with an MTU of `mtu`, and goes when this is
    /// closed; one that somebody made for this user stays.
    ///
    /// # Errors
    /// [`AttachError`]: not permitted, taken, a name that cannot be, another MTU.
    pub fn tap(name: &str, mtu: u32) -> Result<Self, AttachError> {
        check_name(name)?;
        let not_permitted = |errno: Errno| AttachError::TapNotPermitted {
            name: name.to_owned(),
            cause: errno.into(),
        };
        let was_there = Interface::find(name)?.is_some();
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let tap = open("/dev/net/tun", flags, Mode::empty()).map_err(not_permitted)?;
        tap_attach(&tap, name).map_err(|errno| match errno {
            Errno::BUSY => AttachError::Taken {
                name: name.to_owned(),
            },
            Errno::INVAL if was_there => AttachError::NotATap {
                name: name.to_owned(),
            },
            errno => not_permitted(errno),
        })?;
        let interface = Interface::expect(name)?;
        if !was_there {
            interface.set_mtu(mtu)?;
        }
        interface.agree_on(mtu)?;
        interface.switch_on()?;
        Ok(Self::new(Stream::new(tap, longest_whole())))
    }
}

/// The longest TCP packet that a TAP takes in one, in bytes. From Linux 6.3 on one over IPv4 may be longer than its header can
/// tell, which says 0 then (BIG TCP: `iph_totlen` in include/linux/ip.h), up to GSO_MAX_SIZE (include/linux/netdevice.h).
fn longest_whole() -> usize {
    const GSO_MAX_SIZE: usize = 8 * 65_535;
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (6, 3) => GSO_MAX_SIZE,
        _ => LONGEST_IP,
    }
}
