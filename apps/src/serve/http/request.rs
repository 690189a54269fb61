//! The head of a request (RFC 9112 §2 to §7), as far as a server of files cares.
//!
//! Fields that may stand only once and stand twice, two statements about the length of the body, a Host that is missing or none:
//! each is a way to have two parties read one request as two different ones, and is refused.

use std::mem::MaybeUninit;

use httparse::Header;

use super::Status;
use super::host::is_host;

/// The longest head in bytes, request line and fields.
pub const MOST_HEAD: usize = 8 << 10;
/// The most fields.
const MOST_FIELDS: usize = 64;
/// The longest body that is read, to be thrown away.
const MOST_BODY: u64 = 1 << 20;

/// What is asked to be done with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The file.
    Get,
    /// What would be said about it, without it.
    Head,
}

impl Method {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// The conditions of RFC 9110 §13, as they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preconditions<'a> {
    /// If-Match.
    pub if_match: Option<&'a [u8]>,
    /// If-None-Match.
    pub if_none_match: Option<&'a [u8]>,
    /// If-Modified-Since.
    pub if_modified_since: Option<&'a [u8]>,
    /// If-Unmodified-Since.
    pub if_unmodified_since: Option<&'a [u8]>,
    /// If-Range.
    pub if_range: Option<&'a [u8]>,
}

/// How a connection goes on after the answer, and what the answer says of it (RFC 9112 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It stays; with HTTP/1.1 that goes without saying.
    Stays,
    /// It stays because an HTTP/1.0 client has asked for it, and is told so.
    StaysByRequest,
    /// It ends.
    Ends,
}

/// A request for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked for.
    pub method: Method,
    /// The request target as it was written.
    pub target: &'a str,
    /// Its version of HTTP/1: the digit behind the dot.
    pub minor: u8,
    /// How the connection goes on.
    pub persistence: Persistence,
    /// Range, of a GET.
    pub range: Option<&'a [u8]>,
    /// Under which conditions.
    pub preconditions: Preconditions<'a>,
    /// Length in bytes of the body, which means nothing and is to be passed over.
    pub body: u64,
}

/// What some bytes are the beginning of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<'a> {
    /// A head that is not whole yet.
    Incomplete,
    /// A head of `len` bytes.
    Request {
        /// What it says.
        request: Request<'a>,
        /// Its length in bytes.
        len: usize,
    },
    /// Nothing that is answered with a file. The connection ends: where the next request begins is not known, or not trusted.
    Refused(Status),
}

/// Reads the head that `bytes` begin with.
#[must_use]
pub fn read(bytes: &[u8]) -> Reading<'_> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut head = httparse::Request::new(&mut []);
    let within = &bytes[..bytes.len().min(MOST_HEAD)];
    match head.parse_with_uninit_headers(within, &mut fields) {
        Ok(httparse::Status::Complete(len)) => match interpret(&head) {
            Ok(request) => Reading::Request { request, len },
            Err(status) => Reading::Refused(status),
        },
        Ok(httparse::Status::Partial) if bytes.len() < MOST_HEAD => Reading::Incomplete,
        Ok(httparse::Status::Partial) if head.path.is_none() => Reading::Refused(Status::UriTooLong),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Reading::Refused(Status::FieldsTooLarge)
        }
        Err(httparse::Error::Version) if names_version(within) => {
            Reading::Refused(Status::VersionNotSupported)
        }
        Err(_) => Reading::Refused(Status::BadRequest),
    }
}

/// Whether a version of HTTP stands where one belongs. A target with a space in it has the rest of itself there.
fn names_version(head: &[u8]) -> bool {
    let mut words = head.split(|&byte| byte == b' ');
    words.nth(2).is_some_and(|word| word.starts_with(b"HTTP/"))
}

fn interpret<'a>(head: &httparse::Request<'_, 'a>) -> Result<Request<'a>, Status> {
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return Err(Status::BadRequest);
    };
    let fields = Fields::sort(head.headers)?;
    // An older client may leave it out.
    if !fields.host.map_or(version == 0, is_host) {
        return Err(Status::BadRequest);
    }
    let body = fields.body()?;
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" | "TRACE" | "CONNECT" => {
            return Err(Status::MethodNotAllowed);
        }
        _ => return Err(Status::NotImplemented),
    };
    // Who waits for leave to send the body gets an answer instead (RFC 9110 §10.1.1), and may or may not send it then.
    let ends = fields.close || fields.expects;
    let persistence = match version {
        _ if ends => Persistence::Ends,
        1 => Persistence::Stays,
        _ if fields.keep_alive => Persistence::StaysByRequest,
        _ => Persistence::Ends,
    };
    Ok(Request {
        method,
        target,
        minor: version,
        persistence,
        range: fields.range.filter(|_| method == Method::Get),
        preconditions: fields.preconditions,
        body,
    })
}

/// The fields that mean something here.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    transfer_encoding: bool,
    expects: bool,
    close: bool,
    keep_alive: bool,
    range: Option<&'a [u8]>,
    preconditions: Preconditions<'a>,
}

impl<'a> Fields<'a> {
    fn sort(headers: &[Header<'a>]) -> Result<Self, Status> {
        let mut fields = Self::default();
        for &Header { name, value } in headers {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            let once = match name.len() {
                4 if is("host") => &mut fields.host,
                5 if is("range") => &mut fields.range,
                6 if is("expect") => {
                    fields.expects = true;
                    continue;
                }
                8 if is("if-match") => &mut fields.preconditions.if_match,
                8 if is("if-range") => &mut fields.preconditions.if_range,
                10 if is("connection") => {
                    fields.close |= has_token(value, "close");
                    fields.keep_alive |= has_token(value, "keep-alive");
                    continue;
                }
                13 if is("if-none-match") => &mut fields.preconditions.if_none_match,
                14 if is("content-length") => &mut fields.content_length,
                17 if is("transfer-encoding") => {
                    fields.transfer_encoding = true;
                    continue;
                }
                17 if is("if-modified-since") => &mut fields.preconditions.if_modified_since,
                19 if is("if-unmodified-since") => &mut fields.preconditions.if_unmodified_since,
                _ => continue,
            };
            if once.replace(value).is_some() {
                return Err(Status::BadRequest);
            }
        }
        Ok(fields)
    }

    /// Length of the body in bytes (RFC 9112 §6.3).
    fn body(&self) -> Result<u64, Status> {
        let Some(text) = self.content_length else {
            return if self.transfer_encoding {
                Err(Status::NotImplemented)
            } else {
                Ok(0)
            };
        };
        let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        if self.transfer_encoding || !digits {
            return Err(Status::BadRequest);
        }
        let length = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        length
            .filter(|&length| length <= MOST_BODY)
            .ok_or(Status::ContentTooLarge)
    }
}

/// Whether a list of tokens has this one, in any case.
fn has_token(list: &[u8], token: &str) -> bool {
    list.split(|&byte| byte == b',')
        .any(|one| one.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request<'_> {
        match read(text.as_bytes()) {
            Reading::Request { request, len } => {
                assert_eq!(len, text.len());
                request
            }
            other => panic!("{other:?}"),
        }
    }

    fn refusal(text: &str) -> Status {
        match read(text.as_bytes()) {
            Reading::Refused(status) => status,
            other => panic!("{other:?} for {text:?}"),
        }
    }

    #[test]
    fn an_ordinary_request_is_read() {
        let request =
            request("GET /a?b HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\nIF-NONE-MATCH: \"x\"\r\n\r\n");
        assert_eq!(request.method, Method::Get);
        assert_eq!((request.target, request.minor), ("/a?b", 1));
        assert_eq!(request.persistence, Persistence::Stays);
        assert_eq!(request.range, Some(&b"bytes=0-1"[..]));
        assert_eq!(request.preconditions.if_none_match, Some(&b"\"x\""[..]));
    }

    #[test]
    fn what_follows_a_head_is_the_next_request() {
        let first = "HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\n";
        let both = format!("{first}GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
        let Reading::Request { request, len } = read(both.as_bytes()) else {
            panic!("no request");
        };
        assert_eq!((request.method, len), (Method::Head, first.len()));
    }

    #[test]
    fn every_beginning_of_a_head_is_incomplete() {
        let whole = "GET /path HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(read(&whole.as_bytes()[..end]), Reading::Incomplete, "{end}");
        }
    }

    #[test]
    fn rfc9112_9_3_who_stays() {
        let persistence = |version: &str, field: &str| {
            request(&format!("GET / {version}\r\nHost: h\r\n{field}\r\n")).persistence
        };
        assert_eq!(persistence("HTTP/1.1", ""), Persistence::Stays);
        assert_eq!(
            persistence("HTTP/1.1", "Connection: foo, Close\r\n"),
            Persistence::Ends
        );
        assert_eq!(persistence("HTTP/1.0", ""), Persistence::Ends);
        assert_eq!(
            persistence("HTTP/1.0", "Connection: Keep-Alive\r\n"),
            Persistence::StaysByRequest
        );
        assert_eq!(
            persistence("HTTP/1.1", "Expect: 100-continue\r\n"),
            Persistence::Ends
        );
    }

    #[test]
    fn rfc9112_3_2_a_request_has_one_host_and_an_older_one_may_have_none() {
        assert_eq!(refusal("GET / HTTP/1.1\r\n\r\n"), Status::BadRequest);
        assert_eq!(
            refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            Status::BadRequest
        );
        request("GET / HTTP/1.0\r\n\r\n");
    }

    #[test]
    fn rfc9112_3_2_a_host_that_is_none_is_refused() {
        for host in ["a b", "a/b", "u@a", "[fd00::2"] {
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                let text = format!("GET / {version}\r\nHost: {host}\r\n\r\n");
                assert_eq!(refusal(&text), Status::BadRequest, "{text}");
            }
        }
        for host in ["", "a:80", "[fd00::2]:80"] {
            request(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        }
    }

    #[test]
    fn rfc9112_6_3_two_lengths_of_a_body_are_none() {
        let refused = |fields: &str| refusal(&format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
        let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(refused(both), Status::BadRequest);
        assert_eq!(
            refused("Content-Length: 3\r\nContent-Length: 4\r\n"),
            Status::BadRequest
        );
        assert_eq!(refused("Content-Length: +3\r\n"), Status::BadRequest);
        assert_eq!(refused("Content-Length: \r\n"), Status::BadRequest);
        assert_eq!(
            refused("Content-Length: 99999999999999999999999\r\n"),
            Status::ContentTooLarge
        );
        assert_eq!(refused("Transfer-Encoding: chunked\r\n"), Status::NotImplemented);
    }

    #[test]
    fn a_body_of_a_get_is_counted_to_be_passed_over() {
        assert_eq!(
            request("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n").body,
            5
        );
    }

    #[test]
    fn rfc9110_14_2_a_range_means_something_with_get_alone() {
        assert_eq!(
            request("HEAD / HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n").range,
            None
        );
    }

    #[test]
    fn other_methods_are_not_allowed_and_unknown_ones_not_implemented() {
        let refused = |method: &str| refusal(&format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(refused("POST"), Status::MethodNotAllowed);
        assert_eq!(refused("CONNECT"), Status::MethodNotAllowed);
        assert_eq!(refused("BREW"), Status::NotImplemented);
        assert_eq!(refused("get"), Status::NotImplemented);
    }

    #[test]
    fn what_is_no_http_1_is_refused() {
        assert_eq!(refusal("GET / HTTP/2.0\r\n\r\n"), Status::VersionNotSupported);
        assert_eq!(refusal("GET /a b HTTP/1.1\r\n\r\n"), Status::BadRequest);
        assert_eq!(refusal("\x16\x03\x01\x02\0\x01"), Status::BadRequest);
        assert_eq!(refusal("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), Status::BadRequest);
        assert_eq!(
            refusal("GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n"),
            Status::BadRequest
        );
        assert_eq!(
            refusal("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"),
            Status::BadRequest
        );
    }

    #[test]
    fn a_head_is_no_longer_than_its_limit() {
        let long = "a".repeat(MOST_HEAD);
        assert_eq!(refusal(&format!("GET /{long}")), Status::UriTooLong);
        let fields = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}");
        assert_eq!(refusal(&fields), Status::FieldsTooLarge);
        let many = "X: y\r\n".repeat(MOST_FIELDS + 1);
        assert_eq!(
            refusal(&format!("GET / HTTP/1.1\r\n{many}\r\n")),
            Status::FieldsTooLarge
        );
    }
}
