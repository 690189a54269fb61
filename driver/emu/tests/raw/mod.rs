//! A driver of a few lines, which does to a device whatever a test wants: right or wrong.
#![allow(
    unsafe_code,
    reason = "hands memory to a device and reads what it wrote there"
)]
#![allow(unreachable_pub, reason = "a module of several test crates")]
#![allow(dead_code, reason = "each test file uses its part of it")]

use std::fs::File;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use pagewire_bus::{Bar, Direction, DmaMapper, Function, HostRange, Iova};
use pagewire_emu::cable::Impairments;
use pagewire_emu::sanitizer::{Level, Rule};
use pagewire_emu::{EmulatedBar, EmulatedNic, Model, Options, connect};
use pagewire_spec::{Register, e1000, e1000e, ixgbe};

/// Every model there is.
pub const MODELS: [Model; 3] = [Model::E1000, Model::E1000e, Model::Ixgbe];

/// Descriptors of a test's rings.
pub const SLOTS: u32 = 64;

/// Memory mapped for a device, and unmapped before it is freed if a test has not done so.
pub struct Memory {
    map: MmapRaw,
    mapper: Arc<dyn DmaMapper>,
    pub iova: u64,
    pub len: usize,
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Refused where the test has unmapped it.
        let _ = self.mapper.unmap(Iova(self.iova), self.len);
    }
}

impl Memory {
    pub fn new(nic: &EmulatedNic, len: usize, direction: Direction) -> Self {
        let len = len.next_multiple_of(4096);
        Self::map(nic, MmapMut::map_anon(len).expect("memory").into(), direction)
    }

    /// A read-only mapping of a file.
    pub fn of_file(nic: &EmulatedNic, file: &File, len: usize) -> Self {
        // SAFETY: nobody makes a reference into the mapping; the device copies out of it.
        let map = unsafe { MmapOptions::new().len(len).map(file) }.expect("a mapping");
        Self::map(nic, map.into(), Direction::ToDevice)
    }

    fn map(nic: &EmulatedNic, map: MmapRaw, direction: Direction) -> Self {
        let start = NonNull::new(map.as_mut_ptr()).expect("not null");
        let len = map.len();
        let mapper = nic.mapper();
        // SAFETY: the memory lives as long as `self`, which unmaps it first; it is reached through raw
        // pointers only.
        let iova = unsafe { mapper.map(HostRange { start, len }, direction) }.expect("a mapping");
        Self {
            map,
            mapper,
            iova: iova.0,
            len,
        }
    }

    pub fn unmap(&self, nic: &EmulatedNic) {
        nic.mapper().unmap(Iova(self.iova), self.len).expect("unmapped");
    }

    pub fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.len);
        // SAFETY: in bounds, and no reference to the memory exists.
        unsafe { std::ptr::copy(bytes.as_ptr(), self.map.as_mut_ptr().add(offset), bytes.len()) };
    }

    pub fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        assert!(offset + len <= self.len);
        let mut bytes = vec![0; len];
        // SAFETY: as above.
        unsafe { std::ptr::copy(self.map.as_ptr().add(offset), bytes.as_mut_ptr(), len) };
        bytes
    }

    pub fn words(&self, slot: u32) -> [u64; 2] {
        let bytes = self.read(slot as usize * 16, 16);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        [word(0), word(8)]
    }

    pub fn set_words(&self, slot: u32, words: [u64; 2]) {
        for (index, word) in words.iter().enumerate() {
            self.write(slot as usize * 16 + index * 8, &word.to_le_bytes());
        }
    }
}

/// One descriptor ring, with its registers.
pub struct Ring {
    pub memory: Memory,
    pub tail: u32,
    pub next: u32,
}

/// A driver with one queue pair.
pub struct Raw {
    pub nic: EmulatedNic,
    pub bar: EmulatedBar,
    pub model: Model,
    pub tx: Ring,
    pub rx: Ring,
    /// What it sends lies here.
    pub out: Memory,
    /// Receive buffers.
    pub inn: Memory,
    pub buffer_len: usize,
}

pub const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
pub const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 0xb];

pub struct Setup {
    pub options: Options,
    pub buffer_len: usize,
    pub jumbo: bool,
    pub coalesce: bool,
}

impl Setup {
    pub fn new(model: Model, mac: [u8; 6]) -> Self {
        let mut options = Options::new(model, mac);
        options.sanitizer = Level::Full;
        Self {
            options,
            buffer_len: 2048,
            jumbo: true,
            coalesce: false,
        }
    }
}

impl Raw {
    pub fn new(setup: &Setup) -> Self {
        let nic = EmulatedNic::new(&setup.options);
        let bar = nic.bar(0).expect("BAR 0");
        nic.set_bus_master(true).expect("bus master");
        let ring = |len: u32| Memory::new(&nic, len as usize * 16, Direction::Bidirectional);
        let (tx, rx) = (ring(SLOTS), ring(SLOTS));
        let out = Memory::new(&nic, 1 << 20, Direction::Bidirectional);
        let inn = Memory::new(&nic, SLOTS as usize * setup.buffer_len, Direction::FromDevice);
        let model = setup.options.model;
        let (tx_tail, rx_tail) = match model {
            Model::E1000 | Model::E1000e => (e1000::TDT.offset, e1000::RDT.offset),
            Model::Ixgbe => (ixgbe::TDT.at(0), ixgbe::RDT.at(0)),
        };
        let raw = Self {
            nic,
            bar,
            model,
            tx: Ring {
                memory: tx,
                tail: tx_tail,
                next: 0,
            },
            rx: Ring {
                memory: rx,
                tail: rx_tail,
                next: 0,
            },
            out,
            inn,
            buffer_len: setup.buffer_len,
        };
        raw.write_ring(true);
        raw.write_ring(false);
        match model {
            Model::E1000 | Model::E1000e => raw.start_e1000(setup),
            Model::Ixgbe => raw.start_ixgbe(setup),
        }
        raw
    }

    fn write_ring(&self, transmit: bool) {
        let rows: [&Register; 3] = match (self.model, transmit) {
            (Model::E1000 | Model::E1000e, true) => [&e1000::TDBAL, &e1000::TDBAH, &e1000::TDLEN],
            (Model::E1000 | Model::E1000e, false) => [&e1000::RDBAL, &e1000::RDBAH, &e1000::RDLEN],
            (Model::Ixgbe, true) => [&ixgbe::TDBAL, &ixgbe::TDBAH, &ixgbe::TDLEN],
            (Model::Ixgbe, false) => [&ixgbe::RDBAL, &ixgbe::RDBAH, &ixgbe::RDLEN],
        };
        let iova = if transmit {
            self.tx.memory.iova
        } else {
            self.rx.memory.iova
        };
        self.bar.write32(rows[0].at(0), iova as u32);
        self.bar.write32(rows[1].at(0), (iova >> 32) as u32);
        self.bar.write32(rows[2].at(0), SLOTS * 16);
    }

    fn start_e1000(&self, setup: &Setup) {
        let ctrl = e1000::Ctrl::from_bits(self.bar.read32(e1000::CTRL.offset));
        self.bar
            .write32(e1000::CTRL.offset, ctrl.with_slu(true).into_bits());
        self.bar.write32(
            e1000::RXCSUM.offset,
            e1000::Rxcsum::new().with_ipofl(true).with_tuofl(true).into_bits(),
        );
        let receive = e1000::Rctl::new()
            .with_en(true)
            .with_bam(true)
            .with_lpe(setup.jumbo)
            .with_secrc(true)
            .with_buffer_len(setup.buffer_len as u32)
            .expect("a buffer length");
        self.bar.write32(e1000::RCTL.offset, receive.into_bits());
        if self.model == Model::E1000e {
            let control = e1000e::Txdctl::new().with_count_desc(true);
            self.bar.write32(e1000e::TXDCTL.offset, control.into_bits());
        }
        self.bar.write32(
            e1000::TCTL.offset,
            e1000::Tctl::new().with_en(true).with_psp(true).into_bits(),
        );
    }

    fn start_ixgbe(&self, setup: &Setup) {
        let write = |row: &Register, value| self.bar.write32(row.at(0), value);
        let mac = ixgbe::Hlreg0::from_bits(self.bar.read32(ixgbe::HLREG0.offset));
        write(
            &ixgbe::HLREG0,
            mac.with_jumboen(setup.jumbo).with_rxcrcstrp(true).into_bits(),
        );
        write(&ixgbe::MAXFRS, ixgbe::Maxfrs::new().with_mfs(9022).into_bits());
        write(&ixgbe::FCTRL, ixgbe::Fctrl::new().with_bam(true).into_bits());
        let dma = ixgbe::Rdrxctl::from_bits(self.bar.read32(ixgbe::RDRXCTL.offset));
        write(&ixgbe::RDRXCTL, dma.with_crcstrip(true).into_bits());
        write(&ixgbe::DMATXCTL, ixgbe::Dmatxctl::new().with_te(true).into_bits());
        write(&ixgbe::TXDCTL, ixgbe::Txdctl::new().with_enable(true).into_bits());
        let split = ixgbe::Srrctl::new()
            .with_bsizepacket((setup.buffer_len / 1024) as u8)
            .with_bsizeheader(4)
            .with_desctype(ixgbe::Srrctl::ADVANCED_ONE_BUFFER)
            .with_drop_en(true);
        write(&ixgbe::SRRCTL, split.into_bits());
        if setup.coalesce {
            write(&ixgbe::RSCCTL, ixgbe::Rscctl::new().with_rscen(true).into_bits());
        }
        write(&ixgbe::RXDCTL, ixgbe::Rxdctl::new().with_enable(true).into_bits());
        write(&ixgbe::RXCTRL, ixgbe::Rxctrl::new().with_rxen(true).into_bits());
    }

    pub fn read(&self, row: &Register) -> u32 {
        self.bar.read32(row.at(0))
    }

    /// Posts `count` receive buffers, each its own.
    pub fn post(&mut self, count: u32) {
        for _ in 0..count {
            let address = self.inn.iova + u64::from(self.rx.next) * self.buffer_len as u64;
            self.rx.memory.set_words(self.rx.next, [address, 0]);
            self.rx.next = (self.rx.next + 1) % SLOTS;
        }
        self.bar.write32(self.rx.tail, self.rx.next);
    }

    /// Puts a descriptor into the next transmit slot; returns the slot.
    pub fn put(&mut self, words: [u64; 2]) -> u32 {
        let slot = self.tx.next;
        self.tx.memory.set_words(slot, words);
        self.tx.next = (slot + 1) % SLOTS;
        slot
    }

    pub fn ring(&self) {
        self.bar.write32(self.tx.tail, self.tx.next);
    }

    pub fn step(&self) -> usize {
        self.nic.step(Duration::ZERO)
    }

    /// A data descriptor with nothing special about it.
    pub fn data(&self, iova: u64, len: usize, end: bool, offload: Option<Offload>, total: usize) -> [u64; 2] {
        let (ip, l4, segment) = offload.map_or((false, false, false), |o| (o.v4, true, o.mss > 0));
        let second = match self.model {
            Model::E1000 | Model::E1000e => e1000::TxData::new()
                .with_dtalen(len as u32)
                .with_dtyp(e1000::TxKind::DTYP_DATA)
                .with_dext(true)
                .with_eop(end)
                .with_ifcs(true)
                .with_rs(end)
                .with_tse(segment)
                .with_ixsm(ip)
                .with_txsm(l4)
                .into_bits(),
            Model::Ixgbe => ixgbe::TxData::new()
                .with_dtalen(len as u16)
                .with_dtyp(ixgbe::TxKind::DTYP_DATA)
                .with_dext(true)
                .with_eop(end)
                .with_ifcs(true)
                .with_rs(end)
                .with_tse(segment)
                .with_ixsm(ip)
                .with_txsm(l4)
                .with_paylen(total as u32)
                .into_bits(),
        };
        [iova, second]
    }

    /// A context for headers of Ethernet, IP of `l3` bytes and TCP of `l4` bytes.
    pub fn context(&self, offload: Offload, payload: usize) -> [u64; 2] {
        let l3 = if offload.v4 { 20 } else { 40 };
        match self.model {
            Model::E1000 | Model::E1000e => [
                e1000::TxContext0::new()
                    .with_ipcss(14)
                    .with_ipcso(24)
                    .with_ipcse(if offload.v4 { 33 } else { 0 })
                    .with_tucss(14 + l3)
                    .with_tucso(14 + l3 + 16)
                    .into_bits(),
                e1000::TxContext1::new()
                    .with_paylen(payload as u32)
                    .with_tcp(true)
                    .with_ip(offload.v4)
                    .with_tse(offload.mss > 0)
                    .with_dext(true)
                    .with_hdrlen(14 + l3 + 20)
                    .with_mss(offload.mss)
                    .into_bits(),
            ],
            Model::Ixgbe => [
                ixgbe::TxContext0::new()
                    .with_iplen(l3.into())
                    .with_maclen(14)
                    .into_bits(),
                ixgbe::TxContext1::new()
                    .with_ipv4(offload.v4)
                    .with_l4t(ixgbe::TxContext1::TCP)
                    .with_dtyp(ixgbe::TxKind::DTYP_CONTEXT)
                    .with_dext(true)
                    .with_l4len(20)
                    .with_mss(offload.mss)
                    .into_bits(),
            ],
        }
    }

    /// Sends bytes of `out` as one plain frame, and steps. Returns the slot.
    pub fn send(&mut self, offset: usize, len: usize) -> u32 {
        let words = self.data(self.out.iova + offset as u64, len, true, None, len);
        let slot = self.put(words);
        self.ring();
        self.step();
        slot
    }

    pub fn is_sent(&self, slot: u32) -> bool {
        self.tx.memory.words(slot)[1] & 1 << 32 != 0
    }

    /// The frame whose first buffer is at `slot`: its bytes, and the last descriptor's second word; `None` if
    /// it has not arrived.
    pub fn received(&self, slot: u32) -> Option<(Vec<u8>, u64)> {
        let (mut frame, mut at) = (Vec::new(), slot);
        for _ in 0..SLOTS {
            let word = self.rx.memory.words(at)[1];
            let (done, end, len) = match self.model {
                Model::E1000 | Model::E1000e => {
                    let word = e1000::RxWriteBack::from_bits(word);
                    (word.dd(), word.eop(), word.length())
                }
                Model::Ixgbe => {
                    let word = ixgbe::RxWriteBack1::from_bits(word);
                    (word.dd(), word.eop(), word.length())
                }
            };
            if !done {
                return None;
            }
            frame.extend(self.inn.read(at as usize * self.buffer_len, len.into()));
            if end {
                return Some((frame, word));
            }
            at = (at + 1) % SLOTS;
        }
        None
    }

    pub fn count(&self, rule: Rule) -> u64 {
        self.nic.report().count(rule)
    }

    pub fn assert_clean(&self) {
        let report = self.nic.report();
        assert!(report.is_clean(), "{report}");
    }
}

/// What the device is to do to a TCP packet.
#[derive(Clone, Copy)]
pub struct Offload {
    pub v4: bool,
    /// 0: no segmentation.
    pub mss: u16,
}

/// Two NICs of one model, connected by a perfect cable.
pub fn pair(model: Model) -> (Raw, Raw) {
    pair_of(&Setup::new(model, MAC_A), &Setup::new(model, MAC_B))
}

pub fn pair_of(a: &Setup, b: &Setup) -> (Raw, Raw) {
    let (a, b) = (Raw::new(a), Raw::new(b));
    connect(&a.nic, &b.nic, &Impairments::none(), &Impairments::none(), None);
    (a, b)
}

/// An Ethernet frame of no protocol, with a pattern in it.
pub fn frame(to: [u8; 6], len: usize) -> Vec<u8> {
    let mut frame = [&to[..], &MAC_A, &[0x88, 0xb5]].concat();
    frame.extend((14..len).map(|at| (at * 7 + at / 251) as u8));
    frame
}

/// Headers of Ethernet, IP and TCP. `len` is the payload they stand for, or `None` for what segmentation
/// wants: no lengths, and a pseudo-header sum without one.
pub fn headers(to: [u8; 6], v4: bool, payload: Option<usize>, port: u16) -> Vec<u8> {
    let mut head = [&to[..], &MAC_A].concat();
    let (from, dest): (Vec<u8>, Vec<u8>) = if v4 {
        (vec![10, 0, 0, 1], vec![10, 0, 0, 2])
    } else {
        (
            [[0xfd; 15].as_slice(), &[1]].concat(),
            [[0xfd; 15].as_slice(), &[2]].concat(),
        )
    };
    let tcp_len = payload.map_or(0, |payload| 20 + payload as u16);
    if v4 {
        let total = payload.map_or(0, |payload| 40 + payload as u16);
        head.extend([0x08, 0x00, 0x45, 0]);
        head.extend(total.to_be_bytes());
        head.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
    } else {
        head.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        head.extend(tcp_len.to_be_bytes());
        head.extend([6, 64]);
    }
    head.extend(&from);
    head.extend(&dest);
    let sum = fold([from, dest, vec![0, 6], tcp_len.to_be_bytes().to_vec()].concat());
    head.extend(port.to_be_bytes());
    head.extend([0, 80, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff]);
    head.extend(sum.to_be_bytes());
    head.extend([0, 0]);
    head
}

fn fold(bytes: Vec<u8>) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    while sum >> 16 != 0 {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// Whether the TCP checksum of a frame holds, and for IPv4 the header's.
pub fn checksums_hold(frame: &[u8]) -> bool {
    let v4 = frame[12] == 8;
    let l3 = if v4 { 20 } else { 40 };
    let (addresses, tcp) = (
        if v4 { &frame[26..34] } else { &frame[22..54] },
        &frame[14 + l3..],
    );
    let mut covered = [addresses, &[0, 6], &(tcp.len() as u16).to_be_bytes(), tcp].concat();
    if covered.len() % 2 == 1 {
        covered.push(0);
    }
    fold(covered) == 0xffff && (!v4 || fold(frame[14..34].to_vec()) == 0xffff)
}
