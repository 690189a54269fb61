//! What a family's registers make its device do: everything that is not on the path of a frame.
//!
//! A device is written once and calls its model through a table; only what handles descriptors is generic over
//! [`Family`](crate::family::Family), into which [`Model::run`] and [`Model::open`] lead.

use pagewire_bus::{Identity, InterruptKind, InterruptSupport};
use pagewire_spec::Register;
use parking_lot::MutexGuard;

use super::Device;
use crate::base::Side;
use crate::family::RingRows;
use crate::interrupt::CauseRows;
use crate::receive::State;
use crate::receive::filter::Settings;
use crate::receive::steer::Rss;
use crate::registers::{Layout, Written};
use crate::transmit::{Engine, TxStats};
use crate::wire::Inlet;

/// One controller, by its registers.
pub(crate) trait Model: Sync + std::fmt::Debug {
    fn identity(&self) -> Identity;
    fn layout(&self) -> &'static Layout;
    /// Transmit rows, receive rows.
    fn rings(&self) -> &'static [RingRows; 2];
    /// Queue pairs.
    fn queues(&self) -> usize;
    /// Which queue's tail is at `offset`.
    fn tail(&self, offset: u32) -> Option<(Side, usize)>;
    /// Registers have their reset values: what the EEPROM and the link say comes on top.
    fn loaded(&self, device: &Device);
    /// Software has written a register.
    fn written(&self, device: &Device, write: &Written);
    /// Software reads a register: its value, where reading has effects that the tables do not know.
    fn read(&self, device: &Device, row: &'static Register, index: u32) -> Option<u32>;
    /// Causes and mask.
    fn causes(&self) -> &'static CauseRows;
    /// The ways it can interrupt, the best first.
    fn interrupts(&self) -> &'static [InterruptSupport];
    /// The vectors that messages of these causes go to, one bit each.
    fn vectors(&self, device: &Device, kind: InterruptKind, causes: u32) -> u64;
    /// Messages of these causes were sent.
    fn signalled(&self, device: &Device, kind: InterruptKind, causes: u32);
    /// A cable was plugged in or pulled.
    fn link_changed(&self, device: &Device);
    /// Receive settings, as the registers say. `old` saves expanding a key that has not changed.
    fn settings(&self, device: &Device, old: Option<Box<Rss>>) -> (Settings, Option<Box<Rss>>);
    /// Whether a queue may be sent from, beyond being on.
    fn may_transmit(&self, device: &Device) -> bool;
    /// Whether short frames are padded.
    fn pads(&self, device: &Device) -> bool;
    /// Whether a receive queue takes whole segments.
    fn coalesces(&self, device: &Device, queue: usize) -> bool;
    /// Statistics and interrupt causes of a batch that was sent.
    fn sent(&self, device: &Device, queue: usize, stats: &TxStats);
    /// Statistics and interrupt causes of a batch that was received.
    fn received(&self, device: &Device, state: &mut State);
    /// Runs a transmit batch.
    fn run(&self, engine: &mut Engine, device: &Device, queue: usize, inlet: &mut dyn Inlet) -> usize;
    /// Runs a receive batch.
    fn open(&self, device: &Device, state: MutexGuard<'_, State>, batch: &mut dyn FnMut(&mut dyn Inlet));
}
