//! Who has asked for what, and what he got: a line each, in the common log format.
//!
//! ```text
//! 10.0.0.2 - - [06/Nov/1994:08:49:37 +0000] "GET /index.html HTTP/1.1" 200 1024
//! ```
//! A line is written when the answer is promised; the bytes are those of its body. Lines are collected, and leave ten times a second.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use pagewire_stack::IpAddress;

use super::http::{Clock, Request};

/// Lines beyond this many bytes leave at once.
const FULL: usize = 64 << 10;

/// Where the lines go.
pub struct Log {
    out: Box<dyn Write>,
    lines: String,
    /// The date as lines have it, and the second it is of.
    date: String,
    second: Option<SystemTime>,
}

impl Log {
    /// A log that is written to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write>) -> Self {
        Self {
            out,
            lines: String::new(),
            date: String::new(),
            second: None,
        }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// There were many, and they could not be written.
    pub fn add(
        &mut self,
        peer: IpAddress,
        request: Option<&Request<'_>>,
        status: u16,
        bytes: u64,
        clock: &Clock,
    ) -> io::Result<()> {
        if self.second != Some(clock.time()) {
            self.second = Some(clock.time());
            self.date = date(clock.time());
        }
        let _ = write!(self.lines, "{peer} - - [{}] ", self.date);
        match request {
            Some(Request {
                method,
                target,
                minor,
                ..
            }) => {
                let _ = write!(self.lines, "\"{} ", method.name());
                push_escaped(&mut self.lines, target);
                let _ = write!(self.lines, " HTTP/1.{minor}\"");
            }
            // What could not be read is not repeated.
            None => self.lines.push_str("\"-\""),
        }
        let _ = writeln!(self.lines, " {status} {bytes}");
        if self.lines.len() >= FULL {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Writes out what was collected.
    ///
    /// # Errors
    /// It could not be written; it is gone.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let written = self.out.write_all(self.lines.as_bytes());
        self.lines.clear();
        written.and_then(|()| self.out.flush())
    }
}

/// What could end the quotes is written as its number, and so is each byte that is not printable ASCII: beyond that there are
/// characters that a terminal obeys, and those that turn the order of others round.
fn push_escaped(out: &mut String, target: &str) {
    for byte in target.bytes() {
        match byte {
            b' '..=b'~' if !matches!(byte, b'"' | b'\\') => out.push(byte.into()),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
}

/// `06/Nov/1994:08:49:37 +0000`
fn date(time: SystemTime) -> String {
    // "Sun, 06 Nov 1994 08:49:37 GMT" has all of it, in another order.
    let time = time.max(UNIX_EPOCH);
    let http = httpdate::fmt_http_date(time);
    let mut words = http.split(' ').skip(1);
    let mut next = || words.next().unwrap_or_default();
    let (day, month, year, clock) = (next(), next(), next(), next());
    format!("{day}/{month}/{year}:{clock} +0000")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::super::http::{Reading, request};
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_into_a_line() {
        let mut out = String::new();
        // CSI, a right-to-left override, DEL; none of them is refused as the target of a request by everybody.
        push_escaped(&mut out, "/\u{9b}31m\u{202e}\x7fé~");
        assert_eq!(out, r"/\xc2\x9b31m\xe2\x80\xae\x7f\xc3\xa9~");
    }

    #[test]
    fn a_line_is_in_the_common_format_and_nothing_ends_its_quotes() {
        let page = Page::default();
        let mut log = Log::new(Box::new(page.clone()));
        let clock = Clock::at(UNIX_EPOCH + Duration::from_secs(784_111_777));
        let peer = IpAddress::v4(10, 0, 0, 2);
        let read = request::read(b"GET /a\"b HTTP/1.0\r\n\r\n");
        let Reading::Request { request, .. } = read else {
            panic!("{read:?}");
        };
        log.add(peer, Some(&request), 200, 1024, &clock).unwrap();
        log.add(peer, None, 400, 16, &clock).unwrap();
        assert!(page.0.lock().unwrap().is_empty(), "lines are collected");
        log.flush().unwrap();
        let expected = "10.0.0.2 - - [06/Nov/1994:08:49:37 +0000] \"GET /a\\x22b HTTP/1.0\" 200 1024\n\
            10.0.0.2 - - [06/Nov/1994:08:49:37 +0000] \"-\" 400 16\n";
        assert_eq!(
            String::from_utf8(page.0.lock().unwrap().clone()).unwrap(),
            expected
        );
    }
}
