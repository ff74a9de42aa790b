//! Waiting until a device has something, or time is up.

use std::io;
use std::os::fd::RawFd;

use super::call;
use crate::time::Duration;

/// Waits until `fd` can be read, for at most `timeout` (`None`: for ever). Whether it can.
///
/// Exact to the microsecond, and not disturbed by signals.
pub fn wait(fd: RawFd, timeout: Option<Duration>) -> io::Result<bool> {
    wait_any(&[fd], timeout)
}

/// Waits until one of several descriptors can be read. Whether one can.
pub fn wait_any(fds: &[RawFd], timeout: Option<Duration>) -> io::Result<bool> {
    let began = std::time::Instant::now();
    let timeout = timeout.map(std::time::Duration::from);
    loop {
        let rest = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        match call::poll_readable(fds, rest) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => return Ok(result? > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn without_anything_to_read_the_time_runs_out_and_not_before() {
        let (end, _other) = UnixStream::pair().unwrap();
        let began = std::time::Instant::now();
        assert!(!wait(end.as_raw_fd(), Some(Duration::from_micros(2_500))).unwrap());
        assert!(began.elapsed() >= std::time::Duration::from_micros(2_500));
        assert!(!wait(end.as_raw_fd(), Some(Duration::ZERO)).unwrap());
    }

    #[test]
    fn any_of_several_ends_the_wait() {
        let (first, _other_first) = UnixStream::pair().unwrap();
        let (second, mut other_second) = UnixStream::pair().unwrap();
        other_second.write_all(&[1]).unwrap();
        assert!(wait_any(&[first.as_raw_fd(), second.as_raw_fd()], None).unwrap());
    }

    #[test]
    fn a_descriptor_that_is_none_is_an_error() {
        assert_eq!(wait(999_999, None).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
