//! An address that is lent: DHCP (RFC 2131), over smoltcp's client.
//!
//! The client asks until somebody answers; a caller who will not wait for ever looks at
//! [`Stack::lease`](crate::Stack::lease) and at a clock of its own. It renews the lease by itself. While a lease is
//! held its address stands first among our own, so that it is the source of what goes through its gateway; when it
//! is lost, so are address and gateway.

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::dhcpv4::{Config, Event, RetryConfig, Socket};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Address, Ipv4Cidr};

/// Until the search for a server is repeated: the first of RFC 2131 §4.1.
const DISCOVER_AGAIN: Duration = Duration::from_secs(4);
/// Until the first request is repeated; doubles with every second one.
const REQUEST_AGAIN: Duration = Duration::from_secs(2);

/// Until the search begins anew after a lease that cannot be used (RFC 2131 §3.1, 5).
const AFTER_UNUSABLE: Duration = Duration::from_secs(10);

/// What a DHCP server lends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Our address, with its subnet.
    pub address: Ipv4Cidr,
    /// The default gateway, where there is one.
    pub gateway: Option<Ipv4Address>,
    /// Who lends it.
    pub server: Ipv4Address,
}

/// The client, and the lease that it has.
pub(super) struct Leasing {
    handle: SocketHandle,
    lease: Option<Lease>,
    /// Whether the default route is the lease's, and not one that was given.
    routes: bool,
    /// When to begin anew.
    pub(super) anew: Option<Instant>,
}

impl Leasing {
    pub(super) fn new(sockets: &mut SocketSet<'static>) -> Self {
        let mut socket = Socket::new();
        let mut retries = RetryConfig::default();
        retries.discover_timeout = DISCOVER_AGAIN;
        retries.initial_request_timeout = REQUEST_AGAIN;
        socket.set_retry_config(retries);
        Self {
            handle: sockets.add(socket),
            lease: None,
            routes: false,
            anew: None,
        }
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Does to the interface what has happened to the lease.
    pub(super) fn follow(
        &mut self,
        sockets: &mut SocketSet<'static>,
        interface: &mut Interface,
        now: Instant,
    ) {
        let socket = sockets.get_mut::<Socket<'_>>(self.handle);
        if self.anew.take_if(|anew| *anew <= now).is_some() {
            socket.reset();
        }
        let lease = match socket.poll() {
            None => return,
            Some(Event::Configured(config)) => {
                let lease = usable(&config);
                self.anew = lease.is_none().then(|| now + AFTER_UNUSABLE);
                lease
            }
            Some(Event::Deconfigured) => None,
        };
        if lease != self.lease {
            if let Some(old) = self.lease.take() {
                self.give_up(&old, interface);
            }
            if let Some(new) = &lease {
                self.take_on(new, interface);
            }
            self.lease = lease;
        }
    }

    fn take_on(&mut self, lease: &Lease, interface: &mut Interface) {
        interface.update_ip_addrs(|addresses| {
            // One that we have already need not be had twice; there is room for it.
            addresses.retain(|own| own.address() != IpAddress::Ipv4(lease.address.address()));
            let _ = addresses.insert(0, IpCidr::Ipv4(lease.address));
        });
        let routes = interface.routes_mut();
        if let Some(gateway) = lease.gateway
            && routes.get_default_ipv4_route().is_none()
        {
            self.routes = routes.add_default_ipv4_route(gateway).is_ok();
        }
    }

    fn give_up(&mut self, lease: &Lease, interface: &mut Interface) {
        interface.update_ip_addrs(|addresses| addresses.retain(|own| *own != IpCidr::Ipv4(lease.address)));
        if std::mem::take(&mut self.routes) {
            interface.routes_mut().remove_default_ipv4_route();
        }
    }
}

/// A lease out of what a server said: it may say anything.
fn usable(config: &Config<'_>) -> Option<Lease> {
    let address = config.address;
    let host = |address: Ipv4Address| crate::guard::is_host(address.into(), &[IpCidr::Ipv4(config.address)]);
    host(address.address()).then(|| Lease {
        address,
        // One that is not our neighbour cannot be asked for its Ethernet address.
        gateway: config
            .router
            .filter(|router| host(*router) && address.contains_addr(router)),
        server: config.server.address,
    })
}
