//! The 82599's registers as the driver uses them: one line each, made from the facts in
//! [`pagewire_spec::ixgbe`].

use pagewire_bus::{Bar, Iova};
use pagewire_spec::Register;
use pagewire_spec::ixgbe::{
    self as spec, Autoc, Ctrl, CtrlExt, DcaRxctrl, Dmatxctl, Dtxmxszrq, Eicr, Eitr, Fctrl, Gpie, Hlreg0,
    IvarByte, Links, Maxfrs, Mrqc, Mtqc, PacketBuffer, Psrtype, Rah, Rdrxctl, Rfctl, Rscctl, Rscdbu, Rttdcs,
    Rxcsum, Rxctrl, Rxdctl, Srrctl, Status, Txdctl, Vlnctrl,
};

/// SECRXCTRL.RX_DIS: the receive path takes nothing (§8.2.3.12.5).
const RX_DIS: u32 = 1 << 1;

/// Typed access to the register space.
#[derive(Clone, Debug)]
pub(crate) struct Registers<B>(pub(crate) B);

#[rustfmt::skip]
impl<B: Bar> Registers<B> {
    /// Reads any register, or its first element.
    pub(crate) fn read(&self, register: &Register) -> u32 { self.0.read32(register.offset) }
    fn write(&self, register: &Register, value: u32) { self.0.write32(register.offset, value); }
    /// Reads an element.
    pub(crate) fn read_at(&self, register: &Register, index: u32) -> u32 { self.0.read32(register.at(index)) }
    fn write_at(&self, register: &Register, index: u32, value: u32) { self.0.write32(register.at(index), value); }

    pub(crate) fn ctrl(&self) -> Ctrl { self.read(&spec::CTRL).into() }
    pub(crate) fn set_ctrl(&self, value: Ctrl) { self.write(&spec::CTRL, value.into()); }
    pub(crate) fn status(&self) -> Status { self.read(&spec::STATUS).into() }
    pub(crate) fn ctrl_ext(&self) -> CtrlExt { self.read(&spec::CTRL_EXT).into() }
    pub(crate) fn set_ctrl_ext(&self, value: CtrlExt) { self.write(&spec::CTRL_EXT, value.into()); }
    pub(crate) fn links(&self) -> Links { self.read(&spec::LINKS).into() }
    pub(crate) fn autoc(&self) -> Autoc { self.read(&spec::AUTOC).into() }
    pub(crate) fn set_autoc(&self, value: Autoc) { self.write(&spec::AUTOC, value.into()); }
    pub(crate) fn hlreg0(&self) -> Hlreg0 { self.read(&spec::HLREG0).into() }
    pub(crate) fn set_hlreg0(&self, value: Hlreg0) { self.write(&spec::HLREG0, value.into()); }
    pub(crate) fn set_maxfrs(&self, value: Maxfrs) { self.write(&spec::MAXFRS, value.into()); }

    pub(crate) fn unmask_interrupts(&self, causes: Eicr) { self.write(&spec::EIMS, causes.into()); }
    pub(crate) fn clear_interrupts(&self, causes: Eicr) { self.write(&spec::EICR, causes.into()); }
    /// Reads the causes, and clears them by that while GPIE.OCD is 0.
    pub(crate) fn take_interrupts(&self) -> Eicr { self.read(&spec::EICR).into() }
    pub(crate) fn gpie(&self) -> Gpie { self.read(&spec::GPIE).into() }
    pub(crate) fn set_gpie(&self, value: Gpie) { self.write(&spec::GPIE, value.into()); }
    pub(crate) fn set_eitr(&self, vector: u32, value: Eitr) { self.write_at(&spec::EITR, vector, value.into()); }
    pub(crate) fn mask_interrupts(&self) {
        self.write(&spec::EIMC, 0x7fff_ffff);
        (0..spec::EIMC_EX.count).for_each(|index| self.write_at(&spec::EIMC_EX, index, u32::MAX));
    }
    /// Which vector a receive queue's events go to (§8.2.3.5): a byte of a register that two queues share.
    pub(crate) fn set_receive_ivar(&self, queue: u32, value: IvarByte) { self.set_ivar(queue, 0, value); }
    /// The same for a transmit queue.
    pub(crate) fn set_transmit_ivar(&self, queue: u32, value: IvarByte) { self.set_ivar(queue, 1, value); }
    fn set_ivar(&self, queue: u32, direction: usize, value: IvarByte) {
        let mut bytes = self.read_at(&spec::IVAR, queue / 2).to_le_bytes();
        bytes[(queue % 2 * 2) as usize + direction] = value.into();
        self.write_at(&spec::IVAR, queue / 2, u32::from_le_bytes(bytes));
    }
    /// The vector of all causes that are no queue's.
    pub(crate) fn set_other_ivar(&self, value: IvarByte) {
        self.write(&spec::IVAR_MISC, u32::from_le_bytes([0, value.into(), 0, 0]));
    }

    pub(crate) fn set_fctrl(&self, value: Fctrl) { self.write(&spec::FCTRL, value.into()); }
    pub(crate) fn vlnctrl(&self) -> Vlnctrl { self.read(&spec::VLNCTRL).into() }
    pub(crate) fn set_vlnctrl(&self, value: Vlnctrl) { self.write(&spec::VLNCTRL, value.into()); }
    pub(crate) fn set_mta(&self, index: u32, value: u32) { self.write_at(&spec::MTA, index, value); }
    pub(crate) fn ral(&self, index: u32) -> u32 { self.read_at(&spec::RAL, index) }
    pub(crate) fn rah(&self, index: u32) -> Rah { self.read_at(&spec::RAH, index).into() }
    pub(crate) fn set_rah(&self, index: u32, value: Rah) { self.write_at(&spec::RAH, index, value.into()); }
    pub(crate) fn set_ral(&self, index: u32, value: u32) { self.write_at(&spec::RAL, index, value); }
    pub(crate) fn set_rxcsum(&self, value: Rxcsum) { self.write(&spec::RXCSUM, value.into()); }
    pub(crate) fn rfctl(&self) -> Rfctl { self.read(&spec::RFCTL).into() }
    pub(crate) fn set_rfctl(&self, value: Rfctl) { self.write(&spec::RFCTL, value.into()); }
    pub(crate) fn set_psrtype(&self, pool: u32, value: Psrtype) { self.write_at(&spec::PSRTYPE, pool, value.into()); }
    pub(crate) fn set_mrqc(&self, value: Mrqc) { self.write(&spec::MRQC, value.into()); }
    pub(crate) fn set_rssrk(&self, index: u32, value: u32) { self.write_at(&spec::RSSRK, index, value); }
    pub(crate) fn set_reta(&self, index: u32, value: u32) { self.write_at(&spec::RETA, index, value); }

    pub(crate) fn rdrxctl(&self) -> Rdrxctl { self.read(&spec::RDRXCTL).into() }
    pub(crate) fn set_rdrxctl(&self, value: Rdrxctl) { self.write(&spec::RDRXCTL, value.into()); }
    pub(crate) fn set_rscdbu(&self, value: Rscdbu) { self.write(&spec::RSCDBU, value.into()); }
    pub(crate) fn set_rxpbsize(&self, index: u32, value: PacketBuffer) { self.write_at(&spec::RXPBSIZE, index, value.into()); }
    pub(crate) fn set_rxctrl(&self, value: Rxctrl) { self.write(&spec::RXCTRL, value.into()); }
    pub(crate) fn secrxstat(&self) -> u32 { self.read(&spec::SECRXSTAT) }
    pub(crate) fn halt_receive_path(&self, halt: bool) {
        let value = self.read(&spec::SECRXCTRL);
        self.write(&spec::SECRXCTRL, if halt { value | RX_DIS } else { value & !RX_DIS });
    }

    pub(crate) fn set_srrctl(&self, queue: u32, value: Srrctl) { self.write_at(&spec::SRRCTL, queue, value.into()); }
    pub(crate) fn set_rscctl(&self, queue: u32, value: Rscctl) { self.write_at(&spec::RSCCTL, queue, value.into()); }
    pub(crate) fn dca_rxctrl(&self, queue: u32) -> DcaRxctrl { self.read_at(&spec::DCA_RXCTRL, queue).into() }
    pub(crate) fn set_dca_rxctrl(&self, queue: u32, value: DcaRxctrl) { self.write_at(&spec::DCA_RXCTRL, queue, value.into()); }
    pub(crate) fn rxdctl(&self, queue: u32) -> Rxdctl { self.read_at(&spec::RXDCTL, queue).into() }
    pub(crate) fn set_rxdctl(&self, queue: u32, value: Rxdctl) { self.write_at(&spec::RXDCTL, queue, value.into()); }

    pub(crate) fn rttdcs(&self) -> Rttdcs { self.read(&spec::RTTDCS).into() }
    pub(crate) fn set_rttdcs(&self, value: Rttdcs) { self.write(&spec::RTTDCS, value.into()); }
    pub(crate) fn set_mtqc(&self, value: Mtqc) { self.write(&spec::MTQC, value.into()); }
    pub(crate) fn set_dtxmxszrq(&self, value: Dtxmxszrq) { self.write(&spec::DTXMXSZRQ, value.into()); }
    pub(crate) fn set_txpbsize(&self, index: u32, value: PacketBuffer) { self.write_at(&spec::TXPBSIZE, index, value.into()); }
    pub(crate) fn dmatxctl(&self) -> Dmatxctl { self.read(&spec::DMATXCTL).into() }
    pub(crate) fn set_dmatxctl(&self, value: Dmatxctl) { self.write(&spec::DMATXCTL, value.into()); }
    pub(crate) fn txdctl(&self, queue: u32) -> Txdctl { self.read_at(&spec::TXDCTL, queue).into() }
    pub(crate) fn set_txdctl(&self, queue: u32, value: Txdctl) { self.write_at(&spec::TXDCTL, queue, value.into()); }

    /// A receive ring: base, length, an empty head and tail.
    pub(crate) fn set_receive_ring(&self, queue: u32, base: Iova, bytes: u32) {
        self.write_at(&spec::RDBAL, queue, base.0 as u32);
        self.write_at(&spec::RDBAH, queue, (base.0 >> 32) as u32);
        self.write_at(&spec::RDLEN, queue, bytes);
        self.write_at(&spec::RDH, queue, 0);
        self.write_at(&spec::RDT, queue, 0);
    }

    /// A transmit ring, likewise.
    pub(crate) fn set_transmit_ring(&self, queue: u32, base: Iova, bytes: u32) {
        self.write_at(&spec::TDBAL, queue, base.0 as u32);
        self.write_at(&spec::TDBAH, queue, (base.0 >> 32) as u32);
        self.write_at(&spec::TDLEN, queue, bytes);
        self.write_at(&spec::TDH, queue, 0);
        self.write_at(&spec::TDT, queue, 0);
    }
}
