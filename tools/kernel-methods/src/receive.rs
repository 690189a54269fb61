//! The receivers: what becomes of the bytes decides what a sender can look like.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pagewire_cost::{Switches, Total, switches, thread_time};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::MethodError;
use crate::ends::{PATIENCE, accept};

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

/// Looks at the bytes as they arrive. Nobody looks while it counts.
pub type Inspect<'a> = dyn FnMut(&[u8]) + Send + 'a;

/// The receiving end of a run.
pub struct Receiving<'a> {
    /// What becomes of the bytes.
    pub receiver: Receiver,
    /// How many there will be.
    pub len: u64,
    /// Who looks at them, if anybody does.
    pub inspect: Option<&'a mut Inspect<'a>>,
    /// How many there are by now.
    pub received: &'a AtomicU64,
    /// Raised by whoever wants it to end: it does, with the next call that returns.
    pub stop: &'a AtomicBool,
}

/// What receiving took.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// CPU time of the receiving thread.
    pub cpu: Duration,
    /// How often it gave up its core.
    pub switches: Switches,
    /// Its calls for bytes.
    pub system_calls: u64,
    /// Bytes copied into its memory.
    pub copied: u64,
    /// When it had the last one.
    pub ended: Instant,
    /// What everybody had used by then.
    pub total: Total,
}

impl Receiving<'_> {
    /// Accepts one connection and reads all of it, on the calling thread; `ready` is called before it begins.
    ///
    /// # Errors
    /// See [`MethodError`].
    pub fn run(self, listener: &TcpListener, ready: impl FnOnce()) -> Result<Received, MethodError> {
        self.received.store(0, Ordering::Relaxed);
        // Touched before the clock starts.
        let mut room = vec![1; ROOM];
        ready();
        let (switched, cpu) = (switches(), thread_time());
        let socket = accept(listener, self.stop)?;
        let Read { system_calls, copied } = self.read(&socket, &mut room)?;
        // These take time themselves, which is nobody's: the clocks first.
        let (ended, used) = (Instant::now(), thread_time());
        Ok(Received {
            cpu: used.saturating_sub(cpu),
            switches: switches().since(switched),
            system_calls,
            copied,
            ended,
            total: Total::now(),
        })
    }

    fn read(mut self, socket: &TcpStream, room: &mut [u8]) -> Result<Read, MethodError> {
        let mut taken = Read::default();
        let mut done = 0;
        let mut idle_since = None;
        while done < self.len {
            if self.stop.load(Ordering::Relaxed) {
                return Err(MethodError::Interrupted);
            }
            taken.system_calls += 1;
            let read = match recv(socket, &mut *room, self.receiver.flags()) {
                Ok((_, 0)) => {
                    return Err(MethodError::Failed {
                        call: "recv",
                        cause: std::io::ErrorKind::UnexpectedEof.into(),
                    });
                }
                Ok((_, read)) => read,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) if self.receiver != Receiver::Blocking => {
                    if idle_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(MethodError::of("recv")(Errno::AGAIN));
                    }
                    continue;
                }
                Err(errno) => return Err(MethodError::of("recv")(errno)),
            };
            idle_since = None;
            if self.receiver != Receiver::Discard {
                taken.copied += read as u64;
                if let Some(inspect) = &mut self.inspect {
                    inspect(&room[..read]);
                }
            }
            done += read as u64;
            self.received.store(done, Ordering::Relaxed);
        }
        Ok(taken)
    }
}

/// What reading has counted.
#[derive(Default)]
struct Read {
    system_calls: u64,
    copied: u64,
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
