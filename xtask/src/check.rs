//! What is run before each commit: format, lints, features, Cortex-M, unit tests.

use anyhow::Result;

use crate::steps::{self, Step};
use crate::thumb;

/// Combinations of features that must build on the host, beside the default.
const FEATURES: &[(&str, &str)] = &[
    ("IPv4, no alloc", "medium-ethernet,proto-ipv4,socket-udp,socket-tcp"),
    ("IPv6, no alloc", "medium-ethernet,proto-ipv6,socket-udp,socket-tcp"),
    ("bare IP, no alloc", "medium-ip,proto-ipv4,proto-ipv6,socket-udp,socket-tcp"),
    ("bare IPv4, UDP", "medium-ip,proto-ipv4,socket-udp"),
    ("IPv4, UDP", "medium-ethernet,proto-ipv4,socket-udp"),
    ("IPv4, connected UDP", "medium-ethernet,proto-ipv4,udp-connect"),
    ("IPv6, UDP with metadata", "medium-ip,proto-ipv6,udp-metadata"),
    ("IPv4, UDP-Lite", "medium-ip,proto-ipv4,socket-udplite"),
    ("IPv4, groups", "medium-ethernet,proto-ipv4,socket-udp,iface-multicast"),
    ("IPv6, groups without sockets", "medium-ethernet,proto-ipv6,iface-multicast"),
    ("IPv6, ICMP sockets", "medium-ethernet,proto-ipv6,socket-icmp,iface-neighbors"),
    ("IPv4, addresses that are checked", "medium-ethernet,proto-ipv4,iface-dad"),
    ("IPv6, addresses that are checked", "medium-ethernet,proto-ipv6,socket-udp,iface-dad,iface-multicast"),
    ("IPv6, what routers advertise", "medium-ethernet,proto-ipv6,iface-slaac"),
    ("bare IPv6, addresses that are checked", "medium-ip,proto-ipv6,iface-dad"),
    (
        "IPv4, redirects and sockets tied to an interface",
        "medium-ethernet,proto-ipv4,iface-redirects,socket-interface,udp-connect",
    ),
    (
        "IPv6, the same with TCP",
        "medium-ethernet,proto-ipv6,iface-redirects,socket-interface,tcp-connect,socket-raw",
    ),
    ("IPv4, raw sockets", "medium-ethernet,proto-ipv4,socket-raw"),
    ("IPv6, TCP", "medium-ethernet,proto-ipv6,socket-tcp"),
    (
        "IPv4, each mechanism",
        "medium-ethernet,proto-ipv4,socket-udp,socket-tcp,iface-queue,iface-hooks,iface-nud,iface-neighbors,\
         iface-fragments",
    ),
    (
        "IPv4, alloc, big tables",
        "alloc,medium-ethernet,proto-ipv4,socket-udp,socket-tcp,iface-scale,iface-ephemeral,stats-mib",
    ),
    ("IPv4, TCP that connects", "medium-ethernet,proto-ipv4,tcp-connect,tcp-keep-alive,tcp-many-holes"),
    ("IPv4, TCP with CUBIC", "medium-ip,proto-ipv4,tcp-cubic,tcp-connect"),
    ("IPv6, TCP with BBR", "medium-ip,proto-ipv6,tcp-bbr,tcp-connect"),
    (
        "IPv4, TCP with BBR beside all others",
        "medium-ip,proto-ipv4,tcp-bbr,tcp-ecn,tcp-info,tcp-validation,tcp-hystart",
    ),
    ("IPv4, TCP with pacing", "medium-ip,proto-ipv4,tcp-pacing,tcp-connect"),
    ("IPv6, TCP with window validation", "medium-ip,proto-ipv6,tcp-validation,tcp-sack,tcp-connect"),
    ("IPv4, TCP with HyStart++", "medium-ip,proto-ipv4,tcp-hystart,tcp-connect"),
    ("IPv6, TCP with SACK", "medium-ip,proto-ipv6,tcp-sack,tcp-connect"),
    ("IPv4, TCP with timestamps", "medium-ethernet,proto-ipv4,tcp-timestamps,tcp-cookies"),
    ("IPv4, TCP with ECN", "medium-ip,proto-ipv4,tcp-ecn,tcp-info"),
    (
        "IPv6, TCP with ECN, SACK and cookies",
        "medium-ip,proto-ipv6,tcp-ecn,tcp-sack,tcp-cookies,tcp-timestamps",
    ),
    ("IPv4, HTTP by reference", "medium-ip,proto-ipv4,app-http,tcp-send-ref"),
    ("IPv6, TCP that listens once", "medium-ip,proto-ipv6,tcp-listen-once,tcp-user-timeout,tcp-cookies"),
    (
        "IPv4, TCP that hears of ICMP",
        "medium-ip,proto-ipv4,tcp-icmp,tcp-linger,tcp-traffic-class,tcp-abort-queue",
    ),
    ("IPv4, TCP that is looked at", "medium-ip,proto-ipv4,tcp-info"),
    ("IPv6, TCP with SACK that is looked at", "medium-ip,proto-ipv6,tcp-sack,tcp-info"),
    ("IPv4, TCP that advises of its timeout", "medium-ip,proto-ipv4,tcp-uto,tcp-connect"),
    ("IPv4, TCP that takes data with the SYN", "medium-ip,proto-ipv4,tcp-fastopen,tcp-timestamps"),
    ("IPv6, TCP with data in SYNs", "medium-ip,proto-ipv6,alloc,tcp-fastopen,tcp-connect,tcp-sack,stats-mib"),
    ("IPv4, TCP with the application's options", "medium-ip,proto-ipv4,tcp-options,tcp-connect"),
    (
        "IPv6, TCP with the application's options beside all others",
        "medium-ethernet,proto-ipv6,tcp-options,tcp-uto,tcp-sack,tcp-timestamps,tcp-abort-queue,tcp-cookies",
    ),
    ("IPv4, HTTP", "medium-ethernet,proto-ipv4,app-http"),
    ("IPv4, TCP with buffers that grow", "medium-ip,proto-ipv4,tcp-grow,tcp-connect"),
    ("IPv4, TCP that watches the path's MTU", "medium-ip,proto-ipv4,tcp-pmtu,tcp-burst,tcp-connect"),
    ("IPv4, TCP whose requests wait", "medium-ip,proto-ipv4,tcp-syn-wait,tcp-cookies"),
    (
        "IPv6, TCP at many ports",
        "medium-ip,proto-ipv6,tcp-listen-range,tcp-listen-once,tcp-listener-settings",
    ),
    ("no sockets", "medium-ethernet,medium-ip,proto-ipv4,proto-ipv6"),
    (
        "alloc, no std",
        "alloc,medium-ethernet,medium-ip,proto-ipv4,proto-ipv6,tcp-connect,tcp-listen-once,tcp-keep-alive,\
         tcp-user-timeout,tcp-icmp,tcp-linger,tcp-traffic-class,tcp-abort-queue,tcp-send-ref,tcp-burst,tcp-grow,tcp-ecn,tcp-syn-wait,tcp-listen-range,tcp-listener-settings,tcp-sack,tcp-cubic,tcp-timestamps,tcp-hystart,tcp-validation,\
         udp-metadata,socket-udplite,socket-icmp,socket-raw,iface-multicast,iface-forward,iface-loopback,iface-queue,iface-hooks,iface-scale,\
         iface-ephemeral,iface-fragments,iface-path-mtu,iface-dad,iface-slaac,\
         tcp-pmtu,stats-mib,phy-loopback,phy-tracer",
    ),
    ("bare IPv4 router, no queue", "medium-ip,proto-ipv4,iface-forward"),
    (
        "IPv6 router",
        "medium-ethernet,proto-ipv6,iface-forward,iface-vlan,iface-fragments,iface-loopback,iface-queue,stats-mib",
    ),
    ("IPv6, UDP cut for the path", "medium-ip,proto-ipv6,iface-path-mtu"),
    ("IPv4 in a VLAN", "medium-ethernet,proto-ipv4,socket-udp,iface-vlan"),
    ("bridge, no alloc", "medium-ethernet,proto-ipv4,iface-bridge"),
    ("IPv4, DHCP", "medium-ethernet,proto-ipv4,iface-dhcp"),
    ("IPv4, an address of its own", "medium-ethernet,proto-ipv4,iface-autoip"),
    ("bridge of IPv6 routers", "medium-ethernet,medium-ip,proto-ipv6,iface-bridge,iface-forward,stats-mib"),
    (
        "router, no alloc",
        "medium-ethernet,medium-ip,proto-ipv4,proto-ipv6,socket-udp,socket-tcp,iface-router,phy-queue",
    ),
];

/// What is no default and all tests have, so that all are of one build.
pub(crate) const ALL: &str = "phy-lan9118,tcp-info,tcp-uto,tcp-options,tcp-fastopen,tcp-bbr";

/// Builds for other systems: a name, the target, the features. The M0+ has no atomic read-modify-write.
const TARGETS: &[(&str, &str, &str)] = &[
    (
        "Cortex-M4, IPv4",
        "thumbv7em-none-eabihf",
        "medium-ethernet,proto-ipv4,socket-udp,socket-tcp,phy-lan9118",
    ),
    (
        "Cortex-M0+, all that needs no std",
        "thumbv6m-none-eabi",
        "alloc,medium-ethernet,medium-ip,proto-ipv4,proto-ipv6,socket-udp,app-http,iface-router,iface-bridge,phy-loopback,\
         phy-queue,phy-tracer,phy-lan9118",
    ),
    // Without the devices of Linux there is nothing that only Linux has.
    (
        "macOS, packets by hand",
        "aarch64-apple-darwin",
        "alloc,medium-ethernet,medium-ip,proto-ipv4,proto-ipv6,socket-udp,tcp-connect,app-http,phy-queue",
    ),
];

/// Runs the check.
pub(crate) fn run() -> Result<()> {
    steps::run(steps())
}

/// The steps of the check.
pub(crate) fn steps() -> Vec<Step> {
    let mut steps = vec![
        Step::cargo("format", "fmt --all --check"),
        Step::cargo(
            "format of the firmware",
            "fmt --check --manifest-path firmware/Cargo.toml -p echo -p mps2 -p size",
        ),
        Step::cargo("clippy", &format!("clippy --workspace --all-targets --features {ALL} -- -D warnings")),
    ];
    for (name, features) in FEATURES {
        // What a reduced build has no use for, the linker drops; the full build finds what nobody uses.
        let flags = "--no-default-features --features";
        let lints = "-- -D warnings -A dead_code -A unused_imports -A unused_macros -A unreachable_pub";
        let command = format!("clippy --package goldcrest --lib {flags} {features} {lints}");
        steps.push(Step::cargo(format!("features: {name}"), &command).alongside());
    }
    for (name, target, features) in TARGETS {
        let command = thumb::cargo("build", target).map(|mut command| {
            command.args([
                "--package",
                "goldcrest",
                "--lib",
                "--release",
                "--no-default-features",
                "--features",
            ]);
            command.arg(features).current_dir(crate::root());
            command
        });
        steps.push(Step::possible(name.to_string(), command).alongside());
    }
    // The engine's own tests again, with linear scans for the table and the heap.
    steps.push(Step::cargo(
        "unit tests without iface-scale",
        "test --package goldcrest --lib --no-default-features --features std,medium-ethernet,medium-ip,proto-ipv4,\
         proto-ipv6,udp-metadata,socket-udplite,socket-icmp,socket-raw,iface-multicast,tcp-cookies,tcp-connect,tcp-listen-once,tcp-keep-alive,\
         tcp-user-timeout,tcp-icmp,tcp-linger,tcp-traffic-class,\
         iface-forward,iface-fragments,iface-loopback,\
         iface-queue,iface-hooks,iface-ephemeral,stats-mib,phy-sim",
    ));
    steps.push(Step::cargo(
        "unit tests without what is optional",
        "test --package goldcrest --lib --no-default-features --features std,medium-ethernet,proto-ipv4,\
         socket-udp,socket-tcp",
    ));
    steps.push(Step::cargo("unit tests", &format!("test --workspace --lib --bins --features {ALL}")));
    steps.push(Step::cargo("layers", &format!("test --workspace --test layers --features {ALL}")));
    steps
}
