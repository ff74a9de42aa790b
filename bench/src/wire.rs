//! A wire between two stacks: two queues of frames in fixed memory. No copy, no allocation, no offload.

use goldcrest::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use goldcrest::time::Instant;

/// The largest Ethernet frame, without FCS.
pub(crate) const FRAME_LEN: usize = 1_514;
/// Frames that are on their way in one direction at most; there is no token for one more.
const QUEUE_FRAMES: usize = 64;

/// Frames on their way in one direction.
pub(crate) struct Queue {
    frames: Vec<([u8; FRAME_LEN], usize)>,
    first: usize,
    count: usize,
    /// Frames that were ever sent.
    pub(crate) sent: usize,
}

impl Queue {
    pub(crate) fn new() -> Queue {
        Queue { frames: vec![([0; FRAME_LEN], 0); QUEUE_FRAMES], first: 0, count: 0, sent: 0 }
    }
}

/// One end of the wire.
pub(crate) struct End<'w> {
    pub(crate) from: &'w mut Queue,
    pub(crate) to: &'w mut Queue,
}

impl Device for End<'_> {
    type RxToken<'a>
        = Rx<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Tx<'a>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Rx<'_>, Option<Tx<'_>>)> {
        let End { from, to } = self;
        if from.count == 0 {
            return None;
        }
        let place = from.first;
        from.first = (from.first + 1) % QUEUE_FRAMES;
        from.count -= 1;
        let (frame, len) = &from.frames[place];
        Some((Rx(&frame[..*len]), token(to, now)))
    }

    fn transmit(&mut self, now: Instant) -> Option<Tx<'_>> {
        token(self.to, now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(Medium::Ethernet, FRAME_LEN)
    }
}

fn token(queue: &mut Queue, _now: Instant) -> Option<Tx<'_>> {
    (queue.count < QUEUE_FRAMES).then_some(Tx(queue))
}

/// A frame that has arrived.
pub(crate) struct Rx<'a>(&'a [u8]);

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a frame.
pub(crate) struct Tx<'a>(&'a mut Queue);

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let queue = self.0;
        let place = (queue.first + queue.count) % QUEUE_FRAMES;
        let (frame, frame_len) = &mut queue.frames[place];
        let result = f(&mut frame[..len]);
        *frame_len = len;
        queue.count += 1;
        queue.sent += 1;
        result
    }
}

/// Takes one frame, for who feeds a stack without a device.
pub(crate) struct Catch<'a>(pub(crate) &'a mut Option<Vec<u8>>);

impl TxToken for Catch<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let frame = self.0.insert(vec![0; len]);
        f(frame)
    }
}
