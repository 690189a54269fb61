//! One machine on a network: a NIC, its driver, a stack, and one thing to do with them.
//!
//! Where [`transfer`](crate::transfer) builds both ends of a wire in this process, [`run`] builds one end, on any bus:
//! VFIO for a NIC in a slot; [`run_on_cable`] builds it on an emulated NIC that is plugged into the kernel ([`OnCable`]). Its life:
//!
//! 1. the PCI id chooses the driver ([`Driver`]), which opens the NIC;
//! 2. the link comes up and, where asked for, a DHCP server lends an address, each within a limit;
//! 3. the application ([`Sending`], [`Receiving`], [`Pinging`]) begins, and gets its turn after each round of the stack, which answers
//!    neighbours and ping meanwhile;
//! 4. four times a second the engine looks around: whether somebody wants it to end, whether the NIC is still there, whether
//!    the link went or came;
//! 5. whatever ended it, the peer is told, the NIC is stopped, and all memory is freed before [`run`] returns.
//!
//! Time is the clock on the wall, read here and nowhere below.

mod cable;
mod driver;
mod engine;
mod error;
mod leasing;
mod machine;
mod outcome;
mod pinging;
mod receiving;
mod sending;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use pagewire_bus::Function;
use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::source::Fallback;
use pagewire_stack::{ConnectionId, Duration, Failure, Instant, IpCidr, Lease, Stack, StackConfig, State};

pub use cable::OnCable;
pub use driver::Driver;
pub use error::LiveError;
pub use outcome::{Counters, Outcome};
pub use pinging::Pinging;
pub use receiving::Receiving;
pub use sending::Sending;

/// How the machine is to be set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses, gateways, VLAN, MTU. Its seed is, on a network with strangers, a number that they cannot know.
    pub stack: StackConfig,
    /// How it waits.
    pub waiting: Waiting,
}

/// How a machine waits for something to do, once polling for a moment has found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It sleeps until the NIC interrupts. Where the NIC cannot, it naps.
    Interrupts,
    /// It naps, longer the longer nothing happens.
    Naps,
}

/// Who looks on, and may end it.
#[derive(Clone, Copy)]
pub struct Observer<'a> {
    /// Raised by whoever wants it to end: it does, within a quarter of a second.
    pub stop: &'a AtomicBool,
    /// Bytes done so far: acknowledged by the peer, or given to the sink.
    pub progress: &'a AtomicU64,
    /// Is told what a person should know while it goes on.
    pub tell: &'a (dyn Fn(Notice) + Sync),
    /// Whether the system wants the NIC back: somebody unbinds it, or takes it out.
    pub wanted_back: &'a dyn Fn() -> bool,
    /// What was counted, as of a second ago at most.
    pub board: &'a Mutex<Option<Counters>>,
}

/// What a person should know while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The link is gone; connections wait for it.
    LinkDown,
    /// The link is there, again or at last.
    LinkUp {
        /// Its speed in Mbit/s.
        mbps: u32,
    },
    /// Somebody has connected.
    Connected {
        /// Who.
        peer: String,
    },
    /// Whoever wants to may connect.
    Listening {
        /// Own addresses.
        addresses: Vec<IpCidr>,
        /// On which port.
        port: u16,
    },
    /// A DHCP server has lent an address.
    Leased(Lease),
    /// The NIC's interrupts cannot be used: the machine naps.
    NoInterrupts {
        /// Why.
        reason: String,
    },
    /// The file's pages, or the rest of them, cannot be mapped for the device: its bytes are copied.
    Copying(Fallback),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkDown => f.write_str("the link is down; waiting for it to come back"),
            Self::LinkUp { mbps } => write!(f, "the link is up, {mbps} Mbit/s"),
            Self::Connected { peer } => write!(f, "{peer} has connected"),
            Self::Listening { addresses, port } => {
                f.write_str("listening at")?;
                for address in addresses {
                    write!(f, " {}", SocketAddr::new(address.address().into(), *port))?;
                }
                Ok(())
            }
            Self::Leased(lease) => {
                write!(f, "{} is ours, lent by {}", lease.address, lease.server)?;
                lease
                    .gateway
                    .map_or(Ok(()), |gateway| write!(f, "; the gateway is {gateway}"))
            }
            Self::NoInterrupts { reason } => {
                write!(f, "no interrupts ({reason}): the network card is polled instead")
            }
            Self::Copying(fallback) => fallback.fmt(f),
        }
    }
}

/// What an application says after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It goes on. `until` is when it wants its next turn even if nothing arrives before.
    Going {
        /// The latest time of the next turn.
        until: Option<Instant>,
    },
    /// It has done what it was there for.
    Done,
}

/// How long to stay after the last byte, for the peer's own end: it shall find us there.
const LINGER: Duration = Duration::from_millis(500);

/// The turn of a connection in `state` on which all was done at `ended`.
fn linger(state: State, ended: Instant, now: Instant) -> Turn {
    let until = ended + LINGER;
    if matches!(state, State::TimeWait | State::Closed) || now >= until {
        Turn::Done
    } else {
        Turn::Going { until: Some(until) }
    }
}

/// How long who has [reset] a connection stays to be asked whether that was meant: most round trips are shorter.
pub const DOUBT: Duration = Duration::from_millis(250);

/// Ends a connection at once. Returns whether it is this that has ended it: a peer whose stream has a gap doubts the reset and
/// asks back (RFC 5961 §3.2).
pub fn reset<T: TxQueue, R: RxQueue>(stack: &mut Stack<T, R>, id: ConnectionId) -> bool {
    stack.abort(id, Failure::Aborted);
    let failure = stack.status(id).and_then(|status| status.failure);
    matches!(failure, Some(Failure::Aborted | Failure::Source(_)))
}

/// What is done with a machine. Its methods are called on one thread, and none of them waits.
pub trait Application {
    /// The machine is ready.
    ///
    /// # Errors
    /// It cannot begin: the machine is stopped.
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<(), LiveError>;

    /// The stack has done a round.
    ///
    /// # Errors
    /// It cannot go on: the machine is stopped, after [`abandon`](Self::abandon).
    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Turn, LiveError>;

    /// It ends before its time: whoever is connected shall hear of it. Returns whether somebody is, and may ask back.
    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) -> bool;

    /// When its work began and ended, without the time before a peer was there; `None` before it has ended.
    fn span(&self) -> Option<(Instant, Instant)>;
}

/// Runs `application` on a machine over `function`, until it is done.
///
/// # Errors
/// See [`LiveError`]. The NIC is stopped and everything is freed by then.
pub fn run<F: Function, A: Application>(
    function: Arc<F>,
    settings: &Settings,
    application: &mut A,
    observer: &Observer<'_>,
) -> Result<Outcome, LiveError> {
    driver::run(function, None, settings, application, observer)
}

/// Runs `application` on a machine whose NIC is emulated, and whose cable ends in the kernel. The calling thread does
/// the NIC's work too.
///
/// # Errors
/// See [`LiveError`]. The NIC is stopped and everything is freed by then.
pub fn run_on_cable<A: Application>(
    machine: &OnCable,
    settings: &Settings,
    application: &mut A,
    observer: &Observer<'_>,
) -> Result<Outcome, LiveError> {
    let function = Arc::new(machine.nic().clone());
    driver::run(function, Some(machine), settings, application, observer)
}

#[cfg(test)]
mod tests {
    use pagewire_stack::IpAddress;

    use super::*;

    #[test]
    fn where_it_listens_is_written_as_clients_are_given_it() {
        let listening = Notice::Listening {
            addresses: vec![
                IpCidr::new(IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, 2), 64),
                IpCidr::new(IpAddress::v4(10, 0, 0, 2), 24),
            ],
            port: 80,
        };
        assert_eq!(listening.to_string(), "listening at [fd00::2]:80 10.0.0.2:80");
    }
}
