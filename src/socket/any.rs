//! A socket of any kind, as the set keeps it.

use core::marker::PhantomData;

use super::{Context, Events};
use crate::time::Ticks;

#[cfg(feature = "socket-icmp")]
use super::icmp;
#[cfg(feature = "socket-raw")]
use super::raw;
#[cfg(feature = "socket-tcp")]
use super::tcp;
#[cfg(feature = "socket-udp")]
use super::udp;

/// A socket of any kind.
#[allow(clippy::large_enum_variant)]
#[repr(u8)]
pub enum Socket<'a> {
    /// UDP.
    #[cfg(feature = "socket-udp")]
    Udp(udp::Socket<'a>),
    /// ICMP messages.
    #[cfg(feature = "socket-icmp")]
    Icmp(icmp::Socket<'a>),
    /// Packets or frames as they come.
    #[cfg(feature = "socket-raw")]
    Raw(raw::Socket<'a>),
    /// A TCP connection, or one that waits for one.
    #[cfg(feature = "socket-tcp")]
    Tcp(tcp::Socket<'a>),
    /// A listener for any number of TCP connections.
    #[cfg(feature = "socket-tcp")]
    TcpListener(tcp::Listener<'a>),
    /// None: it was removed, and its slot is about to be free.
    #[doc(hidden)]
    Vacant(PhantomData<&'a ()>),
}

/// A kind of socket that a set can hold.
pub trait AnySocket<'a>: Sized {
    /// As a socket of any kind.
    fn upcast(self) -> Socket<'a>;
    /// As this kind, if it is one.
    fn downcast<'c>(socket: &'c Socket<'a>) -> Option<&'c Self>;
    /// As this kind, if it is one.
    fn downcast_mut<'c>(socket: &'c mut Socket<'a>) -> Option<&'c mut Self>;
}

macro_rules! any_socket {
    ($kind:ty, $variant:ident) => {
        impl<'a> AnySocket<'a> for $kind {
            fn upcast(self) -> Socket<'a> {
                Socket::$variant(self)
            }
            #[allow(irrefutable_let_patterns)]
            fn downcast<'c>(socket: &'c Socket<'a>) -> Option<&'c Self> {
                if let Socket::$variant(socket) = socket { Some(socket) } else { None }
            }
            #[allow(irrefutable_let_patterns)]
            fn downcast_mut<'c>(socket: &'c mut Socket<'a>) -> Option<&'c mut Self> {
                if let Socket::$variant(socket) = socket { Some(socket) } else { None }
            }
        }
    };
}

#[cfg(feature = "socket-udp")]
any_socket!(udp::Socket<'a>, Udp);
#[cfg(feature = "socket-icmp")]
any_socket!(icmp::Socket<'a>, Icmp);
#[cfg(feature = "socket-raw")]
any_socket!(raw::Socket<'a>, Raw);
#[cfg(feature = "socket-tcp")]
any_socket!(tcp::Socket<'a>, Tcp);
#[cfg(feature = "socket-tcp")]
any_socket!(tcp::Listener<'a>, TcpListener);

#[cfg_attr(not(feature = "socket-tcp"), allow(unused_variables))]
impl Socket<'_> {
    /// When the socket wants to be told the time.
    pub(crate) fn deadline(&self, now: Ticks) -> Option<Ticks> {
        match self {
            #[cfg(feature = "socket-tcp")]
            Socket::Tcp(socket) => socket.deadline(now),
            #[cfg(feature = "socket-tcp")]
            Socket::TcpListener(listener) => listener.deadline(),
            _ => None,
        }
    }

    /// Its deadline has come.
    pub(crate) fn on_timer(&mut self, cx: &Context<'_>) -> Events {
        match self {
            #[cfg(feature = "socket-tcp")]
            Socket::Tcp(socket) => socket.on_timer(cx),
            _ => Events::empty(),
        }
    }

    /// Whether it is a connection with something queued that never left.
    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            #[cfg(feature = "socket-tcp")]
            Socket::Tcp(socket) => socket.has_unsent(),
            _ => false,
        }
    }

    /// Whether a poll would do something for it.
    pub(crate) fn has_work(&self, cx: &Context<'_>) -> bool {
        match self {
            #[cfg(feature = "socket-udp")]
            Socket::Udp(socket) => {
                socket.wants_port() || socket.has_output() || socket.have_members_changed()
            }
            #[cfg(feature = "socket-icmp")]
            Socket::Icmp(socket) => socket.has_output(),
            #[cfg(feature = "socket-raw")]
            Socket::Raw(socket) => socket.has_output(),
            #[cfg(feature = "socket-tcp")]
            Socket::Tcp(socket) => socket.wish().is_some() || socket.has_output(cx),
            #[cfg(feature = "socket-tcp")]
            Socket::TcpListener(listener) => listener.has_work(cx.ticks),
            Socket::Vacant(_) => false,
        }
    }
}
