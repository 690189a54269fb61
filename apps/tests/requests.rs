//! Any bytes as requests: the property of the fuzz target, on what proptest makes up, near to real requests and far from them.

#[path = "../../fuzz/properties.rs"]
mod properties;

use pagewire::serve::http::{Reading, request};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A piece of a request, right or nearly so.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "GET ",
        "HEAD ",
        "POST ",
        "/",
        "/a/../b",
        "/%2e%2e/",
        "/%00",
        "%",
        "?q",
        "http://h/x",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "Host: h\r\n",
        "Range: bytes=",
        "0-0",
        "-1",
        "5-",
        ",",
        "18446744073709551615",
        "If-Range: ",
        "If-None-Match: ",
        "If-Match: ",
        "*",
        "\"x\"",
        "W/",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "Connection: close\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "\r\n\r\n",
        ":",
        " ",
    ]);
    prop_oneof![
        9 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (0..10_000_usize).prop_map(|len| vec![b'a'; len]),
    ]
}

/// What a request may ask for: names, dots, escapes, and what no name has in it.
fn target() -> impl Strategy<Value = String> {
    let beginnings = prop::sample::select(vec!["/", "//", "http://h/", "HTTP://h", "/a/b/"]);
    let pieces = prop::sample::select(vec![
        "a",
        "/",
        "..",
        ".",
        "/../",
        "%2e",
        "%2E%2e/",
        "%2f",
        "%61",
        "%25",
        "%00",
        "%",
        "%c3%a9",
        "é",
        "?q=/..",
        "&",
        "\"",
        "\\",
        "\u{9b}31m",
        "\u{202e}",
        "#",
    ]);
    (beginnings, prop::collection::vec(pieces, 0..8))
        .prop_map(|(beginning, pieces)| beginning.to_owned() + &pieces.concat())
}

/// A range of bytes, there or not, and now and then none.
fn range() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..1000_u64, 0..1000_u64).prop_map(|(first, more)| format!("{first}-{}", first + more)),
        2 => (0..1000_u64).prop_map(|first| format!("{first}-")),
        2 => (0..1000_u64).prop_map(|last| format!(" -{last}")),
        1 => prop::sample::select(vec!["", "-", "5-2", "0-18446744073709551616"]).prop_map(str::to_owned),
    ]
}

/// A field that means something, with a value that is right or nearly so.
fn field() -> impl Strategy<Value = String> {
    let validator = prop::sample::select(vec![
        "*",
        "\"x\"",
        "W/\"x\", \"y\"",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "yesterday",
    ]);
    let condition = prop::sample::select(vec![
        "If-Match",
        "If-None-Match",
        "If-Range",
        "If-Modified-Since",
        "If-Unmodified-Since",
    ]);
    let other = prop::sample::select(vec![
        "Connection: close",
        "Connection: Keep-Alive",
        "Expect: 100-continue",
        "Content-Length: 3",
        "X: y",
    ]);
    prop_oneof![
        4 => prop::collection::vec(range(), 1..4).prop_map(|ranges| format!("Range: bytes={}", ranges.join(","))),
        2 => (condition, validator).prop_map(|(name, value)| format!("{name}: {value}")),
        2 => other.prop_map(str::to_owned),
    ]
}

/// A request, well formed as far as its words are.
fn whole_request() -> impl Strategy<Value = Vec<u8>> {
    let first = (
        prop::sample::select(vec!["GET", "GET", "HEAD", "POST"]),
        target(),
        prop::sample::select(vec!["1.1", "1.1", "1.0"]),
    );
    let fields = prop::collection::vec(field(), 0..3);
    (first, fields).prop_map(|((method, target, version), fields)| {
        let mut request = format!("{method} {target} HTTP/{version}\r\nHost: h\r\n");
        for field in &fields {
            request += &format!("{field}\r\n");
        }
        request += "\r\n";
        if fields.iter().any(|field| field.starts_with("Content-Length")) {
            request += "abc";
        }
        request.into_bytes()
    })
}

/// Requests one after the other, with something else between them now and then.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![8 => whole_request(), 1 => fragment()];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// Lengths of files, the longest there are among them.
fn length() -> impl Strategy<Value = u64> {
    prop_oneof![0..1000_u64, 0..=properties::LONGEST, Just(properties::LONGEST)]
}

/// Ages of files in seconds: those of two and less have a weak tag.
fn age() -> impl Strategy<Value = u16> {
    prop_oneof![0..5_u16, any::<u16>()]
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        len in length(),
        age in age(),
        size in 1..300_usize,
    ) {
        properties::hold(&bytes, len, age, size);
    }

    #[test]
    fn pieces_of_requests_are_read_and_answered(
        pieces in prop::collection::vec(prop_oneof![3 => fragment(), 1 => whole_request()], 0..30),
        len in length(),
        age in age(),
        size in 1..300_usize,
    ) {
        properties::hold(&pieces.concat(), len, age, size);
    }

    #[test]
    fn requests_in_a_row_are_read_and_answered(
        bytes in requests(),
        len in length(),
        age in age(),
        size in 1..300_usize,
    ) {
        properties::hold(&bytes, len, age, size);
    }
}

/// What is made up gets as far as an answer: properties of what is never reached would hold of anything.
#[test]
fn most_of_what_is_made_up_begins_with_a_request() {
    let mut runner = TestRunner::deterministic();
    let made_up = (0..200).map(|_| requests().new_tree(&mut runner).unwrap().current());
    let read = made_up.filter(|bytes| matches!(request::read(bytes), Reading::Request { .. }));
    let read = read.count();
    assert!(read > 100, "{read} of 200");
}
