//! smoltcp's view of the NIC: one received packet, or none, and a way out.

use pagewire_nic::port::TxQueue;
use smoltcp::phy::{Device, DeviceCapabilities, RxToken};
use smoltcp::time::Instant;

use crate::egress::{Egress, Outgoing};
use crate::flow::Flow;

/// A device for the time of one call into smoltcp, made for one connection.
pub(crate) struct OneCall<'a, T> {
    pub(crate) capabilities: &'a DeviceCapabilities,
    pub(crate) egress: &'a mut Egress<T>,
    pub(crate) flow: Option<&'a mut Flow>,
    /// The packet to be processed; taken by the first receive.
    pub(crate) packet: Option<&'a [u8]>,
}

/// A received packet, whole and contiguous.
pub(crate) struct Incoming<'a>(&'a [u8]);

impl RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl<T: TxQueue> Device for OneCall<'_, T> {
    type RxToken<'b>
        = Incoming<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Outgoing<'b, T>
    where
        Self: 'b;

    fn receive(&mut self, _now: Instant) -> Option<(Incoming<'_>, Outgoing<'_, T>)> {
        let packet = self.packet.take()?;
        let reply = Outgoing {
            egress: self.egress,
            flow: self.flow.as_deref_mut(),
            mss: None,
        };
        Some((Incoming(packet), reply))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Outgoing<'_, T>> {
        // smoltcp holds a segment back only if there is no token: better than absorbing it.
        if !self.egress.ready() {
            return None;
        }
        Some(Outgoing {
            egress: self.egress,
            flow: self.flow.as_deref_mut(),
            mss: None,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}
