//! Devices that vanish, hang or lie: an error within a bounded time, whenever it happens.

mod emulated;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use emulated::{NoDelay, device, pattern};
use pagewire_bus::{
    Bar, BusError, DmaMapper, Function, Identity, Interrupt, InterruptKind, InterruptSupport, ResetOutcome,
};
use pagewire_emu::{EmulatedBar, EmulatedNic, Model};
use pagewire_nic::dma::FramePool;
use pagewire_nic::port::{Delay, Link, Nic, NicConfig, NicError, RxQueue, Statistics, TxOffload, TxQueue};
use pagewire_nic::{e1000, e1000e, ixgbe};
use pagewire_spec::Register;

/// What is wrong with a device.
#[derive(Debug, Default)]
struct Fault {
    /// Reads that still succeed; then it is gone and all reads return ones.
    reads_left: AtomicU64,
    /// A register (by offset) and bits that always read as given.
    stuck: Option<(u32, u32, u32)>,
    /// Reads so far.
    reads: AtomicU64,
}

/// An emulated NIC with a fault on its bus.
struct Broken {
    nic: EmulatedNic,
    fault: Arc<Fault>,
}

#[derive(Clone)]
struct BrokenBar {
    inner: EmulatedBar,
    fault: Arc<Fault>,
}

impl BrokenBar {
    fn is_gone(&self) -> bool {
        self.fault.reads_left.load(Ordering::Relaxed) == 0
    }
}

impl Bar for BrokenBar {
    fn read32(&self, offset: u32) -> u32 {
        self.fault.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_gone() {
            return u32::MAX;
        }
        self.fault.reads_left.fetch_sub(1, Ordering::Relaxed);
        let value = self.inner.read32(offset);
        match self.fault.stuck {
            Some((register, bits, stuck)) if register == offset => value & !bits | stuck,
            _ => value,
        }
    }

    fn write32(&self, offset: u32, value: u32) {
        if !self.is_gone() {
            self.inner.write32(offset, value);
        }
    }
}

impl Function for Broken {
    type Bar = BrokenBar;

    fn identity(&self) -> Identity {
        self.nic.identity()
    }

    fn bar(&self, index: u8) -> Result<BrokenBar, BusError> {
        Ok(BrokenBar {
            inner: self.nic.bar(index)?,
            fault: Arc::clone(&self.fault),
        })
    }

    fn mapper(&self) -> Arc<dyn DmaMapper> {
        self.nic.mapper()
    }

    fn set_bus_master(&self, on: bool) -> Result<(), BusError> {
        self.nic.set_bus_master(on)
    }

    fn reset(&self) -> Result<ResetOutcome, BusError> {
        self.nic.reset()
    }

    fn interrupts(&self) -> Vec<InterruptSupport> {
        self.nic.interrupts()
    }

    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        self.nic.enable_interrupts(kind, vectors)
    }

    fn disable_interrupts(&self) -> Result<(), BusError> {
        self.nic.disable_interrupts()
    }
}

/// Counts the time that a driver lets pass.
#[derive(Default)]
struct Counted(u64);

impl Delay for Counted {
    fn delay_us(&mut self, us: u32) {
        self.0 += u64::from(us);
    }
}

fn broken(model: Model, fault: Fault) -> (Arc<Broken>, Arc<Fault>) {
    let fault = Arc::new(fault);
    (
        Arc::new(Broken {
            nic: device(model, 1, true),
            fault: Arc::clone(&fault),
        }),
        fault,
    )
}

/// What opening a device with a fault says, after how much time and how many reads.
fn open_with(model: Model, fault: Fault) -> (Result<(), NicError>, u64, u64) {
    let (function, fault) = broken(model, fault);
    let (config, mut delay) = (
        NicConfig {
            queues: 1,
            ..NicConfig::default()
        },
        Counted::default(),
    );
    let result = match model {
        Model::E1000 => e1000::open(function, &config, &mut delay).map(drop),
        Model::E1000e => e1000e::open(function, &config, &mut delay).map(drop),
        Model::Ixgbe => ixgbe::open(function, &config, &mut delay).map(drop),
    };
    (result, delay.0, fault.reads.load(Ordering::Relaxed))
}

#[test]
fn a_card_that_is_not_there_is_an_error_at_the_first_look() {
    for model in [Model::E1000, Model::E1000e, Model::Ixgbe] {
        let (result, waited, reads) = open_with(model, Fault::default());
        assert!(matches!(result, Err(NicError::Removed { .. })), "{result:?}");
        assert!(waited == 0 && reads < 5, "{waited} µs, {reads} reads");
    }
}

#[test]
fn a_card_that_is_removed_while_it_is_opened_is_an_error_or_is_found_gone_later() {
    for model in [Model::E1000, Model::E1000e, Model::Ixgbe] {
        let mut errors = 0;
        for reads_left in 0..200 {
            let fault = Fault {
                reads_left: AtomicU64::new(reads_left),
                ..Fault::default()
            };
            let (result, waited, reads) = open_with(model, fault);
            errors += u32::from(result.is_err());
            assert!(waited < 1_000_000, "{waited} µs");
            assert!(reads < 30_000, "{reads} reads");
        }
        assert!(errors >= 8, "{model:?}: {errors}");
    }
}

#[test]
fn a_step_that_never_ends_is_named_with_its_register() {
    use pagewire_spec::{e1000 as e, e1000e as ee, ixgbe as i};
    let bits = |register: &Register, bits: u32, stuck: u32| (register.at(0), bits, stuck);
    let rst = e::Ctrl::new().with_rst(true).into();
    let master = i::Status::new().with_master_enable(true).into();
    let cases: [(Model, (u32, u32, u32), &str); 11] = [
        (Model::E1000, bits(&e::CTRL, rst, rst), "CTRL"),
        (
            Model::E1000,
            bits(&e::EERD, e::Eerd::new().with_done(true).into(), 0),
            "EERD",
        ),
        (Model::E1000e, bits(&e::CTRL, rst, rst), "CTRL"),
        (
            Model::E1000e,
            bits(&ee::EECD, ee::Eecd::new().with_auto_rd(true).into(), 0),
            "EECD",
        ),
        (
            Model::E1000e,
            bits(&ee::EERD, ee::Eerd::new().with_done(true).into(), 0),
            "EERD",
        ),
        (Model::Ixgbe, bits(&i::STATUS, master, master), "STATUS"),
        (Model::Ixgbe, bits(&i::CTRL, rst, rst), "CTRL"),
        (
            Model::Ixgbe,
            bits(&i::EEC, i::Eec::new().with_auto_rd(true).into(), 0),
            "EEC",
        ),
        (
            Model::Ixgbe,
            bits(&i::RDRXCTL, i::Rdrxctl::from_bits(8).into(), 0),
            "RDRXCTL",
        ),
        (
            Model::Ixgbe,
            bits(&i::RXDCTL, i::Rxdctl::new().with_enable(true).into(), 0),
            "RXDCTL",
        ),
        (
            Model::Ixgbe,
            bits(&i::TXDCTL, i::Txdctl::new().with_enable(true).into(), 0),
            "TXDCTL",
        ),
    ];
    for (model, stuck, name) in cases {
        let fault = Fault {
            reads_left: AtomicU64::new(u64::MAX),
            stuck: Some(stuck),
            ..Fault::default()
        };
        let (result, waited, reads) = open_with(model, fault);
        match result {
            Err(NicError::Timeout { register, .. }) => assert_eq!(register, name),
            other => panic!("{name}: {other:?}"),
        }
        assert!(
            waited < 1_000_000 && reads < 30_000,
            "{name}: {waited} µs, {reads} reads"
        );
    }
}

/// Neither firmware that keeps the PHY's registers nor a request that hangs on keeps a driver from the reset.
#[test]
fn what_an_82574l_does_not_give_up_is_no_obstacle_to_its_reset() {
    use pagewire_spec::e1000e as ee;
    let master = ee::Status::new().with_gio_master_enable(true).into();
    let ours = ee::ExtcnfCtrl::new().with_mdio_sw_ownership(true).into();
    for stuck in [
        (ee::STATUS.offset, master, master),
        (ee::EXTCNF_CTRL.offset, ours, 0),
    ] {
        let fault = Fault {
            reads_left: AtomicU64::new(u64::MAX),
            stuck: Some(stuck),
            ..Fault::default()
        };
        let (result, waited, reads) = open_with(Model::E1000e, fault);
        assert!(result.is_ok(), "{result:?}");
        assert!(waited < 1_000_000 && reads < 30_000, "{waited} µs, {reads} reads");
    }
}

#[test]
fn an_eeprom_without_an_address_is_an_error() {
    use pagewire_spec::{e1000 as e, e1000e as ee, ixgbe as i};
    let data = e::Eerd::new().with_data(u16::MAX).into();
    for (model, stuck) in [
        (Model::E1000, (e::EERD.offset, data, 0)),
        (
            Model::E1000e,
            (ee::EERD.offset, ee::Eerd::new().with_data(u16::MAX).into(), 0),
        ),
        (Model::Ixgbe, (i::RAL.at(0), u32::MAX, 1)),
    ] {
        let fault = Fault {
            reads_left: AtomicU64::new(u64::MAX),
            stuck: Some(stuck),
            ..Fault::default()
        };
        let (result, ..) = open_with(model, fault);
        assert!(matches!(result, Err(NicError::NoAddress { .. })), "{result:?}");
    }
}

/// A card that vanishes while it works: nothing panics or hangs, and stopping it says what is the matter.
macro_rules! vanishes {
    ($model:expr, $open:path) => {{
        let fault = Fault {
            reads_left: AtomicU64::new(u64::MAX),
            ..Fault::default()
        };
        let (function, fault) = broken($model, fault);
        let mapper = function.mapper();
        let opened = $open(function, &NicConfig::default(), &mut NoDelay).unwrap();
        let (mut nic, mut queues) = (opened.nic, opened.queues);
        let mut pool = FramePool::new(&mapper, 1, 2048).unwrap();
        let (transmitter, receiver) = &mut queues[0];
        fault.reads_left.store(0, Ordering::Relaxed);

        let mut frame = pool.take().unwrap();
        frame.set_len(100).unwrap();
        frame.bytes_mut().copy_from_slice(&pattern(100));
        transmitter.post(frame, TxOffload::None).unwrap();
        transmitter.doorbell();
        assert_eq!(transmitter.reap(&mut Vec::new()), 0, "reap");
        assert_eq!(receiver.receive(32, &mut Vec::new()), 0, "receive");
        receiver.refill();
        assert_eq!(nic.read_link(), Link::default());
        assert_eq!(nic.read_statistics(), Statistics::default());
        let mut delay = Counted::default();
        let error = nic.stop(&mut delay).unwrap_err();
        assert!(matches!(error, NicError::Removed { .. }), "{error}");
        assert_eq!(delay.0, 0);
        drop(queues);
    }};
}

#[test]
fn a_card_that_vanishes_while_it_works_can_be_let_go() {
    vanishes!(Model::E1000, e1000::open);
    vanishes!(Model::E1000e, e1000e::open);
    vanishes!(Model::Ixgbe, ixgbe::open);
}
