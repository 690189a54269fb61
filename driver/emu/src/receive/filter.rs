//! Which frames are for this device (82540EM §3.2.1, 82599 §7.1.1).

/// Receive settings, as the registers say.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are bits of control registers")]
pub(crate) struct Settings {
    /// The receiver is on.
    pub(crate) on: bool,
    /// The longest frame, without FCS.
    pub(crate) max_frame: usize,
    /// Valid receive addresses.
    pub(crate) stations: Vec<[u8; 6]>,
    pub(crate) broadcast: bool,
    pub(crate) promiscuous: bool,
    pub(crate) all_multicast: bool,
    pub(crate) multicast: Option<Box<MulticastTable>>,
    /// The FCS goes to memory too.
    pub(crate) keep_fcs: bool,
    pub(crate) check_ip: bool,
    pub(crate) check_l4: bool,
    /// Segments passed whole are taken.
    pub(crate) whole_segments: bool,
}

/// 4096 bits, by 12 bits of the address.
#[derive(Clone, Debug)]
pub(crate) struct MulticastTable {
    pub(crate) words: [u32; 128],
    /// MO: which 12 bits; 0 is the uppermost.
    pub(crate) offset: u32,
}

impl MulticastTable {
    /// Whether the address's bit is set (82540EM §13.5.1, 82599 §8.2.3.7.7).
    fn takes(&self, address: &[u8; 6]) -> bool {
        let top = u32::from(u16::from_le_bytes([address[4], address[5]]));
        let hash = match self.offset {
            0 => top >> 4,
            1 => top >> 3,
            2 => top >> 2,
            _ => top,
        } & 0xfff;
        self.words[hash as usize / 32] >> (hash % 32) & 1 == 1
    }
}

/// What the filter says to a frame that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Exactly,
    Broadcast,
    Multicast {
        /// Only an inexact filter took it.
        inexact: bool,
    },
}

impl Settings {
    /// Whether a frame to `destination` is taken.
    #[inline]
    pub(crate) fn takes(&self, destination: &[u8; 6]) -> Option<Taken> {
        if destination[0] & 1 == 0 {
            return (self.promiscuous || self.stations.contains(destination)).then_some(Taken::Exactly);
        }
        if *destination == [0xff; 6] {
            return (self.broadcast || self.all_multicast).then_some(Taken::Broadcast);
        }
        if self.all_multicast || self.stations.contains(destination) {
            return Some(Taken::Multicast { inexact: false });
        }
        let hit = self
            .multicast
            .as_ref()
            .is_some_and(|table| table.takes(destination));
        hit.then_some(Taken::Multicast { inexact: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unicast_frame_is_taken_by_its_own_station_only() {
        let mine = [2, 0, 0, 0, 0, 1];
        let settings = Settings {
            stations: vec![mine],
            ..Settings::default()
        };
        assert_eq!(settings.takes(&mine), Some(Taken::Exactly));
        assert_eq!(settings.takes(&[2, 0, 0, 0, 0, 2]), None);
        assert_eq!(settings.takes(&[0xff; 6]), None);
    }

    #[test]
    fn a_multicast_frame_is_taken_by_the_bit_of_its_uppermost_bits() {
        // 82540EM §13.5.1: with MO = 0 the index is bits 47:36, byte 5 and the high half of byte 4.
        let address = [0x01, 0xaa, 0x00, 0x12, 0x34, 0x56];
        let mut words = [0; 128];
        let index = 0x563;
        words[index / 32] = 1 << (index % 32);
        let table = Box::new(MulticastTable { words, offset: 0 });
        let settings = Settings {
            multicast: Some(table),
            ..Settings::default()
        };
        assert_eq!(settings.takes(&address), Some(Taken::Multicast { inexact: true }));
        assert_eq!(settings.takes(&[0x01, 0xaa, 0x00, 0x12, 0x44, 0x56]), None);
    }
}
