//! One file, sent once by one method to one receiver.
//!
//! Two threads that are there already when the clock starts, one for each end. The clock starts with the connect and stops when
//! the receiver has the last byte; the sender's CPU time goes on until it has nothing left to do, such as reading completions.

use std::fs::File;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pagewire_cost::{Switches, Total, at_both_ends, switches, thread_time};

use crate::ends::Connecting;
use crate::receive::{Received, Receiving};
use crate::send::{Outgoing, Sent, send};
use crate::{Ends, Method, MethodError};

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Bytes that arrived: all.
    pub bytes: u64,
    /// Wall-clock time from the connect to the last byte at the receiver.
    pub elapsed: Duration,
    /// CPU time of the sending thread.
    pub sender_cpu: Duration,
    /// CPU time of everybody: see [`Total`].
    pub total_cpu: Duration,
    /// How often the sending thread gave up its core.
    pub sender_switches: Switches,
    /// System calls with which the sender sent the file, its maps and rings included.
    pub sender_system_calls: u64,
    /// Payload bytes that the sender's calls have copied, in the user's memory and into the socket's.
    pub sender_copied: u64,
    /// Of those, what lay in the kernel as a copy until the receiver had it.
    pub held_copies: u64,
    /// Of a method that asks the kernel not to copy: bytes of which it reported that it did.
    pub reported_copied: Option<u64>,
    /// Bytes in flight at most: handed to the kernel, not yet with the receiver, as seen after each call.
    pub in_flight: u64,
    /// Payload memory of the sender's own.
    pub own_buffers: u64,
    /// The other end.
    pub receiver: Received,
}

/// Sends as many bytes of `file` as `receiving` expects by `method`, from one of `ends` to the other.
///
/// Raising the stop flag ends it with the next call that returns; no call waits longer than 20 s.
///
/// # Errors
/// See [`MethodError`]; where both ends failed, the sender's reason, since it comes first.
pub fn run(
    method: Method,
    ends: Ends,
    file: &File,
    receiving: Receiving<'_>,
) -> Result<Measured, MethodError> {
    let (listener, connecting) = ends.split();
    let (len, stop) = (receiving.len, receiving.stop);
    let sending = Sending {
        method,
        file,
        len,
        received: receiving.received,
        stop,
        start: Barrier::new(2),
    };
    let mut total = Total::now();
    // From where both are ready: to start a thread and to touch the receiver's memory is no part of sending.
    let begin = || {
        total = Total::now();
        sending.start.wait();
    };
    let (sent, received) = at_both_ends(|| sending.run(connecting), || receiving.run(&listener, begin))
        .map_err(|cause| MethodError::Failed {
            call: "a thread for the sender",
            cause,
        })?;
    let total_cpu = Total::now().since(total);
    if stop.load(Ordering::Relaxed) {
        return Err(MethodError::Interrupted);
    }
    let (sender, receiver) = (sent?, received?);
    let Sent {
        system_calls,
        copied_in_user,
        copied_in_kernel,
        reported_copied,
        in_flight,
        own_buffers,
    } = sender.sent;
    Ok(Measured {
        bytes: len,
        elapsed: receiver.ended.saturating_duration_since(sender.began),
        sender_cpu: sender.cpu,
        // The process's clock lags behind its threads' by a tick now and then.
        total_cpu: total_cpu.max(sender.cpu + receiver.cpu),
        sender_switches: sender.switches,
        sender_system_calls: system_calls,
        sender_copied: copied_in_user + copied_in_kernel,
        held_copies: copied_in_kernel,
        reported_copied,
        in_flight,
        own_buffers,
        receiver,
    })
}

/// The sending thread's task.
struct Sending<'a> {
    method: Method,
    file: &'a File,
    len: u64,
    received: &'a AtomicU64,
    stop: &'a AtomicBool,
    start: Barrier,
}

/// What it took.
struct Sender {
    began: Instant,
    cpu: Duration,
    switches: Switches,
    sent: Sent,
}

impl Sending<'_> {
    fn run(&self, connecting: Connecting) -> Result<Sender, MethodError> {
        self.start.wait();
        let (switched, cpu) = (switches(), thread_time());
        let began = Instant::now();
        let socket = connecting.connect()?;
        let mut outgoing = Outgoing::new(&socket, self.file, self.len, self.received, self.stop);
        send(self.method, &mut outgoing)?;
        let sent = outgoing.sent();
        Ok(Sender {
            began,
            cpu: thread_time().saturating_sub(cpu),
            switches: switches().since(switched),
            sent,
        })
    }
}
