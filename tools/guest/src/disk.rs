//! The guest's two disks: an ext4 file system with files to send, and a blank one on which it leaves its results.

use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{GuestError, run, workspace};

/// The files to send, and their bytes. The odd byte makes the last frame and the last page short.
pub const FILES: [(&str, usize); 3] = [
    ("64M.bin", 64 << 20),
    ("16M.bin", 16 << 20),
    ("odd.bin", (1 << 20) + 1),
];
/// Room on the ext4 disk, in MiB, for those and for what arrives.
const DATA_MIB: u64 = 384;
const RESULTS_MIB: u64 = 512;

/// The ext4 image, made once. A guest writes to a throw-away copy of it.
///
/// # Errors
/// It cannot be made: `mkfs.ext4` is missing, or the disk is full.
pub fn data() -> Result<PathBuf, GuestError> {
    let image = workspace().join("target/guest-data.ext4");
    let target = workspace().join("target");
    if image.is_file() {
        return Ok(image);
    }
    let work = tempfile::Builder::new()
        .prefix("guest-data-")
        .tempdir_in(&target)
        .map_err(GuestError::file(&target))?;
    let (files, unfinished) = (work.path().join("files"), work.path().join("image"));
    fs::create_dir(&files).map_err(GuestError::file(&files))?;
    for (name, bytes) in FILES {
        let path = files.join(name);
        write_noise(&path, bytes).map_err(GuestError::file(&path))?;
    }
    let sums = run(Command::new("sha256sum")
        .args(FILES.map(|(name, _)| name))
        .current_dir(&files))?;
    fs::write(files.join("SHA256SUMS"), sums).map_err(GuestError::file(&files))?;
    // Who is not root often has no /usr/sbin in his path.
    let path = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    run(Command::new("mkfs.ext4")
        .env("PATH", path)
        .args(["-q", "-F", "-d"])
        .args([&files, &unfinished])
        .arg(format!("{DATA_MIB}M")))?;
    fs::rename(&unfinished, &image).map_err(GuestError::file(&image))?;
    Ok(image)
}

/// A blank disk at `path`.
///
/// # Errors
/// It cannot be written.
pub fn blank(path: &Path) -> Result<(), GuestError> {
    let disk = File::create(path).map_err(GuestError::file(path))?;
    disk.set_len(RESULTS_MIB << 20).map_err(GuestError::file(path))
}

/// Unpacks what the guest has written to a disk that was blank. A guest that did not get as far leaves it blank.
///
/// # Errors
/// What is there is no archive.
pub fn unpack(disk: &Path, into: &Path) -> Result<(), GuestError> {
    run(Command::new("tar")
        .arg("--extract")
        .arg("--file")
        .arg(disk)
        .arg("--directory")
        .arg(into))?;
    Ok(())
}

/// The same bytes each time, and no two blocks alike.
fn write_noise(path: &Path, bytes: usize) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let (mut state, mut left) = (0x9e37_79b9_7f4a_7c15_u64 ^ bytes as u64, bytes);
    while left > 0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = state.to_le_bytes();
        let part = &word[..left.min(word.len())];
        file.write_all(part)?;
        left -= part.len();
    }
    file.flush()
}
