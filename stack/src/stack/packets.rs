//! What becomes of a received packet.

use pagewire_nic::port::{TxQueue, Verdict};
use smoltcp::time::Instant;
use smoltcp::wire::{Ipv4Packet, Ipv6Packet, TcpPacket};

use super::Core;
use crate::connection::{Connection, Origin};
use crate::device::OneCall;
use crate::guard::{self, Ruling};
use crate::headers::{ETHERNET_LEN, Peek, Shown, TcpHeaders, peek};
use crate::inbox::{Advance, Payload};
use crate::ingress::Arrival;
use crate::phantom::TransmitRing;

impl<T: TxQueue> Core<T> {
    /// Lets one packet be processed by whom it is for.
    pub(super) fn process(&mut self, arrival: Arrival<'_>, now: Instant) {
        let packet = arrival.bytes;
        let headers = match peek(packet) {
            Peek::Tcp(headers) => headers,
            Peek::Malformed => return self.counters.guarded += 1,
            Peek::OtherIp { .. } | Peek::Arp => {
                self.answer(packet, now);
                return self.wake_seekers();
            }
            Peek::Other { .. } => return,
        };
        if arrival.verdict == Verdict::Unchecked && !checksum_holds(packet, &headers) {
            return self.counters.guarded += 1;
        }
        let key = match self.table.get(&headers.ingress_tuple()) {
            Some(&key) => key,
            None => match self.admit(packet, &headers, now) {
                Some(key) => key,
                None => return,
            },
        };
        self.rule(key, arrival, &headers, now);
    }

    /// Lets a connection's segment reach smoltcp, where the guard lets it.
    fn rule(&mut self, key: usize, arrival: Arrival<'_>, headers: &TcpHeaders, now: Instant) {
        let connection = &mut self.connections[key];
        let view = connection.flow.view(connection.socket());
        match view.map_or(Ruling::Pass, |view| guard::ingress(&view, headers)) {
            Ruling::Pass => {
                if view.is_some_and(|view| view.takes(headers)) {
                    connection.flow.on_acknowledgment(headers);
                }
                return self.hand_over(key, arrival, headers, headers.acknowledgment, now);
            }
            Ruling::PassWithAck(acknowledgment) => {
                return self.hand_over(key, arrival, headers, acknowledgment, now);
            }
            Ruling::Reopen if self.listeners.contains_key(&headers.destination.port) => {
                self.supersede(key, now);
                if let Some(key) = self.admit(arrival.bytes, headers, now) {
                    self.hand_over(key, arrival, headers, headers.acknowledgment, now);
                }
                return;
            }
            Ruling::Swallow(_) => {}
            Ruling::Challenge(_) | Ruling::Reopen => {
                if let Some(view) = view
                    && connection.flow.may_challenge(now)
                {
                    let flow = &connection.flow;
                    let sent = self.egress.send_small(|out| flow.challenge(&view, out));
                    self.counters.challenges += u64::from(sent);
                }
            }
        }
        self.counters.guarded += 1;
    }

    /// Shows a segment to smoltcp with just the set of its connection, as one that acknowledges `acknowledgment` by smoltcp's
    /// own count. Payload that is read where it lies is not shown: smoltcp counts zeros in its place.
    fn hand_over(
        &mut self,
        key: usize,
        arrival: Arrival<'_>,
        headers: &TcpHeaders,
        acknowledgment: u32,
        now: Instant,
    ) {
        let connection = &mut self.connections[key];
        connection.flow.on_ingress(headers, now);
        if headers.flags.syn() && connection.flow.ring == TransmitRing::Phantom {
            let mss = self.config.mss_towards(headers.source.addr);
            let ring = connection.socket().send_capacity();
            connection.flow.counting.on_syn(headers, mss, ring);
        }
        let (packet, header_len) = (arrival.bytes, headers.header_len());
        let by_reference = connection.inbox.is_some() && headers.payload_len > 0;
        let numbers = connection.flow.to_smoltcp(headers, acknowledgment);
        let shown = match &mut self.shadow {
            Some(shadow) if by_reference && packet.len() <= shadow.len() => {
                shadow[..header_len].copy_from_slice(&packet[..header_len]);
                numbers.write(&mut shadow[..header_len], headers);
                &shadow[..packet.len()]
            }
            _ if numbers != Shown::of(headers) => {
                self.rewritten.clear();
                self.rewritten.extend_from_slice(packet);
                numbers.write(&mut self.rewritten, headers);
                &self.rewritten[..]
            }
            _ => packet,
        };
        let (before, window_end) = (connection.arrived(), connection.window_end());
        let Connection { sockets, flow, .. } = connection;
        let device = &mut OneCall {
            capabilities: &self.capabilities,
            egress: &mut self.egress,
            flow: Some(flow),
            packet: Some(shown),
        };
        self.interface.poll_ingress_single(now, device, sockets);
        if by_reference {
            let connection = &mut self.connections[key];
            let advance = Advance {
                before,
                after: connection.arrived(),
                window_end,
            };
            let payload = Payload {
                offset: connection.flow.stream_offset(headers, before),
                bytes: &packet[header_len..][..headers.payload_len],
                place: arrival.place.map(|place| (place, header_len)),
            };
            if connection
                .inbox
                .as_mut()
                .is_some_and(|inbox| inbox.arrive(payload, advance))
            {
                self.holders.push(key);
            }
        }
        if headers.payload_len > 0 {
            self.touch(key, now);
        }
        self.wake(key);
    }

    /// A neighbour may have told its address (ARP, or ICMPv6): whoever waited for one tries again.
    fn wake_seekers(&mut self) {
        while let Some(key) = self.seeking.pop() {
            if self.connections.contains(key) {
                self.wake(key);
            }
        }
    }

    /// A packet that belongs to no connection: smoltcp answers or drops it.
    fn answer(&mut self, packet: &[u8], now: Instant) {
        let device = &mut OneCall {
            capabilities: &self.capabilities,
            egress: &mut self.egress,
            flow: None,
            packet: Some(packet),
        };
        self.interface
            .poll_ingress_single(now, device, &mut self.host.sockets);
        self.host.heard(&mut self.interface, now);
    }

    /// A segment for no connection: a SYN for a listener makes one; anything else is refused with a RST,
    /// where it may be answered at all.
    fn admit(&mut self, packet: &[u8], headers: &TcpHeaders, now: Instant) -> Option<usize> {
        if !guard::may_answer(headers, self.interface.ip_addrs()) {
            self.counters.guarded += 1;
            return None;
        }
        let opens = headers.flags.syn() && !headers.flags.ack() && !headers.flags.rst();
        let port = headers.destination.port;
        if !opens || !self.listeners.contains_key(&port) {
            self.answer(packet, now);
            return None;
        }
        self.open_half(headers, now)
    }

    /// A connection for a SYN, if the listener and the limits have room for one.
    fn open_half(&mut self, headers: &TcpHeaders, now: Instant) -> Option<usize> {
        let port = headers.destination.port;
        if self.connections.len() >= self.config.max_connections {
            self.counters.guarded += 1;
            return None;
        }
        let ring = self.listeners.get(&port)?.ring;
        let mut pooled = self.pool(ring).take().ok()?;
        pooled.socket.listen(headers.destination).ok()?;
        let key = self.insert(
            pooled,
            ring,
            headers.ingress_tuple(),
            Origin::Accepted { port },
            now,
        );
        let id = self.id_of(key);
        let listener = self.listeners.get_mut(&port)?;
        match listener.backlog.on_syn(id, now) {
            Ok(evicted) => {
                if let Some(evicted) = evicted {
                    self.forget(evicted.key);
                }
                Some(key)
            }
            Err(_full) => {
                self.counters.guarded += 1;
                self.forget(key);
                None
            }
        }
    }
}

/// Checks the TCP checksum in software, where the device has not looked.
fn checksum_holds(packet: &[u8], headers: &TcpHeaders) -> bool {
    let (source, destination) = (headers.source.addr, headers.destination.addr);
    let ip = &packet[ETHERNET_LEN..];
    let payload = match source {
        smoltcp::wire::IpAddress::Ipv4(_) => Ipv4Packet::new_checked(ip).map(|ip| ip.payload()),
        smoltcp::wire::IpAddress::Ipv6(_) => Ipv6Packet::new_checked(ip).map(|ip| ip.payload()),
    };
    payload.is_ok_and(|segment| TcpPacket::new_unchecked(segment).verify_checksum(&source, &destination))
}
