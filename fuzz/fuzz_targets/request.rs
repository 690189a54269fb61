//! Any bytes as requests for a file of any length.
#![no_main]

#[path = "../properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (len, bytes) = input;
    properties::requests_are_read_and_answered(bytes, len);
});
