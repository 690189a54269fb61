//! `layout!`: states where each field of a bitfield lies, apart from the bitfield's own listing, and tests by
//! property that reading and building both agree with it.

/// `layout!(test_name, Type, u64 { field with_field @ lowest_bit : width, ... });`
#[macro_export]
macro_rules! layout {
    ($test:ident, $type:ty, $raw:ty { $($field:ident $with:ident @ $at:literal : $width:literal),+ $(,)? }) => {
        mod $test {
            #[allow(unused_imports, reason = "most types come from one of the families' modules")]
            use super::*;
            use proptest::prelude::*;

            const FIELDS: &[(&str, u32, u32)] = &[$((stringify!($field), $at, $width)),+];

            fn mask(at: u32, width: u32) -> u64 {
                (u64::MAX >> (64 - width)) << at
            }

            proptest! {
                #[test]
                fn every_field_reads_the_bits_that_the_datasheet_gives_it(raw: $raw) {
                    let value = <$type>::from_bits(raw);
                    prop_assert_eq!(value.into_bits(), raw);
                    $(prop_assert_eq!(
                        u64::from(value.$field()), (u64::from(raw) & mask($at, $width)) >> $at,
                        "{}", stringify!($field)
                    );)+
                }

                #[test]
                fn built_from_its_fields_it_is_the_raw_value_without_reserved_bits(raw: $raw) {
                    let value = <$type>::from_bits(raw);
                    let built = <$type>::from_bits(0)$(.$with(value.$field()))+;
                    let named = FIELDS.iter().fold(0, |bits, (_, at, width)| bits | mask(*at, *width));
                    prop_assert_eq!(u64::from(built.into_bits()), u64::from(raw) & named);
                    $(prop_assert_eq!(built.$field(), value.$field());)+
                }
            }

            #[test]
            fn fields_do_not_overlap_and_none_is_forgotten() {
                let mut taken = 0;
                for (name, at, width) in FIELDS {
                    assert_eq!(taken & mask(*at, *width), 0, "{name}");
                    taken |= mask(*at, *width);
                }
                assert!(taken <= u64::from(<$raw>::MAX));
                // Debug names every field that is not padding.
                let debug = format!("{:?}", <$type>::from_bits(0));
                let private = ["reserved_3:", "reserved_11:", "reserved_13:", "reserved_15:"];
                let hidden = private.iter().filter(|name| debug.contains(**name)).count();
                assert_eq!(debug.matches(": ").count() - hidden, FIELDS.len(), "{debug}");
            }
        }
    };
}
