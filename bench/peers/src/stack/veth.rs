//! The kernel with itself, in two namespaces with a veth pair between them: what a TAP is measured by.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use goldcrest::phy::{KernelInterface, unshare_network};

use mio::{Events, Interest, Poll, Token};

use super::LONGEST;
use crate::case::{Setting, Work};
use crate::client::{self, KERNEL, PORT, STACK, Stream, Transfer};
use crate::exchange::{self, answer_to};
use crate::measure;

const NEAR: &str = "near0";
const FAR: &str = "far0";
/// Octets of a read or a write.
const CHUNK: usize = 256 << 10;

/// One transfer. The far end stands for a stack; buffers are what the kernel finds best.
pub(crate) fn run(setting: &Setting, span: Duration) -> Result<Transfer> {
    let (told, hears) = mpsc::channel();
    let (go, goes) = mpsc::channel();
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let far = scope.spawn(move || far_end(setting, span, is_over, &told, &goes));
        let namespace = hears.recv().context("the far end has no namespace")?;
        let near = make_pair(&namespace).and_then(|()| prepare(NEAR, KERNEL.into(), setting.offloads));
        let _ = go.send(());
        near?;
        let _ = hears.recv();
        let transfer = client::run(setting.work, STACK, span);
        is_over.store(true, Ordering::Relaxed);
        far.join().map_err(|_| anyhow!("the far end's thread panicked"))??;
        transfer
    })
}

fn make_pair(namespace: &str) -> Result<()> {
    let words = ["link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", namespace];
    let status = Command::new("ip").args(words).status().context("ip, of the package iproute2")?;
    ensure!(status.success(), "ip {} has failed", words.join(" "));
    Ok(())
}

fn prepare(name: &str, address: IpAddr, offloads: bool) -> Result<()> {
    let interface = KernelInterface::by_name(name)?;
    interface.disable_ipv6()?;
    if !offloads {
        interface.disable_tx_offload()?;
    }
    interface.set_up()?;
    interface.add_address(address, 24)?;
    Ok(())
}

fn far_end(
    setting: &Setting,
    span: Duration,
    is_over: &AtomicBool,
    told: &Sender<String>,
    goes: &Receiver<()>,
) -> Result<()> {
    measure::pin(0);
    unshare_network().map_err(|error| anyhow!("{error}"))?;
    let place = std::fs::read_link("/proc/thread-self")?;
    told.send(format!("/proc/{}/ns/net", place.display()))?;
    goes.recv()?;
    prepare(FAR, STACK.into(), setting.offloads)?;
    let listener = TcpListener::bind((IpAddr::V4(STACK), PORT))?;
    told.send(String::new())?;
    match setting.work {
        Work::Answer { .. } => serve(listener, setting.work.socket_count(), is_over),
        Work::Send => send(&mut accept(&listener)?, Instant::now() + span),
        Work::Receive => receive(&mut accept(&listener)?),
    }
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

fn send(stream: &mut TcpStream, end: Instant) -> Result<()> {
    let mut count = 0;
    while Instant::now() < end {
        count += stream.write(client::octets(count, CHUNK))? as u64;
    }
    Ok(())
}

fn receive(stream: &mut TcpStream) -> Result<()> {
    let (mut progress, mut buffer) = (Stream::default(), vec![0; CHUNK]);
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok(stream.write_all(&client::answer(&progress))?);
        }
        progress.take(&buffer[..len]);
    }
}

/// Answers a request on each connection, and closes it after the client.
fn serve(listener: TcpListener, most: usize, is_over: &AtomicBool) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = mio::net::TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, Token(most), Interest::READABLE)?;
    let mut connections: Vec<Option<mio::net::TcpStream>> =
        std::iter::repeat_with(|| None).take(most).collect();
    let mut events = Events::with_capacity(most + 1);
    while !is_over.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(LONGEST))?;
        for event in &events {
            let Token(at) = event.token();
            if at == most {
                accept_all(&listener, &mut connections, &poll)?;
            } else if let Some(stream) = &mut connections[at]
                && answer(stream)?
            {
                connections[at] = None;
            }
        }
    }
    Ok(())
}

fn accept_all(
    listener: &mio::net::TcpListener,
    connections: &mut [Option<mio::net::TcpStream>],
    poll: &Poll,
) -> Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            stream => stream?.0,
        };
        let at = connections.iter().position(Option::is_none).context("more connections than agreed")?;
        poll.registry().register(&mut stream, Token(at), Interest::READABLE)?;
        connections[at] = Some(stream);
    }
}

/// Answers what has been asked; whether the client has closed.
fn answer(stream: &mut mio::net::TcpStream) -> Result<bool> {
    let mut request = [0; exchange::LEN];
    match stream.read(&mut request) {
        Ok(0) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
        len => ensure!(len? == request.len(), "not a whole request"),
    }
    stream.write_all(&answer_to(&request))?;
    Ok(false)
}
