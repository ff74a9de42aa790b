//! Two sockets, a bad network and applications that do as they please, from a seed.

use super::*;

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as u32
    }

    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }
}

/// One end's application: what it sends, what it got, when it closes.
struct App {
    data: Vec<u8>,
    sent: usize,
    got: Vec<u8>,
    /// Octets read at a turn, at most.
    bite: usize,
    /// Turns until it reads again.
    pause: u32,
    is_closed: bool,
    /// Closes only when the peer has.
    is_patient: bool,
    aborts_at: usize,
}

impl App {
    fn new(random: &mut Random, seed: u32) -> App {
        let len = random.one_of(&[0, 1, 100, 2_000, 20_000, 60_000]);
        App {
            data: pattern(len, seed),
            sent: 0,
            got: Vec::new(),
            bite: random.one_of(&[1_000_000, 3_000, 100]),
            pause: 0,
            is_closed: false,
            is_patient: random.below(3) == 0,
            aborts_at: if random.below(12) == 0 { random.below(len as u32 + 1) as usize } else { usize::MAX },
        }
    }

    fn turn(&mut self, socket: &mut Socket<'_>, random: &mut Random) {
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        if random.below(10) == 0 {
            self.pause = random.below(20);
        }
        let mut data = vec![0; self.bite.min(socket.recv_queue())];
        let finished = socket.recv_slice(&mut data) == Err(RecvError::Finished);
        self.got.extend(data);
        if !socket.may_send() || self.is_closed {
            return;
        }
        let end = (self.sent + 1 + random.below(5_000) as usize).min(self.data.len());
        self.sent += socket.send_slice(&self.data[self.sent..end]).unwrap();
        if self.sent >= self.aborts_at {
            socket.abort();
            self.is_closed = true;
        } else if self.sent == self.data.len() && (!self.is_patient || finished) {
            socket.close();
            self.is_closed = true;
        }
    }
}

/// A listening socket whose request came to nothing listens again.
fn is_done(socket: &Socket<'_>) -> bool {
    matches!(socket.state(), State::Closed | State::TimeWait | State::Listen)
}

fn run(seed: u64) -> [bool; 12] {
    let mut random = Random::new(seed);
    let sizes = [300, 1_000, 4_000, 30_000, 100_000];
    let mut end = || {
        let mut socket = socket(random.one_of(&sizes), random.one_of(&sizes));
        socket.set_nagle_enabled(random.below(2) == 0);
        socket.set_ack_delay(random.one_of(&[None, Some(millis(40)), Some(millis(200))]));
        // So that a peer that has gone without a word is noticed.
        socket.set_keep_alive(Some(Duration::from_secs(30)));
        socket
    };
    let mut pair = Pair::of(end(), end());
    pair.mtu = random.one_of(&[1_500, 1_500, 600, 120]);
    pair.delay = millis(random.one_of(&[0u64, 1, 20, 150]));
    let patience = [random.below(3) == 0, random.below(3) == 0];
    let mut apps = [App::new(&mut random, 1), App::new(&mut random, 2)];
    apps[A].is_patient = patience[A];
    // Two that wait for each other would wait for ever.
    apps[B].is_patient = patience[B] && !patience[A];
    let is_simultaneous = random.below(5) == 0;
    if is_simultaneous {
        pair.ends[A].connect(endpoint(2, 80), 49_152).unwrap();
        pair.ends[B].connect(endpoint(1, 49_152), 80).unwrap();
        pair.settle(A);
        pair.settle(B);
    } else {
        pair.open();
    }
    let (loss, double, late) = (random.below(25), random.below(20), random.below(30));
    let mut fate = Random::new(seed ^ 0xdead);
    pair.script = Box::new(move |_| {
        if fate.below(100) < loss {
            Fate::Drop
        } else if fate.below(100) < double {
            Fate::Twice
        } else if fate.below(100) < late {
            Fate::Late(u64::from(fate.below(300)))
        } else {
            Fate::Pass
        }
    });
    for _ in 0..30_000 {
        // The application's turns come as often as packets, or much less often.
        pair.run_with(millis(u64::from(random.one_of(&[5u32, 50, 1_000]))), |pair| {
            for end in [A, B] {
                apps[end].turn(&mut pair.ends[end], &mut random);
            }
        });
        if is_done(&pair.ends[A]) && is_done(&pair.ends[B]) && !pair.ends.iter().any(Socket::can_recv) {
            break;
        }
    }
    if std::env::var("TRACE").is_ok() {
        println!(
            "now {} next {:?} deadlines {:?} {:?}",
            pair.now,
            pair.next_at(),
            pair.ends[A],
            pair.ends[B].state()
        );
        for s in &pair.log {
            println!(
                "{} {} {:?} {:?} seq {} ack {} off {} len {} win {}",
                s.at,
                s.from,
                s.plan.kind,
                s.plan.flags,
                s.plan.seq,
                s.plan.ack,
                s.plan.offset,
                s.plan.len,
                s.plan.window
            );
        }
    }
    let is_done = |socket: &Socket<'_>| {
        let is_listening = socket.state() == State::Listen && !pair.ends[A].is_open();
        is_done(socket) && (is_listening || socket.state() != State::Listen)
    };
    let was_aborted = apps.iter().any(|app| app.aborts_at != usize::MAX);
    let failed = pair.ends.iter().any(|socket| socket.error().is_some());
    for end in [A, B] {
        let (app, other) = (&apps[end], &apps[1 - end]);
        assert!(other.data.starts_with(&app.got), "seed {seed}: end {end} got what was not sent");
        assert!(
            is_done(&pair.ends[end]),
            "seed {seed}: {:?}, {} of {} octets",
            pair.states(),
            app.got.len(),
            other.data.len()
        );
        if !was_aborted && !failed {
            assert_eq!(app.got.len(), other.data.len(), "seed {seed}: end {end}");
        }
    }
    // With at most a quarter lost, a dozen attempts are enough, but for a handshake with six.
    assert!(
        was_aborted || !failed || loss >= 5,
        "seed {seed}: {:?}",
        pair.ends.each_ref().map(|s| s.error())
    );
    let mut kinds = [false; 12];
    for sent in &pair.log {
        kinds[sent.plan.kind as usize] = true;
    }
    kinds
}

#[test]
fn data_arrives_or_the_application_hears_of_it() {
    let mut kinds = [false; 12];
    for seed in std::env::var("SEED").map_or(0..1_500, |s| {
        let (a, b) = s.split_once(".").unwrap();
        a.parse().unwrap()..b.parse().unwrap()
    }) {
        for (seen, new) in kinds.iter_mut().zip(run(seed)) {
            *seen |= new;
        }
    }
    assert_eq!(kinds, [true; 12], "every kind of segment was sent");
}
