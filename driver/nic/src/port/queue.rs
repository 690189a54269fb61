//! The two halves of a queue pair.

use crate::dma::{Frame, GatherSlice};
use crate::port::TxOffload;

/// The ring had no room: here is what was to be sent. Nothing is lost, and nothing was posted.
///
/// A packet that the device could never take (more pieces than [`TxLimits`](crate::port::TxLimits) allows,
/// headers that do not lie where its layout says) comes back this way too, and is counted in
/// [`TxCounters::refused`]: waiting does not help it.
#[derive(Debug)]
pub struct Full<T>(pub T);

/// What a transmit queue did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxCounters {
    /// Packets posted; a segmentation request counts once.
    pub packets: u64,
    /// Descriptors written, context descriptors included.
    pub descriptors: u64,
    /// Context descriptors among them.
    pub contexts: u64,
    /// Writes to the tail register.
    pub doorbells: u64,
    /// TCP segmentation requests.
    pub segments: u64,
    /// Bytes posted, headers once a request.
    pub bytes: u64,
    /// Packets that the device could never take.
    pub refused: u64,
}

/// A transmit queue. Dropping it disables the queue; its memory goes only when the device confirmed that.
pub trait TxQueue: Send {
    /// How many descriptors are free. A packet takes one for each buffer (more for buffers longer than the
    /// device reads at once) and at times one more for its offload context.
    fn room(&self) -> usize;

    /// Posts one whole frame. The device sees it after the next [`doorbell`](Self::doorbell).
    ///
    /// # Errors
    /// [`Full`] returns the frame, untouched, where the ring has no room or the packet is none the device can
    /// take.
    fn post(&mut self, frame: Frame, offload: TxOffload) -> Result<(), Full<Frame>>;

    /// Posts whole frames as they are, one packet each, from the front of `frames` for as long as there is
    /// room; what was posted is gone from there. Returns how many. A packet that the device can never take
    /// stays in front and is counted in [`TxCounters::refused`].
    fn post_all(&mut self, frames: &mut Vec<Frame>) -> usize;

    /// As [`post_all`](Self::post_all) for packets as they were received, each of one buffer or of several:
    /// what a forwarder does. Returns how many packets were posted.
    fn post_received(&mut self, packets: &mut Vec<Received>) -> usize;

    /// Posts one packet of a header frame and payload that is named by reference and never touched by the
    /// CPU. `payload` is emptied on success and untouched in the error case.
    ///
    /// # Errors
    /// As for [`post`](Self::post).
    fn post_gather(
        &mut self,
        header: Frame,
        payload: &mut Vec<GatherSlice>,
        offload: TxOffload,
    ) -> Result<(), Full<Frame>>;

    /// Publishes everything posted since the last doorbell: one register write, or none where nothing was.
    /// The last packet gets report-status set, so that [`reap`](Self::reap) will see it end.
    fn doorbell(&mut self);

    /// Takes back what the device is done with: frames go to `freed` in the order they were posted, slices of
    /// file pages are dropped. Returns how many descriptors became free. Looks at one descriptor for each
    /// doorbell or quarter ring, not at each.
    fn reap(&mut self, freed: &mut Vec<Frame>) -> usize;

    /// How many descriptors are posted and not reaped.
    fn posted(&self) -> usize;

    /// Counts since the queue was opened.
    fn counters(&self) -> TxCounters;
}

/// What the device says about a packet's IPv4 header checksum and TCP or UDP checksum together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Both checked (where both exist) and right.
    Good,
    /// One of them is wrong.
    Bad,
    /// The device did not check all: software has to.
    Unchecked,
}

/// One received buffer. A packet is one or several in a row; the last has `end` set.
#[derive(Debug)]
pub struct Received {
    /// The buffer; its length is what the device wrote, without the Ethernet checksum.
    pub frame: Frame,
    /// The RSS hash of the packet's addresses and ports, 0 where the device computed none.
    pub rss_hash: u32,
    /// Whether this buffer is the packet's last.
    pub end: bool,
    /// The checksum verdict; valid in the last buffer.
    pub verdict: Verdict,
}

/// What a receive queue did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RxCounters {
    /// Packets handed out.
    pub packets: u64,
    /// Buffers handed out.
    pub buffers: u64,
    /// Bytes handed out.
    pub bytes: u64,
    /// Packets that the device marked as damaged, or described in a way that cannot be: their buffers were
    /// recycled.
    pub errors: u64,
    /// Writes to the tail register.
    pub doorbells: u64,
}

/// A receive queue with a pool of frames of its own. At any time `posted + spare + frames in other hands =
/// total`. Dropping it disables the queue; its memory goes only when the device confirmed that, and frames in
/// other hands stay valid for as long as they live.
pub trait RxQueue: Send {
    /// Appends up to `max` whole packets to `out`, in the order of arrival, and returns how many. A packet
    /// whose last buffer is not there yet waits for the next call.
    fn receive(&mut self, max: usize, out: &mut Vec<Received>) -> usize;

    /// Takes a frame of this queue's pool back. It reaches the device with the next [`refill`](Self::refill).
    /// A frame of another pool is dropped: its memory stays with the pool it came from until that ends.
    fn recycle(&mut self, frame: Frame);

    /// Takes all of these back; `frames` is empty afterwards.
    fn recycle_all(&mut self, frames: &mut Vec<Frame>) {
        for frame in frames.drain(..) {
            self.recycle(frame);
        }
    }

    /// Posts spare frames and rings the doorbell, once enough of them have gathered to be worth a register
    /// write.
    fn refill(&mut self);

    /// How many frames the device has.
    fn posted(&self) -> usize;

    /// How many frames wait for a refill.
    fn spare(&self) -> usize;

    /// How many frames the queue's pool was made with.
    fn total(&self) -> usize;

    /// Counts since the queue was opened.
    fn counters(&self) -> RxCounters;
}
