//! What the tests that cross crates share: two machines on one thread, under a clock that the test moves.
//!
//! Each machine is an emulated 82599, the real driver on it, and a stack. Nothing here reads a clock or
//! draws a number, so a test that fails fails again. [`Alone`] is one of them with a cable into the test's hands.

mod alone;
pub mod frames;
pub mod peer;

pub use alone::Alone;
pub use peer::Peer;

use std::sync::Arc;
use std::time::Duration as WallDuration;

use pagewire_bus::Function;
use pagewire_emu::cable::{Impairments, PcapTap};
use pagewire_emu::sanitizer::Level;
use pagewire_emu::{EmulatedNic, Model, Options, connect};
use pagewire_nic::ixgbe;
use pagewire_nic::port::{Nic, NicConfig, Opened, SleepDelay};
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::{
    ConnectionId, Duration, Instant, IpAddress, IpCidr, IpEndpoint, OpenError, Stack, StackConfig,
    TransmitRing,
};

/// The port at which the far machine of a [`Pair`] listens, and other machines of these tests.
pub const PORT: u16 = 7;

/// The stack of a [`Machine`].
pub type TestStack = Stack<ixgbe::IxgbeTx<EmulatedNic>, ixgbe::IxgbeRx<EmulatedNic>>;

/// One machine.
pub struct Machine {
    /// The device, to be stepped and to be asked for its report.
    pub device: EmulatedNic,
    /// The stack over its one queue pair.
    pub stack: TestStack,
    nic: ixgbe::Ixgbe<EmulatedNic>,
}

/// Two machines and the cable between them.
pub struct Pair {
    /// 10.0.0.1, fd00::1.
    pub near: Machine,
    /// 10.0.0.2, fd00::2.
    pub far: Machine,
    /// The time of the next round.
    pub now: Instant,
}

/// How a [`Pair`] is set up.
pub struct Setup {
    /// What the cable does, both ways.
    pub impairments: Impairments,
    /// What the devices watch for.
    pub level: Level,
    /// Last changes to each stack's configuration.
    pub configure: fn(&mut StackConfig),
    /// Changes to the far stack's only, after those.
    pub configure_far: fn(&mut StackConfig),
    /// Whether segments travel whole, to receivers that coalesce.
    pub whole_segments: bool,
    /// A capture of both directions.
    pub tap: Option<Arc<PcapTap>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            impairments: Impairments::none(),
            level: Level::Full,
            configure: |_| {},
            configure_far: |_| {},
            whole_segments: false,
            tap: None,
        }
    }
}

impl Pair {
    /// Two machines, plugged together, at time 0.
    ///
    /// # Panics
    /// A driver or a stack does not start: a test cannot go on.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let (near, far) = (device(1, setup), device(2, setup));
        let pair = Self {
            near: Machine::start(near, 1, setup, &[setup.configure]),
            far: Machine::start(far, 2, setup, &[setup.configure, setup.configure_far]),
            now: Instant::ZERO,
        };
        pair.plug_in(setup);
        pair
    }

    /// Connects the two by a new cable.
    pub fn plug_in(&self, setup: &Setup) {
        connect(
            &self.near.device,
            &self.far.device,
            &setup.impairments,
            &setup.impairments,
            setup.tap.as_ref(),
        );
    }

    /// Takes the cable out, on both ends: the link is down, and what is on its way is lost.
    pub fn unplug(&self) {
        self.near.device.plug(None);
        self.far.device.plug(None);
    }

    /// One round of both stacks and devices, after which the clock has moved by a microsecond, or, where
    /// nothing happened, to the next thing that will. Returns whether there is anything to come.
    pub fn round(&mut self) -> bool {
        let wall = WallDuration::from_micros(self.now.total_micros() as u64);
        let mut idle = true;
        for machine in [&mut self.near, &mut self.far] {
            idle &= machine.stack.poll(self.now).is_idle();
            idle &= machine.device.step(wall) == 0;
        }
        let soon = self.now + Duration::from_micros(1);
        if !idle {
            self.now = soon;
            return true;
        }
        let cables = [self.near.device.next_event(), self.far.device.next_event()]
            .into_iter()
            .flatten();
        let cables = cables.map(|at| Instant::from_micros(at.as_micros() as i64));
        let timers = [
            self.near.stack.next_deadline(self.now),
            self.far.stack.next_deadline(self.now),
        ];
        match timers.into_iter().flatten().chain(cables).min() {
            Some(next) => self.now = next.max(soon),
            None => return false,
        }
        true
    }

    /// Rounds until `done`.
    ///
    /// # Panics
    /// Nothing is to come any more, or `seconds` of simulated time have passed, and it is not done.
    pub fn run_until(&mut self, seconds: u64, mut done: impl FnMut(&mut Self) -> bool) {
        let end = self.now + Duration::from_secs(seconds);
        while !done(self) {
            assert!(self.now < end, "not done after {seconds} s of simulated time");
            assert!(self.round() || done(self), "not done, and nothing is to come");
        }
    }

    /// Rounds for `seconds` of simulated time.
    pub fn run_for(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end && self.round() {}
        self.now = self.now.max(end);
    }

    /// Connects the near machine to `to`, an address of the far one's, which listens from now on, if it did not yet. Returns
    /// the connection's name at the near end and at the far one, where it is accepted.
    ///
    /// # Panics
    /// The far machine has not accepted it after ten seconds of simulated time.
    pub fn connect(&mut self, to: IpAddress) -> (ConnectionId, ConnectionId) {
        let ring = TransmitRing::Phantom;
        match self.far.stack.listen(PORT, ring, ListenerConfig::default()) {
            Ok(()) | Err(OpenError::PortTaken { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        let remote = IpEndpoint::new(to, PORT);
        let near = self.near.stack.connect(remote, ring, self.now);
        let near = near.expect("it can connect");
        let mut far = None;
        self.run_until(10, |pair| {
            far = pair.far.stack.accept(PORT);
            far.is_some()
        });
        (near, far.expect("it was accepted"))
    }

    /// Stops both machines.
    ///
    /// # Panics
    /// A frame was lost, or a device has seen its driver break a rule.
    pub fn finish(self) {
        self.near.finish();
        self.far.finish();
    }
}

impl Machine {
    fn start(device: EmulatedNic, end: u16, setup: &Setup, configure: &[fn(&mut StackConfig)]) -> Self {
        let mut config = StackConfig::new(IpCidr::new(address_v4(end), 24), u64::from(end));
        config.addresses.push(IpCidr::new(address_v6(end), 64));
        for change in configure {
            change(&mut config);
        }
        let nic_config = NicConfig {
            tx_descriptors: 1024,
            rx_descriptors: 1024,
            max_frame: config.longest_frame() as u16,
            coalesce: setup.whole_segments,
            ..NicConfig::default()
        };
        let opened = ixgbe::open(Arc::new(device.clone()), &nic_config, &mut SleepDelay);
        let Opened { nic, queues } = opened.expect("the driver starts");
        let (tx, rx) = queues.into_iter().next().expect("there is a queue pair");
        let stack = Stack::new(
            config,
            nic.mac(),
            tx,
            rx,
            nic.limits(),
            device.mapper(),
            Instant::ZERO,
        )
        .expect("the stack can be set up");
        Self { device, stack, nic }
    }

    fn finish(self) {
        assert!(self.stack.conserves_frames(), "a frame was lost");
        drop(self.stack);
        self.nic.stop(&mut SleepDelay).expect("the device stops");
        let report = self.device.report();
        assert_eq!(report.total(), 0, "rules were broken: {report:?}");
    }
}

/// An emulated NIC with nothing plugged in.
fn device(end: u8, setup: &Setup) -> EmulatedNic {
    EmulatedNic::new(&Options {
        sanitizer: setup.level,
        whole_segments: setup.whole_segments,
        ..Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, end])
    })
}

/// The IPv4 address of a machine, 1 or 2.
#[must_use]
pub fn address_v4(end: u16) -> IpAddress {
    IpAddress::v4(10, 0, 0, end as u8)
}

/// The IPv6 address of a machine, 1 or 2.
#[must_use]
pub fn address_v6(end: u16) -> IpAddress {
    IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, end)
}
