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

/// Two sockets with odd settings, on their way to a connection, over a wire of `seed`'s making.
fn pair_of(random: &mut Random, seed: u64) -> (Pair, u32) {
    let sizes = [300, 1_000, 4_000, 30_000, 100_000];
    let mut end = || {
        let mut socket = socket(random.one_of(&sizes), random.one_of(&sizes));
        socket.set_nagle_enabled(random.below(2) == 0);
        socket.set_sack_enabled(random.below(3) > 0);
        socket.set_timestamps_enabled(random.below(3) > 0);
        socket.set_pacing_enabled(random.below(2) == 0);
        socket.set_ack_delay(random.one_of(&[None, Some(millis(40)), Some(millis(200))]));
        // So that a peer that has gone without a word is noticed.
        socket.set_keep_alive(Some(Duration::from_secs(30)));
        socket
    };
    let mut pair = Pair::of(end(), end());
    pair.mtu = random.one_of(&[1_500, 1_500, 600, 120]);
    pair.delay = millis(random.one_of(&[0u64, 1, 20, 150]));
    pair.burst_len = random.one_of(&[0, 0, 8_000]);
    // The clock moves the initial numbers, so that some connections wrap.
    pair.now += Duration::from_secs(u64::from(random.below(20_000)));
    if random.below(5) == 0 {
        pair.ends[A].connect(endpoint(2, 80), 49_152).unwrap();
        pair.ends[B].connect(endpoint(1, 49_152), 80).unwrap();
        pair.settle(A);
        pair.settle(B);
    } else {
        pair.open();
    }
    let (loss, double, late) = (random.below(25), random.below(20), random.below(30));
    // Some paths are narrower than the link, and nobody says so.
    let mut fate = Random::new(seed ^ 0xdead);
    let narrow = fate.one_of(&[usize::MAX, usize::MAX, 1_400, 1_100]);
    pair.script = Box::new(move |sent| {
        if fate.below(100) < loss || (sent.plan.len <= 1_460 && sent.plan.total_len() + 20 > narrow) {
            Fate::Drop
        } else if fate.below(100) < double {
            Fate::Twice
        } else if fate.below(100) < late {
            Fate::Late(u64::from(fate.below(300)))
        } else {
            Fate::Pass
        }
    });
    (pair, loss)
}

/// Both ends are done; a listening socket whose request came to nothing listens again.
fn is_over(pair: &Pair) -> bool {
    pair.ends.iter().all(|socket| match socket.state() {
        State::Closed | State::TimeWait => !socket.can_recv(),
        State::Listen => !pair.ends[A].is_open(),
        _ => false,
    })
}

/// Runs to the end, and says which kinds of segments and which states there were.
fn run(seed: u64) -> ([bool; 15], [bool; 11]) {
    let mut random = Random::new(seed);
    let (mut pair, loss) = pair_of(&mut random, seed);
    let mut apps = [App::new(&mut random, 1), App::new(&mut random, 2)];
    // Two that wait for each other would wait for ever.
    apps[B].is_patient &= !apps[A].is_patient;
    let mut states = [false; 11];
    for _ in 0..30_000 {
        // The application's turns come as often as packets, or much less often.
        pair.run_with(millis(u64::from(random.one_of(&[5u32, 50, 1_000]))), |pair| {
            for end in [A, B] {
                states[pair.ends[end].state() as usize] = true;
                apps[end].turn(&mut pair.ends[end], &mut random);
                states[pair.ends[end].state() as usize] = true;
            }
        });
        if is_over(&pair) {
            break;
        }
    }
    judge(seed, &pair, &apps, loss);
    let mut kinds = [false; 15];
    for sent in &pair.log {
        kinds[sent.plan.kind as usize] = true;
    }
    (kinds, states)
}

fn judge(seed: u64, pair: &Pair, apps: &[App; 2], loss: u32) {
    assert!(is_over(pair), "seed {seed}: {:?}", pair.states());
    let was_aborted = apps.iter().any(|app| app.aborts_at != usize::MAX);
    let errors = pair.ends.each_ref().map(|socket| socket.error());
    for end in [A, B] {
        let (app, other) = (&apps[end], &apps[1 - end]);
        assert!(other.data.starts_with(&app.got), "seed {seed}: end {end} got what was not sent");
        if !was_aborted && errors == [None; 2] {
            assert_eq!(app.got.len(), other.data.len(), "seed {seed}: end {end}");
        }
    }
    // With few segments lost, a dozen attempts are always enough.
    assert!(was_aborted || errors == [None; 2] || loss >= 5, "seed {seed}: {errors:?}");
}

#[test]
fn data_arrives_or_the_application_hears_of_it() {
    let (mut kinds, mut states) = ([false; 15], [false; 11]);
    for seed in 0..1_500 {
        let (new_kinds, new_states) = run(seed);
        kinds.iter_mut().zip(new_kinds).for_each(|(seen, new)| *seen |= new);
        states.iter_mut().zip(new_states).for_each(|(seen, new)| *seen |= new);
    }
    assert_eq!(kinds, [true; 15], "every kind of segment was sent");
    assert_eq!(states, [true; 11], "every state was reached");
}
