//! Requests out of a stream of bytes, in whatever pieces it arrives.

use super::request::{MOST_HEAD, Reading, read};

/// Where in its requests a client is.
#[derive(Debug, Default)]
pub struct Requests {
    /// The beginning of a head whose rest has not arrived. Most heads arrive whole, and are read where they lie.
    head: Vec<u8>,
    /// Bytes of a body that are to be passed over.
    passing: u64,
}

impl Requests {
    /// Whether a request has begun that has not ended.
    #[must_use]
    pub fn have_begun(&self) -> bool {
        !self.head.is_empty() || self.passing > 0
    }

    /// Takes from `bytes`, which follow what was taken before, up to the end of one head, and lets `answer` have what was read;
    /// that is never [`Reading::Incomplete`]. Returns how many bytes it took.
    pub fn take(&mut self, bytes: &[u8], answer: impl FnOnce(Reading<'_>)) -> usize {
        if self.passing > 0 {
            let passed = self.passing.min(bytes.len() as u64);
            self.passing -= passed;
            return passed as usize;
        }
        if self.head.is_empty() {
            let reading = read(bytes);
            if reading == Reading::Incomplete {
                self.head.extend_from_slice(bytes);
                return bytes.len();
            }
            return self.end_of_head(reading, bytes.len(), 0, answer);
        }
        let before = self.head.len();
        let taken = MOST_HEAD.saturating_sub(before).min(bytes.len());
        self.head.extend_from_slice(&bytes[..taken]);
        // A head that arrives in small pieces is read anew only where a line has ended.
        if self.head.len() < MOST_HEAD && !bytes[..taken].contains(&b'\n') {
            return taken;
        }
        let head = std::mem::take(&mut self.head);
        let reading = read(&head);
        if reading == Reading::Incomplete {
            self.head = head;
            return taken;
        }
        self.end_of_head(reading, taken, before, answer)
    }

    /// A head has ended, or can have no good end. Returns how many of the `arrived` bytes it had, after `before` others.
    fn end_of_head(
        &mut self,
        reading: Reading<'_>,
        arrived: usize,
        before: usize,
        answer: impl FnOnce(Reading<'_>),
    ) -> usize {
        let taken = match reading {
            Reading::Request { request, len } => {
                self.passing = request.body;
                len - before
            }
            _ => arrived,
        };
        answer(reading);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of requests that arrive in pieces of `size` bytes: their targets, or the status that they are refused with.
    fn targets(stream: &[u8], size: usize) -> Vec<String> {
        let mut requests = Requests::default();
        let mut targets = vec![];
        for piece in stream.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = requests.take(rest, |reading| {
                    targets.push(match reading {
                        Reading::Request { request, .. } => request.target.to_string(),
                        Reading::Refused(status) => status.code().to_string(),
                        Reading::Incomplete => panic!("it is not there yet"),
                    });
                });
                assert!(0 < taken && taken <= rest.len());
                rest = &rest[taken..];
            }
        }
        targets
    }

    #[test]
    fn requests_are_the_same_in_whatever_pieces_they_arrive() {
        let stream =
            b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /\
            \r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n";
        for size in 1..=stream.len() {
            assert_eq!(targets(stream, size), ["/1", "/2", "/3"], "pieces of {size}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_refused_at_its_limit() {
        let stream = [
            b"GET / HTTP/1.1\r\nHost: h\r\nX: ".to_vec(),
            vec![b'x'; MOST_HEAD],
        ]
        .concat();
        for size in [1, 100, stream.len()] {
            assert_eq!(targets(&stream, size)[0], "431", "pieces of {size}");
        }
    }
}
