//! What is to be carried, over which wire, and how.

use std::fs::File;
use std::time::Duration;

use pagewire_emu::Model;
use pagewire_emu::cable::Impairments as WireFaults;

/// Which NIC stands at both ends of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicModel {
    /// Intel 82599, 10 Gbit/s.
    Ixgbe,
    /// Intel 82540EM, 1 Gbit/s.
    E1000,
    /// Intel 82574L, 1 Gbit/s.
    E1000e,
}

impl From<NicModel> for Model {
    fn from(nic: NicModel) -> Self {
        match nic {
            NicModel::Ixgbe => Self::Ixgbe,
            NicModel::E1000 => Self::E1000,
            NicModel::E1000e => Self::E1000e,
        }
    }
}

/// How payload reaches the sender's descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The file's pages are mapped for the device and named by reference.
    ZeroCopy,
    /// The file is read into DMA memory and copied through the TCP socket, as an ordinary stack does.
    Copy,
}

/// How closely the emulated device watches the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SanitizerLevel {
    /// Every rule that does not have to read payload.
    On,
    /// Those that read payload too.
    Full,
}

/// How long a frame travels on an impaired wire.
pub const LATENCY: Duration = Duration::from_micros(50);

/// What goes wrong on the wire, each as a probability for one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairments {
    /// The frame vanishes.
    pub loss: f64,
    /// The frame arrives twice.
    pub duplicate: f64,
    /// The frame is overtaken by others.
    pub reorder: f64,
    /// One bit of the frame flips.
    pub corrupt: f64,
    /// Where the random numbers start.
    pub seed: u64,
}

impl Impairments {
    /// Whether the wire is perfect.
    pub fn is_none(&self) -> bool {
        self.loss == 0.0 && self.duplicate == 0.0 && self.reorder == 0.0 && self.corrupt == 0.0
    }

    /// What a cable does to its frames. A wire with faults has a length, too: [`LATENCY`].
    pub fn faults(&self) -> WireFaults {
        let Self {
            loss,
            duplicate,
            reorder,
            corrupt,
            seed,
        } = *self;
        let latency = if self.is_none() { Duration::ZERO } else { LATENCY };
        WireFaults {
            loss,
            duplicate,
            reorder,
            corrupt,
            seed,
            latency,
        }
    }
}

/// One transfer, checked and opened.
#[derive(Debug)]
pub struct Plan {
    /// The file, open for reading: a regular file.
    pub file: File,
    /// The length it had when it was opened: exactly so many bytes are sent, or the connection is reset.
    pub declared_len: u64,
    /// The NIC at both ends.
    pub nic: NicModel,
    /// How payload reaches the descriptors.
    pub mode: Mode,
    /// Bytes of the largest IP packet, 576 to 9000.
    pub mtu: u16,
    /// Whether the NIC segments TCP.
    pub tso: bool,
    /// What the wire does to frames, both ways.
    pub impairments: Impairments,
    /// Whether everything runs on one thread under a simulated clock, repeatable bit for bit.
    pub virtual_time: bool,
    /// How closely the device watches the driver.
    pub sanitizer: SanitizerLevel,
    /// Whether the receiver's thread never rests, whatever it waits for.
    pub spinning_receiver: bool,
    /// Where to record the frames: created, empty and open for writing.
    pub pcap: Option<File>,
}
