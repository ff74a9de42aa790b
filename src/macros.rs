//! Log macros that vanish without the `log` feature. Their target is the module, so that a logger can tell one from the
//! other: `goldcrest::socket::tcp=debug`.
//!
//! *Debug* is what seldom happens and says what is going on: links, neighbours, addresses, connections that begin, fail and
//! end. *Trace* is what a single packet can bring about.

macro_rules! net_log {
    ($level:ident, $($arg:expr),*) => {{
        #[cfg(feature = "log")]
        log::$level!($($arg),*);
        #[cfg(not(feature = "log"))]
        { $( let _ = &$arg; )* }
    }};
}

macro_rules! net_debug {
    ($($arg:expr),*) => { net_log!(debug, $($arg),*) };
}

macro_rules! net_trace {
    ($($arg:expr),*) => { net_log!(trace, $($arg),*) };
}
