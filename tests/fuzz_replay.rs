//! Runs the fuzz targets over their corpus, and over mutations of it, in every build.

use std::path::Path;

#[path = "../fuzz/src/bodies.rs"]
mod bodies;

/// Mutations of each file of a corpus.
const MUTATIONS: usize = 20_000;

/// A small generator that repeats itself from run to run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % end.max(1)
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One to four of: a bit flipped, an octet replaced, the end cut, octets of the file moved or doubled.
fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..1 + random.below(4) {
        let len = data.len().max(1);
        data.resize(len, 0);
        let at = random.below(len);
        match random.below(5) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = random.below(256) as u8,
            2 => data.truncate(at),
            3 => {
                let end = at + random.below(len - at).min(40);
                let octets = data[at..end].to_vec();
                let to = random.below(len);
                data.splice(to..to, octets);
            }
            _ => data[at] = [0, 0xff, 0x7f, 0x80][random.below(4)],
        }
    }
    data
}

#[test]
fn every_target_survives_its_corpus_and_mutations_of_it() {
    for (target, body) in bodies::BODIES {
        let files = corpus(target);
        assert!(!files.is_empty(), "no corpus for {target}");
        for (number, file) in files.iter().enumerate() {
            body(file);
            let mut random = Random(0x9e37_79b9 + number as u64);
            for _ in 0..MUTATIONS {
                body(&mutate(file, &mut random));
            }
        }
    }
}
