//! The stack: TCP over one queue pair of a NIC.
//!
//! [`Stack::poll`] does one round, in this order, and never waits:
//! 1. take back completed descriptors;
//! 2. keep what nobody has read in the frames of the last batch, and give those back;
//! 3. take a batch of packets from the ring; each goes, through the guard, to the connection that its
//!    addresses and ports name, or to a listener, or to smoltcp for an answer (ARP, ping, a refusal);
//! 4. wake connections whose timer is due;
//! 5. let every connection that has something to do emit a burst, and the host itself where it has
//!    ([`Stack::ping`], a lease to renew);
//! 6. ring the doorbell once, and give buffers back to the NIC.
//!
//! The cost of a round follows what happened in it: connections that are at rest are not looked at.
//! Time is an argument, and the seed of sequence numbers is one of [`StackConfig`]'s: the same calls give
//! the same packets.

mod addresses;
mod api;
mod config;
mod connecting;
mod listening;
mod packets;
mod readiness;
mod resting;
mod rounds;
mod table;

pub use addresses::{SetupError, Unreachable};
pub use api::Status;
pub use config::StackConfig;
pub use connecting::OpenError;
pub use table::ConnectionId;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use pagewire_bus::DmaMapper;
use pagewire_nic::dma::DmaError;
use pagewire_nic::port::{RxQueue, TxLimits, TxQueue};
use slab::Slab;
use smoltcp::iface::{Config, Interface};
use smoltcp::phy::DeviceCapabilities;
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;

use crate::connection::Connection;
use crate::device::OneCall;
use crate::egress::{Egress, EgressCounters};
use crate::headers::FourTuple;
use crate::host::Host;
use crate::inbox::Inbox;
use crate::ingress::{Ingress, IngressCounters};
use crate::listener::Listener;
use crate::phantom::{ReceiveRing, SocketPool, TransmitRing, untouched_zeros};
use crate::small_bytes::SmallBytes;
use crate::sockets::{Registration, Signal};
use crate::source::{WindowCounters, WindowLimits, Windows};
use crate::timers::TimerHeap;
use connecting::FIRST_EPHEMERAL;
use readiness::Registered;

/// What one round of [`Stack::poll`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Packets taken from the ring.
    pub received: usize,
    /// Packets posted.
    pub sent: usize,
    /// Descriptors that the device has completed.
    pub completed: usize,
}

impl Progress {
    /// Whether the round found nothing to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.received == 0 && self.sent == 0 && self.completed == 0
    }
}

/// What the stack has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackCounters {
    /// The way in.
    pub ingress: IngressCounters,
    /// The way out.
    pub egress: EgressCounters,
    /// Packets that the guard kept from smoltcp.
    pub guarded: u64,
    /// Challenge ACKs sent.
    pub challenges: u64,
    /// Payload bytes that the CPU copied: by `pread`, into a socket's ring, out of it.
    pub payload_bytes_copied: u64,
    /// Received bytes that were copied because they came out of order, or because nobody read them in the round they
    /// came in; with phantom receive rings, over connections that have ended and those that live.
    pub kept_bytes: u64,
    /// Payload bytes sent more than once, over connections that have ended and those that live.
    pub retransmitted_bytes: u64,
    /// The mapped windows of files.
    pub windows: WindowCounters,
}

/// TCP over one queue pair.
pub struct Stack<T, R> {
    ingress: Ingress<R>,
    core: Core<T>,
}

/// All of a stack but its way in, so that a packet can be shown to it while the RX queue holds the packet.
struct Core<T> {
    interface: Interface,
    capabilities: DeviceCapabilities,
    mapper: Arc<dyn DmaMapper>,
    egress: Egress<T>,
    connections: Slab<Connection>,
    /// By the far and near address and port; the one look-up each packet pays.
    table: HashMap<FourTuple, usize, FixedState>,
    listeners: BTreeMap<u16, Listening>,
    timers: TimerHeap<usize>,
    /// Connections that have something to do.
    ready: VecDeque<usize>,
    /// Connections that have bytes in the frames of the batch at hand.
    holders: Vec<usize>,
    /// What smoltcp is shown in place of a packet whose payload is read where it lies: headers and zeros.
    shadow: Option<&'static mut [u8]>,
    /// What smoltcp is shown in place of a packet that it is to read other numbers in.
    rewritten: Vec<u8>,
    /// Connections whose peer's Ethernet address was asked for.
    seeking: Vec<usize>,
    /// Payload bytes of a full segmentation request, or of a frame.
    request: usize,
    phantom_sockets: SocketPool,
    real_sockets: SocketPool,
    small_bytes: SmallBytes,
    /// Connections and listeners that may have events.
    eventful: VecDeque<Registered>,
    /// Tells whether there are any, to a loop that waits for a descriptor.
    signal: Option<Signal>,
    /// Connections that bytes came to, and when to see whether they are at rest; in that order.
    touched: VecDeque<(Instant, ConnectionId)>,
    /// For packets that belong to no connection.
    host: Host,
    config: StackConfig,
    next_generation: u32,
    next_ephemeral: u16,
    copied: Arc<AtomicU64>,
    windows: Windows,
    counters: StackCounters,
}

/// A port that takes connections.
struct Listening {
    /// What stands behind the transmit rings of its connections.
    ring: TransmitRing,
    backlog: Listener<ConnectionId>,
    /// Connections whose handshake was ever done.
    arrived: u64,
    /// Who wants to hear of them.
    registration: Option<Registration>,
}

impl<T: TxQueue, R: RxQueue> Stack<T, R> {
    /// A stack over the queue pair `tx`, `rx` of a NIC with these `limits`, whose DMA goes through `mapper`.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(
        config: StackConfig,
        mac: [u8; 6],
        tx: T,
        rx: R,
        limits: TxLimits,
        mapper: Arc<dyn DmaMapper>,
        now: Instant,
    ) -> Result<Self, SetupError> {
        let addresses = config.own_addresses(mac)?;
        config.check_gateways(&addresses)?;
        let capabilities = config.capabilities(limits);
        let (request, sizes) = (config.request(limits), config.socket_sizes(limits));
        let copied = Arc::new(AtomicU64::new(0));
        let mut egress = Egress::new(tx, limits, &mapper, request, config.vlan, Arc::clone(&copied))?;
        let mut smoltcp = Config::new(EthernetAddress(mac).into());
        smoltcp.random_seed = config.seed;
        let mut device = OneCall {
            capabilities: &capabilities,
            egress: &mut egress,
            flow: None,
            packet: None,
        };
        let mut interface = Interface::new(smoltcp, &mut device, now);
        addresses::settle_in(&mut interface, &addresses, &config.gateways);
        let windows = Windows::new(
            Arc::clone(&mapper),
            WindowLimits::of(&*mapper),
            Arc::clone(&copied),
        );
        let shadow = match config.receive {
            ReceiveRing::Real => None,
            ReceiveRing::Phantom => {
                let zeros = untouched_zeros(StackConfig::LONGEST_ARRIVAL);
                Some(zeros.map_err(|reason| DmaError::NoMemory { mib: 1, reason })?)
            }
        };
        let pool = |ring| SocketPool::new(sizes, ring, config.receive, config.congestion);
        let core = Core {
            interface,
            egress,
            connections: Slab::new(),
            table: HashMap::with_hasher(FixedState::with_seed(config.seed)),
            listeners: BTreeMap::new(),
            timers: TimerHeap::new(),
            ready: VecDeque::new(),
            holders: Vec::new(),
            shadow,
            rewritten: Vec::with_capacity(StackConfig::LONGEST_ARRIVAL),
            seeking: Vec::new(),
            request,
            phantom_sockets: pool(TransmitRing::Phantom),
            real_sockets: pool(TransmitRing::Real),
            small_bytes: SmallBytes::new(Arc::clone(&mapper)),
            eventful: VecDeque::new(),
            signal: None,
            touched: VecDeque::new(),
            host: Host::new(config.dhcp, config.seed as u16, config.mtu, now),
            next_generation: 0,
            next_ephemeral: FIRST_EPHEMERAL,
            capabilities,
            config,
            copied,
            mapper,
            windows,
            counters: StackCounters::default(),
        };
        Ok(Self {
            ingress: Ingress::new(rx, core.config.vlan),
            core,
        })
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> StackCounters {
        let live = || self.core.connections.iter().map(|(_, connection)| connection);
        let retransmitted: u64 = live().map(|connection| connection.flow.retransmitted).sum();
        let kept: u64 = live()
            .filter_map(|connection| connection.inbox.as_ref())
            .map(Inbox::kept)
            .sum();
        StackCounters {
            ingress: self.ingress.counters(),
            egress: self.core.egress.counters(),
            payload_bytes_copied: self.core.copied.load(Ordering::Relaxed),
            retransmitted_bytes: self.core.counters.retransmitted_bytes + retransmitted,
            kept_bytes: self.core.counters.kept_bytes + kept,
            windows: self.core.windows.counters(),
            ..self.core.counters
        }
    }

    /// The TX queue, to be asked for its counters.
    #[must_use]
    pub fn tx(&self) -> &T {
        self.core.egress.queue()
    }

    /// The RX queue, to be asked for its counters.
    #[must_use]
    pub fn rx(&self) -> &R {
        self.ingress.queue()
    }

    /// Whether every frame is free, posted, or held for somebody who reads in it. True between rounds, unless a frame
    /// was lost.
    #[must_use]
    pub fn conserves_frames(&self) -> bool {
        let rx = self.ingress.queue();
        self.core.egress.conserves_frames() && rx.posted() + rx.spare() + self.ingress.held() == rx.total()
    }

    /// The windows that files are mapped through, for sources.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.core.windows
    }

    /// The device's memory mapper, for sources.
    #[must_use]
    pub fn mapper(&self) -> &Arc<dyn DmaMapper> {
        &self.core.mapper
    }

    /// Where sources count the bytes they copy.
    #[must_use]
    pub fn copied_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.core.copied)
    }
}
