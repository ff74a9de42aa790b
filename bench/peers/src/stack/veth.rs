//! The kernel with itself, in two namespaces with a veth pair between them: what a TAP is measured by.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use goldcrest::phy::{KernelInterface, unshare_network};

use crate::case::{Direction, Setting};
use crate::client::{self, KERNEL, PORT, STACK, Stream, Transfer};
use crate::measure;

const NEAR: &str = "near0";
const FAR: &str = "far0";
/// Octets of a read or a write.
const CHUNK: usize = 256 << 10;

/// One transfer. The far end stands for a stack; buffers are what the kernel finds best.
pub(crate) fn run(setting: &Setting, span: Duration) -> Result<Transfer> {
    let (told, hears) = mpsc::channel();
    let (go, goes) = mpsc::channel();
    thread::scope(|scope| {
        let far = scope.spawn(move || far_end(setting, span, &told, &goes));
        let namespace = hears.recv().context("the far end has no namespace")?;
        let near = make_pair(&namespace).and_then(|()| prepare(NEAR, KERNEL.into(), setting.offloads));
        let _ = go.send(());
        near?;
        let _ = hears.recv();
        let transfer = client::run(setting.direction, STACK, span);
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

fn far_end(setting: &Setting, span: Duration, told: &Sender<String>, goes: &Receiver<()>) -> Result<()> {
    measure::pin(0);
    unshare_network().map_err(|error| anyhow!("{error}"))?;
    let place = std::fs::read_link("/proc/thread-self")?;
    told.send(format!("/proc/{}/ns/net", place.display()))?;
    goes.recv()?;
    prepare(FAR, STACK.into(), setting.offloads)?;
    let listener = TcpListener::bind((IpAddr::V4(STACK), PORT))?;
    told.send(String::new())?;
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    match setting.direction {
        Direction::Send => send(&mut stream, Instant::now() + span),
        Direction::Receive => receive(&mut stream),
    }
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
