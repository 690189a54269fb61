//! Survives a page that is gone, and notices a page that is touched too early.
//!
//! The device's reads of the sender's memory are CPU copies here. Where a file under a mapping has been
//! truncated, a real device would read a stale page or fault in the IOMMU; a CPU gets SIGBUS and the process
//! dies. So every mapping that a device may read is *watched*: the handler puts a zero page over the page that
//! is gone, counts a fault on the watch, and the copy goes on. Who copied asks [`WatchRef::faulted`] afterwards
//! and drops the frame: the zeros never travel. The count stays, since the page keeps reading as zeros.
//!
//! At the strict level, receive memory that stands wholly in posted descriptors is made inaccessible
//! ([`Watch::shield`]). Whoever touches it gets SIGSEGV; the handler opens the page, counts, and lets the
//! access go on: a driver's early read is reported, and nobody dies.
//!
//! Both handlers pass on what is not theirs to the handlers that were there before.
#![allow(
    unsafe_code,
    reason = "signal handlers, page protection and mmap over a page that is gone have no safe form"
)]

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Ranges that the handlers know, in chunks that are never freed: a handler may walk them at any moment.
struct Chunk {
    slots: [Slot; Self::SLOTS],
    next: AtomicPtr<Chunk>,
}

impl Chunk {
    const SLOTS: usize = 256;

    const fn new() -> Self {
        Self {
            slots: [const { Slot::new() }; Self::SLOTS],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

#[derive(Debug)]
struct Slot {
    state: AtomicU32,
    /// Grows with each watch that takes the slot.
    turn: AtomicU32,
    start: AtomicUsize,
    end: AtomicUsize,
    /// Faults in the range since it was registered.
    faults: AtomicU64,
    /// Address of the first of them.
    first: AtomicUsize,
}

const FREE: u32 = 0;
const CLAIMED: u32 = 1;
/// A mapping that the device reads: SIGBUS puts a zero page there.
const SOURCE: u32 = 2;
/// A mapping whose posted pages may be shielded: SIGSEGV opens the page.
const SHIELD: u32 = 3;

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU32::new(FREE),
            turn: AtomicU32::new(0),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            faults: AtomicU64::new(0),
            first: AtomicUsize::new(0),
        }
    }
}

static FIRST: Chunk = Chunk::new();

/// What a watched range is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The device reads it, and its pages may vanish.
    Source,
    /// The device writes it, and software must not touch it before the device is done.
    Shield,
}

/// A registered range. Dropping it ends the watch; the memory itself is not touched by that.
#[derive(Debug)]
pub(crate) struct Watch {
    slot: &'static Slot,
}

/// A copyable view of a watch, for the time that the mapping table is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchRef(&'static Slot);

impl WatchRef {
    /// Whether a page of the range was found gone since the watch began.
    #[inline]
    pub(crate) fn faulted(self) -> bool {
        self.0.faults.load(Ordering::Relaxed) != 0
    }
}

impl Watch {
    /// Begins to watch `[start, start + len)`. Installs the handlers on first use.
    pub(crate) fn new(start: usize, len: usize, purpose: Purpose) -> Self {
        install();
        let slot = claim();
        slot.turn.fetch_add(1, Ordering::Relaxed);
        // Release: who reads a new bound sees the new turn.
        slot.start.store(start, Ordering::Release);
        slot.end.store(start + len, Ordering::Release);
        slot.faults.store(0, Ordering::Relaxed);
        slot.first.store(0, Ordering::Relaxed);
        let state = match purpose {
            Purpose::Source => SOURCE,
            Purpose::Shield => SHIELD,
        };
        slot.state.store(state, Ordering::Release);
        Self { slot }
    }

    pub(crate) fn view(&self) -> WatchRef {
        WatchRef(self.slot)
    }

    /// How many pages were found gone (or touched early) since the last call, and the address of the first since the
    /// watch began; `None` where there were none.
    pub(crate) fn take_faults(&self) -> Option<(u64, usize)> {
        // Acquire: a fault that is counted has left its address before.
        let count = self.slot.faults.swap(0, Ordering::Acquire);
        (count > 0).then(|| (count, self.slot.first.load(Ordering::Relaxed)))
    }

    /// Makes pages of the range inaccessible to this process. `false` where the system refuses (huge pages
    /// are shielded only whole): then there is no shield, and nothing to report.
    pub(crate) fn shield(&self, start: usize, len: usize) -> bool {
        self.protect(start, len, libc::PROT_NONE)
    }

    /// Opens pages again.
    pub(crate) fn open(&self, start: usize, len: usize) -> bool {
        self.protect(start, len, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn protect(&self, start: usize, len: usize, protection: libc::c_int) -> bool {
        let inside = start >= self.slot.start.load(Ordering::Relaxed)
            && start + len <= self.slot.end.load(Ordering::Relaxed);
        // SAFETY: the range lies inside a mapping that its owner handed to the device, read and write, until
        // it is unmapped; no Rust reference exists to bytes that stand in a posted receive descriptor
        // (contract of `DmaMapper::map`), and a stray access is resolved by the handler.
        inside && unsafe { libc::mprotect(start as *mut libc::c_void, len, protection) } == 0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.slot.state.store(FREE, Ordering::Release);
    }
}

fn claim() -> &'static Slot {
    let mut chunk: &'static Chunk = &FIRST;
    loop {
        for slot in &chunk.slots {
            if slot
                .state
                .compare_exchange(FREE, CLAIMED, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                return slot;
            }
        }
        chunk = next_or_grow(chunk);
    }
}

fn next_or_grow(chunk: &'static Chunk) -> &'static Chunk {
    let next = chunk.next.load(Ordering::Acquire);
    if !next.is_null() {
        // SAFETY: a chunk in the list was leaked by the code below and is never freed.
        return unsafe { &*next };
    }
    let fresh: &'static mut Chunk = Box::leak(Box::new(Chunk::new()));
    let fresh = ptr::from_mut(fresh);
    match chunk
        .next
        .compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire)
    {
        // SAFETY: leaked just above; shared from here on, and never freed.
        Ok(_) => unsafe { &*fresh },
        // SAFETY: as above, by the thread that was first. Our own chunk is lost, once per race: 12 KiB.
        Err(other) => unsafe { &*other },
    }
}

/// Runs in a signal handler: atomics only.
fn find(address: usize, wanted: u32) -> Option<&'static Slot> {
    let mut chunk: &'static Chunk = &FIRST;
    loop {
        for slot in &chunk.slots {
            let turn = slot.turn.load(Ordering::Acquire);
            if slot.state.load(Ordering::Acquire) == wanted
                && slot.start.load(Ordering::Acquire) <= address
                && address < slot.end.load(Ordering::Acquire)
                // Another watch may have taken the slot between the two bounds: then they mean nothing.
                && slot.turn.load(Ordering::Relaxed) == turn
            {
                return Some(slot);
            }
        }
        let next = chunk.next.load(Ordering::Acquire);
        if next.is_null() {
            return None;
        }
        // SAFETY: chunks in the list are leaked and never freed.
        chunk = unsafe { &*next };
    }
}

static PAGE: AtomicUsize = AtomicUsize::new(4096);

/// Size of a page of this system, in bytes.
pub(crate) fn page_size() -> usize {
    static ASKED: OnceLock<usize> = OnceLock::new();
    *ASKED.get_or_init(|| {
        // SAFETY: sysconf reads a constant of the system.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(page).unwrap_or(4096)
    })
}

struct Previous {
    bus: libc::sigaction,
    segv: libc::sigaction,
}

static PREVIOUS: OnceLock<Previous> = OnceLock::new();

fn install() {
    PREVIOUS.get_or_init(|| {
        PAGE.store(page_size(), Ordering::Relaxed);
        Previous {
            bus: replace(libc::SIGBUS),
            segv: replace(libc::SIGSEGV),
        }
    });
}

fn replace(signal: libc::c_int) -> libc::sigaction {
    // SAFETY: `sigaction` is plain data for which all zeros is a valid value; both pointers are to locals;
    // the handler does only what a signal handler may (see there).
    unsafe {
        let mut new: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler as extern "C" fn(_, _, _) as usize;
        new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut new.sa_mask);
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, &raw const new, &raw mut old);
        old
    }
}

/// Only atomics, mmap, mprotect and sigaction in here: no allocation, no lock, errno kept.
extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid `info` for SIGBUS and SIGSEGV; errno is the thread's own.
    unsafe {
        let errno = *libc::__errno_location();
        let address = (*info).si_addr() as usize;
        // Faults have positive codes; a signal that somebody sent has no address.
        if (*info).si_code <= 0 || !resolve(signal, address) {
            pass_on(signal, info, context);
        }
        *libc::__errno_location() = errno;
    }
}

fn resolve(signal: libc::c_int, address: usize) -> bool {
    let size = PAGE.load(Ordering::Relaxed);
    let page = (address & !(size - 1)) as *mut libc::c_void;
    let wanted = if signal == libc::SIGBUS { SOURCE } else { SHIELD };
    let Some(slot) = find(address, wanted) else {
        return false;
    };
    // Counted before the page can be read: who copied without a fault of its own, from a page that another thread has
    // just resolved, finds the count.
    let _ = slot
        .first
        .compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed);
    slot.faults.fetch_add(1, Ordering::Release);
    if wanted == SOURCE {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the page lies in a range whose owner keeps it mapped while it is watched, and which has
        // nothing behind it any more: whoever reads it gets zeros in place of a second SIGBUS.
        unsafe { libc::mmap(page, size, libc::PROT_READ, flags, -1, 0) != libc::MAP_FAILED }
    } else {
        // SAFETY: the page lies in a range that was handed to the device readable and writable.
        unsafe { libc::mprotect(page, size, libc::PROT_READ | libc::PROT_WRITE) == 0 }
    }
}

/// A fault that is not ours goes to whoever was there before; where nobody was, the default action is
/// restored, and the faulting instruction meets it when it runs again.
///
/// # Safety
/// Called from the signal handler, with what the kernel passed to it.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let old = PREVIOUS.get().map(|all| {
        if signal == libc::SIGBUS {
            &all.bus
        } else {
            &all.segv
        }
    });
    let action = old.map_or(libc::SIG_DFL, |old| old.sa_sigaction);
    if action == libc::SIG_DFL || action == libc::SIG_IGN {
        // SAFETY: restores the default action, with a zeroed (hence valid) structure.
        unsafe {
            let mut default: libc::sigaction = std::mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, ptr::null_mut());
        }
    } else if old.is_some_and(|old| old.sa_flags & libc::SA_SIGINFO != 0) {
        // SAFETY: the previous handler was installed with SA_SIGINFO, so it has this type.
        unsafe {
            let call: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                std::mem::transmute(action);
            call(signal, info, context);
        }
    } else {
        // SAFETY: a handler installed without SA_SIGINFO takes the signal number alone.
        unsafe {
            let call: extern "C" fn(libc::c_int) = std::mem::transmute(action);
            call(signal);
        }
    }
}
