//! From an unknown state to running rings (§4.6), and back to silence.

use std::sync::Arc;

use pagewire_bus::{Bar, Function, ResetOutcome};
use pagewire_spec::ixgbe::{
    self as spec, Ctrl, Dtxmxszrq, Eec, Eitr, Fctrl, IvarByte, Maxfrs, Mtqc, PacketBuffer, Psrtype, Rah,
    Rdrxctl, Rscctl, Rscdbu, Rxcsum, Rxctrl, Rxdctl, Srrctl, Status, Txdctl,
};

use super::registers::Registers;
use super::{Ixgbe, IxgbeOpened, IxgbeRx, IxgbeTx, ReceiveSide, TransmitSide, rss, statistics};
use crate::dma::FramePool;
use crate::life::Life;
use crate::port::{Delay, NicConfig, NicError, Opened, RxQueue, Statistics};
use crate::ring::{Receiver, Transmitter};
use crate::settings::{FCS, check_address};
use crate::wait::{ALL_ONES, Wait};

const MASTER: Wait = Wait {
    step: "waiting for the device's last DMA",
    register: "STATUS",
    limit_us: 80_000,
    every_us: 100,
};
const RESET: Wait = Wait {
    step: "resetting the device",
    register: "CTRL",
    limit_us: 100_000,
    every_us: 100,
};
const AUTO_READ: Wait = Wait {
    step: "waiting for the device to read its EEPROM",
    register: "EEC",
    limit_us: 100_000,
    every_us: 1_000,
};
const DMA_READY: Wait = Wait {
    step: "waiting for the device's memories to be initialized",
    register: "RDRXCTL",
    limit_us: 100_000,
    every_us: 1_000,
};
const RECEIVE_PATH: Wait = Wait {
    step: "halting the receive path",
    register: "SECRXSTAT",
    limit_us: 10_000,
    every_us: 10,
};
const RX_ENABLE: Wait = Wait {
    step: "enabling a receive queue",
    register: "RXDCTL",
    limit_us: 10_000,
    every_us: 100,
};
const TX_ENABLE: Wait = Wait {
    step: "enabling a transmit queue",
    register: "TXDCTL",
    limit_us: 10_000,
    every_us: 100,
};

/// SECRXSTAT.SECRX_RDY: the receive path is empty (§8.2.3.12.6).
const SECRX_RDY: u32 = 1;

/// How long a coalesced packet may wait for more, in units of 2 µs (§7.3.2.1).
const COALESCE_INTERVAL: u16 = 25;
/// Bytes of a cache line before a receive buffer that takes coalesced segments: 54 bytes of Ethernet, IPv4 and TCP headers
/// without options end at the next line, and the payload begins there. A buffer's address is even (82599 §7.1.6.1).
const LEAD: usize = 10;

/// Opens an 82599: reset, station address, rings, RSS, link. It receives when this returns, whether the link
/// is up already or not.
///
/// # Errors
/// [`NicError`] says which step failed. The device is stopped then, as far as it answers, and nothing of it
/// is left.
pub fn open<F: Function>(
    function: Arc<F>,
    config: &NicConfig,
    delay: &mut dyn Delay,
) -> Result<IxgbeOpened<F>, NicError> {
    let identity = function.identity();
    if (identity.vendor, identity.device) != (pagewire_spec::VENDOR_ID, spec::DEVICE_ID) {
        return Err(NicError::WrongDevice {
            family: "ixgbe",
            vendor: identity.vendor,
            device: identity.device,
        });
    }
    config.check(spec::RSS_QUEUES as u16)?;

    // No DMA while nobody knows what the device was told before.
    function.set_bus_master(false)?;
    let _: ResetOutcome = function.reset()?;
    let registers = Registers(function.bar(0)?);
    quiesce(&registers, delay)?;
    wake(&registers, delay)?;
    let mac = check_address(read_address(&registers))?;

    // From here on, dropping `nic` stops the device; queues are dropped before it.
    let life = Arc::new(Life::new());
    let mapper = function.mapper();
    let mut nic = Ixgbe {
        function,
        registers,
        mac,
        queues: config.queues,
        statistics: Statistics::default(),
        life: Arc::clone(&life),
    };
    let registers = &nic.registers;
    nic.function.set_bus_master(true)?;

    set_up_link(registers);
    set_up_filters(registers, config);
    set_up_receive(registers, config);
    rss::set_up(registers, config.queues, &config.rss_key);
    set_up_transmit(registers);

    let mut queues: Vec<(IxgbeTx<F>, IxgbeRx<F>)> = Vec::with_capacity(config.queues.into());
    for queue in 0..u32::from(config.queues) {
        let transmitter = Transmitter::new(&mapper, config.tx_descriptors, Arc::clone(&life), |ring| {
            registers.set_transmit_ring(queue, ring.iova(), ring.bytes());
            TransmitSide::new(registers, queue)
        })?;
        let lead = if config.coalesce { LEAD } else { 0 };
        let pool = FramePool::with_lead(&mapper, config.frames(), config.rx_buffer as usize, lead)?;
        let (size, links) = (config.rx_descriptors, config.coalesce);
        let receiver = Receiver::new(&mapper, size, pool, links, Arc::clone(&life), |ring| {
            registers.set_receive_ring(queue, ring.iova(), ring.bytes());
            ReceiveSide::new(registers, queue)
        })?;
        queues.push((transmitter, receiver));
    }
    for (queue, (_, receiver)) in (0..).zip(&mut queues) {
        enable_transmit_queue(registers, queue, delay)?;
        enable_receive_queue(registers, queue, config, delay)?;
        receiver.refill();
    }
    enable_receive(registers, delay)?;

    if u32::from(nic.registers.status()) == ALL_ONES {
        return Err(NicError::Removed {
            step: "starting the device",
        });
    }
    // What was counted before nobody wants to know.
    statistics::add(&nic.registers, &mut Statistics::default());
    nic.statistics = Statistics::default();
    Ok(Opened { nic, queues })
}

/// §4.6.3, §5.2.5.3.2: interrupts off, no new DMA, wait for the last, reset. Afterwards the device does
/// nothing.
pub(super) fn quiesce<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError> {
    if u32::from(registers.status()) == ALL_ONES {
        return Err(NicError::Removed { step: RESET.step });
    }
    registers.mask_interrupts();
    registers.set_rxctrl(Rxctrl::new().with_rxen(false));
    registers.set_dmatxctl(registers.dmatxctl().with_te(false));

    // §5.2.5.3.2: PCIe master disable; STATUS says when the last request is over.
    registers.set_ctrl(Ctrl::new().with_master_disable(true));
    let status = || registers.status().into();
    MASTER.until(delay, status, |value| !Status::from_bits(value).master_enable())?;

    // §4.6.3.2: software reset and link reset together; both clear themselves.
    registers.set_ctrl(
        Ctrl::new()
            .with_master_disable(true)
            .with_rst(true)
            .with_lrst(true),
    );
    delay.delay_us(1);
    let ctrl = || registers.ctrl().into();
    RESET.until(delay, ctrl, |value| {
        !Ctrl::from_bits(value).rst() && !Ctrl::from_bits(value).lrst()
    })?;

    registers.mask_interrupts();
    registers.take_interrupts();
    Ok(())
}

/// §4.6.3: what the device does by itself after a reset, and how it says that it is done.
fn wake<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError> {
    // §4.6.3.2: 10 ms in which it must not be disturbed.
    delay.delay_us(10_000);
    AUTO_READ.until(
        delay,
        || registers.read(&spec::EEC),
        |value| Eec::from_bits(value).auto_rd(),
    )?;
    DMA_READY.until(
        delay,
        || registers.rdrxctl().into(),
        |value| Rdrxctl::from_bits(value).dmaidone(),
    )?;
    Ok(())
}

/// §8.2.3.7.8: the device loads its station address from the EEPROM into the first receive address.
fn read_address<B: Bar>(registers: &Registers<B>) -> [u8; 6] {
    let [a, b, c, d] = registers.ral(0).to_le_bytes();
    let [e, f] = registers.rah(0).address().to_le_bytes();
    [a, b, c, d, e, f]
}

/// §4.6.4: the link mode is the EEPROM's; negotiate anew.
fn set_up_link<B: Bar>(registers: &Registers<B>) {
    registers.set_ctrl_ext(registers.ctrl_ext().with_drv_load(true));
    registers.set_autoc(registers.autoc().with_restart_an(true));
}

/// §4.6.7, §7.1.1: our own address, broadcasts, an empty multicast table, no VLAN filter.
fn set_up_filters<B: Bar>(registers: &Registers<B>, config: &NicConfig) {
    for index in 1..spec::RAL.count {
        registers.set_ral(index, 0);
        registers.set_rah(index, Rah::new());
    }
    for index in 0..spec::MTA.count {
        registers.set_mta(index, 0);
    }
    registers.set_vlnctrl(registers.vlnctrl().with_vfe(false));
    let fctrl = Fctrl::new()
        .with_bam(true)
        .with_upe(config.promiscuous)
        // All multicast: a stack that speaks IPv6 is asked for through groups (RFC 4861 §2.3).
        .with_mpe(true);
    registers.set_fctrl(fctrl);
}

/// §4.6.7: all that receive queues share, while RXCTRL.RXEN is 0.
fn set_up_receive<B: Bar>(registers: &Registers<B>, config: &NicConfig) {
    // §8.2.3.8.9: one packet buffer, of all 512 KiB.
    for index in 0..spec::RXPBSIZE.count {
        registers.set_rxpbsize(
            index,
            PacketBuffer::new().with_kib(if index == 0 { 512 } else { 0 }),
        );
    }
    // §8.2.3.22.8: checksums added and stripped by the device, short frames padded, long ones taken up to
    // MAXFRS.
    let hlreg0 = registers
        .hlreg0()
        .with_txcrcen(true)
        .with_rxcrcstrp(true)
        .with_txpaden(true)
        .with_jumboen(true)
        .with_lpbk(false);
    registers.set_hlreg0(hlreg0);
    registers.set_maxfrs(Maxfrs::new().with_mfs(config.max_frame.max(1514) + FCS));
    // §8.2.3.8.8: the same stripping in the DMA; what coalescing asks for holds without it, too.
    let rdrxctl = registers
        .rdrxctl()
        .with_crcstrip(true)
        .with_rscfrstsize(0)
        .with_rscackc(true)
        .with_fcoe_wrfix(true);
    registers.set_rdrxctl(rdrxctl);
    // §8.2.3.7.5: the RSS hash, not a fragment's checksum.
    registers.set_rxcsum(Rxcsum::new().with_pcsd(true));
    // §7.11: coalescing on or off, for all queues; it needs NFS parsing off and TCP headers recognized.
    let rfctl = registers
        .rfctl()
        .with_rsc_dis(!config.coalesce)
        .with_nfsw_dis(true)
        .with_nfsr_dis(true);
    registers.set_rfctl(rfctl);
    if config.coalesce {
        registers.set_rscdbu(Rscdbu::new().with_rscackdis(true));
        registers.set_psrtype(0, Psrtype::new().with_tcp(true));
    }
    // §4.6.7: no no-snoop writes: the driver's view of memory is the cache's.
    registers.set_ctrl_ext(registers.ctrl_ext().with_ns_dis(true));
}

/// §4.6.8: all that transmit queues share. The arbiter is off while the number of queues and the buffers are
/// set.
fn set_up_transmit<B: Bar>(registers: &Registers<B>) {
    registers.set_rttdcs(registers.rttdcs().with_arbdis(true));
    registers.set_mtqc(Mtqc::new());
    for index in 0..spec::TXPBSIZE.count {
        registers.set_txpbsize(
            index,
            PacketBuffer::new().with_kib(if index == 0 { 160 } else { 0 }),
        );
    }
    registers.set_dtxmxszrq(Dtxmxszrq::new().with_max_bytes(0xfff));
    registers.set_rttdcs(registers.rttdcs().with_arbdis(false));
    // §8.2.3.9.2: before any queue.
    registers.set_dmatxctl(registers.dmatxctl().with_te(true));
}

/// §4.6.8.1: thresholds, enable, wait until it is. The ring was set up before.
fn enable_transmit_queue<B: Bar>(
    registers: &Registers<B>,
    queue: u32,
    delay: &mut dyn Delay,
) -> Result<(), NicError> {
    // §7.2.3.4: descriptors are fetched in bursts and written back one by one, but only those with RS.
    let txdctl = Txdctl::new().with_pthresh(36).with_hthresh(8).with_wthresh(0);
    registers.set_txdctl(queue, txdctl);
    registers.set_txdctl(queue, txdctl.with_enable(true));
    TX_ENABLE.until(
        delay,
        || registers.txdctl(queue).into(),
        |value| Txdctl::from_bits(value).enable(),
    )?;
    Ok(())
}

/// §4.6.7.1: buffer size and descriptor type, coalescing, enable, wait until it is; only then may the tail
/// move.
fn enable_receive_queue<B: Bar>(
    registers: &Registers<B>,
    queue: u32,
    config: &NicConfig,
    delay: &mut dyn Delay,
) -> Result<(), NicError> {
    let srrctl = Srrctl::new()
        .with_bsizepacket((config.rx_buffer / 1024) as u8)
        .with_bsizeheader(4)
        .with_desctype(Srrctl::ADVANCED_ONE_BUFFER)
        // A queue whose owner is slow must not hold up the others.
        .with_drop_en(config.queues > 1);
    registers.set_srrctl(queue, srrctl);
    // §8.2.3.11.1: a bit that is 1 after a reset and has to be 0.
    registers.set_dca_rxctrl(queue, registers.dca_rxctrl(queue).with_reserved_12(false));
    if config.coalesce {
        registers.set_rscctl(queue, coalescing(config.rx_buffer));
        // §7.3.2.1: a packet stops waiting for more when its vector's interval is over. The interrupt itself
        // stays masked.
        registers.set_receive_ivar(queue, IvarByte::new().with_vector(queue as u8).with_valid(true));
        registers.set_eitr(
            queue,
            Eitr::new().with_interval(COALESCE_INTERVAL).with_cnt_wdis(true),
        );
    }
    registers.set_rxdctl(queue, registers.rxdctl(queue).with_vme(false).with_enable(true));
    RX_ENABLE.until(
        delay,
        || registers.rxdctl(queue).into(),
        |value| Rxdctl::from_bits(value).enable(),
    )?;
    Ok(())
}

/// §8.2.3.8.13: as many descriptors a packet as make less than 64 KiB.
fn coalescing(rx_buffer: u32) -> Rscctl {
    let fits = |maxdesc: &u8| Rscctl::new().with_maxdesc(*maxdesc).max_descriptors() * rx_buffer < 1 << 16;
    Rscctl::new()
        .with_rscen(true)
        .with_maxdesc((0..=3).rev().find(fits).unwrap_or(0))
}

/// §4.6.7: the receive path is halted and empty while RXCTRL.RXEN is set. It was never on since the reset, so
/// one that does not say in time that it is empty is no reason to stop (as in Linux).
fn enable_receive<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError> {
    registers.halt_receive_path(true);
    match RECEIVE_PATH.until(delay, || registers.secrxstat(), |value| value & SECRX_RDY != 0) {
        Ok(_) => {}
        Err(late @ NicError::Timeout { .. }) => tracing::debug!("{late}"),
        Err(error) => return Err(error),
    }
    registers.set_rxctrl(Rxctrl::new().with_rxen(true));
    registers.halt_receive_path(false);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coalesced_packet_stays_below_64_kib() {
        for (buffer, descriptors) in [(2048, 16), (4096, 8), (8192, 4), (16384, 1)] {
            assert_eq!(coalescing(buffer).max_descriptors(), descriptors);
        }
    }
}
