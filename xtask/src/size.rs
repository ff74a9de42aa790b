//! What whole images weigh on a Cortex-M, and where they can still panic.
//!
//! Weighed is `.text` plus `.rodata` of images in firmware/size: start-up code, a dummy device behind
//! volatile registers, the stack and an application. The vector table is the chip's and not counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind, elf};

use crate::panics::{self, demangle, run_tool};
use crate::{firmware, thumb};

const TARGET: &str = "thumbv7em-none-eabihf";

/// How the sizes are printed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One JSON object a line
    #[arg(long, conflicts_with = "functions")]
    json: bool,
    /// How many of the largest functions of each image to list
    #[arg(long, default_value_t = 0)]
    functions: usize,
    /// List what each source file contributes, what was inlined elsewhere included
    #[arg(long, conflicts_with = "json")]
    sources: bool,
}

/// An image that is weighed.
struct Image {
    /// What is in it.
    config: &'static str,
    binary: &'static str,
    features: &'static str,
    /// Octets of code and constants, at most.
    limit: u64,
    /// What it is to come down to.
    goal: u64,
    /// The type of its sockets, as firmware/size/src/bin/types.rs calls it.
    socket: Option<&'static str>,
    lists_panics: bool,
}

const IMAGES: &[Image] = &[
    Image {
        config: "no stack: start-up and device alone",
        binary: "empty",
        features: "echo,ipv4",
        limit: 1_024,
        goal: 1_024,
        socket: None,
        lists_panics: false,
    },
    Image {
        config: "(a) Ethernet, ARP, IPv4, ICMP echo, UDP echo",
        binary: "echo-server",
        features: "echo,ipv4",
        limit: 9_000,
        goal: 9_000,
        socket: Some("udp::Socket"),
        lists_panics: false,
    },
    Image {
        config: "(b) as (a), and TCP echo with a listener",
        binary: "echo-server",
        features: "tcp,ipv4",
        // What it weighs now, and half a hundredth for another compiler: it may shrink, but not grow.
        limit: 22_950,
        goal: 18_000,
        socket: Some("tcp::Socket"),
        lists_panics: true,
    },
    Image {
        config: "(c) as (b), and an HTTP server",
        binary: "echo-server",
        features: "http,ipv4",
        // As for (b): what it weighs now, and half a hundredth.
        limit: 36_280,
        // The goal of (b), and what the server adds now.
        goal: 31_000,
        socket: Some("tcp::Socket"),
        lists_panics: true,
    },
];

/// The features with which the sizes of types are taken: those of (b), those of a connection that loses little to
/// losses, and all that it can have.
const TYPES_FEATURES: [(&str, &str); 3] =
    [("lean", "tcp,ipv4"), ("quick", "quick,ipv4"), ("full", "full,ipv4")];

/// Octets that a connection without buffers, its socket included, is to have at most.
const CONNECTION_GOALS: [(&str, u32); 2] = [("lean", 200), ("quick", 320)];

/// The parts of a connection, as firmware/size/src/bin/types.rs calls them, and the feature that adds them or to them.
const PARTS: &[(&str, &str)] = &[
    ("Send", ""),
    ("Recv", ""),
    ("Holes", "tcp-many-holes"),
    ("Control", "tcp-cubic, -hystart"),
    ("Model", "tcp-bbr"),
    ("Recovery", ""),
    ("Timers", ""),
    ("Rtt", ""),
    ("Sack", "tcp-sack"),
    ("Scoreboard", "tcp-sack"),
    ("Report", "tcp-sack"),
    ("Rack", "tcp-sack"),
    ("Prr", "tcp-sack"),
    ("Stamps", "tcp-timestamps"),
    ("Pace", "tcp-pacing"),
    ("Validation", "tcp-validation"),
    ("Ecn", "tcp-ecn"),
    ("Pmtu", "tcp-pmtu"),
    ("Silence", "tcp-keep-alive"),
    ("Patience", "tcp-linger"),
    ("Counts", "tcp-info, and 4 in Rack"),
    ("Tuple", ""),
    ("Connection", "all of the above"),
    ("Config", "tcp-keep-alive, -user-timeout, -linger, -pmtu, -traffic-class, -ecn"),
    ("Buffers", ""),
    ("Trouble", "tcp-icmp"),
    ("Farewell", "tcp-abort-queue"),
    ("Watch", "stats-mib"),
];

type Types = BTreeMap<String, u32>;

/// The sections of an image, in octets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sections {
    /// `.text`.
    pub(crate) code: u64,
    /// `.rodata`.
    pub(crate) rodata: u64,
    /// What is written to: `.data`, `.bss`, `.uninit`.
    pub(crate) ram: u64,
}

impl Sections {
    /// Reads them from an ELF file.
    pub(crate) fn read(image: &Path) -> Result<Sections> {
        let data = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
        let file = object::File::parse(&*data)?;
        let mut sections = Sections::default();
        for section in file.sections() {
            match section.name()? {
                ".text" => sections.code += section.size(),
                ".rodata" => sections.rodata += section.size(),
                _ => {}
            }
            if is_in_ram(section.flags()) {
                sections.ram += section.size();
            }
        }
        Ok(sections)
    }
}

fn is_in_ram(flags: SectionFlags) -> bool {
    let SectionFlags::Elf { sh_flags } = flags else { return false };
    sh_flags & u64::from(elf::SHF_ALLOC) != 0 && sh_flags & u64::from(elf::SHF_WRITE) != 0
}

/// Builds and weighs the images; one that is over its limit is an error.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let types = TYPES_FEATURES.map(|(_, features)| sizes_of_types(&build("types", features)?));
    let [lean, quick, full] = types;
    let types = [lean?, quick?, full?];
    let mut too_large = Vec::new();
    let mut panics = Vec::new();
    if !arguments.json {
        let toolchain = thumb::Toolchain::find(TARGET).map_err(|missing| anyhow!(missing))?;
        println!("{TARGET}, opt-level z, fat LTO ({}); octets", toolchain.name());
        println!(
            "{:<58} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
            "image", "code", "rodata", "sum", "goal", "ram", "socket"
        );
    }
    for image in IMAGES {
        let path = build(image.binary, image.features)?;
        let sections = Sections::read(&path)?;
        let socket = image.socket.and_then(|name| types[0].get(name)).copied().unwrap_or(0); // no socket
        let sum = sections.code + sections.rodata;
        if sum > image.limit {
            too_large.push(format!(
                "{}: {sum} octets of code and constants, {} allowed",
                image.config, image.limit
            ));
        }
        if image.lists_panics {
            panics.push((image.config, panics::sites(&path)?));
        }
        if arguments.json {
            println!("{}", json(image.config, sections, socket));
        } else {
            let Sections { code, rodata, ram } = sections;
            let (config, goal) = (image.config, image.goal);
            println!("{config:<58} {code:>6} {rodata:>6} {sum:>6} {goal:>6} {ram:>6} {socket:>6}");
            print_functions(&path, arguments.functions)?;
            if arguments.sources {
                print_sources(&path)?;
            }
        }
    }
    if !arguments.json {
        print_types(&types);
        print_connection(&types);
        print_panics(&panics);
    }
    ensure!(too_large.is_empty(), "{}", too_large.join("; "));
    Ok(())
}

/// One image as a line. The names hold nothing that JSON would have to escape.
fn json(config: &str, sections: Sections, socket: u32) -> String {
    let Sections { code, rodata, ram } = sections;
    format!(
        "{{\"config\":\"{config}\",\"stack\":\"goldcrest\",\"code\":{code},\"rodata\":{rodata},\"ram\":{ram},\
         \"socket\":{socket}}}"
    )
}

/// Prints the largest functions of an image, largest first.
fn print_functions(image: &Path, count: usize) -> Result<()> {
    let data = std::fs::read(image)?;
    let file = object::File::parse(&*data)?;
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    let mut functions: Vec<(u64, &str)> =
        functions.filter_map(|symbol| Some((symbol.size(), symbol.name().ok()?))).collect();
    functions.sort_by_key(|&(size, name)| (std::cmp::Reverse(size), name));
    for (size, name) in functions.into_iter().take(count) {
        println!("    {size:>6} {}", demangle(name));
    }
    Ok(())
}

/// Prints the octets of code by the source file they come from: the innermost inlined line that is ours.
fn print_sources(image: &Path) -> Result<()> {
    let data = std::fs::read(image)?;
    let file = object::File::parse(&*data)?;
    let text = file.section_by_name(".text").context("an image without code")?;
    let addresses: Vec<u64> = (text.address()..text.address() + text.size()).step_by(2).collect();
    let mut octets = BTreeMap::<String, u64>::new();
    // In portions, since a command line has an end.
    for portion in addresses.chunks(2_000) {
        let mut command = Command::new("arm-none-eabi-addr2line");
        command.arg("-aie").arg(image).args(portion.iter().map(|address| format!("{address:#x}")));
        for lines in run_tool(&mut command)?.split("0x").skip(1) {
            let lines: Vec<&str> = lines.lines().skip(1).collect();
            let ours = lines.iter().find(|line| !line.contains("/library/") && line.contains("/src/"));
            let name =
                ours.and_then(|line| line.rsplit_once("/src/")).map_or("core and start-up", |(_, name)| name);
            let name = name.split(':').next().unwrap_or(name);
            *octets.entry(name.to_string()).or_default() += 2;
        }
    }
    let mut octets: Vec<(u64, String)> = octets.into_iter().map(|(name, octets)| (octets, name)).collect();
    octets.sort_by(|a, b| b.cmp(a));
    for (octets, name) in octets {
        println!("    {octets:>6} {name}");
    }
    Ok(())
}

fn print_types(types: &[Types; 3]) {
    println!("\n{:<58} {:>6} {:>6} {:>6}", "size_of on 32 bit, octets", "lean", "quick", "full");
    for name in types[0].keys().filter(|name| !name.starts_with("part ")) {
        print_row(types, name, name, "");
    }
}

/// What a connection consists of, and which feature is to blame.
fn print_connection(types: &[Types; 3]) {
    println!(
        "\n{:<58} {:>6} {:>6} {:>6}",
        "a connection, its buffers' octets apart", "lean", "quick", "full"
    );
    for (part, feature) in PARTS {
        print_row(types, &format!("part {part}"), part, feature);
    }
    print_row(types, "tcp::Socket", "tcp::Socket", "");
    let sizes = TYPES_FEATURES.iter().zip(types);
    for ((name, features), types) in sizes {
        let size = types.get("tcp::Socket").copied().unwrap_or(0); // it is there
        let goal = CONNECTION_GOALS.iter().find(|(of, _)| of == name).map(|(_, goal)| goal);
        let verdict = match goal {
            Some(&goal) if size <= goal => format!("{goal} at most: met"),
            Some(&goal) => format!("{goal} at most: not met, {} too many", size - goal),
            None => String::from("no limit"),
        };
        println!("{name} ({features}): {size} octets, {verdict}");
    }
    for (name, most) in [("tcp::HalfOpen", 64), ("tcp::TimeWait", 48)] {
        let size = types.iter().filter_map(|types| types.get(name)).max().copied().unwrap_or(0); // it is there
        let verdict = if size <= most { "met" } else { "not met" };
        println!("{name}: {size} octets, {most} at most: {verdict}");
    }
}

fn print_row(types: &[Types; 3], key: &str, name: &str, feature: &str) {
    let [lean, quick, full] = types.each_ref().map(|types| types.get(key).copied().unwrap_or(0)); // without it none
    println!("{name:<58} {lean:>6} {quick:>6} {full:>6}  {feature}");
}

fn print_panics(panics: &[(&str, Vec<panics::Site>)]) {
    for (config, sites) in panics {
        println!("\npanic call sites left in {config}: {}", sites.len());
        for site in sites {
            println!("    {site}");
        }
    }
}

/// Builds an image of firmware/size.
pub(crate) fn build(binary: &str, features: &str) -> Result<PathBuf> {
    firmware::build("size", binary, features, TARGET)
}

/// The numbers that firmware/size/src/bin/types.rs left in the image.
fn sizes_of_types(image: &Path) -> Result<Types> {
    let data = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*data)?;
    let mut types = BTreeMap::new();
    for symbol in file.symbols() {
        let Some(name) = symbol.name()?.strip_prefix("size_of ") else { continue };
        let section = symbol.section_index().context("a size without a section")?;
        let octets = file.section_by_index(section)?.data_range(symbol.address(), 4)?;
        let octets = octets.and_then(|octets| octets.first_chunk()).context("a size without octets")?;
        types.insert(name.to_string(), u32::from_le_bytes(*octets));
    }
    ensure!(!types.is_empty(), "the image with the sizes has none");
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_has_the_agreed_fields() {
        let sections = Sections { code: 1, rodata: 2, ram: 3 };
        let line = r#"{"config":"a","stack":"goldcrest","code":1,"rodata":2,"ram":3,"socket":4}"#;
        assert_eq!(json("a", sections, 4), line);
    }
}
