//! A segment of more pieces than the device takes leaves as several.
//!
//! smoltcp cuts the stream by its windows, not by what the bytes consist of: sixty short responses that are sent at once
//! are one segment of a hundred and twenty pieces, a head and a page each. A device takes some forty for one packet. So
//! the segment is divided at pieces' ends, and each part gets the headers that it would have had as a segment of its own.

use pagewire_nic::dma::GatherSlice;

/// Devices that cut a buffer do so at addresses a page apart, or at longer distances.
const PAGE: u64 = 4096;
/// What a packet takes besides its payload: a descriptor for its headers, and one where a device has its last bytes
/// stand alone.
const BESIDES: u64 = 2;

/// How many of `slices`, from the first on, one packet of `most` descriptors can have for certain; never none.
pub(super) fn first_part(slices: &[GatherSlice], most: u16) -> usize {
    let mut left = u64::from(most).saturating_sub(BESIDES);
    let fits = |slice: &&GatherSlice| {
        let pieces = (slice.iova().0 % PAGE + u64::from(slice.len())).div_ceil(PAGE);
        let fits = pieces <= left;
        left = left.saturating_sub(pieces);
        fits
    };
    slices.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pagewire_bus::Function;
    use pagewire_emu::{EmulatedNic, Model, Options};
    use pagewire_nic::dma::{Region, ToDevice};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_part_takes_no_more_descriptors_than_there_may_be_wherever_its_pieces_lie(
            pieces in prop::collection::vec((0usize..8192, 1usize..20_000), 1..80), most in 8u16..64,
        ) {
            let device = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1]));
            let region = Arc::new(Region::<ToDevice>::allocate(&device.mapper(), 32 << 10).unwrap());
            let mut slices: Vec<_> = pieces
                .iter()
                .map(|&(start, len)| GatherSlice::new(Arc::clone(&region), start, len).unwrap())
                .collect();
            while !slices.is_empty() {
                let part = first_part(&slices, most);
                let cut: u64 = slices
                    .drain(..part)
                    .map(|slice| (slice.iova().0 + u64::from(slice.len()) - 1) / PAGE - slice.iova().0 / PAGE + 1)
                    .sum();
                prop_assert!(cut + 2 <= u64::from(most));
            }
        }
    }
}
