//! Addresses that are checked before they are used: duplicate address detection (RFC 4862 §5.4, with the nonces of RFC 7527)
//! and its sibling for IPv4 (RFC 5227 §2.1). One machine serves both; how often is asked, with what, and what is an answer
//! differ ([`Interface::plan_of`], [`Interface::probe`], [`Interface::hear_neighbor`], [`Interface::hear_arp`]).
//!
//! ```text
//!  New --link--> Waiting --random delay, group joined--> Probing --nobody answers--> Valid --lifetime--> gone
//!   ^                                                       | somebody has it
//!   +--------- link comes up, or claimed again -------- Duplicate
//! ```
//!
//! An address that was found free is used from then on whatever is received: an advertisement that says otherwise proves
//! nothing. Its claim stays, with its lifetimes.
//!
//! What is done for IPv4 besides, RFC 5227 has it, is in `acd`.

use super::{AddressOrigin, Autoconf, tick_of};
use crate::config;
use crate::iface::interface::{AddressError, Interface};
use crate::iface::links::Out;
use crate::iface::{arp, ndisc};
use crate::rand::{Domain, Keys};
use crate::stats::DropReason;
use crate::time::{Instant, TICKS_PER_SEC, Ticks};
use crate::wire::Addr;

/// What an address is claimed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) origin: AddressOrigin,
    /// Of the prefix that it is shown with.
    pub(crate) prefix_len: u8,
    /// `None`: for ever.
    pub(crate) preferred_until: Option<Instant>,
    /// `None`: for ever; never before `preferred_until`.
    pub(crate) valid_until: Option<Instant>,
}

impl Terms {
    pub(crate) const fn for_ever(origin: AddressOrigin, prefix_len: u8) -> Terms {
        Terms { origin, prefix_len, preferred_until: None, valid_until: None }
    }

    /// How long the prefix is that an own address puts on the link: a router's says nothing of that (RFC 5942 §4).
    fn on_link_len(&self) -> u8 {
        if self.origin == AddressOrigin::RouterAdvertisement { 128 } else { self.prefix_len }
    }
}

/// How far an address has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for the link, or for the next poll.
    New,
    /// For a random time: many hosts may have started at once.
    Waiting,
    /// Others are being asked.
    Probing,
    /// It is an own address.
    Valid,
    /// Another has it.
    Duplicate,
}

/// An address that is checked, or has lifetimes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(super) addr: Addr,
    pub(super) terms: Terms,
    pub(super) stage: Stage,
    pub(super) is_deprecated: bool,
    /// Questions that are still to come, and how many have gone.
    pub(super) left: u8,
    sent: u8,
    /// When a stage before `Valid` goes on.
    pub(super) due: Ticks,
    /// What the nonces of its questions are made of.
    salt: u32,
    /// Another has said, not long ago, that it has the address, too.
    pub(super) is_defending: bool,
    /// How many identifiers before this one were another's (RFC 7217 §5).
    #[cfg(feature = "iface-slaac")]
    pub(super) duplicates: u8,
}

impl Claim {
    pub(super) const fn new(addr: &Addr, terms: Terms) -> Claim {
        Claim {
            addr: *addr,
            terms,
            stage: Stage::New,
            is_deprecated: false,
            left: 0,
            sent: 0,
            due: Ticks(0),
            salt: 0,
            is_defending: false,
            #[cfg(feature = "iface-slaac")]
            duplicates: 0,
        }
    }

    fn is_checked(&self) -> bool {
        matches!(self.stage, Stage::New | Stage::Waiting | Stage::Probing)
    }

    /// When it has to be looked at.
    fn poll_at(&self, now: Instant, is_up: bool) -> Option<Ticks> {
        let check = match self.stage {
            Stage::Waiting | Stage::Probing => Some(self.due),
            Stage::New => Some(Ticks::from_instant(now)),
            Stage::Valid => Some(self.due).filter(|_| self.left > 0 || self.is_defending),
            Stage::Duplicate => None,
        };
        let tick = |at: Option<Instant>| at.map(|at| tick_of(at, now));
        let deprecated_at = tick(self.terms.preferred_until.filter(|_| !self.is_deprecated));
        let end = Ticks::earlier(deprecated_at, tick(self.terms.valid_until));
        Ticks::earlier(check.filter(|_| is_up), end)
    }

    /// Whether a nonce was in one of its last questions.
    fn has_sent(&self, keys: &Keys, nonce: &[u8]) -> bool {
        (1..=config::NEIGHBOR_SOLICITATIONS)
            .any(|back| nonce == self.nonce(keys, self.sent.wrapping_sub(back)))
    }

    /// The nonce of a question: each has another (RFC 7527 §4.1).
    fn nonce(&self, keys: &Keys, number: u8) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] =
            keys.hash(Domain::Autoconf, &[self.salt, 0x6e6f, number.into()]).to_be_bytes();
        [a, b, c, d, e, f]
    }
}

/// The claims of an interface.
pub(super) struct Claims {
    table: [Option<Claim>; config::CLAIMS],
    has_deprecated: bool,
}

impl Claims {
    pub(super) const LEN: usize = config::CLAIMS;

    pub(super) const fn new() -> Claims {
        Claims { table: [None; Self::LEN], has_deprecated: false }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.table.iter().flatten()
    }

    pub(super) fn get(&self, addr: &Addr) -> Option<&Claim> {
        self.iter().find(|claim| claim.addr == *addr)
    }

    /// The first address of which it holds.
    #[cfg(feature = "iface-slaac")]
    pub(super) fn find(&self, holds: impl Fn(&Claim) -> bool) -> Option<Addr> {
        self.iter().find(|claim| holds(claim)).map(|claim| claim.addr)
    }

    pub(super) fn get_mut(&mut self, addr: &Addr) -> Option<&mut Claim> {
        self.table.iter_mut().flatten().find(|claim| claim.addr == *addr)
    }

    pub(super) fn probed(&self) -> impl Iterator<Item = &Addr> {
        self.iter().filter(|claim| claim.stage == Stage::Probing).map(|claim| &claim.addr)
    }

    pub(super) fn remove(&mut self, addr: &Addr) -> bool {
        let place = self.table.iter_mut().find(|entry| entry.is_some_and(|claim| claim.addr == *addr));
        let was_there = place.and_then(Option::take).is_some();
        self.note_deprecated();
        was_there
    }

    fn note_deprecated(&mut self) {
        let has_deprecated = self.iter().any(|claim| claim.is_deprecated);
        self.has_deprecated = has_deprecated;
    }

    #[inline]
    pub(super) fn has_deprecated(&self) -> bool {
        self.has_deprecated
    }

    pub(super) fn is_deprecated(&self, own: &Addr) -> bool {
        self.get(own).is_some_and(|claim| claim.is_deprecated)
    }

    pub(super) fn poll_at(&self, now: Instant, is_up: bool) -> Option<Ticks> {
        self.iter().fold(None, |at, claim| Ticks::earlier(at, claim.poll_at(now, is_up)))
    }
}

/// How an address is asked for; times in ticks.
struct Plan {
    /// How long to wait before, at least, and by how much more at most.
    least_wait: u32,
    wait: u32,
    probes: u8,
    /// Between two questions, and by how much more it may be.
    interval: u32,
    spread: u32,
    /// After the last one.
    last_wait: u32,
}

impl Autoconf {
    pub(super) fn claim_at(&self, index: usize) -> Option<Claim> {
        self.claims.table.get(index).copied().flatten()
    }

    pub(super) fn put(&mut self, index: usize, claim: Claim) {
        if let Some(place) = self.claims.table.get_mut(index) {
            *place = Some(claim);
        }
    }

    #[cfg(feature = "iface-slaac")]
    pub(super) fn set_terms(&mut self, addr: &Addr, terms: Terms) {
        if let Some(claim) = self.claims.get_mut(addr) {
            claim.terms = terms;
        }
    }

    #[cfg(feature = "iface-slaac")]
    pub(super) fn note_duplicates(&mut self, addr: &Addr, count: u8) {
        if let Some(claim) = self.claims.get_mut(addr) {
            claim.duplicates = count;
        }
    }

    /// How far an address that was claimed has come.
    #[cfg_attr(
        not(feature = "iface-dhcp"),
        allow(dead_code, reason = "who claims addresses for others asks")
    )]
    pub(crate) fn stage_of(&self, addr: &Addr) -> Option<Stage> {
        self.claims.get(addr).map(|claim| claim.stage)
    }
}

impl Interface<'_> {
    /// Claims an address, or changes the terms of one that is claimed; a duplicate is tried again.
    pub(crate) fn claim(&mut self, addr: &Addr, terms: Terms) -> Result<(), AddressError> {
        if !addr.is_unicast() {
            return Err(AddressError::NotUnicast);
        }
        if let Some(claim) = self.autoconf.claims.get_mut(addr) {
            claim.terms = terms;
            if claim.stage == Stage::Duplicate {
                claim.stage = Stage::New;
            }
        } else if self.has_address(addr) {
            return Ok(());
        } else {
            let checked = self.autoconf.claims.iter().filter(|claim| claim.is_checked()).count();
            let has_room = self.own().count() + checked < self.addresses.len();
            let free = self.autoconf.claims.table.iter().position(Option::is_none);
            let index = free.filter(|_| has_room).ok_or(AddressError::Full)?;
            self.autoconf.put(index, Claim::new(addr, terms));
        }
        self.autoconf.has_changed = true;
        self.autoconf.wake();
        Ok(())
    }

    /// RFC 4862 §5.4.2 with §5.1, and RFC 5227 §2.1.1.
    fn plan_of(&self, addr: &Addr) -> Plan {
        let wait = TICKS_PER_SEC;
        if addr.is_v4() {
            let probes = config::ACD_PROBES;
            let least_wait = self.autoconf.acd.least_wait();
            return Plan {
                least_wait,
                wait,
                probes,
                interval: wait,
                spread: wait,
                last_wait: 2 * TICKS_PER_SEC,
            };
        }
        let interval = self.neighbors.times().retransmit;
        Plan {
            least_wait: 0,
            wait,
            probes: self.autoconf.dad_transmits,
            interval,
            spread: 0,
            last_wait: interval,
        }
    }

    /// Takes a claim to its next stage, if it is time.
    pub(super) fn check_claim(&mut self, index: usize, out: &mut Out<'_>, keys: &Keys) {
        let Some(mut claim) = self.autoconf.claim_at(index).filter(|_| self.link.up) else { return };
        let plan = self.plan_of(&claim.addr);
        let is_due = claim.due.is_due(out.now);
        match claim.stage {
            Stage::New if plan.probes == 0 || !self.is_ethernet() => return self.promote(index, out.now),
            Stage::New => {
                (claim.stage, claim.left, claim.sent) = (Stage::Waiting, plan.probes, 0);
                claim.salt = self.autoconf.draw(keys, out.now, &self.hardware) as u32;
                claim.due = out.now.after(plan.least_wait + self.some_ticks(keys, out.now, plan.wait));
            }
            Stage::Waiting if is_due => {
                // RFC 4862 §5.4.2: the group is joined first. That is told with the next poll, which is now.
                claim.stage = Stage::Probing;
                self.groups.on_change();
            }
            Stage::Probing if is_due && claim.left == 0 => return self.promote(index, out.now),
            Stage::Probing if is_due => {
                if self.probe(out, &claim.addr, claim.nonce(keys, claim.sent)) {
                    (claim.left, claim.sent) = (claim.left - 1, claim.sent.wrapping_add(1));
                }
                let span = plan.interval + self.some_ticks(keys, out.now, plan.spread);
                claim.due = out.now.after(if claim.left == 0 { plan.last_wait } else { span });
            }
            Stage::Valid if is_due => self.keep_valid(&mut claim, out),
            _ => return,
        }
        self.autoconf.put(index, claim);
    }

    /// A time up to `span`, in ticks.
    pub(super) fn some_ticks(&mut self, keys: &Keys, now: Ticks, span: u32) -> u32 {
        let chance = self.autoconf.draw(keys, now, &self.hardware) as u32;
        ((u64::from(chance) * u64::from(span)) >> 32) as u32
    }

    /// Asks once who has an address, and says whether the question went out.
    fn probe(&mut self, out: &mut Out<'_>, addr: &Addr, nonce: [u8; 6]) -> bool {
        match (addr.as_v4(), addr.as_v6()) {
            (Some(target), _) => arp::probe(self, out.slot, &target),
            (_, Some(target)) => ndisc::probe(self, out, target, nonce),
            _ => true,
        }
    }

    /// Nobody has the address: it is ours. Without room it is given up.
    fn promote(&mut self, index: usize, now: Ticks) {
        let Some(mut claim) = self.autoconf.claim_at(index) else { return };
        self.autoconf.has_changed = true;
        claim.stage = Stage::Valid;
        self.begin_to_announce(&mut claim, now);
        self.autoconf.put(index, claim);
        if self.enter_address(claim.addr, claim.terms.on_link_len()).is_err() {
            self.autoconf.forget(&claim.addr);
        }
    }

    /// Somebody else has an address that is being checked.
    fn mark_duplicate(&mut self, addr: &Addr) {
        let checked = self.autoconf.claims.get_mut(addr).filter(|claim| claim.is_checked());
        let Some(claim) = checked else { return };
        net_trace!("{:?} belongs to somebody else", addr);
        claim.stage = Stage::Duplicate;
        if addr.is_v4() {
            self.autoconf.acd.on_conflict();
        }
        self.autoconf.has_changed = true;
        self.groups.on_change();
        self.autoconf.wake();
    }

    /// Time has passed for an address that has lifetimes (RFC 4862 §5.5.4).
    pub(super) fn age_claim(&mut self, index: usize, now: Instant) {
        let Some(mut claim) = self.autoconf.claim_at(index) else { return };
        let is_over = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        if is_over(claim.terms.valid_until) {
            self.drop_claim(&claim.addr);
            return;
        }
        let is_deprecated = is_over(claim.terms.preferred_until);
        if claim.is_deprecated != is_deprecated {
            claim.is_deprecated = is_deprecated;
            self.autoconf.put(index, claim);
            self.autoconf.claims.note_deprecated();
            self.autoconf.has_changed = true;
        }
    }

    /// Gives up an address that was claimed, whether it is used already or not.
    pub(super) fn drop_claim(&mut self, addr: &Addr) {
        self.leave_address(addr);
        self.autoconf.forget(addr);
        self.groups.on_change();
    }

    /// The link has come: others may be on it now.
    pub(super) fn renew_claims(&mut self) {
        for index in 0..Claims::LEN {
            let Some(mut claim) = self.autoconf.claim_at(index) else { continue };
            if claim.stage == Stage::Valid {
                self.leave_address(&claim.addr);
            }
            claim.stage = Stage::New;
            self.autoconf.put(index, claim);
            self.autoconf.has_changed = true;
        }
    }

    /// The link has gone, and with it the answers to what was asked.
    pub(super) fn suspend_claims(&mut self) {
        for claim in self.autoconf.claims.table.iter_mut().flatten().filter(|claim| claim.is_checked()) {
            claim.stage = Stage::New;
        }
    }

    /// A neighbour asks for `target`: one that is about to use it, if it has no address yet. `Some` says that it is an
    /// address that we check (RFC 4862 §5.4.3, RFC 7527 §4.2).
    #[inline(never)]
    pub(crate) fn hear_neighbor(
        &mut self,
        keys: &Keys,
        target: &Addr,
        has_source: bool,
        nonce: Option<&[u8]>,
    ) -> Option<Result<(), DropReason>> {
        let claim = self.autoconf.claims.get_mut(target).filter(|claim| claim.is_checked())?;
        if nonce.is_some_and(|nonce| claim.has_sent(keys, nonce)) {
            // RFC 7527 §4.1: the link sends back what we said; some more questions tell whether it does so only at first.
            claim.left = claim.left.max(config::NEIGHBOR_SOLICITATIONS);
            return Some(Err(DropReason::LoopedProbe));
        }
        // One that asks from an address of its own only wants to talk to whoever has it.
        if has_source {
            return Some(Err(DropReason::NotOurAddress));
        }
        self.mark_duplicate(target);
        Some(Ok(()))
    }

    /// A neighbour says that it has `target` (RFC 4862 §5.4.4), and whether that is an address that we check.
    pub(crate) fn hear_advertised(&mut self, target: &Addr) -> bool {
        let is_checked = self.autoconf.claims.get(target).is_some_and(Claim::is_checked);
        self.mark_duplicate(target);
        is_checked
    }

    /// An ARP message: `sender` has its address, and without one is about to take `target` (RFC 5227 §2.1.1). Ours come
    /// back from some links.
    pub(crate) fn hear_arp(&mut self, sender: &Addr, target: &Addr, hardware: &[u8; 6], now: Ticks) {
        if *hardware == self.hardware {
            return;
        }
        self.mark_duplicate(if sender.is_unspecified() { target } else { sender });
        self.hear_rival(sender, now);
    }
}
