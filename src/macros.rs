//! Log macros that vanish without the `log` feature.

macro_rules! net_trace {
    ($($arg:expr),*) => {{
        #[cfg(feature = "log")]
        log::trace!($($arg),*);
        #[cfg(not(feature = "log"))]
        { $( let _ = &$arg; )* }
    }};
}
