//! A test in a thread that has a network of its own.

use goldcrest::phy::unshare_network;

use crate::skip::skip;

/// Runs `test` in a thread with its own network, which has the name of this one; or says why not.
pub(crate) fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let thread = std::thread::Builder::new().name(name).spawn(move || match unshare_network() {
        Ok(_) => test(),
        Err(error) => skip(&error.to_string()),
    });
    if let Err(panic) = thread.expect("a thread can be made").join() {
        std::panic::resume_unwind(panic);
    }
}
