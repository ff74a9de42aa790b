//! Sums by AVX2, for the x86-64 machines that have it: most of them, but no program may take it for granted.
//!
//! 32 octets take three instructions. The one that adds pairs of 16-bit words knows signed ones only, so that each
//! word is moved down by 2^15 first, and the total up again by as much.

use std::arch::x86_64::{
    __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_shuffle_epi32, _mm256_add_epi32, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi16, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm256_xor_si256,
};

use super::{Sum, wide};

/// Shorter data is summed before this has begun.
const LEAST: usize = 128;

/// Of more the lanes might not fit into 31 bits together: 32 octets add up to 2^19.
const MOST: usize = 1 << 16;

type Vector = [u8; 32];

/// The sum of `data`, if it is long enough and the processor can.
#[inline]
pub(super) fn sum(data: &[u8]) -> Option<Sum> {
    // SAFETY: the processor has AVX2.
    is_for(data.len()).then(|| unsafe { sum_vectors(data) })
}

/// The same for data that is copied to `dst`, which is as long.
#[inline]
pub(super) fn copy_and_sum(dst: &mut [u8], src: &[u8]) -> Option<Sum> {
    // SAFETY: the processor has AVX2.
    is_for(src.len()).then(|| unsafe { copy_vectors(dst, src) })
}

#[inline]
fn is_for(len: usize) -> bool {
    (LEAST..=MOST).contains(&len) && std::arch::is_x86_feature_detected!("avx2")
}

#[target_feature(enable = "avx2")]
fn sum_vectors(data: &[u8]) -> Sum {
    let (vectors, tail) = data.as_chunks();
    let (quads, rest) = vectors.as_chunks();
    let mut lanes = [_mm256_setzero_si256(); 2];
    for [a, b, c, d] in quads {
        lanes = add(lanes, [load(a), load(b)]);
        lanes = add(lanes, [load(c), load(d)]);
    }
    let mut rest = rest;
    if let Some(([a, b], others)) = rest.split_first_chunk() {
        lanes = add(lanes, [load(a), load(b)]);
        rest = others;
    }
    if let [a] = rest {
        lanes[0] = add_one(lanes[0], load(a));
    }
    end(lanes, vectors.len()).add(wide::sum_short(tail))
}

#[target_feature(enable = "avx2")]
fn copy_vectors(dst: &mut [u8], src: &[u8]) -> Sum {
    let ((vectors, tail), (places, tail_place)) = (src.as_chunks(), dst.as_chunks_mut());
    let ((quads, rest), (quad_places, places)) = (vectors.as_chunks(), places.as_chunks_mut());
    let mut lanes = [_mm256_setzero_si256(); 2];
    for ([a, b, c, d], [w, x, y, z]) in quads.iter().zip(quad_places) {
        lanes = add(lanes, [copy(a, w), copy(b, x)]);
        lanes = add(lanes, [copy(c, y), copy(d, z)]);
    }
    for (a, w) in rest.iter().zip(places) {
        lanes[0] = add_one(lanes[0], copy(a, w));
    }
    tail_place.copy_from_slice(tail);
    end(lanes, vectors.len()).add(wide::sum_short(tail))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(octets: &Vector) -> __m256i {
    // SAFETY: 32 octets are read, at any address.
    unsafe { _mm256_loadu_si256(octets.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn copy(octets: &Vector, place: &mut Vector) -> __m256i {
    let vector = load(octets);
    // SAFETY: 32 octets are written, at any address.
    unsafe { _mm256_storeu_si256(place.as_mut_ptr().cast(), vector) };
    vector
}

/// Two sums side by side, of which none waits for the other.
#[inline]
#[target_feature(enable = "avx2")]
fn add([a, b]: [__m256i; 2], [c, d]: [__m256i; 2]) -> [__m256i; 2] {
    [add_one(a, c), add_one(b, d)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_one(lanes: __m256i, vector: __m256i) -> __m256i {
    let words = _mm256_xor_si256(vector, _mm256_set1_epi16(i16::MIN));
    _mm256_add_epi32(lanes, _mm256_madd_epi16(words, _mm256_set1_epi16(1)))
}

/// The sum of all words of `count` vectors.
#[inline]
#[target_feature(enable = "avx2")]
fn end([a, b]: [__m256i; 2], count: usize) -> Sum {
    let lanes = _mm256_add_epi32(a, b);
    let four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b_01_00_11_10>(four));
    let one = _mm_add_epi32(two, _mm_shuffle_epi32::<0b_00_00_00_01>(two));
    let moved_down = (16 * count as i64) << 15;
    Sum::of_u64((i64::from(_mm_cvtsi128_si32(one)) + moved_down) as u64)
}
