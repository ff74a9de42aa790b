//! Between which ends and by which interface the packets of a raw socket go, and packets whose header the stack makes.

use super::{Binding, Metadata, SendError, Socket};
use crate::config;
use crate::socket::Bound;
use crate::wire::{Addr, IpAddress, IpProtocol, IpVersion};

/// Between whom a packet goes.
#[derive(Debug)]
pub(super) struct Ends {
    local: Option<Addr>,
    remote: Option<Addr>,
    bound: Bound,
    hop_limit: u8,
}

impl Ends {
    pub(super) const ANY: Ends =
        Ends { local: None, remote: None, bound: Bound::ANY, hop_limit: config::DEFAULT_HOP_LIMIT };
}

/// Why a socket has no such end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndError {
    /// The address is of another version than the socket's packets, or those are no IP packets.
    OtherKind,
    /// It is of a family that is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

error_texts!(EndError:
    OtherKind => "the socket's packets are of another version, or no IP packets",
    FamilyNotBuiltIn => "address family not built in: enable `proto-ipv4` or `proto-ipv6`");

impl Socket<'_> {
    /// Takes only what is sent to this address of ours, and sends from it where a header does not say otherwise; the
    /// unspecified address undoes that.
    pub fn bind(&mut self, local: impl Into<IpAddress>) -> Result<(), EndError> {
        self.ends.local = self.end(local.into())?;
        Ok(())
    }

    /// Takes only what comes from this address, and sends there what [`send_payload`](Self::send_payload) gets without
    /// an address; the unspecified address undoes that.
    pub fn connect(&mut self, remote: impl Into<IpAddress>) -> Result<(), EndError> {
        self.ends.remote = self.end(remote.into())?;
        Ok(())
    }

    /// The address that it is bound to.
    pub fn local_address(&self) -> Option<IpAddress> {
        self.ends.local.map(IpAddress::from)
    }

    /// The address that it is connected to.
    pub fn remote_address(&self) -> Option<IpAddress> {
        self.ends.remote.map(IpAddress::from)
    }

    /// The hop limit of headers that the stack makes; `None` for its default. 0 is taken as 1.
    pub fn set_hop_limit(&mut self, hop_limit: Option<u8>) {
        self.ends.hop_limit = hop_limit.unwrap_or(config::DEFAULT_HOP_LIMIT).max(1);
    }

    /// Ties the socket to an interface, named by its place in the `Router` (`SO_BINDTODEVICE`): it gets only what comes by
    /// that one, and what is sent leaves by it. `None`, as it is unless set, unties it.
    #[cfg(feature = "socket-interface")]
    pub fn set_interface(&mut self, interface: Option<u8>) {
        self.ends.bound = Bound::to(interface);
    }

    /// The interface that it is tied to.
    #[cfg(feature = "socket-interface")]
    pub fn interface(&self) -> Option<u8> {
        self.ends.bound.interface()
    }

    /// Queues room for `len` octets, which the caller fills, behind an IP header that the stack makes: of the socket's
    /// protocol, to `remote` or, without, to whom the socket is connected to.
    ///
    /// # Errors
    /// [`SendError::Unaddressable`] if neither says to whom, or the address or the socket is of another kind, and
    /// those of [`send`](Self::send).
    pub fn send_payload(
        &mut self,
        len: usize,
        remote: Option<IpAddress>,
        meta: Metadata,
    ) -> Result<&mut [u8], SendError> {
        let remote = match remote {
            Some(remote) => self.end(remote).ok().flatten(),
            None => self.ends.remote,
        };
        let remote = remote.ok_or(SendError::Unaddressable)?;
        let Binding::Ip(version, protocol) = self.binding else { return Err(SendError::Unaddressable) };
        let (local, hop_limit) = (self.ends.local, self.ends.hop_limit);
        let header_len = if version == IpVersion::Ipv4 { 20 } else { 40 };
        let packet = self.send(header_len + len, meta)?;
        let (header, payload) = packet.split_at_mut_checked(header_len).ok_or(SendError::TooLarge)?;
        write_header(header, local, &remote, protocol, hop_limit);
        Ok(payload)
    }

    /// The address as an end of such packets; none if it is the unspecified one.
    fn end(&self, addr: IpAddress) -> Result<Option<Addr>, EndError> {
        let is_v4 = match self.binding {
            Binding::Ip(version, _) => version == IpVersion::Ipv4,
            Binding::Ethernet(_) => return Err(EndError::OtherKind),
        };
        if is_v4 != matches!(addr, IpAddress::Ipv4(_)) {
            return Err(EndError::OtherKind);
        }
        let end = Addr::try_from(addr).map_err(|_| EndError::FamilyNotBuiltIn)?;
        Ok((!addr.is_unspecified()).then_some(end))
    }

    /// Whether a packet between these ends is for it.
    pub(crate) fn is_between(&self, src: &Addr, dst: &Addr) -> bool {
        let Ends { local, remote, .. } = &self.ends;
        local.is_none_or(|local| local == *dst) && remote.is_none_or(|remote| remote == *src)
    }

    /// Where what it sends comes from, if it says so.
    pub(crate) fn local(&self) -> Option<Addr> {
        self.ends.local
    }

    pub(crate) fn bound(&self) -> Bound {
        self.ends.bound
    }
}

/// All that [`send`](Socket::send) does not complete.
fn write_header(header: &mut [u8], local: Option<Addr>, remote: &Addr, protocol: IpProtocol, hop_limit: u8) {
    header.fill(0);
    if let (Some(dst), Some(header)) = (remote.as_v4(), header.first_chunk_mut::<20>()) {
        (header[0], header[8], header[9]) = (0x45, hop_limit, protocol.0);
        header[12..16].copy_from_slice(&local.and_then(|local| local.as_v4()).unwrap_or_default());
        header[16..20].copy_from_slice(&dst);
    } else if let (Some(dst), Some(header)) = (remote.as_v6(), header.first_chunk_mut::<40>()) {
        (header[0], header[6], header[7]) = (0x60, protocol.0, hop_limit);
        header[8..24].copy_from_slice(local.as_ref().and_then(Addr::as_v6).unwrap_or(&[0; 16]));
        header[24..40].copy_from_slice(dst);
    }
}

#[cfg(all(test, feature = "proto-ipv4", feature = "proto-ipv6"))]
mod tests {
    use super::super::{PacketBuffer, PacketMetadata};
    use super::*;
    use crate::wire::EtherType;

    fn buffer() -> PacketBuffer<'static> {
        PacketBuffer::new(vec![PacketMetadata::EMPTY; 2], vec![0; 200])
    }

    fn addr(text: &str) -> IpAddress {
        text.parse().unwrap()
    }

    #[test]
    fn an_end_is_of_the_kind_of_the_sockets_packets() {
        let v4 = Socket::new(IpVersion::Ipv4, IpProtocol(89), buffer(), buffer());
        let v6 = Socket::new(IpVersion::Ipv6, IpProtocol(89), buffer(), buffer());
        let frames = Socket::ethernet(EtherType(0x88b5), buffer(), buffer());
        for (mut socket, at, unspecified, fits) in [
            (v4, "10.0.0.1", "0.0.0.0", true),
            (v6, "fd00::1", "::", true),
            (Socket::new(IpVersion::Ipv4, IpProtocol(89), buffer(), buffer()), "fd00::1", "::", false),
            (frames, "10.0.0.1", "0.0.0.0", false),
        ] {
            let expected = if fits { Ok(()) } else { Err(EndError::OtherKind) };
            assert_eq!([socket.bind(addr(at)), socket.connect(addr(at))], [expected; 2], "{at}");
            let end = fits.then(|| addr(at));
            assert_eq!([socket.local_address(), socket.remote_address()], [end; 2]);
            assert_eq!([socket.bind(addr(unspecified)), socket.connect(addr(unspecified))], [expected; 2]);
            assert_eq!([socket.local_address(), socket.remote_address()], [None; 2]);
            let unaddressed = socket.send_payload(1, None, Metadata::default()).err();
            assert_eq!(unaddressed, Some(SendError::Unaddressable));
        }
    }

    #[test]
    fn a_header_is_made_for_a_payload() {
        let mut v4 = Socket::new(IpVersion::Ipv4, IpProtocol(89), buffer(), buffer());
        v4.bind(addr("10.0.0.1")).unwrap();
        v4.set_hop_limit(Some(0));
        let to = Some(addr("10.0.0.2"));
        v4.send_payload(2, to, Metadata::default()).unwrap().copy_from_slice(b"hi");
        let header = [0x45, 0, 0, 0, 0, 0, 0, 0, 1, 89, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        assert_eq!(v4.next().unwrap().1, [&header[..], b"hi"].concat());
        assert_eq!(v4.send_payload(200, to, Metadata::default()).err(), Some(SendError::TooLarge));

        let mut v6 = Socket::new(IpVersion::Ipv6, IpProtocol(89), buffer(), buffer());
        v6.connect(addr("fd00::2")).unwrap();
        v6.send_payload(2, None, Metadata::default()).unwrap().copy_from_slice(b"hi");
        let mut far = [0; 16];
        (far[0], far[15]) = (0xfd, 2);
        let header = [&[0x60, 0, 0, 0, 0, 0, 89, 64][..], &[0; 16], &far].concat();
        assert_eq!(v6.next().unwrap().1, [&header[..], b"hi"].concat());
        assert_eq!(v6.send_payload(0, to, Metadata::default()).err(), Some(SendError::Unaddressable));
    }
}
