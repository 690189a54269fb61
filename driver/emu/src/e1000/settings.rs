//! What the line's receive registers say (§3.2.1, §13.4.22).

use pagewire_spec::e1000 as spec;
use spec::{Rah, Rctl, Rxcsum};

use crate::device::Device;
use crate::receive::filter::{MulticastTable, Settings};

/// Longest frame without RCTL.LPE, FCS included.
const ORDINARY: usize = 1522;

/// Takes the settings.
pub(super) fn take(device: &Device) -> Settings {
    let get = |row, index| device.registers.get(row, index);
    let control = Rctl::from_bits(get(&spec::RCTL, 0));
    let checksums = Rxcsum::from_bits(get(&spec::RXCSUM, 0));
    let mut stations = Vec::new();
    for index in 0..spec::RAL.count {
        let high = Rah::from_bits(get(&spec::RAH, index));
        if high.av() && high.select() == 0 {
            let [a, b, c, d] = get(&spec::RAL, index).to_le_bytes();
            let [e, f] = high.address().to_le_bytes();
            stations.push([a, b, c, d, e, f]);
        }
    }
    let words = std::array::from_fn(|index| get(&spec::MTA, index as u32));
    Settings {
        on: control.en(),
        max_frame: if control.lpe() {
            spec::MAX_FRAME as usize
        } else {
            ORDINARY
        } - 4,
        stations,
        broadcast: control.bam(),
        promiscuous: control.upe(),
        all_multicast: control.mpe(),
        multicast: Some(Box::new(MulticastTable {
            words,
            offset: control.mo().into(),
        })),
        keep_fcs: !control.secrc(),
        check_ip: checksums.ipofl(),
        check_l4: checksums.tuofl(),
        whole_segments: control.lpe(),
    }
}
