//! Checks of what `open` is asked for, the same for both families.

use crate::port::{NicConfig, NicError};

/// The largest frame either family is told to take, without its Ethernet checksum: 9,000 bytes of payload,
/// the header, a VLAN tag.
pub(crate) const MAX_FRAME: u16 = 9018;
/// Bytes of the Ethernet checksum.
pub(crate) const FCS: u16 = 4;

impl NicConfig {
    /// Whether a device with up to `max_queues` queue pairs can be opened this way.
    pub(crate) fn check(&self, max_queues: u16) -> Result<(), NicError> {
        let ring = |descriptors: u16| descriptors.is_power_of_two() && (8..=4096).contains(&descriptors);
        let settings = [
            (
                (1..=max_queues).contains(&self.queues),
                "queues",
                u64::from(self.queues),
                if max_queues == 1 {
                    "this device has one queue pair"
                } else {
                    "choose 1 to 16 queue pairs"
                },
            ),
            (
                ring(self.tx_descriptors),
                "tx_descriptors",
                self.tx_descriptors.into(),
                RING,
            ),
            (
                ring(self.rx_descriptors),
                "rx_descriptors",
                self.rx_descriptors.into(),
                RING,
            ),
            (
                matches!(self.rx_buffer, 2048 | 4096 | 8192 | 16384),
                "rx_buffer",
                self.rx_buffer.into(),
                "choose 2048, 4096, 8192 or 16384 bytes",
            ),
            (
                (60..=MAX_FRAME).contains(&self.max_frame),
                "max_frame",
                self.max_frame.into(),
                "choose 60 to 9018 bytes",
            ),
        ];
        match settings.into_iter().find(|(possible, ..)| !possible) {
            Some((_, setting, value, allowed)) => Err(NicError::Setting {
                setting,
                value,
                allowed,
            }),
            None => Ok(()),
        }
    }

    /// Frames in the pool of one receive queue: as asked, or enough that neither ring runs dry while the
    /// other is full.
    pub(crate) fn frames(&self) -> usize {
        match self.rx_frames {
            0 => usize::from(self.rx_descriptors) + usize::from(self.tx_descriptors) + 256,
            frames => frames as usize,
        }
    }
}

const RING: &str = "choose a power of two from 8 to 4096 descriptors";

/// A station address that a NIC can have: not all zero, not a group's.
pub(crate) fn check_address(mac: [u8; 6]) -> Result<[u8; 6], NicError> {
    if mac == [0; 6] || mac[0] & 1 != 0 {
        Err(NicError::NoAddress { mac })
    } else {
        Ok(mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_impossible_setting_is_named() {
        let good = NicConfig::default();
        assert!(good.check(1).is_ok());
        for (config, name) in [
            (
                NicConfig {
                    queues: 2,
                    ..good.clone()
                },
                "queues",
            ),
            (
                NicConfig {
                    queues: 0,
                    ..good.clone()
                },
                "queues",
            ),
            (
                NicConfig {
                    tx_descriptors: 500,
                    ..good.clone()
                },
                "tx_descriptors",
            ),
            (
                NicConfig {
                    rx_descriptors: 4,
                    ..good.clone()
                },
                "rx_descriptors",
            ),
            (
                NicConfig {
                    rx_buffer: 1500,
                    ..good.clone()
                },
                "rx_buffer",
            ),
            (
                NicConfig {
                    max_frame: 9019,
                    ..good.clone()
                },
                "max_frame",
            ),
        ] {
            let error = config.check(1).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn an_address_of_zeros_ones_or_a_group_is_none() {
        assert!(check_address([0; 6]).is_err());
        assert!(check_address([0xff; 6]).is_err());
        assert!(check_address([1, 0, 0, 0, 0, 1]).is_err());
        assert!(check_address([2, 0, 0, 0, 0, 1]).is_ok());
    }
}
