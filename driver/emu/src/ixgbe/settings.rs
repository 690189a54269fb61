//! What the 82599's receive registers say (§7.1.1, §7.1.2.8, §8.2.3.7).

use pagewire_spec::ixgbe as spec;
use spec::{Fctrl, Hlreg0, Maxfrs, Mcstctrl, Mrqc, Rah, Rdrxctl, Rxcsum, Rxctrl};

use crate::device::Device;
use crate::offload::hash::{HashKinds, Toeplitz};
use crate::receive::filter::{MulticastTable, Settings};
use crate::receive::steer::Rss;

/// Longest frame without HLREG0.JUMBOEN: 1518 bytes, 1522 with a VLAN tag.
const ORDINARY: usize = 1522;
/// RX_DIS of SECRXCTRL: the receive path is stopped (§8.2.3.12.5).
pub(super) const RX_DIS: u32 = 1 << 1;

/// Takes the settings.
pub(super) fn take(device: &Device, old: Option<Box<Rss>>) -> (Settings, Option<Box<Rss>>) {
    let get = |row: &pagewire_spec::Register| device.registers.get(row, 0);
    let filter = Fctrl::from_bits(get(&spec::FCTRL));
    let mac = Hlreg0::from_bits(get(&spec::HLREG0));
    let jumbo = usize::from(Maxfrs::from_bits(get(&spec::MAXFRS)).mfs());
    let multicast = Mcstctrl::from_bits(get(&spec::MCSTCTRL));
    let stopped = get(&spec::SECRXCTRL) & RX_DIS != 0;
    let settings = Settings {
        on: Rxctrl::from_bits(get(&spec::RXCTRL)).rxen() && !stopped,
        max_frame: if mac.jumboen() { jumbo } else { ORDINARY }.saturating_sub(4),
        stations: stations(device),
        broadcast: filter.bam(),
        promiscuous: filter.upe(),
        all_multicast: filter.mpe(),
        multicast: multicast.mfe().then(|| {
            let words = std::array::from_fn(|index| device.registers.get(&spec::MTA, index as u32));
            Box::new(MulticastTable {
                words,
                offset: multicast.mo().into(),
            })
        }),
        keep_fcs: !mac.rxcrcstrp(),
        check_ip: true,
        check_l4: true,
        whole_segments: true,
    };
    (settings, rss(device, old))
}

/// A receive address counts if it is valid; pools (MPSAR) matter with virtualization only, which is not modelled.
fn stations(device: &Device) -> Vec<[u8; 6]> {
    let get = |row, index| device.registers.get(row, index);
    let mut stations = Vec::new();
    for index in 0..spec::RAL.count {
        let high = Rah::from_bits(get(&spec::RAH, index));
        if high.av() {
            let [a, b, c, d] = get(&spec::RAL, index).to_le_bytes();
            let [e, f] = high.address().to_le_bytes();
            stations.push([a, b, c, d, e, f]);
        }
    }
    stations
}

fn rss(device: &Device, old: Option<Box<Rss>>) -> Option<Box<Rss>> {
    let get = |row, index| device.registers.get(row, index);
    let mode = Mrqc::from_bits(get(&spec::MRQC, 0));
    if mode.mrqe() != Mrqc::RSS {
        return None;
    }
    let mut key = [0; spec::RSS_KEY_LEN];
    for (index, word) in key.chunks_exact_mut(4).enumerate() {
        word.copy_from_slice(&get(&spec::RSSRK, index as u32).to_le_bytes());
    }
    let mut rss = old.filter(|old| old.key == key).unwrap_or_else(|| {
        let hash = Toeplitz::new(&key);
        Box::new(Rss {
            kinds: HashKinds::default(),
            key,
            hash,
            table: [0; spec::RETA_ENTRIES],
            report: false,
        })
    });
    for (index, queues) in rss.table.chunks_exact_mut(4).enumerate() {
        queues.copy_from_slice(&get(&spec::RETA, index as u32).to_le_bytes());
    }
    rss.kinds = HashKinds {
        tcp_ipv4: mode.tcp_ipv4(),
        ipv4: mode.ipv4(),
        ipv6: mode.ipv6(),
        tcp_ipv6: mode.tcp_ipv6(),
        udp_ipv4: mode.udp_ipv4(),
        udp_ipv6: mode.udp_ipv6(),
    };
    rss.report = Rxcsum::from_bits(get(&spec::RXCSUM, 0)).pcsd();
    Some(rss)
}

/// What must hold when the receiver is switched on.
pub(super) fn check(device: &Device) {
    let mac = Hlreg0::from_bits(device.registers.get(&spec::HLREG0, 0));
    let dma = Rdrxctl::from_bits(device.registers.get(&spec::RDRXCTL, 0));
    if mac.rxcrcstrp() != dma.crcstrip() {
        device.misuse(|| "RXCTRL.RXEN with RDRXCTL.CRCSTRIP and HLREG0.RXCRCSTRP different".into());
    }
}
