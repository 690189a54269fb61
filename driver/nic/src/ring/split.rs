//! Where a buffer is cut: a device reads only so many bytes for one descriptor.

use pagewire_bus::Iova;

/// The rules of one device for the bytes a descriptor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitRule {
    /// The most bytes of one descriptor.
    pub max_bytes: u32,
    /// A descriptor's bytes cross no multiple of this address, a power of two; 0 where there is no such rule.
    pub boundary: u64,
    /// The last bytes of a segmentation request, and of the packet after it, that need a descriptor of their
    /// own; 0 where there is no such rule. Not more than `max_bytes`.
    pub sentinel: u32,
}

/// Cuts one buffer into the ranges that its descriptors name.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    rule: SplitRule,
    next: Iova,
    left: u32,
    sentinel: u32,
}

impl Pieces {
    /// The pieces of `len` bytes at `start`. With `sentinel`, the buffer ends a packet whose last bytes stand
    /// alone.
    #[inline]
    pub(crate) fn new(rule: SplitRule, start: Iova, len: u32, sentinel: bool) -> Self {
        let sentinel = if sentinel && len > rule.sentinel {
            rule.sentinel
        } else {
            0
        };
        Self {
            rule,
            next: start,
            left: len,
            sentinel,
        }
    }

    /// How many there are.
    #[inline]
    pub(crate) fn number(&self) -> usize {
        if self.rule.boundary != 0 {
            return self.clone().count();
        }
        let body = (self.left - self.sentinel).div_ceil(self.rule.max_bytes);
        body as usize + usize::from(self.sentinel != 0)
    }
}

impl Iterator for Pieces {
    type Item = (Iova, u32);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let body = if self.left > self.sentinel {
            self.left - self.sentinel
        } else {
            self.left
        };
        let mut len = body.min(self.rule.max_bytes);
        if self.rule.boundary != 0 {
            let room = self.rule.boundary - (self.next.0 & (self.rule.boundary - 1));
            len = u64::from(len).min(room) as u32;
        }
        let start = self.next;
        self.left -= len;
        if self.left != 0 {
            self.next = start.offset(len.into());
        }
        Some((start, len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> impl Strategy<Value = SplitRule> {
        (1u32..20_000)
            .prop_flat_map(|max_bytes| {
                (
                    Just(max_bytes),
                    prop_oneof![Just(0u64), Just(4096), Just(65536)],
                    prop_oneof![Just(0u32), Just(max_bytes.min(4))],
                )
            })
            .prop_map(|(max_bytes, boundary, sentinel)| SplitRule {
                max_bytes,
                boundary,
                sentinel,
            })
    }

    proptest! {
        /// The pieces are the buffer, in order, without gap or overlap, and each obeys the rule.
        #[test]
        fn pieces_cover_the_buffer_within_the_limits(
            rule in rules(), start in 0u64..1 << 40, len in 1u32..100_000, sentinel in any::<bool>(),
        ) {
            let mut expected = start;
            let mut last = 0;
            let pieces = Pieces::new(rule, Iova(start), len, sentinel);
            prop_assert_eq!(pieces.number(), pieces.clone().count());
            for (at, bytes) in pieces {
                prop_assert_eq!(at.0, expected);
                prop_assert!(bytes >= 1 && bytes <= rule.max_bytes);
                let last_byte = at.0 + u64::from(bytes) - 1;
                prop_assert_eq!(at.0.checked_div(rule.boundary), last_byte.checked_div(rule.boundary));
                expected += u64::from(bytes);
                last = bytes;
            }
            prop_assert_eq!(expected, start + u64::from(len));
            if sentinel && rule.sentinel != 0 && len > rule.sentinel {
                prop_assert!(last <= rule.sentinel);
            }
        }
    }

    #[test]
    fn a_buffer_that_reaches_the_end_of_the_address_space_does_not_overflow() {
        let rule = SplitRule {
            max_bytes: 4096,
            boundary: 0,
            sentinel: 0,
        };
        let pieces: Vec<_> = Pieces::new(rule, Iova(u64::MAX - 4095), 4096, false).collect();
        assert_eq!(pieces, [(Iova(u64::MAX - 4095), 4096)]);
    }
}
