//! What a stack says for itself, beside its connections: it leases an address, and asks other hosts for an echo.
//!
//! Both are smoltcp's sockets, in a set of their own. Packets that belong to no connection are shown to this set;
//! whatever it wants to say is said when it is due. TCP's packets never come here, so a stack that neither leases nor
//! asks pays one comparison a round. (Echo requests of others, ARP and neighbour discovery are answered by smoltcp
//! without a socket.)

mod echo;
mod lease;

pub use echo::{EchoReply, PingError};
pub use lease::Lease;

use smoltcp::iface::{Interface, SocketSet};
use smoltcp::time::Instant;
use smoltcp::wire::IpAddress;

use echo::Echo;
use lease::Leasing;

/// The sockets of a host.
pub(crate) struct Host {
    /// Shown every packet that belongs to no connection.
    pub(crate) sockets: SocketSet<'static>,
    leasing: Option<Leasing>,
    echo: Echo,
    /// When something may have to be said.
    pub(crate) due: Option<Instant>,
}

impl Host {
    /// `dhcp` says whether it leases an address, `identifier` what marks its echo requests.
    pub(crate) fn new(dhcp: bool, identifier: u16, longest_ip: usize, now: Instant) -> Self {
        let mut sockets = SocketSet::new(Vec::with_capacity(2));
        let leasing = dhcp.then(|| Leasing::new(&mut sockets));
        Self {
            echo: Echo::new(&mut sockets, identifier, longest_ip),
            leasing,
            sockets,
            due: dhcp.then_some(now),
        }
    }

    /// Takes note of what a packet has brought.
    pub(crate) fn heard(&mut self, interface: &mut Interface, now: Instant) {
        self.echo.collect(&mut self.sockets, now);
        self.follow_lease(interface, now);
        if self.leasing.is_some() || self.due.is_some() {
            // An answer may have to follow, or a neighbour has told its address.
            self.due = Some(now);
        }
    }

    /// Makes the interface's address what the lease says.
    pub(crate) fn follow_lease(&mut self, interface: &mut Interface, now: Instant) {
        if let Some(leasing) = &mut self.leasing {
            leasing.follow(&mut self.sockets, interface, now);
        }
    }

    /// Notes when to look again; `next` is when smoltcp wants to, which is not before `soon`.
    pub(crate) fn rest(&mut self, next: Option<Instant>, soon: Instant) {
        let anew = self.leasing.as_ref().and_then(|leasing| leasing.anew);
        self.due = [next.map(|at| at.max(soon)), anew].into_iter().flatten().min();
    }

    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.leasing.as_ref()?.lease()
    }

    /// Queues an echo request.
    pub(crate) fn ping(
        &mut self,
        to: IpAddress,
        sequence: u16,
        payload_len: usize,
        now: Instant,
    ) -> Result<(), PingError> {
        self.echo.ask(&mut self.sockets, to, sequence, payload_len, now)?;
        self.due = Some(now);
        Ok(())
    }

    pub(crate) fn next_echo_reply(&mut self) -> Option<EchoReply> {
        self.echo.next_reply()
    }
}
