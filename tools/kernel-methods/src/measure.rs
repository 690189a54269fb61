//! One file, sent once by one method to one receiver.
//!
//! Two threads that are there already when the clock starts, one for each end. The clock starts with the connect and stops when
//! the receiver has the last byte; the sender's CPU time goes on until it has nothing left to do, such as reading completions.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pagewire_cost::{Switches, Total, switches, thread_time};

use crate::ends::{Accepting, Connecting};
use crate::receive::{self, Receiver, Taken, receive};
use crate::send::{Outgoing, Sent, send};
use crate::{Ends, Method, MethodError};

/// Looks at the bytes as they arrive. Nobody looks while it counts.
pub type Inspect<'a> = dyn FnMut(&[u8]) + Send + 'a;

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Bytes that arrived: all.
    pub bytes: u64,
    /// Wall-clock time from the connect to the last byte at the receiver.
    pub elapsed: Duration,
    /// CPU time of the sending thread.
    pub sender_cpu: Duration,
    /// CPU time of the receiving thread.
    pub receiver_cpu: Duration,
    /// CPU time of everybody: see [`Total`].
    pub total_cpu: Duration,
    /// How often the sending thread gave up its core.
    pub sender_switches: Switches,
    /// How often the receiving one did.
    pub receiver_switches: Switches,
    /// System calls with which the sender sent the file, its maps and rings included.
    pub sender_system_calls: u64,
    /// System calls with which the receiver read it.
    pub receiver_system_calls: u64,
    /// Payload bytes that the sender's calls have copied, in the user's memory and into the socket's.
    pub sender_copied: u64,
    /// Of those, what lay in the kernel as a copy until the receiver had it.
    pub held_copies: u64,
    /// Payload bytes copied into the receiver's memory.
    pub receiver_copied: u64,
    /// Of a method that asks the kernel not to copy: bytes of which it reported that it did.
    pub reported_copied: Option<u64>,
    /// Bytes in flight at most: handed to the kernel, not yet with the receiver, as seen after each call.
    pub in_flight: u64,
    /// Payload memory of the sender's own.
    pub own_buffers: u64,
}

/// Sends the first `len` bytes of `file` by `method`, from one of `ends` to the other.
///
/// `received` follows along. Raising `stop` ends it with the next call that returns; no call waits longer than 20 s.
///
/// # Errors
/// See [`MethodError`]; where both ends failed, the sender's reason, since it comes first.
#[expect(
    clippy::too_many_arguments,
    reason = "each of them is one thing that a run needs"
)]
pub fn run(
    method: Method,
    receiver: Receiver,
    ends: Ends,
    file: &File,
    len: u64,
    inspect: Option<&mut Inspect<'_>>,
    received: &AtomicU64,
    stop: &AtomicBool,
) -> Result<Measured, MethodError> {
    received.store(0, Ordering::Relaxed);
    let course = Course {
        method,
        receiver,
        file,
        len,
        received,
        stop,
        start: Barrier::new(2),
        began: Mutex::new(None),
    };
    let (accepting, connecting) = ends.split();
    let total = Total::now();
    let (sent, taken) = std::thread::scope(|scope| {
        let sending = std::thread::Builder::new()
            .name("sender".into())
            .spawn_scoped(scope, || course.send(connecting))
            .map_err(|cause| MethodError::Failed {
                call: "a thread for the sender",
                cause,
            })?;
        let taken = course.receive(accepting, inspect);
        let sent = sending
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((sent, taken))
    })?;
    let total_cpu = Total::now().since(total);
    if stop.load(Ordering::Relaxed) {
        return Err(MethodError::Interrupted);
    }
    let (sender, receiver) = (sent?, taken?);
    let began = course.began.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Measured {
        bytes: len,
        elapsed: began.map_or(Duration::ZERO, |began| {
            receiver.ended.saturating_duration_since(began)
        }),
        sender_cpu: sender.cpu,
        receiver_cpu: receiver.cpu,
        total_cpu,
        sender_switches: sender.switches,
        receiver_switches: receiver.switches,
        sender_system_calls: sender.of.system_calls,
        receiver_system_calls: receiver.of.system_calls,
        sender_copied: sender.of.copied_in_user + sender.of.copied_in_kernel,
        held_copies: sender.of.copied_in_kernel,
        receiver_copied: receiver.of.copied,
        reported_copied: sender.of.reported_copied,
        in_flight: sender.of.in_flight,
        own_buffers: sender.of.own_buffers,
    })
}

/// What both threads know.
struct Course<'a> {
    method: Method,
    receiver: Receiver,
    file: &'a File,
    len: u64,
    received: &'a AtomicU64,
    stop: &'a AtomicBool,
    start: Barrier,
    began: Mutex<Option<Instant>>,
}

/// One thread's part.
struct Part<T> {
    cpu: Duration,
    switches: Switches,
    ended: Instant,
    of: T,
}

impl Course<'_> {
    fn send(&self, connecting: Connecting) -> Result<Part<Sent>, MethodError> {
        self.start.wait();
        let (switched, cpu) = (switches(), thread_time());
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let socket = connecting.connect()?;
        let mut outgoing = Outgoing::new(&socket, self.file, self.len, self.received, self.stop);
        send(self.method, &mut outgoing)?;
        let of = outgoing.sent();
        let (ended, cpu) = (Instant::now(), thread_time() - cpu);
        Ok(Part {
            cpu,
            switches: switches().since(switched),
            ended,
            of,
        })
    }

    fn receive(
        &self,
        accepting: Accepting,
        mut inspect: Option<&mut Inspect<'_>>,
    ) -> Result<Part<Taken>, MethodError> {
        let mut room = receive::room();
        self.start.wait();
        let (switched, cpu) = (switches(), thread_time());
        let socket = accepting.accept()?;
        let of = receive(
            self.receiver,
            &socket,
            self.len,
            &mut room,
            &mut inspect,
            self.received,
            self.stop,
        )?;
        let (ended, cpu) = (Instant::now(), thread_time() - cpu);
        Ok(Part {
            cpu,
            switches: switches().since(switched),
            ended,
            of,
        })
    }
}
