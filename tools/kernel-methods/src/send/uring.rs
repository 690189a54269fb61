//! io_uring: SEND and SEND_ZC from a map of the file, one request at a time, since a stream has an order.
//!
//! A SEND_ZC has two completions: the first tells how much was taken, the second that the kernel has done with the pages, and
//! whether it has copied them. The second is not waited for before the next request.
#![allow(
    unsafe_code,
    reason = "a request names memory that has to stay until it has completed"
)]

use std::os::fd::AsRawFd;

use io_uring::squeue::Entry;
use io_uring::{IoUring, cqueue, opcode, types};
use rustix::io::Errno;

use super::{CHUNK, Outgoing};
use crate::MethodError;

/// More than requests with their notifications are under way.
const ENTRIES: u32 = 64;
/// io_uring_setup and two maps, and as many to end it.
const CALLS_OF_A_RING: u64 = 6;
/// Notifications that may be outstanding before one is waited for.
const OUTSTANDING: usize = 16;

/// linux/io_uring.h: ask how the memory was used, and what a notification says then.
const REPORT_USAGE: u16 = 1 << 3;
const USAGE_COPIED: u32 = 1 << 31;

/// SEND: the kernel copies.
pub(super) fn send(outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    let mut ring = ring(outgoing, opcode::Send::CODE, "SEND")?;
    let map = outgoing.map()?;
    while let Some(wanted) = outgoing.next(CHUNK)? {
        let at = outgoing.done as usize;
        let piece = &map.bytes()[at..at + wanted];
        let socket = types::Fd(outgoing.socket.as_raw_fd());
        let entry = opcode::Send::new(socket, piece.as_ptr(), piece.len() as u32)
            .flags(libc::MSG_WAITALL)
            .build();
        push(&mut ring, &entry)?;
        let answer = loop {
            if let Some(completion) = ring.completion().next() {
                break completion.result();
            }
            wait(outgoing, &mut ring)?;
        };
        let sent = taken(outgoing, "io_uring SEND", answer)?;
        outgoing.sent.copied_in_kernel += sent as u64;
    }
    Ok(())
}

/// SEND_ZC: the kernel refers to the pages, where it can.
pub(super) fn send_zc(outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    let mut ring = ring(outgoing, opcode::SendZc::CODE, "SEND_ZC")?;
    let map = outgoing.map()?;
    let mut zc = Notified::default();
    let result = send_zc_requests(outgoing, &mut ring, map.bytes(), &mut zc);
    // The map has to stay until nobody refers to it, whatever happened; the kernel itself holds the pages, so that a ring that
    // fails here does no harm.
    while zc.outstanding > 0 && result.is_ok() {
        wait(outgoing, &mut ring)?;
        zc.collect(&mut ring);
    }
    outgoing.sent.copied_in_kernel += zc.copied;
    outgoing.sent.reported_copied = Some(zc.copied);
    result
}

fn send_zc_requests(
    outgoing: &mut Outgoing<'_>,
    ring: &mut IoUring,
    bytes: &[u8],
    zc: &mut Notified,
) -> Result<(), MethodError> {
    while let Some(wanted) = outgoing.next(CHUNK)? {
        let at = outgoing.done as usize;
        let piece = &bytes[at..at + wanted];
        let socket = types::Fd(outgoing.socket.as_raw_fd());
        let entry = opcode::SendZc::new(socket, piece.as_ptr(), piece.len() as u32)
            .flags(libc::MSG_WAITALL)
            .zc_flags(REPORT_USAGE)
            .build()
            .user_data(wanted as u64);
        push(ring, &entry)?;
        let answer = loop {
            if let Some(answer) = zc.collect(ring) {
                break answer;
            }
            wait(outgoing, ring)?;
        };
        taken(outgoing, "io_uring SEND_ZC", answer)?;
    }
    Ok(())
}

/// What SEND_ZC's completions have said.
#[derive(Default)]
struct Notified {
    outstanding: usize,
    copied: u64,
    /// The result of the request under way, as soon as it is known.
    answer: Option<i32>,
}

impl Notified {
    /// Takes the completions that are there; returns the request's result once it is known, and another may be made.
    fn collect(&mut self, ring: &mut IoUring) -> Option<i32> {
        for completion in ring.completion() {
            if cqueue::notif(completion.flags()) {
                self.outstanding -= 1;
                if completion.result() as u32 & USAGE_COPIED != 0 {
                    self.copied += completion.user_data();
                }
            } else {
                self.answer = Some(completion.result());
                if cqueue::more(completion.flags()) {
                    self.outstanding += 1;
                }
            }
        }
        self.answer.take_if(|_| self.outstanding < OUTSTANDING)
    }
}

/// A ring whose kernel knows the request.
fn ring(outgoing: &mut Outgoing<'_>, code: u8, name: &str) -> Result<IoUring, MethodError> {
    outgoing.sent.system_calls += CALLS_OF_A_RING;
    let refused = |cause: std::io::Error| MethodError::NotAvailable {
        why: match Errno::from_io_error(&cause) {
            Some(Errno::PERM) => {
                "io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a seccomp filter)"
                    .to_string()
            }
            Some(Errno::NOSYS) => "this kernel has no io_uring".to_string(),
            _ => format!("io_uring could not be set up: {cause}"),
        },
    };
    let ring = IoUring::new(ENTRIES).map_err(refused)?;
    let mut probe = io_uring::Probe::new();
    outgoing.call();
    ring.submitter().register_probe(&mut probe).map_err(refused)?;
    if !probe.is_supported(code) {
        return Err(MethodError::NotAvailable {
            why: format!("this kernel's io_uring has no {name}"),
        });
    }
    Ok(ring)
}

fn push(ring: &mut IoUring, entry: &Entry) -> Result<(), MethodError> {
    // SAFETY: the memory is a map that outlives the ring's requests: each function above waits for the completion of its request,
    // and drops the map after the ring's last; pages that the kernel still refers to it holds by itself.
    unsafe { ring.submission().push(entry) }.map_err(|_| MethodError::Failed {
        call: "io_uring submission",
        cause: std::io::ErrorKind::StorageFull.into(),
    })
}

/// Submits, and waits for a completion. The socket's time-out does not hold for requests; the other end's does, which closes the
/// connection when nothing has arrived for as long, and the request completes.
fn wait(outgoing: &mut Outgoing<'_>, ring: &mut IoUring) -> Result<(), MethodError> {
    outgoing.call();
    match ring.submit_and_wait(1) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
        Err(cause) => Err(MethodError::Failed {
            call: "io_uring_enter",
            cause,
        }),
    }
}

/// Bytes of an answer.
fn taken(outgoing: &mut Outgoing<'_>, call: &'static str, answer: i32) -> Result<usize, MethodError> {
    match usize::try_from(answer) {
        Ok(sent) => {
            outgoing.took(sent);
            Ok(sent)
        }
        Err(_) if answer == -libc::EFAULT => Err(outgoing.ends_early()),
        Err(_) => Err(MethodError::of(call)(Errno::from_raw_os_error(-answer))),
    }
}
