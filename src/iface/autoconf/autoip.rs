//! An IPv4 address of one's own choice where nobody lends one (RFC 3927): in 169.254.0.0/16, good on its link alone.

use super::AddressOrigin;
use super::claims::{Stage, Terms};
use crate::iface::interface::Interface;
use crate::wire::{Addr, Ipv4Address};

/// When an interface chooses an IPv4 address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoIpMode {
    /// Always, beside others.
    Always,
    /// While no DHCP server has lent one: if there is no client, or if nobody has answered three of its messages, which takes
    /// about half a minute. When one has, the address goes (RFC 3927 §1.9).
    WithoutDhcp,
}

/// What is chosen.
pub(super) struct AutoIp {
    mode: Option<AutoIpMode>,
    addr: Option<Ipv4Address>,
    /// How many were found taken.
    taken: u32,
}

impl AutoIp {
    pub(super) const fn new() -> AutoIp {
        AutoIp { mode: None, addr: None, taken: 0 }
    }
}

/// RFC 3927 §2.1: one of 169.254.1.0 to 169.254.254.255, which follows from the hardware address, so that a host has the
/// same each time; and the one after it if others have those before.
fn candidate(hardware: &[u8; 6], taken: u32) -> Ipv4Address {
    let [a, b, c, d, e, f] = *hardware;
    let seed = u64::from_be_bytes([0, 0, a, b, c, d, e, f]).wrapping_add(u64::from(taken) << 48);
    // The mixing steps of SplitMix64 (Steele, Lea and Flood, 2014).
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    let host = ((mixed >> 32) * (254 * 256)) >> 32;
    Ipv4Address::from_bits(0xa9fe_0100 + host as u32)
}

impl Interface<'_> {
    /// Chooses an IPv4 address of the interface's own, which is checked before it is used, announced and defended
    /// (RFC 3927, RFC 5227); `None` ends it. What it is [`addresses`](Self::addresses) says. Only on Ethernet.
    pub fn set_autoip(&mut self, mode: Option<AutoIpMode>) {
        self.autoconf.autoip.mode = mode.filter(|_| self.is_ethernet());
        self.autoconf.wake();
    }

    /// Chooses an address, or gives it up.
    pub(super) fn run_autoip(&mut self) {
        let AutoIp { mode, addr, .. } = self.autoconf.autoip;
        let is_wanted = match mode {
            None => false,
            Some(AutoIpMode::Always) => true,
            // One that is there stays until there is another.
            Some(AutoIpMode::WithoutDhcp) if addr.is_some() => !self.dhcp_has_address(),
            Some(AutoIpMode::WithoutDhcp) => self.dhcp_is_in_vain(),
        };
        match addr {
            Some(addr) if !is_wanted => self.drop_autoip(addr),
            Some(addr) => match self.autoconf.stage_of(&Addr::v4(addr.octets())) {
                Some(Stage::Duplicate) => {
                    self.drop_autoip(addr);
                    self.autoconf.autoip.taken = self.autoconf.autoip.taken.wrapping_add(1);
                    self.choose_autoip();
                }
                Some(_) => {}
                None => self.autoconf.autoip.addr = None, // the application has taken it away
            },
            None if is_wanted => self.choose_autoip(),
            None => {}
        }
    }

    fn choose_autoip(&mut self) {
        let addr = candidate(&self.hardware, self.autoconf.autoip.taken);
        let terms = Terms::for_ever(AddressOrigin::AutoIp, 16);
        // Without room for it there is none, until something changes.
        let is_claimed = self.claim(&Addr::v4(addr.octets()), terms).is_ok();
        self.autoconf.autoip.addr = Some(addr).filter(|_| is_claimed);
    }

    fn drop_autoip(&mut self, addr: Ipv4Address) {
        self.drop_claim(&Addr::v4(addr.octets()));
        self.autoconf.autoip.addr = None;
        self.autoconf.has_changed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 3927 §2.1
    #[test]
    fn candidates_are_spread_over_the_range_and_follow_from_the_hardware_address() {
        let mut hosts = std::collections::BTreeSet::new();
        for n in 0..65_024_u32 {
            let [a, b, c, d] = n.to_be_bytes();
            let addr = candidate(&[2, 0, a, b, c, d], n % 3);
            assert_eq!(addr, candidate(&[2, 0, a, b, c, d], n % 3));
            let [first, second, third, last] = addr.octets();
            assert!((first, second) == (169, 254) && (1..=254).contains(&third), "{addr}");
            hosts.insert((third, last));
        }
        // As many as chance would find: 1 - 1/e of all.
        assert!((40_500..41_700).contains(&hosts.len()), "{}", hosts.len());
        assert_ne!(candidate(&[2, 0, 0, 0, 0, 1], 0), candidate(&[2, 0, 0, 0, 0, 1], 1));
    }
}
