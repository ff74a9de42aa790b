//! A network of a test's own.

use goldcrest::phy::unshare_network;

use crate::skip::skip;

/// Gives this thread a network of its own; says whether it has one, and TAPs can be made there. Else the test is skipped.
pub(crate) fn has_own_network() -> bool {
    if let Err(error) = unshare_network() {
        skip(&error.to_string());
        return false;
    }
    let has_tun = std::fs::metadata("/dev/net/tun").is_ok();
    if !has_tun {
        skip("no /dev/net/tun");
    }
    has_tun
}
