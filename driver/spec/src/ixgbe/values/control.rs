//! Device, EEPROM, semaphores and interrupts.

use bitfield_struct::bitfield;

/// Value of [`CTRL`](crate::ixgbe::CTRL), device control (§8.2.3.1.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Ctrl {
    #[bits(2)]
    __: u8,
    /// PCIe Master Disable: no new requests; STATUS says when the last is over.
    pub master_disable: bool,
    /// LRST: link reset; resets the MAC, the link and all that RST does. Clears itself.
    pub lrst: bool,
    #[bits(22)]
    __: u32,
    /// RST: software reset. Clears itself.
    pub rst: bool,
    #[bits(5)]
    __: u8,
}

/// Value of [`STATUS`](crate::ixgbe::STATUS), device status (§8.2.3.1.2).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Status {
    #[bits(2)]
    __: u8,
    /// LAN ID: which of the device's ports this is.
    #[bits(2)]
    pub lan_id: u8,
    #[bits(3)]
    __: u8,
    /// LinkUp: as LINKS has it.
    pub link_up: bool,
    #[bits(2)]
    __: u8,
    /// Num VFs: virtual functions of this port.
    pub num_vfs: u8,
    /// IOV active.
    pub iov_active: bool,
    /// PCIe Master Enable Status: requests are possible or under way.
    pub master_enable: bool,
    #[bits(12)]
    __: u16,
}

/// Value of [`CTRL_EXT`](crate::ixgbe::CTRL_EXT), extended device control (§8.2.3.1.3).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct CtrlExt {
    #[bits(14)]
    __: u16,
    /// PFRSTD: the physical function's reset is done: virtual functions may go on.
    pub pfrstd: bool,
    __: bool,
    /// NS_DIS: no-snoop off.
    pub ns_dis: bool,
    /// RO_DIS: relaxed ordering off.
    pub ro_dis: bool,
    #[bits(8)]
    __: u8,
    /// Extended VLAN: two tags.
    pub extended_vlan: bool,
    __: bool,
    /// DRV_LOAD: a driver is loaded, for the firmware.
    pub drv_load: bool,
    #[bits(3)]
    __: u8,
}

/// Value of [`ESDP`](crate::ixgbe::ESDP), software-definable pins (§8.2.3.1.4).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Esdp {
    /// SDP0 to SDP7: values. On SFP+ adapters SDP2 is module present, SDP3 laser off.
    pub data: u8,
    /// Directions: 1 is output.
    pub direction: u8,
    /// The pins have their native functions.
    pub native: u8,
    #[bits(2)]
    __: u8,
    /// Which native functions SDP2 to SDP7 have.
    #[bits(6)]
    pub function: u8,
}

/// Value of [`I2CCTL`](crate::ixgbe::I2CCTL), the module's I2C bus (§8.2.3.1.5).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct I2cCtl {
    /// I2C_CLK_IN: the clock line as it is.
    pub clk_in: bool,
    /// I2C_CLK_OUT: 0 pulls the clock line low.
    pub clk_out: bool,
    /// I2C_DATA_IN: the data line as it is.
    pub data_in: bool,
    /// I2C_DATA_OUT: 0 pulls the data line low.
    pub data_out: bool,
    #[bits(28)]
    __: u32,
}

/// Value of [`EEC`](crate::ixgbe::EEC), EEPROM and flash control (§8.2.3.2.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Eec {
    /// EE_SK: clock to the EEPROM.
    pub ee_sk: bool,
    /// EE_CS: chip select.
    pub ee_cs: bool,
    /// EE_DI: data to the EEPROM.
    pub ee_di: bool,
    /// EE_DO: data from the EEPROM.
    pub ee_do: bool,
    /// FWE: flash write enable; 1 is disabled, 2 is enabled.
    #[bits(2)]
    pub fwe: u8,
    /// EE_REQ: software asks for the EEPROM.
    pub ee_req: bool,
    /// EE_GNT: the EEPROM is software's.
    pub ee_gnt: bool,
    /// EE_PRES: an EEPROM with a good signature is there.
    pub ee_pres: bool,
    /// Auto_RD: the device has read its settings after a reset.
    pub auto_rd: bool,
    __: bool,
    /// EE_Size: 2^(size + 7) bytes.
    #[bits(4)]
    pub ee_size: u8,
    #[bits(17)]
    __: u32,
}

/// Value of [`EERD`](crate::ixgbe::EERD), EEPROM read (§8.2.3.2.2). The 82540EM's has other positions.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Eerd {
    /// START: begin a read of the word at `addr`. Reads as 0.
    pub start: bool,
    /// DONE: `data` is the word asked for.
    pub done: bool,
    /// ADDR: number of the 16-bit word.
    #[bits(14)]
    pub addr: u16,
    /// DATA: the word.
    pub data: u16,
}

/// Value of [`SWSM`](crate::ixgbe::SWSM), software semaphore (§8.2.3.4.9).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Swsm {
    /// SMBI: taken by a driver. A read that returns 0 sets it: the reader has it, until it writes 0.
    pub smbi: bool,
    /// SWESMBI: taken from the firmware: write 1, have it if it reads back as 1.
    pub swesmbi: bool,
    #[bits(30)]
    __: u32,
}

/// Value of [`SW_FW_SYNC`](crate::ixgbe::SW_FW_SYNC), owners of shared resources (§8.2.3.4.11).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct SwFwSync {
    /// SW_EEP_SM: software owns the EEPROM.
    pub sw_eep: bool,
    /// SW_PHY_SM0: software owns PHY 0.
    pub sw_phy0: bool,
    /// SW_PHY_SM1: software owns PHY 1.
    pub sw_phy1: bool,
    /// SW_MAC_CSR_SM: software owns the shared MAC registers (AUTOC, ...).
    pub sw_mac_csr: bool,
    /// SW_FLASH_SM: software owns the flash.
    pub sw_flash: bool,
    /// FW bits 5 to 9: firmware owns the same five.
    #[bits(5)]
    pub fw: u8,
    /// SW_MNG_SM: software owns the management host interface.
    pub sw_mng: bool,
    #[bits(21)]
    __: u32,
}

/// Interrupt causes: values of [`EICR`](crate::ixgbe::EICR), [`EICS`](crate::ixgbe::EICS),
/// [`EIMS`](crate::ixgbe::EIMS), [`EIMC`](crate::ixgbe::EIMC), [`EIAC`](crate::ixgbe::EIAC) and
/// [`EIAM`](crate::ixgbe::EIAM) (§8.2.3.5.1).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Eicr {
    /// RTxQ: one bit for each of 16 causes that IVAR maps queues to.
    pub rtxq: u16,
    /// Flow Director exception.
    pub flow_director: bool,
    /// Rx Miss: a packet buffer overran.
    pub rx_miss: bool,
    /// PCI exception.
    pub pci_exception: bool,
    /// MailBox: a virtual function wrote or was reset.
    pub mailbox: bool,
    /// LSC: the link changed.
    pub lsc: bool,
    /// LinkSec: packet number threshold.
    pub linksec: bool,
    /// MNG: manageability event.
    pub mng: bool,
    __: bool,
    /// GPI_SDP0 to GPI_SDP3.
    #[bits(4)]
    pub gpi_sdp: u8,
    /// ECC: unrecoverable memory error; reset the device.
    pub ecc: bool,
    __: bool,
    /// TCP timer expired.
    pub tcp_timer: bool,
    __: bool,
}

/// Value of [`GPIE`](crate::ixgbe::GPIE), general purpose interrupt enable (§8.2.3.5.18).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Gpie {
    /// SDP0_GPIEN to SDP3_GPIEN.
    #[bits(4)]
    pub sdp_gpien: u8,
    /// Multiple_MSIX: MSI-X with several vectors, IVAR in use; 0 for INTx and MSI.
    pub multiple_msix: bool,
    /// OCD: a read of EICR clears bits 29:16 only.
    pub ocd: bool,
    /// EIMEN: immediate interrupt on EICS.
    pub eimen: bool,
    /// LL_INTERVAL: low latency interrupt credits.
    #[bits(4)]
    pub ll_interval: u8,
    /// RSC Delay: minimum delay of coalescing: (delay + 1) times 4 µs.
    #[bits(3)]
    pub rsc_delay: u8,
    /// VT_Mode: virtual functions: 0 none, 1 is 16, 2 is 32, 3 is 64.
    #[bits(2)]
    pub vt_mode: u8,
    #[bits(14)]
    __: u16,
    /// EIAME: auto mask by EIAM when a MSI-X message is sent.
    pub eiame: bool,
    /// PBA_support: pending bits as MSI-X has them.
    pub pba_support: bool,
}

/// Value of [`EITR`](crate::ixgbe::EITR), interrupt throttle (§8.2.3.5.12).
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Eitr {
    #[bits(3)]
    __: u8,
    /// ITR Interval: minimum time between interrupts, in units of 2 µs at 10 Gb/s and 1 Gb/s; 0 does not
    /// throttle.
    #[bits(9)]
    pub interval: u16,
    #[bits(3)]
    __: u8,
    /// LLI_EN: low latency interrupts may be throttled.
    pub lli_en: bool,
    /// LLI_Credit.
    #[bits(5)]
    pub lli_credit: u8,
    /// ITR Counter.
    #[bits(7)]
    pub counter: u8,
    #[bits(3)]
    __: u8,
    /// CNT_WDIS: leave the counters as they are by this write.
    pub cnt_wdis: bool,
}

/// One of the four bytes of an [`IVAR`](crate::ixgbe::IVAR), or of the two of an
/// [`IVAR_MISC`](crate::ixgbe::IVAR_MISC) (§8.2.3.5).
///
/// Register n serves queues 2n and 2n + 1: bytes 0 and 1 are receive and transmit of the even queue, bytes 2
/// and 3 of the odd one. IVAR_MISC's bytes are the TCP timer and all other causes.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub struct IvarByte {
    /// INT_Alloc: the vector; without MSI-X the bit of EICR, 0 to 15.
    #[bits(6)]
    pub vector: u8,
    __: bool,
    /// INT_Alloc_val: the entry is in use.
    pub valid: bool,
}
