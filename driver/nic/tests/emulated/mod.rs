//! Two emulated NICs, a cable, the real drivers on both ends, and packets to send.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use pagewire_bus::{Function, Identity};
use pagewire_emu::cable::Impairments;
use pagewire_emu::sanitizer::Level;
use pagewire_emu::{EmulatedNic, Model, Options, connect};
use pagewire_nic::dma::{Frame, FramePool, GatherSlice, Region, ToDevice};
use pagewire_nic::e1000::{self, E1000, E1000Rx, E1000Tx};
use pagewire_nic::e1000e::{self, E1000e, E1000eRx, E1000eTx};
use pagewire_nic::ixgbe::{self, Ixgbe, IxgbeRx, IxgbeTx};
use pagewire_nic::port::{
    Delay, IpVersion, L4, Nic, NicConfig, Opened, PacketLayout, Received, RxQueue, TxOffload, TxQueue,
};

/// No time passes: an emulated device needs none.
pub struct NoDelay;

impl Delay for NoDelay {
    fn delay_us(&mut self, _: u32) {}
}

/// One end: a device, its driver, and frames to send.
pub struct End<N, T, R> {
    pub device: EmulatedNic,
    pub nic: Option<N>,
    pub queues: Vec<(T, R)>,
    pub pool: FramePool,
}

pub type E1000eEnd = End<E1000e<EmulatedNic>, E1000eTx<EmulatedNic>, E1000eRx<EmulatedNic>>;
pub type E1000End = End<E1000<EmulatedNic>, E1000Tx<EmulatedNic>, E1000Rx<EmulatedNic>>;
pub type IxgbeEnd = End<Ixgbe<EmulatedNic>, IxgbeTx<EmulatedNic>, IxgbeRx<EmulatedNic>>;

pub fn device(model: Model, number: u8, whole_segments: bool) -> EmulatedNic {
    let options = Options::new(model, mac(number));
    EmulatedNic::new(&Options {
        sanitizer: Level::Full,
        whole_segments,
        ..options
    })
}

pub fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

pub fn plug(a: &EmulatedNic, b: &EmulatedNic) {
    connect(a, b, &Impairments::none(), &Impairments::none(), None);
}

impl<N: Nic, T: TxQueue, R: RxQueue> End<N, T, R> {
    pub fn new(device: EmulatedNic, opened: Opened<N, T, R>) -> Self {
        let pool = FramePool::new(&device.mapper(), 512, 2048).unwrap();
        Self {
            device,
            nic: Some(opened.nic),
            queues: opened.queues,
            pool,
        }
    }

    pub fn step(&self) -> usize {
        self.device.step(Duration::ZERO)
    }

    /// A frame with these bytes.
    pub fn frame(&mut self, bytes: &[u8]) -> Frame {
        let mut frame = self.pool.take().expect("a frame");
        frame.set_len(bytes.len()).unwrap();
        frame.bytes_mut().copy_from_slice(bytes);
        frame
    }

    /// Sends one frame now.
    pub fn send(&mut self, bytes: &[u8], offload: TxOffload) {
        let frame = self.frame(bytes);
        self.queues[0].0.post(frame, offload).unwrap();
        self.flush();
    }

    /// Sends a header, and a payload by reference, now.
    pub fn send_gather(&mut self, header: &[u8], mut payload: Vec<GatherSlice>, offload: TxOffload) {
        let frame = self.frame(header);
        self.queues[0]
            .0
            .post_gather(frame, &mut payload, offload)
            .unwrap();
        self.flush();
    }

    pub fn flush(&mut self) {
        let mut freed = Vec::new();
        for index in 0..self.queues.len() {
            self.queues[index].0.doorbell();
            self.step();
            self.queues[index].0.reap(&mut freed);
            assert_eq!(self.queues[index].0.posted(), 0, "all was sent");
        }
        freed.into_iter().for_each(|frame| self.pool.give(frame).unwrap());
    }

    /// Bytes by reference.
    pub fn payload(&self, bytes: &[u8]) -> Arc<Region<ToDevice>> {
        let mut region = Region::<ToDevice>::allocate(&self.device.mapper(), bytes.len()).unwrap();
        region.fill(0, bytes).unwrap();
        Arc::new(region)
    }

    /// All packets that have arrived on a queue, with the last buffer's report.
    pub fn receive(&mut self, queue: usize) -> Vec<Packet> {
        let receiver = &mut self.queues[queue].1;
        let mut out = Vec::new();
        receiver.receive(usize::MAX, &mut out);
        let packets = out
            .split_inclusive(|buffer| buffer.end)
            .map(Packet::new)
            .collect();
        out.into_iter()
            .for_each(|received| receiver.recycle(received.frame));
        receiver.refill();
        let conserved = receiver.posted() + receiver.spare();
        assert_eq!(conserved, receiver.total(), "no frame is lost");
        packets
    }

    /// Stops the NIC; the device has nothing to complain about, then or before.
    pub fn finish(mut self) {
        self.nic.take().unwrap().stop(&mut NoDelay).unwrap();
        drop(self.queues);
        drop(self.pool);
        let report = self.device.report();
        assert!(report.is_clean(), "{report}");
    }
}

/// A packet as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub bytes: Vec<u8>,
    pub verdict: pagewire_nic::port::Verdict,
    pub rss_hash: u32,
    pub buffers: usize,
    pub adjacent: bool,
}

impl Packet {
    fn new(buffers: &[Received]) -> Self {
        let last = buffers.last().expect("a packet has a buffer");
        assert!(last.end);
        let frames = buffers[1..].iter().map(|buffer| &buffer.frame);
        Self {
            bytes: buffers
                .iter()
                .flat_map(|buffer| buffer.frame.bytes().to_vec())
                .collect(),
            verdict: last.verdict,
            rss_hash: last.rss_hash,
            buffers: buffers.len(),
            adjacent: Frame::joined(&buffers[0].frame, frames).is_some(),
        }
    }
}

pub fn open_e1000(device: &EmulatedNic, config: &NicConfig) -> E1000End {
    let opened = e1000::open(Arc::new(device.clone()), config, &mut NoDelay).unwrap();
    End::new(device.clone(), opened)
}

pub fn open_e1000e(device: &EmulatedNic, config: &NicConfig) -> E1000eEnd {
    let opened = e1000e::open(Arc::new(device.clone()), config, &mut NoDelay).unwrap();
    End::new(device.clone(), opened)
}

pub fn open_ixgbe(device: &EmulatedNic, config: &NicConfig) -> IxgbeEnd {
    let opened = ixgbe::open(Arc::new(device.clone()), config, &mut NoDelay).unwrap();
    End::new(device.clone(), opened)
}

/// Runs a test body for each pair of families, and for the 82574L with itself and with each: it gets both ends, plugged together.
#[macro_export]
macro_rules! for_each_pair {
    ($config:expr, $whole:expr, |$a:ident, $b:ident| $body:block) => {{
        use pagewire_emu::Model;
        let config = $config;
        $crate::for_each_pair!(@pair Model::E1000, open_e1000, Model::E1000, open_e1000, config, $whole, $a, $b, $body);
        $crate::for_each_pair!(@pair Model::E1000, open_e1000, Model::Ixgbe, open_ixgbe, config, $whole, $a, $b, $body);
        $crate::for_each_pair!(@pair Model::Ixgbe, open_ixgbe, Model::E1000, open_e1000, config, $whole, $a, $b, $body);
        $crate::for_each_pair!(@pair Model::E1000e, open_e1000e, Model::E1000e, open_e1000e, config, $whole, $a, $b, $body);
        $crate::for_each_pair!(@pair Model::E1000, open_e1000, Model::E1000e, open_e1000e, config, $whole, $a, $b, $body);
        $crate::for_each_pair!(@pair Model::E1000e, open_e1000e, Model::Ixgbe, open_ixgbe, config, $whole, $a, $b, $body);
        $crate::for_each_pair!(@pair Model::Ixgbe, open_ixgbe, Model::Ixgbe, open_ixgbe, config, $whole, $a, $b, $body);
    }};
    (@pair $ma:expr, $oa:ident, $mb:expr, $ob:ident, $config:ident, $whole:expr, $a:ident, $b:ident, $body:block) => {{
        let (da, db) = ($crate::emulated::device($ma, 1, $whole), $crate::emulated::device($mb, 2, $whole));
        $crate::emulated::plug(&da, &db);
        #[allow(unused_mut)]
        let (mut $a, mut $b) = ($crate::emulated::$oa(&da, &$config), $crate::emulated::$ob(&db, &$config));
        $body
        $a.finish();
        $b.finish();
    }};
}

/// A packet with a TCP or UDP header, checksums unset, and where its headers lie.
pub fn packet(ip: IpVersion, l4: L4, ports: (u16, u16), payload: &[u8]) -> (Vec<u8>, PacketLayout) {
    let (l4_len, protocol) = if l4 == L4::Tcp { (20, 6) } else { (8, 17) };
    let l3_len = if ip == IpVersion::V4 { 20 } else { 40 };
    let above = l4_len + payload.len();
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&mac(2));
    bytes.extend_from_slice(&mac(1));
    match ip {
        IpVersion::V4 => {
            bytes.extend_from_slice(&[0x08, 0x00, 0x45, 0]);
            bytes.extend_from_slice(&((20 + above) as u16).to_be_bytes());
            bytes.extend_from_slice(&[0x12, 0x34, 0x40, 0, 64, protocol, 0, 0]);
            bytes.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        }
        IpVersion::V6 => {
            bytes.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend_from_slice(&(above as u16).to_be_bytes());
            bytes.extend_from_slice(&[protocol, 64]);
            bytes.extend_from_slice(&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            bytes.extend_from_slice(&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        }
    }
    bytes.extend_from_slice(&ports.0.to_be_bytes());
    bytes.extend_from_slice(&ports.1.to_be_bytes());
    match l4 {
        L4::Tcp => {
            bytes.extend_from_slice(&[0, 0, 0x10, 0, 0, 0, 0, 1, 0x50, 0x18, 0x20, 0, 0xff, 0xff, 0, 0])
        }
        L4::Udp => {
            bytes.extend_from_slice(&(above as u16).to_be_bytes());
            bytes.extend_from_slice(&[0xff, 0xff]);
        }
    }
    bytes.extend_from_slice(payload);
    let layout = PacketLayout {
        l2_len: 14,
        l3_len: l3_len as u16,
        l4_len: l4_len as u8,
        ip,
        l4,
    };
    (bytes, layout)
}

/// Whether a packet's IPv4 header and TCP or UDP checksums are right, by their definition.
pub fn checksums_are_right(bytes: &[u8], layout: &PacketLayout) -> bool {
    let (l2, l3) = (usize::from(layout.l2_len), usize::from(layout.l3_len));
    let above = &bytes[l2 + l3..];
    let addresses = match layout.ip {
        IpVersion::V4 => &bytes[l2 + 12..l2 + 20],
        IpVersion::V6 => &bytes[l2 + 8..l2 + 40],
    };
    let protocol = if layout.l4 == L4::Tcp { 6 } else { 17 };
    let mut covered = addresses.to_vec();
    covered.extend_from_slice(&(above.len() as u32).to_be_bytes());
    covered.extend_from_slice(&[0, protocol]);
    covered.extend_from_slice(above);
    let header_is_right = layout.ip == IpVersion::V6 || sum(&bytes[l2..l2 + l3]) == 0xffff;
    header_is_right && sum(&covered) == 0xffff
}

fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Bytes that differ from place to place.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + index / 251) as u8).collect()
}

pub fn segment(layout: PacketLayout, mss: u16) -> TxOffload {
    TxOffload::Segment(layout, NonZeroU16::new(mss).unwrap())
}

/// Who an 82540EM is.
pub const E1000_IDENTITY: Identity = Identity {
    vendor: 0x8086,
    device: 0x100e,
    revision: 0,
};
/// Who an 82599 is.
pub const IXGBE_IDENTITY: Identity = Identity {
    vendor: 0x8086,
    device: 0x10fb,
    revision: 0,
};
