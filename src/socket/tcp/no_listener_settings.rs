//! Without settings of listeners, connections start as new sockets do, and lent sockets with what is set on them.

use super::{Listener, Socket};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Template;

impl Template {
    pub(super) const NONE: Template = Template;

    #[inline]
    pub(super) fn wants_sack(&self) -> bool {
        true
    }
}

impl Socket<'_> {
    #[inline]
    pub(crate) fn follow(&mut self, _template: &Template) {}
}

impl Listener<'_> {
    #[inline]
    pub(crate) fn template(&self) -> Template {
        self.template
    }
}
