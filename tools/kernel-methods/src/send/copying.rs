//! Methods in which a call copies: into the sender's buffer, and from there (or from a map) into the socket's memory.

use std::os::unix::fs::FileExt;

use rustix::io::{Errno, write};

use super::{CHUNK, Outgoing};
use crate::MethodError;

/// Reads into a buffer, and writes from it: two copies.
pub(super) fn read_write(outgoing: &mut Outgoing<'_>, chunk: usize) -> Result<(), MethodError> {
    let mut buffer = vec![0; chunk];
    outgoing.sent.own_buffers = chunk as u64;
    while let Some(wanted) = outgoing.next(chunk)? {
        outgoing.call();
        let read = outgoing
            .file
            .read_at(&mut buffer[..wanted], outgoing.done)
            .map_err(|cause| MethodError::Failed { call: "pread", cause })?;
        if read == 0 {
            return Err(outgoing.ends_early());
        }
        outgoing.sent.copied_in_user += read as u64;
        write_all(outgoing, &buffer[..read])?;
    }
    Ok(())
}

/// Writes from a map: one copy.
pub(super) fn mmap_write(outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    let map = outgoing.map()?;
    while let Some(wanted) = outgoing.next(CHUNK)? {
        let at = outgoing.done as usize;
        write_all(outgoing, &map.bytes()[at..at + wanted])?;
    }
    Ok(())
}

fn write_all(outgoing: &mut Outgoing<'_>, mut bytes: &[u8]) -> Result<(), MethodError> {
    while !bytes.is_empty() {
        outgoing.call();
        let written = match write(outgoing.socket, bytes) {
            Ok(written) => written,
            Err(Errno::INTR) => continue,
            Err(Errno::FAULT) => return Err(outgoing.ends_early()),
            Err(errno) => return Err(MethodError::of("write")(errno)),
        };
        outgoing.sent.copied_in_kernel += written as u64;
        outgoing.took(written);
        bytes = &bytes[written..];
    }
    Ok(())
}
