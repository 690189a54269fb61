//! What an IOMMU says of itself: usable addresses, page size, how many mappings it takes.

use std::ops::RangeInclusive;

use vfio_bindings::bindings::vfio::{
    VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, vfio_info_cap_header,
    vfio_iommu_type1_info, vfio_iommu_type1_info_cap_iova_range, vfio_iommu_type1_info_dma_avail,
    vfio_iova_range,
};

/// How many mappings a container takes where the kernel does not tell (Linux before 5.10): its default.
const MAPPINGS: usize = 65_535;
/// The usable addresses where the kernel does not tell (Linux before 5.4): what the smallest IOMMU in use has, but for
/// the window of message interrupts.
const USABLE: [RangeInclusive<u64>; 2] = [0..=0xfedf_ffff, 0xfef0_0000..=0x7f_ffff_ffff];

/// What a mapper has to keep to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) usable: Vec<RangeInclusive<u64>>,
    pub(super) page: u64,
    pub(super) mappings: usize,
}

/// A `vfio_iommu_type1_info` and its capabilities: structures chained by their offset from the first byte.
#[repr(C, align(8))]
pub(super) struct InfoBytes([u8; 4096]);

impl InfoBytes {
    /// Nothing yet; the first word tells the kernel how much room there is.
    pub(super) fn new() -> Self {
        let mut bytes = [0; 4096];
        let size = bytes.len() as u32;
        bytes[..4].copy_from_slice(&size.to_ne_bytes());
        Self(bytes)
    }

    /// What the kernel has written.
    pub(super) fn geometry(&self) -> Geometry {
        let page_sizes = self.u64(std::mem::offset_of!(vfio_iommu_type1_info, iova_pgsizes));
        let mut geometry = Geometry {
            usable: Vec::new(),
            // A bit for each page size: the smallest counts.
            page: (rustix::param::page_size() as u64).max(page_sizes & page_sizes.wrapping_neg()),
            mappings: MAPPINGS,
        };
        let mut at = self.u32(std::mem::offset_of!(vfio_iommu_type1_info, cap_offset));
        // A chain is as short as there are kinds of capabilities; one that goes round in a ring ends here too.
        for _ in 0..16 {
            if at == 0 {
                break;
            }
            match u32::from(self.u16(at as usize)) {
                VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE => geometry.usable = self.ranges(at as usize),
                VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL => {
                    let left = at as usize + std::mem::offset_of!(vfio_iommu_type1_info_dma_avail, avail);
                    geometry.mappings = self.u32(left) as usize;
                }
                _ => {}
            }
            at = self.u32(at as usize + std::mem::offset_of!(vfio_info_cap_header, next));
        }
        if geometry.usable.is_empty() {
            geometry.usable = USABLE.to_vec();
        }
        geometry
    }

    fn ranges(&self, at: usize) -> Vec<RangeInclusive<u64>> {
        let count =
            self.u32(at + std::mem::offset_of!(vfio_iommu_type1_info_cap_iova_range, nr_iovas)) as usize;
        let first = at + size_of::<vfio_iommu_type1_info_cap_iova_range>();
        // No more than fit into the bytes.
        let count = count.min(self.0.len() / size_of::<vfio_iova_range>());
        let places = (0..count).map(|index| first + index * size_of::<vfio_iova_range>());
        places
            .map(|place| self.u64(place)..=self.u64(place + 8))
            .collect()
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_ne_bytes(self.bytes(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.bytes(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.bytes(at))
    }

    /// Zeros beyond the end: there the chain ends.
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let found = self.0.get(at..).and_then(|rest| rest.first_chunk());
        found.copied().unwrap_or([0; N])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Linux 6.1 writes: sizes, then the capabilities by their offsets.
    fn told(capabilities: &[(usize, &[u32])]) -> InfoBytes {
        let mut info = InfoBytes::new();
        let mut write = |at: usize, words: &[u32]| {
            for (index, word) in words.iter().enumerate() {
                let at = at + 4 * index;
                info.0[at..at + 4].copy_from_slice(&word.to_ne_bytes());
            }
        };
        let first = capabilities.first().map_or(0, |(at, _)| *at as u32);
        write(0, &[136, 3, 0x4020_1000, 0, first, 0]);
        for (at, words) in capabilities {
            write(*at, words);
        }
        info
    }

    #[test]
    fn what_linux_reports_is_read() {
        let ranges = [
            1 | 1 << 16,
            80,
            2,
            0,
            0,
            0,
            0xfedf_ffff,
            0,
            0xfef0_0000,
            0,
            0xffff_ffff,
            0x7f,
        ];
        let available = [3 | 1 << 16, 0, 40_000];
        let geometry = told(&[(24, &ranges), (80, &available)]).geometry();
        assert_eq!(geometry.usable, USABLE);
        assert_eq!((geometry.page, geometry.mappings), (4096, 40_000));
    }

    #[test]
    fn an_old_kernel_that_reports_nothing_gets_the_smallest_iommu() {
        let geometry = told(&[]).geometry();
        assert_eq!(
            (geometry.usable.as_slice(), geometry.mappings),
            (&USABLE[..], MAPPINGS)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_are_read_beyond_their_end(bytes in prop::collection::vec(any::<u8>(), 4096)) {
            let mut info = InfoBytes::new();
            info.0.copy_from_slice(&bytes);
            info.geometry();
        }

        #[test]
        fn a_chain_may_point_anywhere(offset in 0..5000_u32, next in 0..5000_u32) {
            told(&[(offset as usize % 4000, &[1, next, u32::MAX])]).geometry();
        }
    }
}
