//! However the client's octets are cut into segments, it gets the same answers.

use super::*;

/// Conversations that end in every way there is.
fn conversations() -> Vec<Vec<u8>> {
    let get = "GET /ten HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = "POST /upload/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        4;a=b\r\nabcd\r\n10\r\n0123456789abcdef\r\n0\r\nT: x\r\n\r\n";
    let length =
        "PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\nhello world";
    let texts = [
        [get, chunked, length, "HEAD /count HTTP/1.1\r\nHost: x\r\n\r\n", get].concat(),
        [length, "\r\n", chunked, "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", get]
            .concat(),
        [get, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", get].concat(),
        [get, "GET /%2e%2e HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n", get].concat(),
        [get, "GET / HTTP/1.1\r\nHost: x\rGET", get].concat(),
        [get, &chunked.replace("10\r\n", "1 0\r\n").replace("abcd\r\n", "abcde\r\n"), get].concat(),
        [get, "PUT /picky HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", get].concat(),
        [get, "GET /", &"x".repeat(1_100)].concat(),
        [get, "GET / HTTP/1.1\r\nHost: x\r\nA: ", &"x".repeat(2_100)].concat(),
        [get, "GET / HTTP/1.1\r\nHost: x\r\n", &"A: b\r\n".repeat(64), "\r\n"].concat(),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

/// What comes for `input` when it is cut into pieces of the lengths that `next` gives.
fn cut(input: &[u8], mut next: impl FnMut() -> usize) -> String {
    let mut talk = Talk::new(Limits::DEFAULT);
    let mut client = talk.connect();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(next().clamp(1, rest.len()));
        client.send(&mut talk, piece);
        client.listen(&mut talk, 1);
        rest = after;
    }
    client.listen(&mut talk, 30);
    // How much goes into a chunk is a matter of the room there was.
    let text = client.text();
    let Some(at) = text.find("HTTP/1.1 200 OK\r\nTransfer-Encoding") else { return text };
    [&text[..at], &unchunked(&text[at..]).0].concat()
}

#[test]
fn one_octet_at_a_time_gets_the_same_answers() {
    for input in conversations() {
        assert_eq!(cut(&input, || 1), cut(&input, || usize::MAX), "{}", input.escape_ascii());
    }
}

#[test]
fn any_cut_gets_the_same_answers() {
    let mut random = crate::phy::SimRng::new(9);
    for input in conversations() {
        let whole = cut(&input, || usize::MAX);
        for round in 1..=12 {
            let pieces = || 1 + (random.next_u64() % (round * round * 3)) as usize;
            assert_eq!(cut(&input, pieces), whole, "{}", input.escape_ascii());
        }
    }
}

#[test]
fn each_single_cut_gets_the_same_answers() {
    let input = &conversations()[0];
    let whole = cut(input, || usize::MAX);
    for at in 1..input.len() {
        let mut lengths = [at, usize::MAX].into_iter();
        assert_eq!(cut(input, || lengths.next().unwrap()), whole, "cut at {at}");
    }
}
