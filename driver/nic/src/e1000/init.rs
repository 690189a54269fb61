//! From an unknown state to running rings (§14), and back to silence.

use std::marker::PhantomData;
use std::sync::Arc;

use pagewire_bus::{Bar, Function, ResetOutcome};
use pagewire_spec::e1000::{self as spec, Rah, Rctl, Rxdctl};

use super::registers::Registers;
use super::{Chip, E1000, E1000Opened, ReceiveSide, TransmitSide, statistics};
use crate::dma::FramePool;
use crate::life::Life;
use crate::port::{Delay, NicConfig, NicError, Opened, RxQueue, Statistics};
use crate::ring::{Receiver, Transmitter};
use crate::settings::check_address;
use crate::wait::{ALL_ONES, Wait};

/// CTRL.RST clears itself within a microsecond (§13.4.1); real devices load their EEPROM for some
/// milliseconds more.
const RESET: Wait = Wait {
    step: "resetting the device",
    register: "CTRL",
    limit_us: 100_000,
    every_us: 1_000,
};

/// The longest frame, with its checksum, that goes without RCTL.LPE (§13.4.22).
const STANDARD_FRAME: u16 = 1522;

/// Opens a controller of the line: what each one's own `open` promises.
pub(crate) fn open<F: Function, C: Chip>(
    function: Arc<F>,
    config: &NicConfig,
    delay: &mut dyn Delay,
) -> Result<E1000Opened<F, C>, NicError> {
    let identity = function.identity();
    if (identity.vendor, identity.device) != (pagewire_spec::VENDOR_ID, C::DEVICE_ID) {
        return Err(NicError::WrongDevice {
            family: C::NAME,
            vendor: identity.vendor,
            device: identity.device,
        });
    }
    config.check(1)?;

    // No DMA while nobody knows what the device was told before.
    function.set_bus_master(false)?;
    let _: ResetOutcome = function.reset()?;
    let registers = Registers(function.bar(0)?);
    quiesce::<_, C>(&registers, delay)?;
    let mac = read_address::<_, C>(&registers, delay)?;
    C::prepare(&registers);

    // From here on, dropping `nic` stops the device.
    let life = Arc::new(Life::new());
    let mapper = function.mapper();
    let mut nic = E1000 {
        function,
        registers,
        mac,
        statistics: Statistics::default(),
        life: Arc::clone(&life),
        chip: PhantomData,
    };
    let registers = &nic.registers;

    let transmitter = Transmitter::new(&mapper, config.tx_descriptors, Arc::clone(&life), |ring| {
        registers.set_transmit_ring(ring.iova(), ring.bytes());
        TransmitSide::new(registers.clone())
    })?;
    let pool = FramePool::new(&mapper, config.frames(), config.rx_buffer as usize)?;
    let mut receiver = Receiver::new(&mapper, config.rx_descriptors, pool, false, life, |ring| {
        registers.set_receive_ring(ring.iova(), ring.bytes());
        ReceiveSide {
            registers: registers.clone(),
        }
    })?;

    set_up_link(registers);
    set_up_filters(registers, mac);
    nic.function.set_bus_master(true)?;
    start_transmit::<_, C>(registers);
    start_receive::<_, C>(registers, config)?;
    receiver.refill();

    if u32::from(nic.registers.status()) == ALL_ONES {
        return Err(NicError::Removed {
            step: "starting the device",
        });
    }
    // What was counted before nobody wants to know.
    statistics::add(&nic.registers, &mut Statistics::default());
    nic.statistics = Statistics::default();
    Ok(Opened {
        nic,
        queues: vec![(transmitter, receiver)],
    })
}

/// §14.3, §13.4.1: interrupts off, both directions off, reset, interrupts off again. Afterwards the device
/// does nothing.
pub(super) fn quiesce<B: Bar, C: Chip>(
    registers: &Registers<B>,
    delay: &mut dyn Delay,
) -> Result<(), NicError> {
    if u32::from(registers.status()) == ALL_ONES {
        return Err(NicError::Removed { step: RESET.step });
    }
    registers.mask_interrupts();
    // The packet under way may end, so that the reset does not cut a bus transaction short.
    registers.set_rctl(Rctl::new());
    registers.set_tctl(registers.tctl().with_en(false));
    registers.status();
    delay.delay_us(10_000);
    C::reset(registers, delay)?;

    registers.mask_interrupts();
    C::take_causes(registers);
    Ok(())
}

/// §13.4.1: everything but the PHY and the PCI configuration goes to its reset state.
pub(crate) fn reset<B: Bar>(registers: &Registers<B>, delay: &mut dyn Delay) -> Result<(), NicError> {
    registers.set_ctrl(registers.ctrl().with_rst(true));
    delay.delay_us(1);
    RESET.until(
        delay,
        || registers.ctrl().into(),
        |ctrl| !spec::Ctrl::from_bits(ctrl).rst(),
    )?;
    Ok(())
}

/// §5.6.1: the station address is EEPROM words 0 to 2, low byte first.
fn read_address<B: Bar, C: Chip>(
    registers: &Registers<B>,
    delay: &mut dyn Delay,
) -> Result<[u8; 6], NicError> {
    let mut mac = [0; 6];
    for (word, bytes) in (spec::EEPROM_MAC_WORD..).zip(mac.chunks_exact_mut(2)) {
        bytes.copy_from_slice(&C::read_eeprom(registers, word, delay)?.to_le_bytes());
    }
    check_address(mac)
}

/// §14.3: the PHY decides speed and duplex, the MAC follows; no flow control, no VLAN handling.
fn set_up_link<B: Bar>(registers: &Registers<B>) {
    let ctrl = registers
        .ctrl()
        .with_lrst(false)
        .with_phy_rst(false)
        .with_ilos(false)
        .with_frcspd(false)
        .with_frcdplx(false)
        .with_rfce(false)
        .with_tfce(false)
        .with_vme(false)
        .with_asde(true)
        .with_slu(true);
    registers.set_ctrl(ctrl);
    registers.set_flow_control(0, 0, 0, 0);
}

/// §14.4: our own address, no other, an empty multicast table.
fn set_up_filters<B: Bar>(registers: &Registers<B>, mac: [u8; 6]) {
    let [a, b, c, d, e, f] = mac;
    registers.set_ral(0, u32::from_le_bytes([a, b, c, d]));
    registers.set_rah(
        0,
        Rah::new().with_address(u16::from_le_bytes([e, f])).with_av(true),
    );
    for index in 1..spec::RAL.count {
        registers.set_ral(index, 0);
        registers.set_rah(index, Rah::new());
    }
    for index in 0..spec::MTA.count {
        registers.set_mta(index, 0);
    }
}

/// §14.5: thresholds, gaps, enable. The ring was set up before.
fn start_transmit<B: Bar, C: Chip>(registers: &Registers<B>) {
    registers.set_txdctl(C::transmit_control());
    registers.set_tipg(C::GAPS);
    registers.set_tctl(
        registers
            .tctl()
            .with_en(true)
            .with_psp(true)
            .with_ct(0x0f)
            .with_cold(0x40),
    );
}

/// §14.4: checksums, buffer size, enable. The ring was set up before.
fn start_receive<B: Bar, C: Chip>(registers: &Registers<B>, config: &NicConfig) -> Result<(), NicError> {
    registers.set_rdtr(0);
    registers.set_rxdctl(Rxdctl::new().with_gran(true));
    registers.set_rxcsum(C::CHECKS);
    let long = config.coalesce || config.max_frame + crate::settings::FCS > STANDARD_FRAME;
    let rctl = Rctl::new()
        .with_en(true)
        .with_bam(true)
        .with_upe(config.promiscuous)
        // All multicast: a stack that speaks IPv6 is asked for through groups (RFC 4861 §2.3).
        .with_mpe(true)
        .with_lpe(long)
        .with_secrc(true)
        .with_buffer_len(config.rx_buffer)
        .ok_or(NicError::Setting {
            setting: "rx_buffer",
            value: config.rx_buffer.into(),
            allowed: "choose 2048, 4096, 8192 or 16384 bytes",
        })?;
    registers.set_rctl(rctl);
    Ok(())
}
