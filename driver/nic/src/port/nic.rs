//! The device itself, apart from its queues.

use pagewire_bus::{BusError, Interrupt};

use crate::dma::DmaError;
use crate::port::{Causes, Delay};

/// A NIC and its queue pairs, as a driver's `open` returns them. The queues may be moved to other threads.
#[derive(Debug)]
pub struct Opened<N, T, R> {
    /// The device: addresses, link, statistics, stop.
    pub nic: N,
    /// One transmit and one receive queue for each pair that was asked for.
    pub queues: Vec<(T, R)>,
}

/// State of the link, read from the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether there is a partner.
    pub up: bool,
    /// Speed in Mbit/s; 0 while down.
    pub mbps: u32,
    /// Whether both directions work at the same time.
    pub full_duplex: bool,
}

/// The device's own counts since it was opened. Its registers clear when they are read; these do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Good packets received.
    pub rx_packets: u64,
    /// Bytes of good packets received, Ethernet checksum included.
    pub rx_bytes: u64,
    /// Packets lost because no receive buffer was posted, or the device's own memory was full.
    pub rx_missed: u64,
    /// Packets with a wrong Ethernet checksum.
    pub rx_crc_errors: u64,
    /// Packets shorter, longer or otherwise unlike what was to be received.
    pub rx_length_errors: u64,
    /// Packets with a wrong IP, TCP or UDP checksum, where the device counts them.
    pub rx_checksum_errors: u64,
    /// Good packets sent.
    pub tx_packets: u64,
    /// Bytes of good packets sent, Ethernet checksum included.
    pub tx_bytes: u64,
}

/// What one packet may look like on a NIC's transmit side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxLimits {
    /// The largest frame on the wire, Ethernet header included, Ethernet checksum not.
    pub max_frame: u32,
    /// The most TCP payload in one segmentation request, in bytes. It may be more than an IP packet can carry: the device
    /// writes the length of each frame that it cuts.
    pub max_tso: u32,
    /// The longest headers (Ethernet, IP and TCP together) of a segmentation request.
    pub max_tso_header: u16,
    /// The most descriptors of one packet, its context descriptor not counted.
    pub max_descriptors: u16,
    /// The most bytes one descriptor names: a longer slice or frame takes several.
    pub max_descriptor_bytes: u32,
}

/// Why a NIC could not be opened or stopped.
#[derive(Debug, thiserror::Error)]
pub enum NicError {
    /// The function is another device than the driver is for.
    #[error("the {family} driver does not know device {vendor:04x}:{device:04x}: choose another driver")]
    WrongDevice {
        /// The driver's family.
        family: &'static str,
        /// PCI vendor ID.
        vendor: u16,
        /// PCI device ID.
        device: u16,
    },
    /// A setting that the device cannot take.
    #[error("{setting} = {value} is not possible: {allowed}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What was asked for.
        value: u64,
        /// What may be asked for.
        allowed: &'static str,
    },
    /// Every register reads all ones.
    #[error(
        "the network card is gone: all registers read as ones while {step}; was it removed or reset by somebody else?"
    )]
    Removed {
        /// What the driver was doing.
        step: &'static str,
    },
    /// The device did not get to where it should be in time.
    #[error(
        "the network card did not answer within {waited_us} µs while {step} (register {register} reads {value:#010x}); reset it and try again"
    )]
    Timeout {
        /// What the driver was doing.
        step: &'static str,
        /// How long it waited, in microseconds.
        waited_us: u32,
        /// The register it looked at.
        register: &'static str,
        /// What that register said last.
        value: u32,
    },
    /// The EEPROM holds no usable station address.
    #[error("the network card's EEPROM holds no usable Ethernet address ({mac:02x?})")]
    NoAddress {
        /// What it holds.
        mac: [u8; 6],
    },
    /// The bus refused a step.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// There was no memory for rings or buffers.
    #[error(transparent)]
    Dma(#[from] DmaError),
}

/// A NIC that was opened. Dropping it stops it as far as that goes without an error to report; the handles of
/// its queues are of no use afterwards.
pub trait Nic: Send {
    /// The station address, from the EEPROM.
    fn mac(&self) -> [u8; 6];

    /// Reads a register to see whether the device is still there: one that was removed reads all ones.
    fn is_present(&self) -> bool;

    /// Reads the state of the link from the device.
    fn read_link(&self) -> Link;

    /// Waits until the link is up, but at most `limit_ms` milliseconds, and returns its state then.
    fn wait_for_link(&self, limit_ms: u32, delay: &mut dyn Delay) -> Link {
        for _ in 0..limit_ms {
            let link = self.read_link();
            if link.up {
                return link;
            }
            delay.delay_us(1000);
        }
        self.read_link()
    }

    /// Reads the device's statistics registers and adds them up.
    fn read_statistics(&mut self) -> Statistics;

    /// What one packet may look like.
    fn limits(&self) -> TxLimits;

    /// Makes the device signal all it has to say with one vector, of the best kind that its bus grants; `None`
    /// where it has none, and can only be polled. Nothing is signalled before [`arm`](Self::arm).
    ///
    /// # Errors
    /// [`NicError::Bus`] where the function has interrupts and the bus refuses every kind.
    fn enable_interrupt(&mut self) -> Result<Option<Interrupt>, NicError>;

    /// Asks for a signal when packets arrive, packets were sent, or the link changes; for one at once where
    /// the link has changed already. What has happened to the rings before is forgotten: look at them after
    /// this call, before any sleep. Two register writes.
    fn arm(&self);

    /// Ends the signals and returns what has happened since [`arm`](Self::arm), and to the link since the last
    /// call. What a signal told of is in memory when this returns. A register write and a read.
    fn disarm(&self) -> Causes;

    /// Ends all DMA and resets the device. After a success the memory of all queues may go; queues that still
    /// exist do nothing any more.
    ///
    /// # Errors
    /// [`NicError::Timeout`] or [`NicError::Removed`] where the device did not confirm: memory that it may
    /// still reach is leaked then, on purpose, and never freed.
    fn stop(self, delay: &mut dyn Delay) -> Result<(), NicError>
    where
        Self: Sized;
}
