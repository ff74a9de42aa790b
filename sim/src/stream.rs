//! What is sent: each stream is its own piece of one long random text.

use std::sync::OnceLock;

use goldcrest::phy::SimRng;

const LEN: usize = 1 << 22;
/// Streams begin so far apart.
const STEP: usize = 100_003;

fn text() -> &'static [u8] {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut rng = SimRng::new(7);
        (0..LEN / 8).flat_map(|_| rng.next_u64().to_le_bytes()).collect()
    })
}

/// `len` octets of the stream `number` from `offset` on; fewer if it is not so long.
pub(crate) fn part(number: usize, offset: usize, len: usize) -> &'static [u8] {
    let start = (number * STEP + offset).min(LEN);
    &text()[start..(start + len).min(LEN)]
}
