//! What holds for any bytes that somebody sends to a server: shared by the fuzz target and by the ordinary tests.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pagewire::serve::Log;
use pagewire::serve::http::request::Preconditions;
use pagewire::serve::http::{
    Answer, Clock, Method, Piece, Reading, Representation, Request, Requests, Status, request, target,
};
use pagewire_stack::IpAddress;

/// No file is longer: its length is an `off_t`.
pub(crate) const LONGEST: u64 = i64::MAX as u64;

/// All that holds for `bytes`, a file of `len` bytes that is `age` seconds old, and pieces of `size`.
pub(crate) fn hold(bytes: &[u8], len: u64, age: u16, size: usize) {
    requests_are_read_and_answered(bytes, len, age);
    pieces_make_no_difference(bytes, size);
}

/// Reads `bytes` as requests, one after the other, and answers each with a file of `len` bytes that was written to `age`
/// seconds ago.
fn requests_are_read_and_answered(bytes: &[u8], len: u64, age: u16) {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let mut server = Server {
        answer: Answer::new(1),
        file: Representation::new(len, "text/plain", now - Duration::from_secs(age.into()), now),
        clock: Clock::at(now),
    };
    for reading in readings(bytes) {
        match reading {
            Reading::Incomplete => unreachable!("it is no reading"),
            Reading::Refused(status) => {
                assert!(status.code() >= 400);
                server.answer.with_status(status, None, &server.clock);
                assert!(server.answer.ends());
            }
            Reading::Request { request, .. } => {
                leads_nowhere_else(request.target);
                server.answers(&request);
                server.redirects(&request);
                server.knows_its_own_tag(&request);
                is_one_line_of_the_log(&request, now);
            }
        }
    }
}

/// Reads `bytes` in pieces of `size`: that makes no difference.
fn pieces_make_no_difference(bytes: &[u8], size: usize) {
    let mut expected = readings(bytes).into_iter();
    let mut requests = Requests::default();
    for mut piece in bytes.chunks(size.max(1)) {
        while !piece.is_empty() {
            let mut refused = false;
            let taken = requests.take(piece, |reading| {
                assert_eq!(Some(reading), expected.next(), "in pieces of {size}");
                refused = matches!(reading, Reading::Refused(_));
            });
            if refused {
                // The connection ends.
                return;
            }
            assert!(0 < taken && taken <= piece.len());
            piece = &piece[taken..];
        }
    }
    // What is wrong with a head shows at the end of the line at the latest.
    if let Some(refused @ Reading::Refused(_)) = expected.next() {
        let mut told = false;
        requests.take(b"\n", |reading| {
            assert_eq!(reading, refused);
            told = true;
        });
        assert!(told, "nobody was told of {refused:?}");
    }
    assert_eq!(expected.next(), None, "in pieces of {size}");
}

/// What is read of `bytes` where all are there, up to a refusal.
fn readings(bytes: &[u8]) -> Vec<Reading<'_>> {
    let (mut readings, mut rest) = (vec![], bytes);
    loop {
        let reading = request::read(rest);
        match reading {
            Reading::Incomplete => {
                assert!(
                    rest.len() < request::MOST_HEAD,
                    "a head beyond the limit is waited for"
                );
                return readings;
            }
            Reading::Refused(_) => {
                readings.push(reading);
                return readings;
            }
            Reading::Request { request, len } => {
                assert!(0 < len && len <= rest.len() && len <= request::MOST_HEAD);
                readings.push(reading);
                rest = &rest[len..];
                rest = &rest[rest.len().min(request.body as usize)..];
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

/// What stands in the log of a request is one line of printable ASCII, with the two quotes that belong there.
fn is_one_line_of_the_log(request: &Request<'_>, now: SystemTime) {
    #[derive(Clone, Default)]
    struct Page(Rc<RefCell<Vec<u8>>>);
    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let page = Page::default();
    let mut log = Log::new(Box::new(page.clone()));
    log.add(IpAddress::v4(10, 0, 0, 2), Some(request), 200, 1, &Clock::at(now))
        .expect("memory takes it");
    log.flush().expect("memory takes it");
    let written = String::from_utf8(page.0.take()).expect("text");
    let line = written.strip_suffix('\n').expect("a line");
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
    assert_eq!(line.matches('"').count(), 2, "{line:?}");
}

/// Whoever answers with one file.
struct Server {
    answer: Answer,
    file: Representation,
    clock: Clock,
}

impl Server {
    /// Answers with the file; what is said, and which runs of the file with it.
    fn answers(&mut self, request: &Request<'_>) -> (Status, Vec<Piece>) {
        let Self { answer, file, clock } = self;
        answer.with_file(request, file, clock);
        is_well_formed(answer, file.len(), request.method);
        let runs = answer
            .pieces()
            .iter()
            .filter(|piece| matches!(piece, Piece::File(_)));
        (answer.status(), runs.cloned().collect())
    }

    /// A place elsewhere is one field, whatever was asked for.
    fn redirects(&mut self, request: &Request<'_>) {
        let Some(Ok(resolved)) = target::path_of(request.target).map(target::resolve) else {
            return;
        };
        let location = target::folder_uri(&resolved.path) + target::query_of(request.target);
        self.answer.with_redirect(&location, request, &self.clock);
        is_well_formed(&self.answer, 0, request.method);
        let text = String::from_utf8_lossy(self.answer.text());
        assert!(text.contains(&format!("\r\nLocation: {location}\r\n")), "{text}");
    }

    /// Whoever has the file's own tag has the file.
    fn knows_its_own_tag(&mut self, request: &Request<'_>) {
        let tag = self.file.etag().to_owned();
        let own = Some(tag.as_bytes());
        let mut with = |preconditions| {
            self.answers(&Request {
                preconditions,
                ..*request
            })
        };
        let none = Preconditions::default();
        let plain = with(none);
        let has_it = with(Preconditions {
            if_none_match: own,
            ..none
        });
        assert_eq!(has_it.0, Status::NotModified);
        let matches = with(Preconditions {
            if_match: own,
            ..none
        });
        let goes_on = with(Preconditions {
            if_range: own,
            ..none
        });
        if tag.starts_with('"') {
            assert_eq!((&matches, &goes_on), (&plain, &plain));
        } else {
            assert_eq!((matches.0, goes_on.0), (Status::PreconditionFailed, Status::Ok));
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
    let field = |name: &str| {
        let mut values = response.headers.iter().filter(|field| field.name == name);
        let value = values
            .next()
            .map(|field| std::str::from_utf8(field.value).unwrap());
        assert!(values.next().is_none(), "two fields {name}");
        value
    };
    let declared = field("Content-Length").map(|digits| digits.parse::<u64>().unwrap());
    match answer.status() {
        Status::NotModified => assert_eq!((declared, answer.body()), (None, 0)),
        _ if method == Method::Head => assert_eq!(answer.body(), 0),
        _ => assert_eq!(declared, Some(answer.body())),
    }
    let range = match (answer.status(), answer.pieces()) {
        (Status::PartialContent, [_, Piece::File(run)]) => {
            Some(format!("bytes {}-{}/{len}", run.start, run.end - 1))
        }
        (Status::RangeNotSatisfiable, _) => Some(format!("bytes */{len}")),
        _ => None,
    };
    assert_eq!(field("Content-Range"), range.as_deref());
}
