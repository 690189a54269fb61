//! Connections of a stack among the other things that a program waits for: in an epoll loop, and as tokio's streams.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration as WallDuration;

use pagewire_emu::EmulatedNic;
use pagewire_nic::ixgbe::{IxgbeRx, IxgbeTx};
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::sockets::streams::Streams;
use pagewire_stack::sockets::{Ready, Token, Trigger};
use pagewire_stack::{Instant, IpEndpoint};
use pagewire_tests::{PORT, Pair, Setup, address_v4};
use rustix::event::{Timespec, epoll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

const PIPE: u64 = 1;
const STACK: u64 = 2;

/// An epoll of a pipe's read end and of the far stack.
fn watch(pair: &mut Pair, pipe: &File) -> OwnedFd {
    let watch = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let readable = epoll::EventFlags::IN;
    epoll::add(&watch, pipe, epoll::EventData::new_u64(PIPE), readable).unwrap();
    let stack = pair.far.stack.event_descriptor().unwrap();
    epoll::add(&watch, stack, epoll::EventData::new_u64(STACK), readable).unwrap();
    watch
}

/// What is readable now.
fn readable(watch: &OwnedFd) -> Vec<u64> {
    let mut events = Vec::with_capacity(8);
    let now = Timespec::default();
    epoll::wait(watch, rustix::buffer::spare_capacity(&mut events), Some(&now)).unwrap();
    let mut ready: Vec<_> = events.iter().map(|event| event.data.u64()).collect();
    ready.sort_unstable();
    ready
}

fn pipe() -> (File, File) {
    let (read, write) = rustix::pipe::pipe().unwrap();
    (File::from(read), File::from(write))
}

#[test]
fn one_epoll_loop_waits_for_a_pipe_of_the_kernels_and_for_sockets_of_the_stack() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    let (mut read, mut write) = pipe();
    let watch = watch(&mut pair, &read);
    pair.far
        .stack
        .register(far, Token(9), Ready::READABLE, Trigger::Level);
    let mut heard = String::new();
    // What comes by the pipe goes out on the connection, and the near end sends it back there.
    write.write_all(b"one two three ").unwrap();
    let mut left = 3;
    pair.run_until(10, |pair| {
        let mut back = vec![];
        pair.near.stack.receive(near, |bytes| {
            back.extend_from_slice(bytes);
            bytes.len()
        });
        pair.near.stack.send_bytes(near, &back).unwrap();
        for ready in readable(&watch) {
            if ready == PIPE {
                let mut bytes = [0; 64];
                let len = read.read(&mut bytes).unwrap();
                pair.far.stack.send_bytes(far, &bytes[..len]).unwrap();
                continue;
            }
            let mut events = vec![];
            pair.far.stack.events(&mut events);
            for event in events {
                assert_eq!((event.token, event.ready), (Token(9), Ready::READABLE));
                pair.far.stack.receive(far, |bytes| {
                    heard.push_str(std::str::from_utf8(bytes).unwrap());
                    bytes.len()
                });
                left -= 1;
                if left > 0 {
                    write.write_all(b"and again ").unwrap();
                }
            }
        }
        left == 0
    });
    assert_eq!(heard, "one two three and again and again ");
    pair.finish();
}

#[test]
fn the_descriptor_is_readable_while_events_wait_and_quiet_when_they_were_told() {
    let mut pair = Pair::new(&Setup::default());
    let (near, far) = pair.connect(address_v4(2));
    let (read, _write) = pipe();
    let watch = watch(&mut pair, &read);
    for trigger in [Trigger::Edge, Trigger::Level] {
        let stack = &mut pair.far.stack;
        stack.register(far, Token(1), Ready::READABLE, trigger);
        assert!(readable(&watch).is_empty(), "{trigger:?}: nothing has happened");
        pair.near.stack.send_bytes(near, b"bytes").unwrap();
        pair.run_for(1);
        assert_eq!(readable(&watch), [STACK], "{trigger:?}");
        let mut events = vec![];
        pair.far.stack.events(&mut events);
        assert_eq!(events.len(), 1);
        // A level is told until the bytes are taken, an edge once.
        assert_eq!(readable(&watch).is_empty(), trigger == Trigger::Edge);
        pair.far.stack.receive(far, <[u8]>::len);
        pair.far.stack.events(&mut events);
        assert_eq!(events.len(), 1, "{trigger:?}: there is nothing more to tell");
        assert!(readable(&watch).is_empty());
        pair.run_for(1);
    }
    // Events that wait already when somebody asks for the descriptor of another stack show at once.
    let stack = &mut pair.near.stack;
    stack.register(near, Token(1), Ready::WRITABLE, Trigger::Level);
    let early = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let descriptor = stack.event_descriptor().unwrap();
    epoll::add(
        &early,
        descriptor,
        epoll::EventData::new_u64(STACK),
        epoll::EventFlags::IN,
    )
    .unwrap();
    assert_eq!(readable(&early), [STACK]);
    pair.finish();
}

/// The connections of one of our machines.
type TestStreams = Streams<IxgbeTx<EmulatedNic>, IxgbeRx<EmulatedNic>>;

/// Runs `work` beside both machines of a pair, within a minute.
fn with_streams<F: Future<Output = ()>>(work: impl FnOnce(TestStreams, TestStreams) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let Pair { near, far, .. } = Pair::new(&Setup::default());
    let (ours, theirs) = (Streams::new(near.stack), Streams::new(far.stack));
    let machines = [(ours.clone(), near.device), (theirs.clone(), far.device)];
    let tasks = LocalSet::new();
    tasks.spawn_local(async move {
        for micros in 1.. {
            for (streams, device) in &machines {
                streams.poll(Instant::from_micros(micros));
                device.step(WallDuration::from_micros(micros as u64));
            }
            yield_now().await;
        }
    });
    let work = async { timeout(WallDuration::from_secs(60), work(ours, theirs)).await };
    let done = runtime.unwrap().block_on(tasks.run_until(work));
    done.expect("it takes no minute");
}

#[test]
fn twenty_clients_get_their_own_bytes_back_from_an_echo_of_tokio_tasks() {
    with_streams(|ours, theirs| async move {
        let listener = theirs.listen(PORT, ListenerConfig::default()).unwrap();
        spawn_local(async move {
            loop {
                let mut stream = listener.accept().await;
                spawn_local(async move {
                    let mut bytes = vec![0; 10_000];
                    while let Ok(len @ 1..) = stream.read(&mut bytes).await {
                        stream.write_all(&bytes[..len]).await.unwrap();
                    }
                    stream.shutdown().await.unwrap();
                });
            }
        });
        let clients: Vec<_> = (0..20_u8)
            .map(|client| {
                let ours = ours.clone();
                spawn_local(async move {
                    let stream = ours.connect(IpEndpoint::new(address_v4(2), PORT)).await.unwrap();
                    let sent: Vec<u8> = (0..2_000_003_u32).map(|at| (at >> 5) as u8 ^ client).collect();
                    let sent = Rc::new(sent);
                    let (mut read, mut write) = tokio::io::split(stream);
                    let all = Rc::clone(&sent);
                    spawn_local(async move {
                        write.write_all(&all).await.unwrap();
                        write.shutdown().await.unwrap();
                    });
                    let mut back = vec![];
                    read.read_to_end(&mut back).await.unwrap();
                    assert!(back == *sent, "client {client} got other bytes back");
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        // Nothing is left of connections that both ends have finished; the last ACKs are still to be waited for.
        let ended = || theirs.with(|stack| stack.connection_count()) == 0;
        while !ended() {
            yield_now().await;
        }
    });
}

#[test]
fn what_a_stream_cannot_do_is_the_error_that_a_kernel_socket_would_give() {
    with_streams(|ours, theirs| async move {
        let nobody = ours.connect(IpEndpoint::new(address_v4(2), 9)).await;
        assert_eq!(
            nobody.err().unwrap().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
        let listener = theirs.listen(PORT, ListenerConfig::default()).unwrap();
        let taken = theirs.listen(PORT, ListenerConfig::default()).err().unwrap();
        assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
        let mut stream = ours.connect(IpEndpoint::new(address_v4(2), PORT)).await.unwrap();
        let other = listener.accept().await;
        theirs.with(|stack| stack.abort(other.id(), pagewire_stack::Failure::Aborted));
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let error = stream.write_u8(1).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}
