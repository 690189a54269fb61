//! Any bytes as requests: the property of the fuzz target, on what proptest makes up, near to real requests and far from them.

#[path = "../../fuzz/properties.rs"]
mod properties;

use proptest::prelude::*;

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
    ]
}

/// A request that is well formed up to its fields.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let path = "(/[a-z.%0-9]{0,6}){1,4}";
    let ranges = "bytes=([0-9]{0,3}-[0-9]{0,3}){1}(,[0-9]{0,3}-[0-9]{0,3}){0,5}";
    (path, ranges, any::<bool>()).prop_map(|(path, ranges, head)| {
        let method = if head { "HEAD" } else { "GET" };
        format!("{method} {path} HTTP/1.1\r\nHost: h\r\nRange: {ranges}\r\n\r\n").into_bytes()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), len in any::<u64>()) {
        properties::requests_are_read_and_answered(&bytes, len);
    }

    #[test]
    fn pieces_of_requests_are_read_and_answered(
        pieces in prop::collection::vec(prop_oneof![3 => fragment(), 1 => request()], 0..30),
        len in prop_oneof![0..1000_u64, any::<u64>()],
    ) {
        properties::requests_are_read_and_answered(&pieces.concat(), len);
    }
}
