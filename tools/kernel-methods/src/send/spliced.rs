//! Methods in which the kernel passes on pages by reference: sendfile, splice and vmsplice.
#![allow(
    unsafe_code,
    reason = "vmsplice hands memory to a pipe, which has no safe form"
)]

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::pipe::{IoSliceRaw, PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with};

use super::{CHUNK, Outgoing};
use crate::MethodError;
use crate::mapped::Mapped;

/// The pipe between file and socket: as large as an ordinary user may make it.
const PIPE: usize = 1 << 20;

/// Page cache to socket in one call.
pub(super) fn sendfile(outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    while let Some(wanted) = outgoing.next(CHUNK)? {
        outgoing.call();
        let mut offset = outgoing.done;
        match rustix::fs::sendfile(outgoing.socket, outgoing.file, Some(&mut offset), wanted) {
            Ok(0) => return Err(outgoing.ends_early()),
            Ok(sent) => outgoing.took(sent),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(MethodError::of("sendfile")(errno)),
        }
    }
    Ok(())
}

/// Page cache to pipe, pipe to socket.
pub(super) fn splice(outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    let (reader, writer) = pipe(outgoing)?;
    while let Some(wanted) = outgoing.next(PIPE)? {
        outgoing.call();
        let mut offset = outgoing.done;
        let flags = SpliceFlags::MOVE | SpliceFlags::MORE;
        match rustix::pipe::splice(outgoing.file, Some(&mut offset), &writer, None, wanted, flags) {
            Ok(0) => return Err(outgoing.ends_early()),
            Ok(filled) => drain(outgoing, &reader, filled)?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(MethodError::of("splice into the pipe")(errno)),
        }
    }
    Ok(())
}

/// A private map's pages to pipe, pipe to socket. They are given away for good: whoever wrote to the map later would get
/// copies of the pages, and the receiver the bytes as they were.
pub(super) fn vmsplice_gift(outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    let map = outgoing.mapped(Mapped::private)?;
    let (reader, writer) = pipe(outgoing)?;
    while let Some(wanted) = outgoing.next(PIPE)? {
        let at = outgoing.done as usize;
        // A gift is whole pages; the map has them, with zeros behind the file's end.
        let page = rustix::param::page_size();
        let gift = if wanted % page == 0 {
            SpliceFlags::GIFT
        } else {
            SpliceFlags::empty()
        };
        let piece = [IoSliceRaw::from_slice(&map.bytes()[at..at + wanted])];
        outgoing.call();
        // SAFETY: `writer` is the pipe's write end, so that the memory is only read; nobody ever writes to the map; a gift starts at
        // a page, since `at` is what whole pages before it came to, and is whole pages long.
        match unsafe { rustix::pipe::vmsplice(&writer, &piece, gift) } {
            Ok(filled) => drain(outgoing, &reader, filled)?,
            Err(Errno::INTR) => {}
            Err(Errno::FAULT) => return Err(outgoing.ends_early()),
            Err(errno) => return Err(MethodError::of("vmsplice")(errno)),
        }
    }
    Ok(())
}

fn pipe(outgoing: &mut Outgoing<'_>) -> Result<(OwnedFd, OwnedFd), MethodError> {
    // To make it, to make it large, and to close both ends.
    outgoing.sent.system_calls += 4;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(MethodError::of("pipe"))?;
    fcntl_setpipe_size(&writer, PIPE).map_err(|errno| MethodError::NotAvailable {
        why: format!("a pipe of 1 MiB could not be had ({errno}); raise fs.pipe-max-size"),
    })?;
    Ok((reader, writer))
}

/// Empties the pipe into the socket.
fn drain(outgoing: &mut Outgoing<'_>, reader: &OwnedFd, mut filled: usize) -> Result<(), MethodError> {
    while filled > 0 {
        let last = outgoing.done + filled as u64 >= outgoing.len;
        let more = if last {
            SpliceFlags::empty()
        } else {
            SpliceFlags::MORE
        };
        outgoing.call();
        match rustix::pipe::splice(
            reader,
            None,
            outgoing.socket,
            None,
            filled,
            SpliceFlags::MOVE | more,
        ) {
            Ok(sent) => {
                outgoing.took(sent);
                filled -= sent;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(MethodError::of("splice into the socket")(errno)),
        }
    }
    Ok(())
}
