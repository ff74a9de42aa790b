//! The example `path` between two kernels: what ping and iperf3 find is what was asked for, and what is counted is
//! what was lost. All is in network namespaces of the test's own.
#![cfg(all(target_os = "linux", feature = "phy-tuntap", feature = "phy-sim"))]

mod common;
#[expect(dead_code, reason = "frames are not dissected here")]
#[path = "common/hosts.rs"]
mod hosts;

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use hosts::{Host, Running, is_ready, run, run_as};

/// A path and the words that run a program on either side of it.
struct Bench {
    path: Running,
    lines: BufReader<ChildStdout>,
    enter: Vec<String>,
}

impl Bench {
    /// `None` if something is missing here.
    fn new(options: &str) -> Option<Bench> {
        if !is_ready(&["ip", "ping", "nsenter", "unshare", "iperf3", "bash"]) {
            return None;
        }
        let mut path = Command::new(common::example("path"));
        path.args(options.split_whitespace()).stdout(Stdio::piped());
        let mut path = Running(path.spawn().expect("the example runs"));
        let lines = BufReader::new(path.0.stdout.take().expect("it is piped"));
        let mut bench = Bench { path, lines, enter: Vec::new() };
        loop {
            let line = bench.line();
            if line.ends_with("are one path") {
                return Some(bench);
            }
            let (_, enter) = line.split_once(": nsenter ").expect("how to get there");
            bench.enter.push(enter.into());
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the path has ended");
        line.trim_end().into()
    }

    fn words<'w>(&'w self, side: usize, line: &'w str) -> Vec<&'w str> {
        ["nsenter", &self.enter[side], "--"].into_iter().chain(line.split_whitespace()).collect()
    }

    /// Runs a program on a side; it may fail.
    fn attempt(&self, side: usize, line: &str) -> String {
        run_as(&self.words(side, line), true)
    }

    fn start(&self, side: usize, line: &str) -> Running {
        let words = self.words(side, line);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().expect("it runs"))
    }

    /// Ends the path and gives its report: a line for each direction, one for each TAP.
    fn finish(mut self) -> [String; 4] {
        run(&format!("kill -TERM {}", self.path.0.id()));
        let report = [0; 4].map(|_| self.line());
        assert!(self.path.0.wait().unwrap().success());
        report
    }
}

/// The number before `words` in a line.
fn number(line: &str, words: &str) -> u64 {
    let (before, _) = line.split_once(words).unwrap_or_else(|| panic!("no {words:?}: {line}"));
    let digits = before.trim_end().rsplit([' ', '(', '\n']).next().unwrap_or_default();
    digits.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Minimum and mean of the round-trip times that ping tells, in ms.
fn round_trips(text: &str) -> (f64, f64) {
    let (_, times) = text.split_once("rtt min/avg/max/mdev = ").unwrap_or_else(|| panic!("{text}"));
    let mut times = times.split('/').map(|time| time.parse().expect("a time"));
    (times.next().unwrap(), times.next().unwrap())
}

#[test]
fn ping_finds_the_delay_and_nothing_is_lost() {
    let Some(bench) = Bench::new("--delay 12.5ms") else { return };
    for to in ["10.0.0.2", "fd00::2"] {
        let text = bench.attempt(0, &format!("ping -c 20 -i 0.02 {to}"));
        assert!(text.contains(" 0% packet loss"), "{text}");
        let (min, mean) = round_trips(&text);
        // A machine with much to do is late now and then, but never early.
        assert!((25.0..40.0).contains(&min) && mean >= min, "{text}");
    }
    for direction in &bench.finish()[..2] {
        assert!(number(direction, "frames sent") >= 40, "{direction}");
        // The kernel goes on speaking of its groups while the path ends.
        let under_way = number(direction, "under way");
        assert_eq!(number(direction, "frames sent"), number(direction, "arrived") + under_way, "{direction}");
    }
}

#[test]
fn iperf3_finds_the_rate() {
    let Some(bench) = Bench::new("--rate 20M --delay 1ms --queue 64k") else { return };
    let _server = bench.start(1, "iperf3 -s");
    let end = Instant::now() + Duration::from_secs(10);
    while !bench.attempt(1, "cat /proc/net/tcp6").contains(":1451 ") {
        assert!(Instant::now() < end, "iperf3 does not listen");
    }
    // Reno, since CUBIC may end its slow start before the queue is full.
    let text = bench.attempt(0, "iperf3 -C reno -c 10.0.0.2 -t 3 -f k");
    let receiver = text.lines().find(|line| line.ends_with("receiver")).unwrap_or_else(|| panic!("{text}"));
    let rate = number(receiver, "Kbits/sec");
    // 1,448 octets of payload in a frame of 1,514; less where the machine has much to do.
    assert!((10_000..=20_000 * 1_448 / 1_514 + 100).contains(&rate), "{text}");
    let report = bench.finish();
    assert!(number(&report[0], "lost at the full queue") > 0, "TCP fills the queue: {}", report[0]);
    assert_eq!(number(&report[1], "lost at the full queue"), 0, "{}", report[1]);
}

#[test]
fn as_much_is_lost_and_held_back_as_was_asked_for_and_counted_as_such() {
    let Some(bench) = Bench::new("--delay 1ms --loss 4 --burst 5,8 --reorder 10,3ms --seed 5") else {
        return;
    };
    // What asks for the address gets lost as well, so it is not asked for.
    let text = bench.attempt(1, "ip -brief link show right");
    let address = text.split_whitespace().nth(2).unwrap_or_else(|| panic!("{text}"));
    bench.attempt(0, &format!("ip neighbour replace 10.0.0.2 lladdr {address} nud permanent dev left"));
    // Nobody listens, and the kernel counts what it has for nobody.
    let count = 10_000;
    let send = format!("for i in {{1..{count}}}; do echo -n x > /dev/udp/10.0.0.2/4567; done");
    let words = ["nsenter", &bench.enter[0], "--", "bash", "-c", &send];
    run_as(&words, false);
    std::thread::sleep(Duration::from_millis(200));
    let text = bench.attempt(1, "cat /proc/net/snmp");
    // Behind the line of names: what came, what was for no port.
    let line = text.lines().rfind(|line| line.starts_with("Udp: ")).unwrap_or_else(|| panic!("{text}"));
    let for_nobody: u64 =
        line.split_whitespace().nth(2).and_then(|digits| digits.parse().ok()).expect("a number");
    let [to, ..] = bench.finish();
    let sent = number(&to, "frames sent");
    // A few frames are IPv6's, which speaks up by itself.
    let few = 40;
    assert!((count..count + few).contains(&sent), "{to}");
    assert!((for_nobody..for_nobody + few).contains(&number(&to, "arrived")), "{for_nobody}: {to}");
    let share = |words: &str| number(&to, words) as f64 * 100.0 / sent as f64;
    assert!((3.2..4.8).contains(&share("lost,")), "{to}");
    // In about 60 bursts, so that it varies.
    assert!((3.0..7.5).contains(&share("lost in bursts")), "{to}");
    assert!((8.0..10.2).contains(&share("held back")), "of those not lost: {to}");
}

#[test]
fn taps_that_are_given_may_be_anybody_s() {
    let Some(bench) = Bench::new("--tap here --tap there --delay 2ms") else { return };
    assert!(bench.enter.is_empty(), "no namespaces are made");
    let host = Host::new();
    run(&format!("ip link set there netns {}", host.pid()));
    host.run("ip address add 10.9.0.2/24 dev there");
    host.run("ip link set there up");
    run("ip address add 10.9.0.1/24 dev here");
    let text = run_as(&["ping", "-c", "5", "-i", "0.02", "10.9.0.2"], true);
    assert!(text.contains(" 0% packet loss"), "{text}");
    assert!(round_trips(&text).0 >= 4.0, "{text}");
    let report = bench.finish();
    assert!(
        report[0].starts_with("here to there: ") && report[1].starts_with("there to here: "),
        "{report:?}"
    );
}
