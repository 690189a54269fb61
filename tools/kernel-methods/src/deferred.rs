//! Packets that the kernel has done with and has not freed yet: they hold on to the file pages they were made of.
//!
//! Since Linux 5.19 a packet that is read on one core and was made on another is put on a list of the other core's, which frees it
//! when it next receives (`skb_attempt_defer_free`, net/core/skbuff.c; `skb_defer_free_flush`, net/core/dev.c). A core that
//! receives nothing more keeps what is on its list, for ever if need be.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// For a datagram over the loopback, which is there when the call that sends it returns.
const PATIENCE: Duration = Duration::from_millis(100);

/// Has each core that this thread may run on receive a packet, and free what it has put off. Does what it can: without a loopback,
/// nothing. The thread that moves from core to core is one of its own.
pub(crate) fn free_packets() {
    std::thread::scope(|scope| {
        // Where there can be no thread, there are no packets to free either.
        let _ = std::thread::Builder::new().spawn_scoped(scope, receive_on_each_core);
    });
}

fn receive_on_each_core() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let own = socket.local_addr()?;
    let allowed = sched_getaffinity(None)?;
    for core in (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)) {
        let mut here = CpuSet::new();
        here.set(core);
        sched_setaffinity(None, &here)?;
        socket.send_to(&[0], own)?;
        socket.recv(&mut [0])?;
    }
    Ok(())
}
