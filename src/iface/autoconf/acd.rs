//! What IPv4 addresses need besides being checked (RFC 5227): they are announced when they are ours, and defended
//! when another says that it has one, too; who finds one address after the other taken asks more seldom.

use super::claims::{Claim, Stage};
use crate::config;
use crate::iface::arp;
use crate::iface::interface::Interface;
use crate::iface::links::Out;
use crate::time::{TICKS_PER_SEC, Ticks};
use crate::wire::Addr;

/// What is kept for all IPv4 addresses of an interface.
pub(super) struct Acd {
    /// Addresses that were found taken since one was ours.
    conflicts: u8,
    /// An address is never given up.
    keeps: bool,
}

impl Acd {
    pub(super) const fn new() -> Acd {
        Acd { conflicts: 0, keeps: false }
    }

    pub(super) fn on_conflict(&mut self) {
        self.conflicts = self.conflicts.saturating_add(1);
    }

    /// RFC 5227 §2.1.1: after ten conflicts one address a minute is tried. In ticks.
    pub(super) fn least_wait(&self) -> u32 {
        if self.conflicts < config::ACD_MAX_CONFLICTS { 0 } else { 60 * TICKS_PER_SEC }
    }
}

impl Interface<'_> {
    /// An address is ours: all neighbours are told, twice (RFC 5227 §2.3).
    pub(super) fn begin_to_announce(&mut self, claim: &mut Claim, now: Ticks) {
        let is_told = claim.addr.is_v4() && self.is_ethernet();
        (claim.left, claim.due) = (if is_told { config::ACD_ANNOUNCEMENTS } else { 0 }, now);
        claim.is_defending = false;
        if claim.addr.is_v4() {
            self.autoconf.acd.conflicts = 0;
        }
    }

    /// Time has come to announce an address, or to forget that it was another's, too.
    pub(super) fn keep_valid(&mut self, claim: &mut Claim, out: &mut Out<'_>) {
        let Some(own) = claim.addr.as_v4() else { return };
        if claim.left == 0 {
            claim.is_defending = false;
            return;
        }
        if !arp::announce(self, out.slot, &own) {
            claim.due = out.now.after(config::PORT_RETRY);
            return;
        }
        claim.left -= 1;
        let interval = if claim.left > 0 { 2 * TICKS_PER_SEC } else { config::ACD_DEFEND_INTERVAL };
        claim.due = out.now.after(interval);
    }

    /// Another host may say that it has an address of ours (RFC 5227 §2.4).
    pub(super) fn hear_rival(&mut self, sender: &Addr, now: Ticks) {
        let keeps = self.autoconf.acd.keeps;
        let Some(claim) = self.autoconf.claims.get_mut(sender).filter(|claim| claim.stage == Stage::Valid)
        else {
            return;
        };
        if !claim.is_defending {
            (claim.is_defending, claim.left, claim.due) = (true, 1, now);
            self.autoconf.wake();
            return;
        }
        if keeps {
            return;
        }
        claim.stage = Stage::Duplicate;
        (claim.is_defending, claim.left) = (false, 0);
        net_trace!("{:?} is given up to somebody else", sender);
        self.leave_address(sender);
        self.autoconf.acd.on_conflict();
        self.autoconf.has_changed = true;
        self.autoconf.wake();
    }

    /// Whether IPv4 addresses that were claimed are kept whatever another host says of them: for servers and routers that
    /// others rely on. Unless set, the first time another says within ten seconds that it has one, too, it is told that it
    /// is ours; the second time the address is given up, and shows as a duplicate (RFC 5227 §2.4, b and c).
    pub fn set_keep_addresses(&mut self, keep: bool) {
        self.autoconf.acd.keeps = keep;
    }
}
