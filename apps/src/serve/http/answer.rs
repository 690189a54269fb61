//! An answer: texts, and runs of the file between them.

use std::io::Write;
use std::ops::Range;

use super::conditions::{self, Verdict};
use super::ranges::{self, Selection};
use super::request::{Method, Persistence};
use super::{Clock, Representation, Request, Status};

/// A part of an answer, in the order of sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of [`Answer::text`].
    Text(Range<usize>),
    /// Bytes of the file.
    File(Range<u64>),
}

/// An answer under construction. One serves for all requests, one after the other.
#[derive(Debug)]
pub struct Answer {
    text: Vec<u8>,
    pieces: Vec<Piece>,
    ranges: Vec<Range<u64>>,
    status: Status,
    ends: bool,
    body: u64,
    /// What the boundaries between the parts of an answer begin with. They are told to clients: nothing else hangs on it.
    seed: u64,
    boundaries: u64,
}

impl Answer {
    /// Nothing yet. The `seed` is a number that nobody could have put into a file so far.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            text: Vec::with_capacity(1024),
            pieces: Vec::with_capacity(4),
            ranges: vec![],
            status: Status::InternalServerError,
            ends: true,
            body: 0,
            seed,
            boundaries: 0,
        }
    }

    /// The texts that its pieces are cut from.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What is to be sent.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether the connection ends after it.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.ends
    }

    /// Length of its body in bytes, as it is sent.
    #[must_use]
    pub fn body(&self) -> u64 {
        self.body
    }

    /// Answers with a file, with parts of it, or with the news that the client has it already.
    pub fn with_file(&mut self, request: &Request<'_>, file: &Representation, clock: &Clock) {
        match conditions::evaluate(&request.preconditions, file) {
            Verdict::Failed => return self.with_status(Status::PreconditionFailed, Some(request), clock),
            Verdict::NotModified => {
                self.begin(Status::NotModified, request.persistence, clock);
                self.write(file.validators());
                return self.end_of_head();
            }
            Verdict::Go => {}
        }
        let range = request
            .range
            .filter(|_| conditions::range_applies(request.preconditions.if_range, file, clock.time()));
        let mut ranges = std::mem::take(&mut self.ranges);
        let selection = range.map_or(Selection::Whole, |field| {
            ranges::select(field, file.len(), &mut ranges)
        });
        match (selection, &ranges[..]) {
            (Selection::Unsatisfiable, _) => self.with_no_range(request, file, clock),
            (Selection::Parts, [one]) => self.with_range(request, file, one.clone(), clock),
            (Selection::Parts, many) => self.with_ranges(request, file, many, clock),
            (Selection::Whole, _) => {
                self.begin(Status::Ok, request.persistence, clock);
                self.write(file.whole());
                self.end_of_head();
                if request.method == Method::Get {
                    self.push_file(0..file.len());
                }
            }
        }
        self.ranges = ranges;
    }

    /// Answers with a status and a line that says it. Without a request the connection ends.
    pub fn with_status(&mut self, status: Status, request: Option<&Request<'_>>, clock: &Clock) {
        self.with_line(status, request, "", clock);
    }

    /// Answers that it stands elsewhere: at the path `location` of this server.
    pub fn with_redirect(&mut self, location: &str, request: &Request<'_>, clock: &Clock) {
        let field = format!("Location: {location}\r\n");
        self.with_line(Status::MovedPermanently, Some(request), &field, clock);
    }

    /// Answers with a page that was made for it.
    pub fn with_page(&mut self, page: &str, request: &Request<'_>, clock: &Clock) {
        self.begin(Status::Ok, request.persistence, clock);
        let len = page.len();
        self.write_args(format_args!(
            "Content-Type: text/html; charset=utf-8\r\nContent-Length: {len}\r\n"
        ));
        self.end_of_head();
        self.push_body(page, request.method);
    }

    fn with_range(&mut self, request: &Request<'_>, file: &Representation, range: Range<u64>, clock: &Clock) {
        self.begin(Status::PartialContent, request.persistence, clock);
        self.write_args(format_args!(
            "Content-Type: {}\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n{}",
            file.content_type(),
            range.end - range.start,
            range.start,
            range.end - 1,
            file.len(),
            file.validators()
        ));
        self.end_of_head();
        self.push_file(range);
    }

    /// Several ranges as one body (RFC 9110 §14.6).
    fn with_ranges(
        &mut self,
        request: &Request<'_>,
        file: &Representation,
        ranges: &[Range<u64>],
        clock: &Clock,
    ) {
        let boundary = self.next_boundary();
        let part = |range: &Range<u64>| {
            format!(
                "\r\n--{boundary}\r\nContent-Type: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
                file.content_type(),
                range.start,
                range.end - 1,
                file.len()
            )
        };
        let end = format!("\r\n--{boundary}--\r\n");
        let parts = ranges
            .iter()
            .map(|range| part(range).len() as u64 + range.end - range.start);
        let length = parts.sum::<u64>() + end.len() as u64;
        self.begin(Status::PartialContent, request.persistence, clock);
        self.write_args(format_args!(
            "Content-Type: multipart/byteranges; boundary={boundary}\r\nContent-Length: {length}\r\n{}",
            file.validators()
        ));
        self.end_of_head();
        for range in ranges {
            self.push_body(&part(range), Method::Get);
            self.push_file(range.clone());
        }
        self.push_body(&end, Method::Get);
    }

    fn with_no_range(&mut self, request: &Request<'_>, file: &Representation, clock: &Clock) {
        let field = format!("Content-Range: bytes */{}\r\n", file.len());
        self.with_line(Status::RangeNotSatisfiable, Some(request), &field, clock);
    }

    fn with_line(&mut self, status: Status, request: Option<&Request<'_>>, fields: &str, clock: &Clock) {
        let persistence = request.map_or(Persistence::Ends, |request| request.persistence);
        self.begin(status, persistence, clock);
        if status == Status::MethodNotAllowed {
            self.write("Allow: GET, HEAD\r\n");
        }
        let line = status.line();
        let len = line.len() + 1;
        self.write_args(format_args!(
            "{fields}Content-Type: text/plain\r\nContent-Length: {len}\r\n"
        ));
        self.end_of_head();
        let method = request.map_or(Method::Get, |request| request.method);
        self.push_body(line, method);
        self.push_body("\n", method);
    }

    fn begin(&mut self, status: Status, persistence: Persistence, clock: &Clock) {
        self.text.clear();
        self.pieces.clear();
        self.body = 0;
        self.status = status;
        self.ends = persistence == Persistence::Ends;
        self.write("HTTP/1.1 ");
        self.write(status.line());
        self.write("\r\nServer: pagewire\r\nDate: ");
        self.write(clock.date());
        self.write(match persistence {
            Persistence::Stays => "\r\n",
            Persistence::StaysByRequest => "\r\nConnection: keep-alive\r\n",
            Persistence::Ends => "\r\nConnection: close\r\n",
        });
    }

    fn end_of_head(&mut self) {
        self.write("\r\n");
        self.pieces.push(Piece::Text(0..self.text.len()));
    }

    fn push_body(&mut self, text: &str, method: Method) {
        if method == Method::Head {
            return;
        }
        let start = self.text.len();
        self.write(text);
        self.body += text.len() as u64;
        let end = self.text.len();
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) if last.end == start => last.end = end,
            _ => self.pieces.push(Piece::Text(start..end)),
        }
    }

    fn push_file(&mut self, range: Range<u64>) {
        if !range.is_empty() {
            self.body += range.end - range.start;
            self.pieces.push(Piece::File(range));
        }
    }

    fn write(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn write_args(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Memory takes all that is written to it.
        let _ = self.text.write_fmt(arguments);
    }

    /// A boundary that no file has in it, unless by a chance of 2⁻⁶⁴.
    fn next_boundary(&mut self) -> String {
        self.boundaries += 1;
        format!("{:016x}{:08x}", self.seed, self.boundaries)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::super::request::{self, Reading};
    use super::*;

    const CONTENT: &[u8] = b"0123456789";

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn file() -> Representation {
        let modified = now() - Duration::from_secs(3600);
        Representation::new(CONTENT.len() as u64, "text/plain", modified, now())
    }

    fn sent(answer: &Answer) -> String {
        let mut bytes = vec![];
        for piece in answer.pieces() {
            match piece {
                Piece::Text(range) => bytes.extend_from_slice(&answer.text()[range.clone()]),
                Piece::File(range) => {
                    bytes.extend_from_slice(&CONTENT[range.start as usize..range.end as usize]);
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Head and body of the answer to a request with these fields.
    fn exchange(line: &str, fields: &str) -> (String, String) {
        let text = format!("{line}\r\nHost: h\r\n{fields}\r\n");
        let Reading::Request { request, .. } = request::read(text.as_bytes()) else {
            panic!("no request: {text}");
        };
        let mut answer = Answer::new(7);
        answer.with_file(&request, &file(), &Clock::at(now()));
        let sent = sent(&answer);
        let (head, body) = sent.split_once("\r\n\r\n").unwrap();
        assert_eq!(answer.body(), body.len() as u64);
        let head = head.to_string() + "\r\n";
        if !body.is_empty() {
            assert!(
                head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
                "{head}"
            );
        }
        (head, body.to_string())
    }

    #[test]
    fn a_file_is_answered_with_what_is_known_of_it() {
        let (head, body) = exchange("GET / HTTP/1.1", "");
        let expected = "HTTP/1.1 200 OK\r\nServer: pagewire\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
            Content-Type: text/plain\r\nContent-Length: 10\r\nAccept-Ranges: bytes\r\n\
            ETag: \"2ebc8a91.0-a\"\r\nLast-Modified: Sun, 06 Nov 1994 07:49:37 GMT\r\n";
        assert_eq!(head, expected);
        assert_eq!(body.as_bytes(), CONTENT);
    }

    #[test]
    fn rfc9110_9_3_2_the_answer_to_head_is_that_to_get_without_its_body() {
        let (get, _) = exchange("GET / HTTP/1.1", "");
        let (head, body) = exchange("HEAD / HTTP/1.1", "");
        assert_eq!((head, body.as_str()), (get, ""));
        let (head, body) = exchange("HEAD / HTTP/1.1", "If-Match: \"x\"\r\n");
        assert!(head.starts_with("HTTP/1.1 412 ") && head.contains("Content-Length: 24") && body.is_empty());
    }

    #[test]
    fn one_range_is_a_part_of_the_file() {
        let (head, body) = exchange("GET / HTTP/1.1", "Range: bytes=2-4\r\n");
        assert!(head.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Range: bytes 2-4/10\r\n"), "{head}");
        assert!(head.contains("\r\nETag: "), "{head}");
        assert_eq!(body, "234");
    }

    #[test]
    fn rfc9110_14_6_several_ranges_are_parts_with_a_boundary_between_them() {
        let (head, body) = exchange("GET / HTTP/1.1", "Range: bytes=0-1,-1\r\n");
        let boundary = "000000000000000700000001";
        let kind = format!("\r\nContent-Type: multipart/byteranges; boundary={boundary}\r\n");
        assert!(head.contains(&kind), "{head}");
        let part = |range: &str, bytes: &str| {
            format!(
                "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}"
            )
        };
        let end = format!("\r\n--{boundary}--\r\n");
        assert_eq!(body, part("0-1", "01") + &part("9-9", "9") + &end);
    }

    #[test]
    fn rfc9110_15_5_17_no_range_that_is_there_is_416_with_the_length() {
        let (head, _) = exchange("GET / HTTP/1.1", "Range: bytes=10-\r\n");
        assert!(head.starts_with("HTTP/1.1 416 "), "{head}");
        assert!(head.contains("\r\nContent-Range: bytes */10\r\n"), "{head}");
    }

    #[test]
    fn a_range_under_a_condition_that_does_not_hold_is_the_whole_file() {
        let (head, body) = exchange("GET / HTTP/1.1", "Range: bytes=2-4\r\nIf-Range: \"x\"\r\n");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(body.as_bytes(), CONTENT);
    }

    #[test]
    fn rfc9110_15_4_5_not_modified_has_its_validators_and_no_body() {
        let (head, body) = exchange("GET / HTTP/1.1", "If-None-Match: *\r\n");
        assert!(
            head.starts_with("HTTP/1.1 304 ") && head.contains("\r\nETag: "),
            "{head}"
        );
        assert!(!head.contains("Content-Length") && body.is_empty(), "{head}");
    }

    #[test]
    fn the_connection_ends_or_stays_as_the_client_wants_and_an_old_one_is_told() {
        let (head, _) = exchange("GET / HTTP/1.1", "Connection: close\r\n");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        let (head, _) = exchange("GET / HTTP/1.0", "Connection: keep-alive\r\n");
        assert!(head.contains("\r\nConnection: keep-alive\r\n"), "{head}");
    }

    #[test]
    fn what_is_refused_without_a_request_ends_the_connection() {
        let mut answer = Answer::new(7);
        answer.with_status(Status::MethodNotAllowed, None, &Clock::at(now()));
        assert!(answer.ends());
        assert!(sent(&answer).contains("\r\nConnection: close\r\nAllow: GET, HEAD\r\n"));
    }

    #[test]
    fn an_answer_leaves_nothing_to_the_next() {
        let mut answer = Answer::new(7);
        let clock = Clock::at(now());
        let request = Request {
            method: Method::Get,
            target: "/",
            minor: 1,
            persistence: Persistence::Stays,
            range: Some(b"bytes=0-1,3-4"),
            preconditions: request::Preconditions::default(),
            body: 0,
        };
        answer.with_file(&request, &file(), &clock);
        answer.with_redirect("/a/", &request, &clock);
        assert_eq!(answer.pieces().len(), 1);
        assert!(sent(&answer).ends_with("\r\n\r\n301 Moved Permanently\n"));
        assert!(sent(&answer).contains("\r\nLocation: /a/\r\n"));
    }
}
