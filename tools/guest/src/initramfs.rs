//! The guest's first file system, as the kernel takes it: a cpio archive in the "newc" format, uncompressed, because
//! an emulated CPU unpacks slowly.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::GuestError;

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    entries: u32,
}

impl Initramfs {
    /// Adds an empty folder; the one that it lies in must be there.
    pub fn folder(&mut self, name: &str) {
        self.entry(name, FOLDER, &[]);
    }

    /// Adds a file that may be run.
    pub fn file(&mut self, name: &str, contents: &[u8]) {
        self.entry(name, PROGRAM, contents);
    }

    /// Adds a file of this machine.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn copy(&mut self, name: &str, from: &Path) -> Result<(), GuestError> {
        let contents = fs::read(from).map_err(GuestError::file(from))?;
        self.file(name, &contents);
        Ok(())
    }

    /// The archive, whole.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.entries += 1;
        let (size, name_size) = (contents.len() as u32, name.len() as u32 + 1);
        let mut header = String::from("070701");
        // inode, mode, uid, gid, links, time, size, device, represented device, length of the name, checksum
        for field in [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
            write!(header, "{field:08x}").expect("a string takes everything");
        }
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(contents);
        self.align();
    }

    fn align(&mut self) {
        let aligned = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(aligned, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_contents_begin_at_multiples_of_four() {
        let mut archive = Initramfs::default();
        archive.folder("bin");
        archive.file("bin/sh", b"12345");
        let bytes = archive.finish();
        let starts: Vec<usize> = bytes
            .windows(6)
            .enumerate()
            .filter(|(_, six)| six == b"070701")
            .map(|(at, _)| at)
            .collect();
        assert_eq!(starts, [0, 116, 116 + 120 + 8]);
        assert_eq!(&bytes[116 + 120..116 + 125], b"12345");
        assert_eq!(bytes.len() % 4, 0);
    }
}
