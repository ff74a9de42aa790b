//! What a client does when a server has answered (RFC 2131 §4.4).

use super::lease::{Lease, Times};
use super::machine::{Due, State};
use super::{DhcpConfig, DhcpState};
use crate::config;
use crate::iface::autoconf::AddressOrigin;
use crate::iface::autoconf::claims::Terms;
use crate::iface::ingress::Taken;
use crate::iface::interface::Interface;
use crate::rand::Keys;
use crate::stats::DropReason;
use crate::time::{Duration, Instant, Ticks};
use crate::wire::dhcpv4::{MessageType, Operation, Packet, Repr, SERVER_PORT, code};
use crate::wire::{Addr, Ipv4Address};

impl Interface<'_> {
    #[inline]
    pub(crate) fn has_dhcp(&self) -> bool {
        self.autoconf.dhcp.state.is_some()
    }

    /// Whether a packet to an address that is not ours may be an answer: RFC 2131 §4.1 lets servers send to the address that
    /// they are about to lend. `datagram` is what follows the IP header.
    pub(crate) fn is_for_dhcp(&self, dst: &Addr, datagram: &[u8]) -> bool {
        let Some(state) = &self.autoconf.dhcp.state else { return false };
        let to_client = matches!(datagram, [0, 67, 0, 68, ..]);
        to_client && state.phase.awaits_address() && dst.is_v4() && dst.is_unicast()
    }

    /// A message to the client's port; `None` if there is no client.
    pub(crate) fn hear_dhcp(
        &mut self,
        keys: &Keys,
        now: Instant,
        src_port: u16,
        data: &[u8],
    ) -> Option<Taken> {
        let state = self.autoconf.dhcp.state?;
        Some(self.take_dhcp(keys, state, now, src_port, data))
    }

    fn take_dhcp(
        &mut self,
        keys: &Keys,
        mut state: State,
        now: Instant,
        src_port: u16,
        data: &[u8],
    ) -> Taken {
        let repr = Repr::parse(&Packet::new_unchecked(data))?;
        let is_ours = repr.operation == Operation::Reply
            && src_port == SERVER_PORT
            && repr.client.kind() == 1
            && repr.client.as_octets() == self.hardware
            && repr.xid == state.xid
            && state.tries > 0;
        if !is_ours {
            return Err(DropReason::UnexpectedDhcp);
        }
        let fuzz = self.autoconf.draw(keys, Ticks::from_instant(now), &self.hardware) as u16;
        let taken = self.dhcp_answer(&mut state, &repr, data, now, fuzz);
        if taken.is_ok() {
            self.autoconf.dhcp.state = Some(state);
            self.autoconf.wake();
        }
        taken
    }

    fn dhcp_answer(
        &mut self,
        state: &mut State,
        repr: &Repr<'_>,
        data: &[u8],
        now: Instant,
        fuzz: u16,
    ) -> Taken {
        use DhcpState::{Informing, Rebinding, Rebooting, Renewing, Requesting, Selecting};
        let options = &repr.options;
        // RFC 2131 table 3: all answers name their server.
        let server = options
            .address(code::SERVER_ID)
            .filter(|server| is_host(*server))
            .ok_or(DropReason::UnexpectedDhcp)?;
        let is_chosen = state.phase != Requesting || server == state.server;
        let is_rapid = state.config.rapid_commit && options.get(code::RAPID_COMMIT).is_some();
        match (state.phase, options.message_type()) {
            (Selecting, Some(MessageType::OFFER)) => on_offer(state, repr, server, now),
            (Selecting, Some(MessageType::ACK)) if is_rapid => self.on_ack(state, repr, data, now, fuzz),
            (Requesting | Rebooting | Renewing | Rebinding, Some(MessageType::ACK)) if is_chosen => {
                self.on_ack(state, repr, data, now, fuzz)
            }
            (Requesting | Rebooting | Renewing | Rebinding, Some(MessageType::NAK)) if is_chosen => {
                self.on_nak(state, now);
                Ok(())
            }
            (Informing, Some(MessageType::ACK)) => self.on_information(state, data),
            _ => Err(DropReason::UnexpectedDhcp),
        }
    }

    /// An address is lent, or lent for longer.
    fn on_ack(&mut self, state: &mut State, repr: &Repr<'_>, data: &[u8], now: Instant, fuzz: u16) -> Taken {
        let times = Times::of(&repr.options, state.asked_at, fuzz).filter(|_| is_host(repr.yiaddr));
        let times = times.ok_or(DropReason::UnexpectedDhcp)?;
        let lease = Lease::of(data, repr.yiaddr, Some(times)).ok_or(DropReason::TooBig)?;
        let was_bound = matches!(state.phase, DhcpState::Renewing | DhcpState::Rebinding);
        let is_same = was_bound && state.addr == Some(repr.yiaddr);
        if is_same {
            self.drop_routes(state);
        } else {
            self.end_lease(state);
        }
        let cidr = lease.cidr();
        let terms = Terms {
            valid_until: times.expires_at,
            preferred_until: times.expires_at,
            ..Terms::for_ever(AddressOrigin::Dhcp, cidr.prefix_len())
        };
        let claimed = self.claim(&Addr::v4(repr.yiaddr.octets()), terms);
        if claimed.is_err() {
            // There is no room for it; later there may be.
            state.enter_at(DhcpState::Init, now + config::DHCP_DECLINE_WAIT);
            return Ok(());
        }
        (state.addr, state.server) = (Some(repr.yiaddr), lease.server().unwrap_or(state.server));
        state.enter(if is_same { DhcpState::Bound } else { DhcpState::Checking });
        // A new address may be given up before it was checked, if its time is over.
        let due = if is_same { times.renew_at } else { times.expires_at };
        state.due = due.map_or(Due::Never, Due::At);
        if is_same {
            self.use_lease(state, &lease);
        }
        self.autoconf.dhcp.lease = Some(lease);
        self.autoconf.has_changed = true;
        Ok(())
    }

    /// RFC 2131 §3.1, step 4: all begins anew; the more often, the later.
    fn on_nak(&mut self, state: &mut State, now: Instant) {
        self.end_lease(state);
        state.addr = None;
        let wait = Duration::from_secs(1) * ((1 << state.naks.min(6)) - 1);
        state.naks = state.naks.saturating_add(1);
        state.enter_at(DhcpState::Init, now + wait);
    }

    /// All but an address.
    fn on_information(&mut self, state: &mut State, data: &[u8]) -> Taken {
        let own = state.addr.ok_or(DropReason::UnexpectedDhcp)?;
        let lease = Lease::of(data, own, None).ok_or(DropReason::TooBig)?;
        self.drop_routes(state);
        state.enter(DhcpState::Informed);
        state.due = Due::Never;
        self.use_lease(state, &lease);
        self.autoconf.dhcp.lease = Some(lease);
        self.autoconf.has_changed = true;
        Ok(())
    }

    /// What came with an address is used.
    pub(super) fn use_lease(&mut self, state: &mut State, lease: &Lease) {
        if state.config.use_routes {
            state.routes = lease.add_routes(self.routes_mut());
        }
        if state.config.use_mtu {
            self.autoconf.dhcp.mtu = lease.mtu();
            self.settle_mtu();
        }
    }

    /// The routes of the last lease go.
    fn drop_routes(&mut self, state: &mut State) {
        let added = core::mem::take(&mut state.routes);
        let Some(lease) = self.autoconf.dhcp.lease.take() else { return };
        lease.remove_routes(added, self.routes_mut());
        self.autoconf.dhcp.lease = Some(lease);
    }
}

/// The first offer that has what is needed is taken.
fn on_offer(state: &mut State, repr: &Repr<'_>, server: Ipv4Address, now: Instant) -> Taken {
    if let Some(wait) = ipv6_only(&state.config, repr) {
        state.enter_at(DhcpState::Ipv6Only, now + wait);
        return Ok(());
    }
    let has_time = repr.options.number(code::LEASE_TIME).is_some_and(|time| time > 0);
    if !has_time || !is_host(repr.yiaddr) {
        return Err(DropReason::UnexpectedDhcp);
    }
    (state.addr, state.server) = (Some(repr.yiaddr), server);
    state.enter(DhcpState::Requesting);
    // Answers to what is sent next come for the same number.
    Ok(())
}

/// RFC 8925 §3.4: for so long no address is asked for.
fn ipv6_only(config: &DhcpConfig, repr: &Repr<'_>) -> Option<Duration> {
    let seconds = repr.options.number(code::IPV6_ONLY).filter(|_| config.ipv6_only)?;
    Some(Duration::from_secs(u64::from(seconds).max(config::DHCP_MIN_IPV6_ONLY)))
}

/// Whether it can be a host's.
fn is_host(addr: Ipv4Address) -> bool {
    !addr.is_unspecified()
        && !addr.is_loopback()
        && !addr.is_multicast()
        && !addr.is_broadcast()
        && addr.octets()[0] < 240
}

impl DhcpState {
    /// Whether an answer may be sent to an address that is not ours yet.
    fn awaits_address(self) -> bool {
        matches!(self, DhcpState::Selecting | DhcpState::Requesting | DhcpState::Rebooting)
    }
}
