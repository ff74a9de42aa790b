//! What an ordinary user can do on Linux: a network of one's own in a user namespace, the kernel on one
//! end of a veth pair and the stack on the other; and what is said to who may not.
//!
//! A program without the test harness, whose threads would forbid the user namespace. Run as root it
//! starts itself again as nobody. Where user namespaces are forbidden it says so and passes, but fails
//! with `CI=true`. Nothing is sent here, so that there is nothing for tshark.

#[cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-raw"))]
fn main() {
    linux::main();
}

#[cfg(not(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-raw")))]
fn main() {}

#[cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-raw"))]
mod linux {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, exit};

    use goldcrest::phy::{
        Device, KernelInterface, Medium, NetnsError, NetnsKind, RawSocket, RawSocketError, RxToken,
        TunTapError, TunTapInterface, unshare_network, veth_pair, wait,
    };
    use goldcrest::time::{Duration, Instant};

    const NOBODY: u32 = 65_534;

    pub(super) fn main() {
        // The owner of one's own /proc entry is the effective user.
        let user = std::fs::metadata("/proc/self").expect("/proc is there").uid();
        if user == 0 {
            as_nobody();
        }
        what_is_refused_says_what_to_do();
        a_user_namespace_needs_a_process_of_one_thread();
        match unshare_network() {
            Ok(kind) => assert_eq!(kind, NetnsKind::User),
            Err(error) => return skip(&error.to_string()),
        }
        a_raw_socket_on_a_veth_hears_the_kernel();
        a_tap_is_had_or_refused_with_the_reason();
        println!("phy_unprivileged: ok");
    }

    fn as_nobody() -> ! {
        let program = std::env::current_exe().expect("this program has a path");
        match Command::new(program).current_dir("/").gid(NOBODY).uid(NOBODY).status() {
            Ok(status) => exit(status.code().unwrap_or(1)),
            Err(error) => skip(&format!("nobody may not start this program: {error}")),
        }
        exit(0);
    }

    fn skip(reason: &str) {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{reason}");
        println!("skipped: phy_unprivileged: {reason}");
    }

    fn what_is_refused_says_what_to_do() {
        match TunTapInterface::new("gc0", Medium::Ethernet).expect_err("an ordinary user may not") {
            // Where the node is everybody's, it is the interface that is refused.
            error @ TunTapError::NotAllowed(_) => {
                assert!(error.to_string().contains("ip tuntap add dev gc0 mode tap user"), "{error}");
            }
            error @ TunTapError::NodeNotAllowed => {
                assert!(error.to_string().contains("/dev/net/tun: run as root"), "{error}");
            }
            TunTapError::NoDeviceNode => (),
            error => panic!("{error:?}"),
        }
        if let Some(name) = ethernet_interface() {
            let error = RawSocket::new(&name, Medium::Ethernet).expect_err("an ordinary user may not");
            assert!(matches!(error, RawSocketError::NotAllowed), "{error:?}");
            assert!(error.to_string().contains("CAP_NET_RAW"), "{error}");
        }
        let error = veth_pair("gc1", "gc2").expect_err("an ordinary user may not");
        assert!(error.is_not_allowed(), "{error:?}");
        let lo = KernelInterface::by_name("lo").expect("it is everywhere");
        let error = lo.set_down().expect_err("an ordinary user may not");
        assert!(error.to_string().starts_with("cannot take down lo: "), "{error}");
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    }

    /// Some interface of this machine's that carries Ethernet.
    fn ethernet_interface() -> Option<String> {
        let names = std::fs::read_dir("/sys/class/net").ok()?.flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.into_iter().find(|name| {
            let interface = KernelInterface::by_name(name);
            interface.and_then(|found| found.ethernet_address()).is_ok_and(|address| address.is_some())
        })
    }

    fn a_user_namespace_needs_a_process_of_one_thread() {
        let result = std::thread::spawn(unshare_network).join().expect("it does not panic");
        assert!(matches!(result, Err(NetnsError::SeveralThreads)), "{result:?}");
    }

    fn a_raw_socket_on_a_veth_hears_the_kernel() {
        let (kernel, ours) = veth_pair("kernel0", "ours0").expect("root in its own namespace may");
        // In a container /proc/sys may be read-only; then the kernel is a little chattier.
        let _ = (ours.disable_ipv6(), kernel.disable_dad());
        kernel.set_up().unwrap();
        kernel.add_address(Ipv4Addr::new(192, 168, 69, 1).into(), 24).unwrap();
        kernel.disable_tx_offload().unwrap();
        ours.set_up().unwrap();
        let mut device = RawSocket::new("ours0", Medium::Ethernet).unwrap();
        let socket = UdpSocket::bind("192.168.69.1:0").unwrap();
        socket.send_to(b"goldcrest", "192.168.69.2:9").unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        let mut has_asked = false;
        while !has_asked {
            assert!(Instant::now() < end, "the kernel's ARP request did not come");
            wait(device.as_raw_fd(), Some(Duration::from_millis(100))).unwrap();
            while let Some((rx, _)) = device.receive(Instant::now()) {
                has_asked |=
                    rx.consume(|frame| frame[12..14] == [8, 6] && frame[38..42] == [192, 168, 69, 2]);
            }
        }
    }

    fn a_tap_is_had_or_refused_with_the_reason() {
        match TunTapInterface::new("tap0", Medium::Ethernet) {
            Ok(tap) => {
                tap.kernel().set_up().unwrap();
                tap.kernel().add_address(Ipv4Addr::new(192, 168, 70, 1).into(), 24).unwrap();
            }
            Err(TunTapError::NodeNotAllowed | TunTapError::NoDeviceNode) => (),
            Err(error) => panic!("{error:?}"),
        }
    }
}
