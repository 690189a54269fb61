//! What smoltcp 0.14 does alone, and behind the guard.
//!
//! Each fact is shown on smoltcp itself, so that a release which mends it tells us; the last test throws
//! segments at random at a guarded socket and expects no panic and no wrong byte.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpProtocol, IpRepr, TcpControl};
use smoltcp::wire::{TcpPacket, TcpRepr, TcpSeqNumber};

use super::{FlowView, Reason, Ruling, Windows, ingress};
use crate::headers::{ETHERNET_LEN, Peek, Shown, TcpHeaders, peek};
use crate::sequence::Extender;

const US: IpAddress = IpAddress::v4(10, 0, 0, 1);
const PEER: IpAddress = IpAddress::v4(10, 0, 0, 2);
const PEER_ISN: u32 = 0xffff_f000;
const SYN: TcpControl = TcpControl::Syn;
const RST: TcpControl = TcpControl::Rst;
const FIN: TcpControl = TcpControl::Fin;
const NONE: TcpControl = TcpControl::None;

#[derive(Default)]
struct Wire {
    arriving: VecDeque<Vec<u8>>,
    left: Vec<Vec<u8>>,
}

struct Arrival(Vec<u8>);
struct Departure<'a>(&'a mut Vec<Vec<u8>>);

impl phy::RxToken for Arrival {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Departure<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Arrival;
    type TxToken<'a> = Departure<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Arrival, Departure<'_>)> {
        Some((Arrival(self.arriving.pop_front()?), Departure(&mut self.left)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Departure<'_>> {
        Some(Departure(&mut self.left))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}

/// A listening socket on a wire, watched as the adapter watches it.
struct Host {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    wire: Wire,
    now: Instant,
    guarded: bool,
    sequence: Option<Extender>,
    windows: Windows,
    enqueued: u64,
    received: Vec<u8>,
}

/// The peer's stream: every byte tells its own sequence number.
fn byte_at(sequence: u32) -> u8 {
    (sequence ^ (sequence >> 8) ^ (sequence >> 16)).wrapping_mul(31) as u8
}

fn peer_frame(control: TcpControl, sequence: u32, ack: Option<u32>, len: usize, window: u16) -> Vec<u8> {
    let payload: Vec<u8> = (0..len as u32)
        .map(|n| byte_at(sequence.wrapping_add(n)))
        .collect();
    let syn = control == SYN;
    let tcp = TcpRepr {
        src_port: 4000,
        dst_port: 80,
        control,
        seq_number: TcpSeqNumber(sequence as i32),
        ack_number: ack.map(|ack| TcpSeqNumber(ack as i32)),
        window_len: window,
        window_scale: syn.then_some(7),
        max_seg_size: syn.then_some(1460),
        sack_permitted: syn,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &payload,
    };
    let ip = IpRepr::new(PEER, US, IpProtocol::Tcp, tcp.buffer_len(), 64);
    let mut frame = vec![0; ETHERNET_LEN + ip.buffer_len()];
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    frame[12] = 8;
    ip.emit(&mut frame[ETHERNET_LEN..], &ChecksumCapabilities::default());
    let segment = &mut frame[ETHERNET_LEN + ip.header_len()..];
    tcp.emit(
        &mut TcpPacket::new_unchecked(segment),
        &PEER,
        &US,
        &ChecksumCapabilities::default(),
    );
    frame
}

impl Host {
    fn listening(receive: usize, guarded: bool) -> Self {
        let mut wire = Wire::default();
        let hardware = HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, 1]));
        let mut interface = Interface::new(Config::new(hardware), &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(US, 24)).unwrap());
        let buffer = |len| SocketBuffer::new(vec![0; len]);
        let mut socket = Socket::new(buffer(receive), buffer(1 << 16));
        socket.set_ack_delay(Some(Duration::from_millis(10)));
        socket.listen(80).unwrap();
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        let mut host = Self {
            interface,
            sockets,
            handle,
            wire,
            now: Instant::ZERO,
            guarded,
            sequence: None,
            windows: Windows::default(),
            enqueued: 0,
            received: Vec::new(),
        };
        // The peer asks for our hardware address, and so tells its own.
        let mut arp = vec![0xff; 6];
        arp.extend([2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        arp.extend([2, 0, 0, 0, 0, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        host.wire.arriving.push_back(arp);
        host.poll();
        host
    }

    /// A connection through its handshake.
    fn established(receive: usize, guarded: bool) -> Self {
        let mut host = Self::listening(receive, guarded);
        host.arrive(SYN, PEER_ISN, None, 0);
        host.poll();
        host.arrive(NONE, PEER_ISN.wrapping_add(1), Some(host.next()), 0);
        assert_eq!(host.state(), State::Established);
        host
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    fn state(&mut self) -> State {
        self.socket().state()
    }

    /// The sequence number after everything that was sent.
    fn next(&self) -> u32 {
        self.sequence
            .map_or(0, |sequence| sequence.sequence(sequence.frontier() as i64))
    }

    fn view(&mut self) -> Option<FlowView> {
        let (sequence, windows, enqueued) = (self.sequence?, self.windows, self.enqueued);
        let consumed = self.received.len();
        let socket = self.socket();
        let state = socket.state();
        let finished = matches!(
            state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait
        );
        let in_order = (consumed + socket.recv_queue()) as u32 + u32::from(finished);
        let synchronised = !matches!(state, State::SynSent | State::SynReceived);
        let acknowledged = (enqueued - socket.send_queue() as u64) as i64;
        Some(FlowView {
            state,
            snd_una: if synchronised {
                sequence.sequence(acknowledged)
            } else {
                sequence.initial()
            },
            snd_max: sequence.sequence(sequence.frontier() as i64),
            rcv_nxt: PEER_ISN.wrapping_add(1).wrapping_add(in_order),
            rcv_wnd: (socket.recv_capacity() - socket.recv_queue()) as u32,
            windows,
        })
    }

    /// Lets a segment of the peer arrive; returns the ruling. Without the guard every segment passes.
    fn arrive(&mut self, control: TcpControl, sequence: u32, ack: Option<u32>, len: usize) -> Ruling {
        let mut frame = peer_frame(control, sequence, ack, len, 500);
        let Peek::Tcp(headers) = peek(&frame) else {
            panic!("{:?}", peek(&frame))
        };
        let view = self.view().filter(|_| self.guarded);
        let ruling = view.map_or(Ruling::Pass, |view| ingress(&view, &headers));
        if let Ruling::PassWithAck(ack) = ruling {
            let shown = Shown {
                acknowledgment: ack,
                ..Shown::of(&headers)
            };
            shown.write(&mut frame, &headers);
        }
        if matches!(ruling, Ruling::Pass | Ruling::PassWithAck(_)) {
            self.windows.on_ingress(&headers);
            self.wire.arriving.push_back(frame);
            self.interface
                .poll_ingress_single(self.now, &mut self.wire, &mut self.sockets);
            self.learn();
        }
        ruling
    }

    /// Lets smoltcp emit; returns what left since the last call.
    fn poll(&mut self) -> Vec<TcpHeaders> {
        self.interface.poll(self.now, &mut self.wire, &mut self.sockets);
        self.learn()
    }

    fn learn(&mut self) -> Vec<TcpHeaders> {
        let mut segments = Vec::new();
        for frame in self.wire.left.drain(..) {
            let Peek::Tcp(headers) = peek(&frame) else {
                continue;
            };
            if headers.flags.syn() && self.sequence.is_none() {
                self.sequence = Some(Extender::new(headers.sequence));
            }
            if let Some(sequence) = &mut self.sequence {
                sequence.send(headers.sequence, headers.segment_len());
            }
            self.windows.on_egress(&headers);
            segments.push(headers);
        }
        segments
    }

    fn write(&mut self, len: usize) {
        let written = self.socket().send_slice(&vec![7; len]).unwrap_or(0);
        self.enqueued += written as u64;
    }

    fn read(&mut self, len: usize) {
        let mut bytes = vec![0; len];
        let read = self.socket().recv_slice(&mut bytes).unwrap_or(0);
        self.received.extend_from_slice(&bytes[..read]);
    }
}

fn from_peer(offset: u32) -> u32 {
    PEER_ISN.wrapping_add(1).wrapping_add(offset)
}

#[test]
fn smoltcp_takes_data_beyond_its_buffer_in_the_first_flight() {
    // A buffer of 1 MiB, a window of 65,535 in the SYN|ACK, which is shifted by 5 in hindsight.
    let mut alone = Host::established(1 << 20, false);
    let ack = alone.next();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // One byte that is not there, in front of which the stream is then filled up, and read.
        alone.arrive(NONE, from_peer(1 << 20), Some(ack), 1000);
        for start in (0..1 << 20).step_by(1024) {
            alone.arrive(NONE, from_peer(start), Some(ack), 1024);
            alone.poll();
        }
    }));
    assert!(outcome.is_err());

    let mut guarded = Host::established(1 << 20, true);
    assert_eq!(
        guarded.arrive(NONE, from_peer(1 << 20), Some(ack), 1000),
        Ruling::Challenge(Reason::BeyondWindow)
    );
}

#[test]
fn smoltcp_takes_a_fin_from_a_segment_that_it_cuts() {
    for guarded in [false, true] {
        let mut host = Host::established(1000, guarded);
        let ack = host.next();
        // The window is 1000, the segment 1100 long.
        let ruling = host.arrive(FIN, from_peer(0), Some(ack), 1100);
        host.read(2000);
        assert_eq!(host.state() == State::CloseWait, !guarded, "{ruling:?}");
        assert_eq!(host.received.len(), if guarded { 0 } else { 1000 });
    }
}

#[test]
fn smoltcp_does_not_answer_a_syn_in_the_window_of_a_live_connection() {
    let mut host = Host::established(1 << 16, false);
    host.arrive(SYN, from_peer(5), None, 0);
    assert_eq!(host.poll(), []);
}

#[test]
fn smoltcp_dies_of_a_reset_anywhere_in_the_window() {
    for guarded in [false, true] {
        let mut host = Host::established(1 << 16, guarded);
        host.arrive(RST, from_peer(1000), None, 0);
        assert_eq!(host.state() == State::Closed, !guarded);
    }
}

#[test]
fn smoltcp_takes_an_ack_of_what_is_queued_but_was_never_sent() {
    for guarded in [false, true] {
        let mut host = Host::established(1 << 16, guarded);
        host.write(10_000);
        let ruling = host.arrive(NONE, from_peer(0), Some(host.next().wrapping_add(10_000)), 0);
        assert_eq!(
            host.socket().send_queue(),
            if guarded { 10_000 } else { 0 },
            "{ruling:?}"
        );
    }
}

#[test]
fn smoltcp_never_sends_a_lone_fin_again_after_three_duplicate_acks() {
    for guarded in [false, true] {
        let mut host = Host::established(1 << 16, guarded);
        let ack = host.next();
        host.arrive(NONE, from_peer(0), Some(ack), 0);
        host.socket().close();
        assert!(host.poll().iter().any(|segment| segment.flags.fin()));
        for _ in 0..4 {
            host.arrive(NONE, from_peer(0), Some(ack), 0);
            host.poll();
        }
        let fins = (0..120).filter(|_| {
            host.now += Duration::from_secs(1);
            host.poll().iter().any(|segment| segment.flags.fin())
        });
        assert_eq!(fins.count() > 0, guarded);
    }
}

#[test]
fn smoltcp_drops_data_whose_ack_was_overtaken() {
    for guarded in [false, true] {
        let mut host = Host::established(1 << 16, guarded);
        let old = host.next();
        host.write(100);
        host.poll();
        host.arrive(NONE, from_peer(0), Some(old.wrapping_add(100)), 0);
        host.arrive(NONE, from_peer(0), Some(old), 50);
        host.read(100);
        assert_eq!(host.received.len(), if guarded { 50 } else { 0 });
    }
}

#[derive(Clone, Debug)]
enum Event {
    /// A segment: control, distance of sequence number from what is expected, of ACK from what was sent.
    Arrive(TcpControl, i32, Option<i32>, usize),
    Poll(i64),
    Read(usize),
    Write(usize),
    Close,
}

fn near() -> impl Strategy<Value = i32> {
    prop_oneof![8 => -3..3, 4 => -3000..3000, 2 => -100_000..3_000_000, 1 => any::<i32>()]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let control = prop_oneof![12 => Just(NONE), 2 => Just(FIN), 1 => Just(SYN), 1 => Just(RST)];
    let ack = prop_oneof![6 => Just(Some(0)), 3 => near().prop_map(Some), 1 => Just(None)];
    let arrive = (control, near(), ack, prop_oneof![Just(0), 0usize..3000])
        .prop_map(|(control, sequence, ack, len)| Event::Arrive(control, sequence, ack, len));
    let event = prop_oneof![
        10 => arrive,
        4 => (0i64..2000).prop_map(Event::Poll),
        2 => (0usize..5000).prop_map(Event::Read),
        2 => (0usize..5000).prop_map(Event::Write),
        1 => Just(Event::Close),
    ];
    prop::collection::vec(event, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn behind_the_guard_no_segment_panics_smoltcp_or_puts_a_wrong_byte_into_the_stream(
        receive in prop_oneof![Just(1usize), 1usize..4000, Just(1 << 16), Just((1 << 20) + 5)],
        events in events(),
    ) {
        let mut host = Host::listening(receive, true);
        host.arrive(SYN, PEER_ISN, None, 0);
        host.poll();
        for event in events {
            match event {
                Event::Arrive(control, sequence, ack, len) => {
                    let Some(view) = host.view() else { break };
                    let sequence = view.rcv_nxt.wrapping_add(sequence as u32);
                    let ack = ack.map(|ack| view.snd_max.wrapping_add(ack as u32));
                    host.arrive(control, sequence, ack, len);
                }
                Event::Poll(millis) => {
                    host.now += Duration::from_millis(millis as u64);
                    host.poll();
                }
                Event::Read(len) => host.read(len),
                Event::Write(len) => host.write(len),
                Event::Close => {
                    // A close in SYN-RECEIVED makes smoltcp take the ACK of its SYN for that of its FIN.
                    if host.state() != State::SynReceived {
                        host.socket().close();
                    }
                }
            }
            if matches!(host.state(), State::Closed | State::Listen) {
                break;
            }
        }
        host.read(1 << 21);
        for (offset, byte) in host.received.iter().enumerate() {
            prop_assert_eq!(*byte, byte_at(from_peer(offset as u32)), "byte {}", offset);
        }
    }
}
