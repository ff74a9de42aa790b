//! What the RFCs want, clause by clause.

use super::*;

const HOST: &str = "Host: x\r\n";

fn get(path: &str, fields: &str) -> String {
    answer(&format!("GET {path} HTTP/1.1\r\n{HOST}{fields}\r\n"))
}

const TEN: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"ten\"\r\nAccept-Ranges: bytes\r\n\
    Content-Length: 10\r\n\r\n0123456789";

#[test]
fn a_file_is_sent_whole() {
    assert_eq!(get("/ten", ""), TEN);
    let bare = "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: 3\r\n\r\nhot";
    assert_eq!(get("/caf%c3%a9%20au%20lait?with=sugar", ""), bare);
}

#[test]
fn a_file_longer_than_all_buffers_is_sent_whole() {
    let text = get("/long", "");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Length: 100000"), "{head}");
    assert!(body.as_bytes() == LONG);
}

/// Covers: RFC 9110 §9.3.2
#[test]
fn head_is_get_without_the_body() {
    for path in ["/ten", "/status", "/count", "/stream", "/nothing"] {
        let whole = get(path, "");
        let head = answer(&format!("HEAD {path} HTTP/1.1\r\n{HOST}\r\n"));
        assert_eq!(Some(head.strip_suffix("\r\n\r\n").unwrap()), whole.split("\r\n\r\n").next());
    }
}

/// Covers: RFC 9112 §9.3
/// Covers: RFC 9112 §9.3.2
#[test]
fn a_connection_goes_on_and_requests_may_be_pipelined() {
    let one = format!("GET /ten HTTP/1.1\r\n{HOST}\r\n");
    let mut talk = Talk::new(Limits::DEFAULT);
    let client = talk.ask(one.repeat(100).as_bytes());
    assert_eq!(client.text(), TEN.repeat(100));
    assert!(!client.is_closed(&mut talk));
    assert_eq!((talk.server.stats().requests, talk.server.stats().responses), (100, 100));
}

/// Covers: RFC 9112 §9.6
#[test]
fn a_connection_is_closed_when_the_client_asks_for_it() {
    for option in ["close", "Close", "x, close", "keep-alive, close"] {
        let mut talk = Talk::new(Limits::DEFAULT);
        let input = format!("GET / HTTP/1.1\r\n{HOST}Connection: {option}\r\n\r\nGET /ten HTTP/1.1\r\n\r\n");
        let client = talk.ask(input.as_bytes());
        assert!(client.text().ends_with("Connection: close\r\n\r\n<p>Goldcrest"), "{}", client.text());
        assert!(client.is_closed(&mut talk));
        client.close(&mut talk);
        talk.run(10);
        assert_eq!(talk.server.connection_count(), 0);
    }
}

/// Covers: RFC 9112 §9.3
#[test]
fn http_1_0_goes_on_only_if_it_says_so() {
    for (fields, is_open) in [("", false), ("Connection: keep-alive\r\n", true)] {
        let mut talk = Talk::new(Limits::DEFAULT);
        let client = talk.ask(format!("GET /ten HTTP/1.0\r\n{fields}\r\n").as_bytes());
        let option = if is_open { "keep-alive" } else { "close" };
        assert!(client.text().contains(&format!("\r\nConnection: {option}\r\n")), "{}", client.text());
        assert_eq!(client.is_closed(&mut talk), !is_open);
    }
}

/// Covers: RFC 9112 §6.3
#[test]
fn http_1_0_gets_no_chunks_but_an_end() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let client = talk.ask(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.text(), format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", generated()));
    assert!(client.is_closed(&mut talk));
}

#[test]
fn a_body_that_is_generated_is_as_long_as_was_said() {
    assert_eq!(get("/count", ""), format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{}", generated()));
}

/// Covers: RFC 9112 §7.1
#[test]
fn a_body_of_unknown_length_comes_in_chunks() {
    let whole = ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", &generated()].concat();
    assert_eq!(unchunked(&get("/stream", "")), (whole, ""));
}

/// Covers: RFC 9110 §15.5.5
/// Covers: RFC 9110 §15.5.6
/// Covers: RFC 9110 §10.2.1
#[test]
fn what_is_not_there_is_told_from_what_is_not_allowed() {
    assert!(get("/nothing", "").starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(get("/uploads", "").starts_with("HTTP/1.1 404 "));
    let put = answer(&format!("PUT /ten HTTP/1.1\r\n{HOST}Content-Length: 0\r\n\r\n"));
    assert!(put.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{put}");
    assert!(put.contains("\r\nAllow: GET, HEAD\r\n"), "{put}");
    assert!(get("/upload/a", "").contains("\r\nAllow: POST, PUT\r\n"));
    assert!(get("/early", "").contains("\r\nAllow: POST\r\n"));
}

#[test]
fn a_connection_goes_on_after_an_error_that_leaves_no_doubt() {
    let input = format!("GET /nothing HTTP/1.1\r\n{HOST}\r\nGET /ten HTTP/1.1\r\n{HOST}\r\n");
    assert!(answer(&input).ends_with(TEN));
}

fn upload(fields: &str, body: &str) -> String {
    answer(&format!("PUT /upload/a HTTP/1.1\r\n{HOST}{fields}\r\n{body}"))
}

const CREATED: &str = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n4 394";

/// Covers: RFC 9112 §6.2
/// Covers: RFC 9112 §7.1
#[test]
fn bodies_of_known_length_and_in_chunks_reach_the_handler() {
    assert_eq!(upload("Content-Length: 4\r\n", "abcd"), CREATED);
    assert_eq!(upload("Transfer-Encoding: chunked\r\n", "1\r\na\r\n3;x\r\nbcd\r\n0\r\n\r\n"), CREATED);
    assert_eq!(upload("transfer-ENCODING: Chunked\r\n", "4\r\nabcd\r\n0\r\nA: b\r\n\r\n"), CREATED);
    let empty = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\n0 0";
    assert_eq!(upload("Content-Length: 0\r\n", ""), empty);
    let next = format!("abcdGET /ten HTTP/1.1\r\n{HOST}\r\n");
    assert_eq!(upload("Content-Length: 4\r\n", &next), [CREATED, TEN].concat());
}

#[test]
fn a_body_longer_than_all_buffers_reaches_the_handler() {
    let (len, sum) = (LONG.len(), LONG.iter().map(|&octet| u32::from(octet)).sum::<u32>());
    let body = core::str::from_utf8(&LONG).unwrap();
    assert!(upload(&format!("Content-Length: {len}\r\n"), body).ends_with(&format!("{len} {sum}")));
}

/// Covers: RFC 9110 §10.1.1
#[test]
fn a_body_is_asked_for_when_the_client_waits_for_that() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let head = format!("PUT /upload/a HTTP/1.1\r\n{HOST}Expect: 100-Continue\r\nContent-Length: 4\r\n\r\n");
    let mut client = talk.ask(head.as_bytes());
    assert_eq!(client.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(&mut talk, b"abcd");
    client.listen(&mut talk, 30);
    assert_eq!(client.text(), format!("HTTP/1.1 100 Continue\r\n\r\n{CREATED}"));
    // In 1.0 nobody waits; where nobody wants the body, it is not asked for.
    let old = "PUT /upload/a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd";
    assert!(answer(old).starts_with("HTTP/1.1 201 "));
    let refused = answer(&head.replace("PUT /upload/a", "POST /early"));
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{refused}");
    assert!(upload("Expect: 200-ok\r\nContent-Length: 0\r\n", "").starts_with("HTTP/1.1 417 "));
}

/// Covers: RFC 9112 §9.3
#[test]
fn a_body_that_nobody_reads_ends_the_connection_but_not_the_answer() {
    let mut talk = Talk::new(Limits::DEFAULT);
    let head = format!("POST /early HTTP/1.1\r\n{HOST}Content-Length: 20000\r\n\r\n");
    let mut client = talk.connect();
    client.send(&mut talk, head.as_bytes());
    client.send(&mut talk, &[b'x'; 20_000]);
    client.listen(&mut talk, 30);
    let expected =
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nRetry-After: 9\r\nConnection: close\r\n\r\n";
    assert_eq!(client.text(), expected);
    assert!(client.is_closed(&mut talk));
    client.close(&mut talk);
    talk.run(10);
    assert_eq!((client.is_reset(&mut talk), talk.server.connection_count()), (false, 0));
}

#[test]
fn a_handler_refuses_a_body_when_it_sees_it() {
    let text = answer(&format!("PUT /picky HTTP/1.1\r\n{HOST}Content-Length: 4\r\n\r\nabcd"));
    assert!(text.starts_with("HTTP/1.1 415 Unsupported Media Type\r\n"), "{text}");
    assert!(text.contains("\r\nConnection: close\r\n"));
}

/// Covers: RFC 9110 §14.2
/// Covers: RFC 9110 §15.3.7
/// Covers: RFC 9110 §15.5.17
#[test]
fn a_part_is_sent_of_a_file() {
    let part = get("/ten", "Range: bytes=2-4\r\n");
    let expected = "HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nETag: \"ten\"\r\n\
        Content-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234";
    assert_eq!(part, expected);
    assert!(get("/ten", "Range: bytes=-1\r\n").ends_with("\r\n\r\n9"));
    let beyond = get("/ten", "Range: bytes=10-\r\n");
    assert!(beyond.starts_with("HTTP/1.1 416 Range Not Satisfiable\r\n"), "{beyond}");
    assert!(beyond.contains("\r\nContent-Range: bytes */10\r\n"), "{beyond}");
    assert_eq!(get("/ten", "Range: bytes=0-1,3-4\r\n"), TEN);
    assert_eq!(get("/ten", "Range: bytes=0-1\r\nRange: bytes=3-4\r\n"), TEN);
    // Only GET has parts, and only of what is known beforehand.
    let head = answer(&format!("HEAD /ten HTTP/1.1\r\n{HOST}Range: bytes=2-4\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(get("/count", "Range: bytes=2-4\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get("/count", "Range: bytes=9999-\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
}

/// Covers: RFC 9110 §13.1.5
#[test]
fn a_part_is_sent_if_it_is_still_of_the_same() {
    for (condition, status) in
        [("\"ten\"", 206), ("\"old\"", 200), ("W/\"ten\"", 200), ("Sat, 29 Oct 1994 19:43:31 GMT", 200)]
    {
        let text = get("/ten", &format!("If-Range: {condition}\r\nRange: bytes=2-4\r\n"));
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{condition}: {text}");
    }
    // A weak tag says nothing about octets.
    let weak = get("/long", "If-Range: W/\"long\"\r\nRange: bytes=2-4\r\n");
    assert!(weak.starts_with("HTTP/1.1 200 "), "{weak}");
}

/// Covers: RFC 9110 §13.1.1
/// Covers: RFC 9110 §13.1.2
/// Covers: RFC 9110 §13.2.2
#[test]
fn conditions_decide_before_ranges() {
    let not_modified = "HTTP/1.1 304 Not Modified\r\nETag: \"ten\"\r\n\r\n";
    for tags in [
        "\"ten\"",
        "W/\"ten\"",
        "\"a\", \"ten\"",
        "*",
        "\"a,b\" ,W/\"ten\"",
        "\"a\"\r\nIf-None-Match: \"ten\"",
    ] {
        assert_eq!(get("/ten", &format!("If-None-Match: {tags}\r\nRange: bytes=99-\r\n")), not_modified);
    }
    for tags in ["\"a\"", "\"te\"", "\"ten", "ten", "W/\"n\"", ""] {
        assert_eq!(get("/ten", &format!("If-None-Match: {tags}\r\n")), TEN);
    }
    for (tags, status) in
        [("\"ten\"", 200), ("*", 200), ("\"a\", \"ten\"", 200), ("W/\"ten\"", 412), ("\"a\"", 412)]
    {
        let text = get("/ten", &format!("If-Match: {tags}\r\n"));
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{tags}: {text}");
    }
    assert!(get("/long", "If-Match: W/\"long\"\r\n").starts_with("HTTP/1.1 412 "));
    assert!(get("/long", "If-None-Match: \"long\"\r\n").starts_with("HTTP/1.1 304 "));
    let put = |condition| {
        answer(&format!("PUT /tagged HTTP/1.1\r\n{HOST}{condition}\r\nContent-Length: 0\r\n\r\n"))
    };
    assert!(put("If-Match: \"v1\"").starts_with("HTTP/1.1 200 "));
    assert!(put("If-Match: \"v0\"").starts_with("HTTP/1.1 412 "));
    assert!(put("If-None-Match: *").starts_with("HTTP/1.1 412 "));
    assert!(get("/tagged", "If-None-Match: \"v1\"\r\n").starts_with("HTTP/1.1 304 "));
}

/// Covers: RFC 9112 §3.2.2
#[test]
fn the_absolute_form_is_understood() {
    assert_eq!(get("http://x/ten?q", ""), TEN);
}

/// Covers: RFC 9112 §2.2
#[test]
fn an_empty_line_before_a_request_is_passed_over() {
    assert_eq!(
        answer(&format!("\r\nGET /ten HTTP/1.1\r\n{HOST}\r\n\r\nGET /ten HTTP/1.1\r\n{HOST}\r\n")),
        TEN.repeat(2)
    );
}

/// Covers: RFC 9110 §2.5
#[test]
fn a_later_minor_version_is_understood() {
    assert_eq!(answer(&format!("GET /ten HTTP/1.7\r\n{HOST}\r\n")), TEN);
}

#[test]
fn what_is_copied_goes_out_after_its_head() {
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\n/status a=b";
    assert_eq!(get("/status?a=b", ""), expected);
}

#[test]
fn the_applications_faults_are_errors_not_garbage() {
    assert!(get("/too-long", "").starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
    let mut talk = Talk::new(Limits::DEFAULT);
    let client = talk.ask(b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.is_reset(&mut talk));
    assert_eq!((talk.server.stats().faults, talk.pages.aborted, talk.server.connection_count()), (1, 1, 0));
}
