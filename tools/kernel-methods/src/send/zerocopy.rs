//! MSG_ZEROCOPY: the socket refers to the sender's pages, and tells over its error queue when it has done with them, and
//! whether it has copied them after all.
//!
//! Each `send` that took bytes has a number, from 0 on; a completion names a range of them.
#![allow(unsafe_code, reason = "SO_ZEROCOPY has no safe form yet")]

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::{CHUNK, Outgoing};
use crate::MethodError;
use crate::ends::PATIENCE;

/// Sends without a completion at most: some megabytes.
const OUTSTANDING: usize = 16;

/// What is sent and not yet completed.
#[derive(Default)]
struct Ledger {
    /// Bytes of each send from number `first` on.
    sends: VecDeque<u64>,
    first: u32,
    /// How many of them have completed out of order.
    outstanding: usize,
    copied: u64,
}

impl Ledger {
    fn sent(&mut self, bytes: usize) {
        self.sends.push_back(bytes as u64);
        self.outstanding += 1;
    }

    /// Sends number `low` to `high` are done with. Numbers wrap at 2^32.
    fn completed(&mut self, low: u32, high: u32, copied: bool) {
        for number in 0..=high.wrapping_sub(low) {
            let index = low.wrapping_add(number).wrapping_sub(self.first) as usize;
            let Some(bytes) = self.sends.get_mut(index) else {
                continue;
            };
            if copied {
                self.copied += *bytes;
            }
            *bytes = 0;
            self.outstanding -= 1;
        }
        while self.sends.front() == Some(&0) {
            self.sends.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }
}

/// Sends from a map of the file.
pub(super) fn msg_zerocopy(outgoing: &mut Outgoing<'_>) -> Result<(), MethodError> {
    outgoing.call();
    ask_for_zerocopy(outgoing)?;
    let map = outgoing.map()?;
    let mut ledger = Ledger::default();
    let flags = SendFlags::from_bits_retain(libc::MSG_ZEROCOPY as u32);
    while let Some(wanted) = outgoing.next(CHUNK)? {
        let at = outgoing.done as usize;
        outgoing.call();
        match rustix::net::send(outgoing.socket, &map.bytes()[at..at + wanted], flags) {
            Ok(sent) => {
                ledger.sent(sent);
                outgoing.took(sent);
                if ledger.outstanding >= OUTSTANDING {
                    reap(outgoing, &mut ledger)?;
                }
            }
            Err(Errno::INTR) => {}
            // As much as net.core.optmem_max lets wait is waiting.
            Err(Errno::NOBUFS) if ledger.outstanding > 0 => wait_and_reap(outgoing, &mut ledger)?,
            Err(Errno::FAULT) => return Err(outgoing.ends_early()),
            Err(errno) => return Err(MethodError::of("send(MSG_ZEROCOPY)")(errno)),
        }
    }
    while ledger.outstanding > 0 {
        wait_and_reap(outgoing, &mut ledger)?;
    }
    outgoing.sent.copied_in_kernel += ledger.copied;
    outgoing.sent.reported_copied = Some(ledger.copied);
    Ok(())
}

/// Without this the flag of each send is ignored.
fn ask_for_zerocopy(outgoing: &Outgoing<'_>) -> Result<(), MethodError> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, and so long.
    let answer = unsafe {
        libc::setsockopt(
            outgoing.socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ZEROCOPY,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if answer == 0 {
        return Ok(());
    }
    let cause = std::io::Error::last_os_error();
    Err(MethodError::NotAvailable {
        why: format!("the kernel has no SO_ZEROCOPY for TCP ({cause})"),
    })
}

/// Waits until a completion is there, and reads all that are.
fn wait_and_reap(outgoing: &mut Outgoing<'_>, ledger: &mut Ledger) -> Result<(), MethodError> {
    outgoing.next(0)?;
    outgoing.call();
    let limit = Timespec {
        tv_sec: PATIENCE.as_secs() as i64,
        tv_nsec: 0,
    };
    // The error queue shows as POLLERR, which need not be asked for.
    match poll(
        &mut [PollFd::new(&outgoing.socket, PollFlags::empty())],
        Some(&limit),
    ) {
        Ok(0) => Err(MethodError::of("poll for completions")(Errno::AGAIN)),
        Ok(_) => {
            if reap(outgoing, ledger)? == 0 {
                // POLLERR without a completion: the connection is gone.
                return Err(MethodError::of("send(MSG_ZEROCOPY)")(Errno::CONNRESET));
            }
            Ok(())
        }
        Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(MethodError::of("poll for completions")(errno)),
    }
}

/// Reads the completions that are there; returns how many.
fn reap(outgoing: &mut Outgoing<'_>, ledger: &mut Ledger) -> Result<usize, MethodError> {
    let mut room = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let mut read = 0;
    loop {
        outgoing.call();
        let mut none: [IoSliceMut<'_>; 0] = [];
        let message = recvmsg::<()>(
            outgoing.socket.as_raw_fd(),
            &mut none,
            Some(&mut room),
            MsgFlags::MSG_ERRQUEUE,
        );
        let message = match message {
            Ok(message) => message,
            Err(nix::Error::EAGAIN) => return Ok(read),
            Err(nix::Error::EINTR) => continue,
            Err(errno) => {
                return Err(MethodError::Failed {
                    call: "recvmsg(MSG_ERRQUEUE)",
                    cause: errno.into(),
                });
            }
        };
        let failed = |errno: nix::Error| MethodError::Failed {
            call: "recvmsg(MSG_ERRQUEUE)",
            cause: errno.into(),
        };
        for control in message.cmsgs().map_err(failed)? {
            let told = match control {
                ControlMessageOwned::Ipv4RecvErr(told, _) | ControlMessageOwned::Ipv6RecvErr(told, _) => told,
                _ => continue,
            };
            if told.ee_origin == SO_EE_ORIGIN_ZEROCOPY {
                let copied = told.ee_code & SO_EE_CODE_ZEROCOPY_COPIED != 0;
                ledger.completed(told.ee_info, told.ee_data, copied);
                read += 1;
            }
        }
    }
}

/// linux/errqueue.h
const SO_EE_ORIGIN_ZEROCOPY: u8 = 5;
const SO_EE_CODE_ZEROCOPY_COPIED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_may_come_in_any_order_and_numbers_wrap() {
        let mut ledger = Ledger {
            first: u32::MAX,
            ..Ledger::default()
        };
        for bytes in [10, 20, 30] {
            ledger.sent(bytes);
        }
        ledger.completed(0, 1, true);
        assert_eq!((ledger.outstanding, ledger.copied), (1, 50));
        ledger.completed(u32::MAX, u32::MAX, false);
        assert_eq!((ledger.outstanding, ledger.copied, ledger.first), (0, 50, 2));
    }
}
