//! The receivers: what becomes of the bytes decides what a sender can look like.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::MethodError;
use crate::ends::PATIENCE;
use crate::measure::Inspect;

/// Room for one read: what fits into an ordinary L2 cache beside what it is copied from.
const ROOM: usize = 256 << 10;

/// What becomes of the bytes at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Receiver {
    /// It sleeps until there are some, and copies them into its memory.
    Blocking,
    /// It asks again and again, and copies them into its memory.
    Spinning,
    /// It asks again and again, and has the kernel throw them away (MSG_TRUNC): nobody reads them.
    Discard,
}

impl Receiver {
    /// All of them, from the most usual on.
    pub const ALL: [Self; 3] = [Self::Blocking, Self::Spinning, Self::Discard];

    /// Its name in reports and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Spinning => "spinning",
            Self::Discard => "discard",
        }
    }

    fn flags(self) -> RecvFlags {
        match self {
            Self::Blocking => RecvFlags::empty(),
            Self::Spinning => RecvFlags::DONTWAIT,
            Self::Discard => RecvFlags::DONTWAIT | RecvFlags::TRUNC,
        }
    }
}

/// What receiving took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) system_calls: u64,
    pub(crate) copied: u64,
}

/// Room for a receiver's reads, touched before the clock starts.
pub(crate) fn room() -> Vec<u8> {
    vec![1; ROOM]
}

/// Reads `len` bytes.
pub(crate) fn receive(
    receiver: Receiver,
    socket: &TcpStream,
    len: u64,
    room: &mut [u8],
    inspect: &mut Option<&mut Inspect<'_>>,
    received: &AtomicU64,
    stop: &AtomicBool,
) -> Result<Taken, MethodError> {
    let mut taken = Taken::default();
    let mut done = 0;
    let mut idle_since = None;
    while done < len {
        if stop.load(Ordering::Relaxed) {
            return Err(MethodError::Interrupted);
        }
        taken.system_calls += 1;
        let read = match recv(socket, &mut *room, receiver.flags()) {
            Ok((_, 0)) => {
                return Err(MethodError::Failed {
                    call: "recv",
                    cause: std::io::ErrorKind::UnexpectedEof.into(),
                });
            }
            Ok((_, read)) => read,
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) if receiver != Receiver::Blocking => {
                if idle_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                    return Err(MethodError::of("recv")(Errno::AGAIN));
                }
                continue;
            }
            Err(errno) => return Err(MethodError::of("recv")(errno)),
        };
        idle_since = None;
        if receiver != Receiver::Discard {
            taken.copied += read as u64;
            if let Some(inspect) = inspect {
                inspect(&room[..read]);
            }
        }
        done += read as u64;
        received.store(done, Ordering::Relaxed);
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;

    #[test]
    fn names_of_methods_and_receivers_are_all_different() {
        let mut names: Vec<_> = Receiver::ALL.map(Receiver::name).to_vec();
        names.extend(Method::ALL.map(Method::name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
