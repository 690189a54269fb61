//! Any bytes, in pieces of any size, as requests for a file of any length and age.
#![no_main]

#[path = "../properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, u16, u8, &[u8])| {
    let (len, age, size, bytes) = input;
    properties::hold(bytes, len.min(properties::LONGEST), age, size.into());
});
