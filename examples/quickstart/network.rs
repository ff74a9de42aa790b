//! A network of our own: a namespace in which the kernel is on one end of a cable and we on the other.

use std::thread;
use std::time::Duration;

use goldcrest::phy::{
    KernelInterface, Medium, NetnsKind, RawSocket, TunTapInterface, unshare_network, veth_pair,
};

use crate::{PEER, PREFIX_LEN, Result};

/// Our end of the cable.
pub(crate) enum Cable {
    /// The kernel hands its frames to us directly.
    Tap(TunTapInterface),
    /// The kernel has both ends of a cable, and we see the frames that arrive at one.
    Veth(RawSocket),
}

/// The network that was made, and what it is.
pub(crate) struct Network {
    pub(crate) cable: Cable,
    pub(crate) text: String,
}

/// Moves this thread, and all that it starts, into a new namespace, and connects us there.
pub(crate) fn make() -> Result<Network> {
    let namespace = match unshare_network()? {
        NetnsKind::Privileged => "a network namespace of our own",
        _ => "a user and network namespace of our own",
    };
    let tap = TunTapInterface::new("tap0", Medium::Ethernet);
    let (cable, kind) = match tap {
        Ok(tap) => {
            set_up(tap.kernel())?;
            (Cable::Tap(tap), "a TAP".to_owned())
        }
        Err(error) => {
            log::info!("no TAP: {error}");
            (Cable::Veth(veth()?), "a veth pair and a raw socket".to_owned())
        }
    };
    Ok(Network { cable, text: format!("Goldcrest and the Linux kernel, by {kind} in {namespace}:") })
}

/// Gives the kernel its addresses.
fn set_up(kernel: &KernelInterface) -> Result<()> {
    // A container may not let us; then the kernel only takes a second longer.
    if let Err(error) = kernel.disable_dad() {
        log::info!("{error}");
    }
    kernel.set_up()?;
    for (address, prefix_len) in PEER.into_iter().zip(PREFIX_LEN) {
        kernel.add_address(address, prefix_len)?;
    }
    Ok(())
}

fn veth() -> Result<RawSocket> {
    let (kernel, ours) = veth_pair("kernel0", "goldcrest0")?;
    if let Err(error) = ours.disable_ipv6() {
        log::info!("{error}");
    }
    ours.set_up()?;
    set_up(&kernel)?;
    // The kernel would leave checksums and segmentation to hardware that isn't there.
    kernel.disable_tx_offload()?;
    await_carrier(&kernel)?;
    Ok(RawSocket::new("goldcrest0", Medium::Ethernet)?)
}

/// The kernel takes a moment to notice that both ends are up, and until then loses what is sent.
fn await_carrier(kernel: &KernelInterface) -> Result<()> {
    for _ in 0..1_000 {
        if kernel.is_running()? {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(format!("{} has no carrier", kernel.name()).into())
}
