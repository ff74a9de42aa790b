//! How large packets may be on the way to whom datagrams go (RFC 8201, feature `iface-path-mtu`).
//!
//! No router cuts an IPv6 packet: what is larger than a link on the way carries is reported by packet too big, and
//! datagrams to that destination are cut smaller from then on, whoever sends them. TCP's connections learn for themselves
//! (`socket/tcp/pmtu.rs`). IPv4 datagrams go without DF, so that routers cut them, and nothing is learned of them.
//!
//! The table is small and of a fixed size. A report is believed if it quotes a packet that we could have sent, and which was
//! larger than what is said to pass; it never makes the path wider, nor narrower than any link of IPv6 is. What was
//! learned is forgotten ten minutes after the last report (RFC 8201 §4), and sooner if there is no room: the oldest goes.

use super::icmp_error::Quote;
use super::ingress::Ingress;
use super::interface::Interface;
use crate::config::{PATH_MTU_LIFE, PATH_MTUS};
use crate::time::Ticks;
use crate::wire::{Addr, IpProtocol, IpVersion, icmpv6};

/// Octets that every link of IPv6 carries (RFC 8200 §5).
const MIN_MTU: u16 = 1_280;

/// What is known of the way to one destination.
#[derive(Debug, Clone, Copy)]
struct Path {
    dst: Addr,
    /// 0: nothing.
    mtu: u16,
    until: Ticks,
}

impl Path {
    const UNKNOWN: Path = Path { dst: Addr::UNSPECIFIED, mtu: 0, until: Ticks(0) };

    /// Ticks that it still holds; 0 if it does not.
    fn left(&self, now: Ticks) -> i32 {
        let left = self.until.since(now);
        // What nobody asked for in half the time that ticks count has come round, and lies ahead.
        let holds = self.mtu != 0 && (1..=PATH_MTU_LIFE as i32).contains(&left);
        if holds { left } else { 0 }
    }
}

/// The destinations that are known to take less than their link carries.
#[derive(Debug)]
pub(crate) struct Paths([Path; PATH_MTUS]);

impl Paths {
    pub(crate) const fn new() -> Paths {
        Paths([Path::UNKNOWN; PATH_MTUS])
    }

    /// Octets that the way to `dst` takes, if less is known of it than of its link.
    pub(crate) fn mtu_to(&self, dst: &Addr, now: Ticks) -> Option<usize> {
        let known = self.0.iter().find(|path| path.dst == *dst && path.left(now) > 0)?;
        Some(known.mtu.into())
    }

    fn learn(&mut self, dst: &Addr, mtu: u16, now: Ticks) {
        // RFC 8201 §4: a report never makes it larger.
        if self.mtu_to(dst, now).is_some_and(|known| known < mtu.into()) {
            return;
        }
        let place = self.0.iter_mut().min_by_key(|path| if path.dst == *dst { -1 } else { path.left(now) });
        if let Some(place) = place {
            *place = Path { dst: *dst, mtu, until: now.after(PATH_MTU_LIFE) };
        }
    }
}

impl Interface<'_> {
    /// A packet of so many octets to `dst` is said to have been too big where no more than `mtu` pass.
    fn on_too_big(&mut self, dst: &Addr, mtu: u32, quoted_len: usize, now: Ticks) {
        let Ok(mtu) = u16::try_from(mtu) else { return };
        // RFC 8201 §4: a smaller one is discarded. One that passes, or that the link does not carry, was not ours.
        if mtu < MIN_MTU || quoted_len <= mtu.into() || quoted_len > self.ip_mtu() {
            return;
        }
        self.paths.learn(dst, mtu, now);
        self.whole_len = self.whole_len.min(MIN_MTU.into());
    }
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// Packet too big has come about what is quoted; `is_told` says whether a socket that has sent it was found.
    #[inline(never)]
    pub(crate) fn learn_path(&mut self, quote: &Quote<'_>, mtu: u32, is_told: bool) {
        let is_routed = !quote.dst.is_v4() && !quote.dst.is_link_local();
        if !is_routed || quote.protocol == IpProtocol::TCP || !(is_told || self.may_have_sent(quote)) {
            return;
        }
        let now = self.links.out.now;
        let Some(route) = self.links.route(&quote.dst, 0) else { return };
        self.links.with_port(route.port, |iface, _| iface.on_too_big(&quote.dst, mtu, quote.len, now));
    }

    /// Whether it may have been sent without a socket, as echo replies are, or by one that made the whole packet.
    fn may_have_sent(&self, quote: &Quote<'_>) -> bool {
        let is_reply = quote.protocol == IpProtocol::ICMPV6
            && quote.payload.first() == Some(&icmpv6::msg_type::ECHO_REPLY);
        is_reply || self.sockets.has_raw(IpVersion::Ipv6, quote.protocol)
    }
}

#[cfg(all(test, feature = "proto-ipv6"))]
mod tests {
    use super::*;

    fn host(last: u8) -> Addr {
        Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
    }

    /// Covers: RFC 8201 §4
    #[test]
    fn what_is_known_holds_ten_minutes_and_does_not_come_back() {
        for start in [Ticks(0), Ticks(u32::MAX - 5)] {
            let mut paths = Paths::new();
            assert_eq!(paths.mtu_to(&Addr::UNSPECIFIED, start), None);
            paths.learn(&host(2), 1_400, start);
            let known_at = |paths: &Paths, after| paths.mtu_to(&host(2), start.after(after));
            assert_eq!(known_at(&paths, 0), Some(1_400));
            assert_eq!(known_at(&paths, PATH_MTU_LIFE - 1), Some(1_400));
            for after in [PATH_MTU_LIFE, PATH_MTU_LIFE + 1, 1 << 31, (1 << 31) + PATH_MTU_LIFE + 1, 3 << 30] {
                assert_eq!(known_at(&paths, after), None, "{after}");
            }
            // Larger is no news, the same is.
            paths.learn(&host(2), 1_500, start.after(10));
            assert_eq!(known_at(&paths, 20), Some(1_400));
            paths.learn(&host(2), 1_400, start.after(1_000));
            assert_eq!(known_at(&paths, PATH_MTU_LIFE + 999), Some(1_400));
            paths.learn(&host(2), 1_300, start.after(1_000));
            assert_eq!(known_at(&paths, 1_001), Some(1_300));
            // When it is forgotten the next report is news.
            paths.learn(&host(2), 1_450, start.after(1_000 + PATH_MTU_LIFE));
            assert_eq!(known_at(&paths, 1_001 + PATH_MTU_LIFE), Some(1_450));
        }
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut paths = Paths::new();
        let count = PATH_MTUS as u8;
        for last in 0..count {
            paths.learn(&host(last), 1_300, Ticks(last.into()));
        }
        paths.learn(&host(0), 1_290, Ticks(100));
        paths.learn(&host(count), 1_300, Ticks(101));
        let known = |last| paths.mtu_to(&host(last), Ticks(102));
        assert_eq!(
            (known(0), known(1), known(2), known(count)),
            (Some(1_290), None, Some(1_300), Some(1_300))
        );
    }
}
