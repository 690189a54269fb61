//! A layer-2 forwarder on the burst API: receive up to 32 frames, swap their MAC addresses, send them on.
//!
//! ```text
//! cargo run --release -p pagewire-forwarder -- [--batches N]
//! ```
//!
//! It runs on an emulated 82599 that a second one feeds over a cable. [`forward_batch`] holds all of the
//! driver's work and nothing else; the device models run outside of it, in `step`, but for the two doorbells,
//! which go through [`Fenced`]. So what `tools/count-driver-instructions` counts in the one and not in the
//! other is the driver.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pagewire_bus::{
    Bar, BusError, DmaMapper, Function, Identity, Interrupt, InterruptKind, InterruptSupport, ResetOutcome,
};
use pagewire_emu::cable::Impairments;
use pagewire_emu::{EmulatedBar, EmulatedNic, Model, Options, connect};
use pagewire_nic::dma::{Frame, FramePool};
use pagewire_nic::ixgbe::{self, IxgbeRx, IxgbeTx};
use pagewire_nic::port::{Nic, NicConfig, Received, RxQueue, SleepDelay, TxOffload, TxQueue};

/// Frames a batch.
const BURST: usize = 32;
/// Bytes of a frame without its Ethernet checksum: 64 on the wire.
const FRAME: usize = 60;

/// All that a driver does for a batch. Not inlined, so that its instructions can be counted.
#[inline(never)]
fn forward_batch<T: TxQueue, R: RxQueue>(
    transmitter: &mut T,
    receiver: &mut R,
    received: &mut Vec<Received>,
    freed: &mut Vec<Frame>,
) -> usize {
    let packets = receiver.receive(BURST, received);
    for packet in &mut *received {
        swap_addresses(packet.frame.bytes_mut());
    }
    transmitter.post_received(received);
    // What found no room in the transmit ring is lost, as in any forwarder.
    for packet in received.drain(..) {
        receiver.recycle(packet.frame);
    }
    transmitter.doorbell();
    transmitter.reap(freed);
    receiver.recycle_all(freed);
    receiver.refill();
    packets
}

/// The answer goes where the frame came from.
#[inline]
fn swap_addresses(frame: &mut [u8]) {
    if let Some([destination, source]) = frame
        .first_chunk_mut::<12>()
        .map(|both| both.as_chunks_mut::<6>().0)
    {
        std::mem::swap(destination, source);
    }
}

/// An emulated NIC whose registers are reached by calls that are not inlined: the border of the device model.
struct Fenced(EmulatedNic);

/// Its registers.
#[derive(Clone)]
struct FencedBar(EmulatedBar);

impl Bar for FencedBar {
    #[inline(never)]
    fn read32(&self, offset: u32) -> u32 {
        self.0.read32(offset)
    }

    #[inline(never)]
    fn write32(&self, offset: u32, value: u32) {
        self.0.write32(offset, value);
    }
}

impl Function for Fenced {
    type Bar = FencedBar;

    fn identity(&self) -> Identity {
        self.0.identity()
    }

    fn bar(&self, index: u8) -> Result<FencedBar, BusError> {
        self.0.bar(index).map(FencedBar)
    }

    fn mapper(&self) -> Arc<dyn DmaMapper> {
        self.0.mapper()
    }

    fn set_bus_master(&self, on: bool) -> Result<(), BusError> {
        self.0.set_bus_master(on)
    }

    fn reset(&self) -> Result<ResetOutcome, BusError> {
        self.0.reset()
    }

    fn interrupts(&self) -> Vec<InterruptSupport> {
        self.0.interrupts()
    }

    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        self.0.enable_interrupts(kind, vectors)
    }

    fn disable_interrupts(&self) -> Result<(), BusError> {
        self.0.disable_interrupts()
    }
}

/// Sends bursts to the forwarder and takes back what it sends on.
struct Feeder {
    device: EmulatedNic,
    transmitter: IxgbeTx<EmulatedNic>,
    receiver: IxgbeRx<EmulatedNic>,
    pool: FramePool,
    freed: Vec<Frame>,
    received: Vec<Received>,
}

impl Feeder {
    fn send_burst(&mut self) {
        for _ in 0..BURST {
            let Some(mut frame) = self.pool.take() else { break };
            if frame.set_len(FRAME).is_err() || self.transmitter.post(frame, TxOffload::None).is_err() {
                break;
            }
        }
        self.transmitter.doorbell();
        self.device.step(Duration::ZERO);
        self.transmitter.reap(&mut self.freed);
        for frame in self.freed.drain(..) {
            // Every frame it sends is from its own pool.
            let _ = self.pool.give(frame);
        }
    }

    /// Returns how many frames came back with their addresses swapped.
    fn take_back(&mut self) -> usize {
        self.receiver.receive(usize::MAX, &mut self.received);
        let mut right = 0;
        for packet in self.received.drain(..) {
            right += usize::from(packet.frame.bytes()[..12] == [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
            self.receiver.recycle(packet.frame);
        }
        self.receiver.refill();
        right
    }
}

fn run(batches: usize) -> Result<usize, Box<dyn std::error::Error>> {
    let far = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1]));
    let near = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 2]));
    connect(&far, &near, &Impairments::none(), &Impairments::none(), None);
    let config = NicConfig {
        promiscuous: true,
        ..NicConfig::default()
    };

    let opened = ixgbe::open(Arc::new(far.clone()), &config, &mut SleepDelay)?;
    let (feeding, mut queues) = (opened.nic, opened.queues);
    let (transmitter, receiver) = queues.pop().ok_or("no queue pair")?;
    let mut pool = FramePool::new(&far.mapper(), 4 * BURST, 2048)?;
    let frames: Vec<Frame> = std::iter::from_fn(|| pool.take()).collect();
    for mut frame in frames {
        // From 01:01:01:01:01:01 to zeros: what comes back is the other way round.
        frame.bytes_mut()[..12].copy_from_slice(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
        let _ = pool.give(frame);
    }
    let mut feeder = Feeder {
        device: far,
        transmitter,
        receiver,
        pool,
        freed: Vec::new(),
        received: Vec::new(),
    };

    let opened = ixgbe::open(Arc::new(Fenced(near.clone())), &config, &mut SleepDelay)?;
    let (forwarding, mut queues) = (opened.nic, opened.queues);
    let (mut transmitter, mut receiver) = queues.pop().ok_or("no queue pair")?;
    let mut received = Vec::with_capacity(BURST);
    let mut freed = Vec::with_capacity(4096);

    let (mut forwarded, mut right) = (0, 0);
    for _ in 0..batches {
        feeder.send_burst();
        forwarded += forward_batch(&mut transmitter, &mut receiver, &mut received, &mut freed);
        near.step(Duration::ZERO);
        right += feeder.take_back();
    }
    forwarding.stop(&mut SleepDelay)?;
    feeding.stop(&mut SleepDelay)?;
    if right != forwarded || forwarded != batches * BURST {
        return Err(format!("{forwarded} frames forwarded, {right} of them came back right").into());
    }
    let report = near.report();
    if !report.is_clean() {
        return Err(report.to_string().into());
    }
    Ok(forwarded)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let batches = match (
        arguments.next().as_deref(),
        arguments.next().map(|number| number.parse()),
    ) {
        (None, _) => 1000,
        (Some("--batches"), Some(Ok(batches))) => batches,
        _ => {
            eprintln!("usage: pagewire-forwarder [--batches N]");
            return ExitCode::from(2);
        }
    };
    match run(batches) {
        Ok(frames) => {
            println!(
                "{{\"frames\": {frames}, \"burst\": {BURST}, \"frame_bytes_on_the_wire\": {}}}",
                FRAME + 4
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pagewire-forwarder: {error}");
            ExitCode::FAILURE
        }
    }
}
