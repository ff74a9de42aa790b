//! Runs the fuzz targets over their corpus, and over mutations of it, in every build.

use std::path::Path;

#[path = "../fuzz/src/bodies.rs"]
mod bodies;

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

/// The files of a corpus, with their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
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

/// Prints the input if a body panics on it.
struct Input<'a> {
    name: String,
    octets: &'a [u8],
}

impl Drop for Input<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.octets.iter().map(|octet| format!("{octet:02x}")).collect();
            eprintln!("{}: {hex}", self.name);
        }
    }
}

/// Runs a target over its corpus, and over so many mutations of each file.
fn replay(target: &str, mutations: usize) {
    let (_, body) = bodies::BODIES.iter().find(|(name, _)| *name == target).unwrap();
    let files = corpus(target);
    assert!(!files.is_empty(), "no corpus for {target}");
    let run = |name: &str, octets: &[u8]| {
        let _input = Input { name: format!("{target}, {name}"), octets };
        body(octets);
    };
    for (number, (name, file)) in files.iter().enumerate() {
        run(name, file);
        let mut random = Random(0x9e37_79b9 + number as u64);
        for _ in 0..mutations {
            run(&format!("a mutation of {name}"), &mutate(file, &mut random));
        }
    }
}

#[test]
fn formats_survive_their_corpus_and_mutations_of_it() {
    replay("frame", 5_000);
}

#[test]
fn the_checksum_is_the_plain_one_for_its_corpus_and_mutations_of_it() {
    replay("checksum", 2_000);
}

#[test]
fn each_family_of_formats_survives_its_corpus_and_mutations_of_it() {
    for target in ["groups", "icmp", "ip_options", "transports"] {
        replay(target, 2_000);
    }
}

#[test]
fn a_stack_keeps_its_promises_for_its_corpus_and_mutations_of_it() {
    replay("interface", 500);
}

#[test]
fn a_web_server_keeps_its_promises_for_its_corpus_and_mutations_of_it() {
    replay("http", 300);
}

#[test]
fn a_bridge_keeps_its_promises_for_its_corpus_and_mutations_of_it() {
    replay("bridge", 500);
}

#[test]
fn every_target_is_replayed() {
    let names: Vec<&str> = bodies::BODIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "frame",
            "checksum",
            "groups",
            "icmp",
            "ip_options",
            "transports",
            "interface",
            "http",
            "bridge",
            "autoconf"
        ]
    );
}

#[test]
fn an_interface_that_configures_itself_keeps_its_promises_for_its_corpus_and_mutations_of_it() {
    replay("autoconf", 500);
}
