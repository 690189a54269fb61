//! A virtual network on a shared cable: the tag of IEEE 802.1Q.
//!
//! ```text
//!  destination, source │ 0x8100 │ priority, VLAN id │ EtherType │ packet
//!       12 bytes       │   2    │         2         │     2     │
//! ```
//! smoltcp knows no tags. They are put in on the way out and taken away on the way in by moving the two addresses,
//! twelve bytes, within the frame; all behind them stays where it is. The NIC's own handling of tags is off, so the
//! same code runs on every family.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// Bytes of a tag.
pub(crate) const TAG_LEN: usize = 4;
/// Bytes of the two addresses before it.
const ADDRESSES: usize = 12;
/// The EtherType of a tagged frame (IEEE 802.1Q §9.6).
const TAGGED: u16 = 0x8100;
/// The VLAN id in the tag control information; above it are priority and drop eligibility (§9.6).
const ID: u16 = 0x0fff;

/// The number of a VLAN: 1 to 4094 (IEEE 802.1Q §9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VlanId(NonZeroU16);

/// The number is none of a VLAN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given} is no VLAN: choose 1 to 4094")]
pub struct NotAVlan {
    given: String,
}

impl VlanId {
    /// The VLAN of this number; `None` where no VLAN can have it.
    #[must_use]
    pub fn new(id: u16) -> Option<Self> {
        NonZeroU16::new(id).filter(|id| id.get() < ID).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// Puts the tag into a frame that lies [`TAG_LEN`] bytes into `bytes`: afterwards it begins with them.
    #[inline]
    pub(crate) fn tag(self, bytes: &mut [u8]) {
        bytes.copy_within(TAG_LEN..TAG_LEN + ADDRESSES, 0);
        let [tagged, id] = [TAGGED, self.get()].map(u16::to_be_bytes);
        bytes[ADDRESSES..ADDRESSES + 2].copy_from_slice(&tagged);
        bytes[ADDRESSES + 2..ADDRESSES + TAG_LEN].copy_from_slice(&id);
    }

    /// Takes the tag out of a frame: afterwards it lies [`TAG_LEN`] bytes into `bytes`. Returns false, and changes
    /// nothing, where the frame has no tag, or another VLAN's. Its priority is not looked at.
    #[inline]
    pub(crate) fn untag(self, bytes: &mut [u8]) -> bool {
        let Some(&[high, low, id_high, id_low]) = bytes.get(ADDRESSES..).and_then(<[u8]>::first_chunk) else {
            return false;
        };
        let id = u16::from_be_bytes([id_high, id_low]) & ID;
        if u16::from_be_bytes([high, low]) != TAGGED || id != self.get() {
            return false;
        }
        bytes.copy_within(..ADDRESSES, TAG_LEN);
        true
    }
}

/// How many bytes longer than plain ones the frames of a network are.
#[inline]
pub(crate) const fn tag_len(vlan: Option<VlanId>) -> usize {
    if vlan.is_some() { TAG_LEN } else { 0 }
}

impl FromStr for VlanId {
    type Err = NotAVlan;

    fn from_str(text: &str) -> Result<Self, NotAVlan> {
        text.parse().ok().and_then(Self::new).ok_or_else(|| NotAVlan {
            given: text.to_string(),
        })
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ieee_802_1q_9_6_numbers_from_1_to_4094_are_vlans() {
        for id in [1, 2, 100, 4094] {
            assert_eq!(id.to_string().parse(), Ok(VlanId::new(id).unwrap()));
        }
        for text in ["0", "4095", "4096", "65536", "-1", "", "ten"] {
            let error = text.parse::<VlanId>().unwrap_err();
            assert_eq!(error.to_string(), format!("{text} is no VLAN: choose 1 to 4094"));
        }
    }

    #[test]
    fn a_tag_stands_behind_the_addresses() {
        let mut bytes = *b"....ddddddssssssttpayload";
        VlanId::new(0x123).unwrap().tag(&mut bytes);
        assert_eq!(&bytes, b"ddddddssssss\x81\x00\x01\x23ttpayload");
    }

    #[test]
    fn another_vlans_frames_and_untagged_ones_are_not_ours() {
        let vlan = VlanId::new(7).unwrap();
        for tag in [
            [0x81, 0, 0, 8],
            [0x81, 0, 0, 0],
            [0x08, 0, 0, 7],
            [0x88, 0xa8, 0, 7],
        ] {
            let mut bytes = [&[0; 12], &tag[..], &[0; 44]].concat();
            let before = bytes.clone();
            assert!(!vlan.untag(&mut bytes), "{tag:x?}");
            assert_eq!(bytes, before);
        }
        for short in 0..16 {
            assert!(!vlan.untag(&mut vec![0x81; short]));
        }
    }

    #[test]
    fn ieee_802_1q_9_6_priority_and_drop_eligibility_do_not_make_another_vlan() {
        let mut bytes = [&[1; 12], &[0x81, 0, 0xf0, 7][..], &[2; 44]].concat();
        assert!(VlanId::new(7).unwrap().untag(&mut bytes));
        assert_eq!(bytes[4..], [&[1; 12], &[2; 44][..]].concat());
    }

    proptest! {
        #[test]
        fn what_is_tagged_comes_out_as_it_was(id in 1u16..4095, frame in prop::collection::vec(any::<u8>(), 14..200)) {
            let vlan = VlanId::new(id).unwrap();
            let mut bytes = vec![0; TAG_LEN];
            bytes.extend_from_slice(&frame);
            vlan.tag(&mut bytes);
            prop_assert!(vlan.untag(&mut bytes));
            prop_assert_eq!(&bytes[TAG_LEN..], &frame[..]);
        }
    }
}
