//! The interfaces of a network: pairs of them, their addresses, their MTU (rtnetlink(7)).

use std::fs;
use std::io::{self, Cursor};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifa, IfaF, Ifla, IflaInfo, RtAddrFamily, RtScope, RtaType, Rtm};
use neli::consts::socket::NlFamily;
use neli::rtnl::{IfaddrmsgBuilder, Ifinfomsg, IfinfomsgBuilder, Rtattr, RtattrBuilder};
use neli::types::{Buffer, RtBuffer};
use neli::{Size, ToBytes};
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketType, socket};

use crate::netlink::ask;
use crate::{Namespace, NetnsError};

/// The attribute of a veth that describes its other end, as `<linux/veth.h>` has it.
const VETH_INFO_PEER: u16 = 1;
/// How often a device that is to appear is looked for.
const LOOK: Duration = Duration::from_millis(5);

impl Namespace {
    /// A cable from an interface `here` in this network to one, `there`, in `other`. Both are down, and go with
    /// whichever network ends first.
    ///
    /// # Errors
    /// What the kernel says; a name that is taken is "File exists".
    pub fn veth(&self, here: &str, other: &Namespace, there: &str) -> Result<(), NetnsError> {
        let far = other.held.as_raw_fd();
        self.run(|| {
            let mut attributes = named(there)?;
            attributes.push(attribute(Ifla::NetNsFd, far)?);
            let peer = bytes_of(&interface(0, attributes)?)?;
            let mut info = RtBuffer::new();
            info.push(attribute(IflaInfo::Kind, "veth")?);
            // The other end is an interface's description within the description of this one.
            info.push(attribute(IflaInfo::Data, nested(VETH_INFO_PEER, &peer))?);
            let mut attributes = named(here)?;
            attributes.push(attribute(Ifla::Linkinfo, info)?);
            let make = NlmF::CREATE | NlmF::EXCL;
            ask(NlFamily::Route, Rtm::Newlink, make, interface(0, attributes)?)
        })
        .map_err(NetnsError::step(format!(
            "making the veth pair {here} and {there}"
        )))?;
        Ok(())
    }

    /// Gives an interface an address; who asks for IPv6 has it at once, without looking for others that have it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn address(&self, name: &str, address: IpAddr, prefix: u8) -> Result<(), NetnsError> {
        self.run(|| {
            let (family, bytes) = match address {
                IpAddr::V4(address) => (RtAddrFamily::Inet, address.octets().to_vec()),
                IpAddr::V6(address) => (RtAddrFamily::Inet6, address.octets().to_vec()),
            };
            let mut attributes = RtBuffer::new();
            attributes.push(attribute(Ifa::Local, Buffer::from(bytes.clone()))?);
            attributes.push(attribute(Ifa::Address, Buffer::from(bytes))?);
            let request = IfaddrmsgBuilder::default()
                .ifa_family(family)
                .ifa_prefixlen(prefix)
                .ifa_flags(IfaF::NODAD)
                .ifa_scope(RtScope::Universe)
                .ifa_index(index(name)? as u32)
                .rtattrs(attributes)
                .build()
                .map_err(io::Error::other)?;
            ask(NlFamily::Route, Rtm::Newaddr, NlmF::CREATE | NlmF::EXCL, request)
        })
        .map_err(NetnsError::step(format!(
            "giving {name} the address {address}/{prefix}"
        )))?;
        Ok(())
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn up(&self, name: &str) -> Result<(), NetnsError> {
        self.change(name, format!("switching {name} on"), |request| Ok(request.up()))
    }

    /// Switches an interface off.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn down(&self, name: &str) -> Result<(), NetnsError> {
        self.change(
            name,
            format!("switching {name} off"),
            |request| Ok(request.down()),
        )
    }

    /// Takes an interface away: what is plugged into it finds it gone.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn delete(&self, name: &str) -> Result<(), NetnsError> {
        self.run(|| {
            let request = interface(index(name)?, RtBuffer::new())?;
            ask(NlFamily::Route, Rtm::Dellink, NlmF::empty(), request)
        })
        .map_err(NetnsError::step(format!("deleting {name}")))?;
        Ok(())
    }

    /// Sets how many bytes the largest IP packet of an interface has.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn mtu(&self, name: &str, mtu: u32) -> Result<(), NetnsError> {
        self.change(name, format!("setting the MTU of {name} to {mtu}"), |request| {
            let mut attributes = RtBuffer::new();
            attributes.push(attribute(Ifla::Mtu, mtu)?);
            Ok(request.rtattrs(attributes))
        })
    }

    /// Waits until somebody else has made an interface in this network (a process that was started there and opens a
    /// TAP), for `limit` at most. Returns whether it is there.
    #[must_use]
    pub fn has(&self, name: &str, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        self.run(|| {
            while index(name).is_err() {
                if Instant::now() >= end {
                    return false;
                }
                thread::sleep(LOOK);
            }
            true
        })
    }

    /// Sets a parameter of this network, such as `net.ipv4.tcp_rmem`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<(), NetnsError> {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        self.run(|| fs::write(path, value))
            .map_err(NetnsError::step(format!("setting {name} to {value}")))
    }

    fn change(
        &self,
        name: &str,
        step: String,
        how: impl FnOnce(IfinfomsgBuilder) -> io::Result<IfinfomsgBuilder> + Send,
    ) -> Result<(), NetnsError> {
        self.run(|| {
            let request = IfinfomsgBuilder::default()
                .ifi_family(RtAddrFamily::Unspecified)
                .ifi_index(index(name)?);
            let request = how(request)?.build().map_err(io::Error::other)?;
            ask(NlFamily::Route, Rtm::Newlink, NlmF::empty(), request)
        })
        .map_err(NetnsError::step(step))?;
        Ok(())
    }
}

/// The number of an interface of the calling thread's network.
fn index(name: &str) -> io::Result<i32> {
    let asked = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    Ok(name_to_index(asked, name)? as i32)
}

fn named(name: &str) -> io::Result<RtBuffer<Ifla, Buffer>> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Ifla::Ifname, name)?);
    Ok(attributes)
}

fn interface(index: i32, attributes: RtBuffer<Ifla, Buffer>) -> io::Result<Ifinfomsg> {
    IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .ifi_index(index)
        .rtattrs(attributes)
        .build()
        .map_err(io::Error::other)
}

fn attribute<T: RtaType, P: Size + ToBytes>(kind: T, payload: P) -> io::Result<Rtattr<T, Buffer>> {
    RtattrBuilder::default()
        .rta_type(kind)
        .rta_payload(payload)
        .build()
        .map_err(io::Error::other)
}

fn bytes_of(message: &impl ToBytes) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    message.to_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}

/// An attribute of a kind that has no name in the crate: its length and kind, then its bytes.
fn nested(kind: u16, bytes: &[u8]) -> Buffer {
    let len = (4 + bytes.len()) as u16;
    let mut attribute = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    attribute.extend_from_slice(bytes);
    Buffer::from(attribute)
}
