//! What holds for any bytes that somebody sends to a server: shared by the fuzz target and by the ordinary tests.

use std::time::{Duration, UNIX_EPOCH};

use pagewire::serve::http::{Answer, Clock, Method, Piece, Reading, Representation, Status, request, target};

/// Reads `bytes` as requests, one after the other, and answers each with a file of `len` bytes.
pub(crate) fn requests_are_read_and_answered(bytes: &[u8], len: u64) {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let clock = Clock::at(now);
    let file = Representation::new(len, "text/plain", now - Duration::from_secs(60), now);
    let mut answer = Answer::new(1);
    let mut rest = bytes;
    loop {
        match request::read(rest) {
            Reading::Incomplete => {
                assert!(
                    rest.len() < request::MOST_HEAD,
                    "a head beyond the limit is waited for"
                );
                return;
            }
            Reading::Refused(status) => {
                assert!(status.code() >= 400);
                answer.with_status(status, None, &clock);
                assert!(answer.ends());
                return;
            }
            Reading::Request { request, len: head } => {
                assert!(0 < head && head <= rest.len() && head <= request::MOST_HEAD);
                leads_nowhere_else(request.target);
                answer.with_file(&request, &file, &clock);
                is_well_formed(&answer, len, request.method);
                rest = &rest[head..];
            }
        }
    }
}

/// A path beneath the root has no name that leads out of it.
fn leads_nowhere_else(written: &str) {
    let Some(path) = target::path_of(written) else {
        return;
    };
    match target::resolve(path) {
        Err(status) => assert_eq!(status, Status::BadRequest),
        Ok(resolved) => {
            assert!(!resolved.path.contains(&0), "a zero byte in {written:?}");
            assert!(
                !resolved.path.starts_with(b"/"),
                "an absolute path from {written:?}"
            );
            for name in resolved.path.split(|&byte| byte == b'/') {
                assert!(!matches!(name, b"." | b".."), "a dot segment from {written:?}");
            }
            // What is said of it names the same file again.
            let again = target::resolve(&target::folder_uri(&resolved.path)).expect("our own path");
            assert_eq!(again.path, resolved.path);
        }
    }
}

/// The head is one, declares what follows, and every piece lies where it can be had.
fn is_well_formed(answer: &Answer, len: u64, method: Method) {
    let mut sent = 0;
    for piece in answer.pieces() {
        sent += match piece {
            Piece::Text(range) => answer.text()[range.clone()].len() as u64,
            Piece::File(range) => {
                assert!(range.start < range.end && range.end <= len, "{range:?} of {len}");
                range.end - range.start
            }
        };
    }
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    let head = response.parse(answer.text()).expect("a head");
    let httparse::Status::Complete(head) = head else {
        panic!("an open head");
    };
    assert_eq!(response.code, Some(answer.status().code()));
    assert_eq!(sent, head as u64 + answer.body());
    let declared = response
        .headers
        .iter()
        .find(|field| field.name == "Content-Length");
    let declared = declared.map(|field| std::str::from_utf8(field.value).unwrap().parse::<u64>().unwrap());
    match answer.status() {
        Status::NotModified => assert_eq!((declared, answer.body()), (None, 0)),
        _ if method == Method::Head => assert_eq!(answer.body(), 0),
        _ => assert_eq!(declared, Some(answer.body())),
    }
}
