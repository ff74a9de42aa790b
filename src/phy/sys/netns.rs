//! A network of one's own: a network namespace, as root or, by way of a user namespace, as anybody.

use std::{error, fmt, fs, io};

use super::call;
use super::kernel::KernelInterface;

/// By which right the namespace was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetnsKind {
    /// The caller may make network namespaces. Only the calling thread moved, and what it starts.
    Privileged,
    /// In a user namespace, in which the caller is root. The whole process moved.
    User,
}

/// A network namespace can't be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum NetnsError {
    /// Neither as root nor in a user namespace: the system allows neither.
    NotAllowed(io::Error),
    /// A user namespace has to be made before any other thread is started.
    SeveralThreads,
    /// The user namespace is there, but the caller could not be made root in it.
    NoIdentity(io::Error),
    /// The namespace is there, but its loopback did not come up.
    NoLoopback(super::KernelError),
}

impl fmt::Display for NetnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetnsError::NotAllowed(error) => write!(
                f,
                "cannot make a network namespace: {error} (run as root, or allow user namespaces: \
                 sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)"
            ),
            NetnsError::SeveralThreads => {
                f.write_str("cannot make a user namespace in a process that has several threads")
            }
            NetnsError::NoIdentity(error) => write!(f, "cannot become root in the user namespace: {error}"),
            NetnsError::NoLoopback(error) => error.fmt(f),
        }
    }
}

impl error::Error for NetnsError {}

/// Moves the calling thread into a fresh network namespace, with `lo` up and nothing else.
///
/// What the thread opens and starts afterwards lives there; the namespace goes when the last of it is
/// gone. Without the right to make one, a user namespace is made first, which moves the whole process
/// and works only as long as it has one thread.
pub fn unshare_network() -> Result<NetnsKind, NetnsError> {
    let kind = match call::unshare(libc::CLONE_NEWNET) {
        Ok(()) => NetnsKind::Privileged,
        Err(_) => unshare_user()?,
    };
    KernelInterface::by_name("lo").and_then(|lo| lo.set_up()).map_err(NetnsError::NoLoopback)?;
    Ok(kind)
}

fn unshare_user() -> Result<NetnsKind, NetnsError> {
    let (user, group) = call::effective_ids();
    call::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET).map_err(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => NetnsError::SeveralThreads,
        _ => NetnsError::NotAllowed(error),
    })?;
    become_root(user, group).map_err(NetnsError::NoIdentity)?;
    Ok(NetnsKind::User)
}

/// Maps the caller to root, user_namespaces(7): a group may be mapped only once `setgroups` is denied.
fn become_root(user: u32, group: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}
