//! TCP sockets.
