//! Fingerprints of contents: XXH3-128 for what arrives, SHA-256 for people.
//!
//! XXH3 comes from `twox-hash`, which chooses the CPU's widest vectors as it runs: in an ordinary build it takes 1.7
//! times as many bytes a second as a crate that decides this when it is compiled, and the receiver pays for it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use twox_hash::XxHash3_128;

use crate::interrupt::Interrupt;

/// One read: long enough that the calls cost nothing, short enough to stay in the L2 cache between both hashes.
const BLOCK: usize = 1 << 20;

/// XXH3-128 of a stream, and its length.
pub(crate) struct Xxh3 {
    state: XxHash3_128,
    bytes: u64,
}

impl Xxh3 {
    pub(crate) fn new() -> Self {
        Self {
            state: XxHash3_128::new(),
            bytes: 0,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.state.write(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Hash and length of everything so far.
    pub(crate) fn finish(&self) -> Content {
        Content {
            xxh3: self.state.finish_128(),
            bytes: self.bytes,
        }
    }
}

/// What was read or received: equal where both length and hash are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) xxh3: u128,
    pub(crate) bytes: u64,
}

/// SHA-256 of a stream.
#[derive(Clone, Default)]
pub(crate) struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum of everything so far.
    pub(crate) fn finish(self) -> Sha256Sum {
        Sha256Sum(self.0.finalize().into())
    }
}

/// A SHA-256, printed as people write it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha256Sum([u8; 32]);

impl fmt::Display for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads up to `length` bytes of a file from its beginning and hashes them; a file that is shorter by now gives what it
/// has. `done` follows along. A raised interrupt ends it with [`io::ErrorKind::Interrupted`].
pub(crate) fn of_file(
    file: &File,
    length: u64,
    with_sha256: bool,
    done: &AtomicU64,
    interrupt: &Interrupt,
) -> io::Result<(Content, Option<Sha256Sum>)> {
    let mut block = vec![0; BLOCK];
    let mut xxh3 = Xxh3::new();
    let mut sha256 = with_sha256.then(Sha256Stream::default);
    let mut offset = 0;
    done.store(0, Ordering::Relaxed);
    while offset < length {
        if interrupt.raised() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let wanted = usize::try_from(length - offset).map_or(BLOCK, |left| left.min(BLOCK));
        let read = match file.read_at(&mut block[..wanted], offset) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        xxh3.update(&block[..read]);
        if let Some(sha256) = &mut sha256 {
            sha256.update(&block[..read]);
        }
        offset += read as u64;
        done.store(offset, Ordering::Relaxed);
    }
    Ok((xxh3.finish(), sha256.map(Sha256Stream::finish)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(contents: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(contents).unwrap();
        file
    }

    fn hashed(contents: &[u8], length: u64) -> (Content, String) {
        let done = AtomicU64::new(7);
        let (content, sha) = of_file(&file(contents), length, true, &done, &Interrupt::default()).unwrap();
        assert_eq!(done.load(Ordering::Relaxed), content.bytes);
        (content, sha.unwrap().to_string())
    }

    #[test]
    fn known_answers() {
        let (content, sha256) = hashed(b"abc", 3);
        assert_eq!(
            content,
            Content {
                xxh3: 0x06b0_5ab6_733a_6185_78af_5f94_892f_3950,
                bytes: 3
            }
        );
        assert_eq!(
            sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let (content, sha256) = hashed(b"", 0);
        assert_eq!(
            content,
            Content {
                xxh3: 0x99aa_06d3_0147_98d8_6001_c324_468d_497f,
                bytes: 0
            }
        );
        assert_eq!(
            sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn the_pieces_in_which_a_stream_arrives_do_not_matter() {
        let contents: Vec<u8> = (0..3 * BLOCK + 17).map(|i| (i * i / 7) as u8).collect();
        let whole = hashed(&contents, contents.len() as u64).0;
        for piece in [1, 1448, 9000, 65536] {
            let mut xxh3 = Xxh3::new();
            contents.chunks(piece).for_each(|bytes| xxh3.update(bytes));
            assert_eq!(xxh3.finish(), whole, "{piece}");
        }
    }

    #[test]
    fn only_the_declared_bytes_count_and_a_short_file_shows() {
        assert_eq!(hashed(b"abcdef", 3).0, hashed(b"abc", 3).0);
        assert_eq!(hashed(b"abc", 9).0.bytes, 3);
        assert_ne!(hashed(b"abc", 3).0, hashed(b"abd", 3).0);
    }
}
