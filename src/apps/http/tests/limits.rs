//! What a client may take, and what becomes of one that takes more.

use super::*;

const GET: &str = "GET /ten HTTP/1.1\r\nHost: x\r\n\r\n";

/// The status of the only answer.
fn status(text: &str) -> &str {
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    &text[9..12]
}

/// Covers: RFC 9110 §15.5.15
/// Covers: RFC 6585 §5
#[test]
fn endless_lines_and_heads_are_refused_before_they_end() {
    let answer = |input: String| Talk::new(Limits::DEFAULT).ask_much(input.as_bytes());
    let path = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(len));
    for (len, expected) in [(1_000, "404"), (1_020, "414"), (100_000, "414")] {
        assert_eq!(status(&answer(path(len))), expected, "a path of {len}");
    }
    let field = |len: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(len));
    for (len, expected) in [(1_900, "200"), (2_100, "431"), (100_000, "431")] {
        assert_eq!(status(&answer(field(len))), expected, "a field of {len}");
    }
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A:\r\n".repeat(count));
    for (count, expected) in [(63, "200"), (64, "431"), (10_000, "431")] {
        assert_eq!(status(&answer(fields(count))), expected, "{count} fields");
    }
}

#[test]
fn a_connection_has_so_many_requests_and_no_more() {
    let mut talk = Talk::new(Limits { requests: 3, ..Limits::DEFAULT });
    let client = talk.ask(GET.repeat(5).as_bytes());
    assert_eq!(client.text().matches("HTTP/1.1 200 ").count(), 3);
    assert_eq!(client.text().matches("Connection: close").count(), 1);
    assert!(client.is_closed(&mut talk));
}

#[test]
fn no_more_requests_are_answered_ahead_than_the_limit_says() {
    let mut talk = Talk::with_buffers(Limits { pipelined: 4, ..Limits::DEFAULT }, 4_096, 65_536);
    let mut client = talk.connect();
    client.socket(&mut talk).send_slice(GET.repeat(20).as_bytes()).unwrap();
    let mut most = 0;
    let mut before = 0;
    for _ in 0..20 {
        talk.step();
        let responses = talk.server.stats().responses;
        most = most.max(responses - before);
        before = responses;
    }
    client.listen(&mut talk, 30);
    assert_eq!((most, client.text().matches("HTTP/1.1 200 ").count()), (4, 20));
}

#[test]
fn a_head_of_one_octet_a_minute_is_cut_off() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let mut client = talk.connect();
    client.send(&mut talk, b"G");
    talk.pass(9);
    assert_eq!(talk.server.connection_count(), 1);
    client.send(&mut talk, b"E");
    talk.pass(2);
    client.listen(&mut talk, 3);
    assert_eq!(status(&client.text()), "408");
    // Who does not close either is let go of.
    talk.pass(3);
    assert_eq!((talk.server.connection_count(), talk.server.stats().timeouts), (0, 1));
}

#[test]
fn a_body_that_trickles_is_cut_off_and_one_that_flows_is_not() {
    for (piece, is_slow) in [(&[b'x'; 100][..], true), (&[b'x'; 600], false)] {
        let mut talk = Talk::new(Limits::DEFAULT);
        let mut client = talk.connect();
        client.send(&mut talk, b"PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n");
        for _ in 0..4 {
            client.send(&mut talk, piece);
            talk.pass(9);
        }
        client.send(&mut talk, &[b'x'; 600]);
        client.listen(&mut talk, 3);
        assert_eq!(status(&client.text()), if is_slow { "408" } else { "201" });
        assert_eq!((talk.pages.aborted, talk.pages.complete), if is_slow { (1, 0) } else { (0, 1) });
    }
}

#[test]
fn a_client_that_does_not_read_is_reset() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let mut client = talk.connect();
    client.send(&mut talk, b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    talk.pass(22);
    assert!(client.is_reset(&mut talk));
    assert_eq!((talk.server.connection_count(), talk.server.stats().aborted), (0, 1));
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let mut client = talk.ask(GET.as_bytes());
    let len = client.got.len();
    talk.pass(29);
    assert_eq!(talk.server.connection_count(), 1);
    talk.pass(2);
    client.listen(&mut talk, 3);
    assert_eq!(
        (client.got.len(), client.is_closed(&mut talk), talk.server.connection_count()),
        (len, true, 0)
    );
}

#[test]
fn the_connection_that_was_idle_for_longest_gives_way_to_a_new_one() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let old: Vec<_> = (0..CONNECTIONS).map(|_| talk.ask(GET.as_bytes())).collect();
    let new = talk.ask(GET.as_bytes());
    assert_eq!(status(&new.text()), "200");
    assert!(old[0].is_closed(&mut talk) && !old[1].is_closed(&mut talk));
    assert_eq!((talk.server.connection_count(), talk.server.stats().evicted), (CONNECTIONS, 1));
}

#[test]
fn connections_that_are_at_work_do_not_give_way_and_new_ones_wait() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let mut busy: Vec<_> = (0..CONNECTIONS).map(|_| talk.ask(b"GET / HTTP/1.1\r\n")).collect();
    let mut new = talk.ask(GET.as_bytes());
    assert_eq!((new.text(), talk.server.stats().evicted), (String::new(), 0));
    busy[1].send(&mut talk, b"Host: x\r\n\r\n");
    busy[1].listen(&mut talk, 3);
    assert_eq!(status(&busy[1].text()), "200");
    // Now that one is idle, there is room.
    new.listen(&mut talk, 3);
    assert_eq!(status(&new.text()), "200");
    assert!(busy[1].is_closed(&mut talk));
}

#[test]
fn a_silent_new_connection_is_spared_for_a_second() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let _silent: Vec<_> = (0..CONNECTIONS).map(|_| talk.connect()).collect();
    let mut new = talk.ask(GET.as_bytes());
    assert_eq!(new.text(), "");
    talk.pass(1);
    new.listen(&mut talk, 3);
    assert_eq!(status(&new.text()), "200");
}

#[test]
fn a_body_that_ends_early_is_no_body() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let client = talk.ask(b"PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabc");
    client.close(&mut talk);
    talk.run(10);
    assert_eq!((talk.pages.aborted, talk.pages.complete, talk.server.connection_count()), (1, 0, 0));
}

#[test]
fn a_client_that_closes_its_half_still_gets_its_answer() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let mut client = talk.connect();
    client.send(&mut talk, [GET, GET, "GET / HT"].concat().as_bytes());
    client.close(&mut talk);
    client.listen(&mut talk, 30);
    assert_eq!(client.text().matches("HTTP/1.1 200 ").count(), 2);
    assert_eq!(talk.server.connection_count(), 0);
}

#[test]
fn a_connection_that_is_reset_frees_its_place_and_tells_the_handler() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let client = talk.ask(b"PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabc");
    client.socket(&mut talk).abort();
    talk.run(10);
    assert_eq!((talk.pages.aborted, talk.server.connection_count(), talk.server.stats().aborted), (1, 0, 1));
}

#[test]
fn what_is_not_the_servers_is_left_alone() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let other = talk.host.sockets.add(tcp::Socket::new(SocketBuffer::new(vec![]), SocketBuffer::new(vec![])));
    let Talk { now, host, server, pages, .. } = &mut talk;
    assert!(!server.on_ready(*now, &mut host.sockets, other, crate::socket::Events::READABLE, pages));
}
