//! What an interface's device does by itself (the kernel's `ethtool` over generic netlink).

use std::io::{self, Cursor};

use neli::consts::genl::{CtrlAttr, CtrlCmd, NlAttrType};
use neli::consts::nl::{GenlId, NlmF};
use neli::consts::socket::NlFamily;
use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, Nlattr, NlattrBuilder};
use neli::types::{Buffer, GenlBuffer};
use neli::{FromBytesWithInput, Size, ToBytes};

use crate::netlink::ask;
use crate::{Namespace, NetnsError};

/// `ETHTOOL_MSG_FEATURES_SET` of `<linux/ethtool_netlink.h>`, and the attributes within it.
const FEATURES_SET: u8 = 12;
const FEATURES_HEADER: u16 = 1;
const FEATURES_WANTED: u16 = 3;
const HEADER_DEV_NAME: u16 = 2;
const BITSET_BITS: u16 = 3;
const BITS_BIT: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

impl Namespace {
    /// Lets a device send packets whose bytes lie in several places, or not: without it, the kernel copies each
    /// packet together first. Segmentation by the device goes with it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn scatter_gather(&self, name: &str, on: bool) -> Result<(), NetnsError> {
        let step = format!("setting tx-scatter-gather of {name}");
        self.run(|| {
            let family = family_of("ethtool")?;
            let mut bit = vec![text(BIT_NAME, "tx-scatter-gather")?];
            if on {
                bit.push(attribute(BIT_VALUE, Buffer::from(Vec::new()))?);
            }
            let wanted = nest(FEATURES_WANTED, &[nest(BITSET_BITS, &[nest(BITS_BIT, &bit)?])?])?;
            let header = nest(FEATURES_HEADER, &[text(HEADER_DEV_NAME, name)?])?;
            let request = GenlmsghdrBuilder::default()
                .cmd(FEATURES_SET)
                .version(1)
                .attrs([header, wanted].into_iter().collect::<GenlBuffer<_, _>>())
                .build()
                .map_err(io::Error::other)?;
            ask(NlFamily::Generic, family, NlmF::empty(), request)
        })
        .map_err(NetnsError::step(step))?;
        Ok(())
    }
}

/// The number that a family of generic netlink has in this kernel.
fn family_of(name: &str) -> io::Result<u16> {
    let attributes = GenlBuffer::from_iter([NlattrBuilder::default()
        .nla_type(kind(CtrlAttr::FamilyName)?)
        .nla_payload(name)
        .build()
        .map_err(io::Error::other)?]);
    let request = GenlmsghdrBuilder::default()
        .cmd(CtrlCmd::Getfamily)
        .version(2)
        .attrs(attributes)
        .build()
        .map_err(io::Error::other)?;
    let answer = ask(NlFamily::Generic, GenlId::Ctrl, NlmF::empty(), request)?
        .ok_or_else(|| io::Error::other("the kernel did not say which family it is"))?;
    let len = answer.as_ref().len();
    let answer: Genlmsghdr<CtrlCmd, CtrlAttr> =
        Genlmsghdr::from_bytes_with_input(&mut Cursor::new(answer), len).map_err(io::Error::other)?;
    let attributes = answer.attrs().get_attr_handle();
    attributes
        .get_attr_payload_as(CtrlAttr::FamilyId)
        .map_err(io::Error::other)
}

fn kind<T>(kind: T) -> io::Result<neli::genl::AttrType<T>> {
    AttrTypeBuilder::default()
        .nla_type(kind)
        .build()
        .map_err(io::Error::other)
}

fn attribute<P: Size + ToBytes>(number: u16, payload: P) -> io::Result<Nlattr<u16, Buffer>> {
    NlattrBuilder::default()
        .nla_type(kind(number)?)
        .nla_payload(payload)
        .build()
        .map_err(io::Error::other)
}

fn text(number: u16, text: &str) -> io::Result<Nlattr<u16, Buffer>> {
    attribute(number, text)
}

fn nest<T: NlAttrType>(number: u16, within: &[Nlattr<T, Buffer>]) -> io::Result<Nlattr<u16, Buffer>> {
    within
        .iter()
        .try_fold(attribute(number, Buffer::from(Vec::new()))?, Nlattr::nest)
        .map_err(io::Error::other)
}
