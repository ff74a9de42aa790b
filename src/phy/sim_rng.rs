//! A small random generator for simulations: the same seed gives the same run on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). It is not
//! secret: what faces a network draws from [`rand::Keys`](crate::rand::Keys).

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct SimRng {
    state: u64,
}

impl SimRng {
    /// Every seed is a good one, zero included.
    pub const fn new(seed: u64) -> SimRng {
        SimRng { state: seed }
    }

    /// A generator of its own for part number `stream`: what it is asked for changes nothing here.
    pub const fn fork(&self, stream: u64) -> SimRng {
        let mut mixed = SimRng { state: self.state ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03) };
        SimRng { state: mixed.next_u64() }
    }

    /// 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// True `ppm` times in a million. Draws nothing for 0, so that a knob that is off leaves the
    /// rest of a run as it was.
    pub const fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(1_000_000) < ppm as u64
    }

    /// Inverts one bit somewhere in `octets`.
    pub fn flip_bit(&mut self, octets: &mut [u8]) {
        let bit = self.below(octets.len() as u64 * 8) as usize;
        if let Some(octet) = octets.get_mut(bit / 8) {
            *octet ^= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_the_published_sequence() {
        let mut rng = SimRng::new(1_234_567);
        let drawn = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_chance_of_one_in_ten_comes_one_time_in_ten() {
        let mut rng = SimRng::new(3);
        let hits = (0..100_000).filter(|_| rng.chance(100_000)).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| rng.chance(1_000_000)));
    }

    #[test]
    fn a_flip_changes_exactly_one_bit() {
        let mut rng = SimRng::new(4);
        for len in 1..100 {
            let mut octets = vec![0x55; len];
            rng.flip_bit(&mut octets);
            let changed: u32 = octets.iter().map(|octet| (octet ^ 0x55).count_ones()).sum();
            assert_eq!(changed, 1);
        }
        rng.flip_bit(&mut []);
    }

    #[test]
    fn streams_differ_and_do_not_disturb_their_parent() {
        let parent = SimRng::new(5);
        let (mut a, mut b) = (parent.fork(1), parent.fork(2));
        assert_ne!(a.next_u64(), b.next_u64());
        assert_eq!(parent.clone().next_u64(), SimRng::new(5).next_u64());
    }
}
