//! What the connections of a listener start with: the settings of a socket that is like them.

use super::{Config, Listener, Socket};
use crate::storage::SocketBuffer;

/// The settings of that socket, if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template(Option<Config>);

impl Template {
    pub(super) const NONE: Template = Template(None);

    /// Whether connections get selective acknowledgments if the client asks for them.
    pub(super) fn wants_sack(&self) -> bool {
        self.0.is_none_or(|config| config.sack.is_wanted())
    }
}

impl Socket<'static> {
    /// A closed socket without buffers, to set what a listener's connections start with
    /// ([`Listener::set_template`]).
    pub fn template() -> Socket<'static> {
        let buffer = || SocketBuffer::new(&mut [][..]);
        Socket::new(buffer(), buffer())
    }
}

impl Socket<'_> {
    /// Has the settings of a template, if there is one.
    pub(crate) fn follow(&mut self, template: &Template) {
        if let Some(config) = template.0 {
            self.side.config = config;
        }
    }
}

impl Listener<'_> {
    /// Connections start with what is set on `socket` now, and so do the answers to requests: Nagle, acknowledgment delay,
    /// keep-alive, timeout, linger, congestion control, selective acknowledgments, timestamps, explicit congestion
    /// notification, MTU probing, hop limit and traffic class, payload in place. What is set later on the connection, or, of
    /// timestamps, that and what packets look like, on the listener, counts from then on.
    ///
    /// Without a template connections start as new sockets do, and lent sockets with what is set on them.
    ///
    /// ```
    /// # use goldcrest::socket::tcp::{HalfOpen, Listener, Socket};
    /// # use goldcrest::time::Duration;
    /// let mut listener = Listener::new(vec![HalfOpen::EMPTY; 8]);
    /// let mut template = Socket::template();
    /// template.set_nagle_enabled(false);
    /// template.set_keep_alive(Some(Duration::from_secs(60)));
    /// listener.set_template(&template);
    /// ```
    pub fn set_template(&mut self, socket: &Socket<'_>) {
        let config = socket.side.config;
        self.template = Template(Some(config));
        self.stamps = config.stamps;
        self.ecn = config.ecn;
        self.copy_look(config.look);
    }

    pub(crate) fn template(&self) -> Template {
        self.template
    }
}
