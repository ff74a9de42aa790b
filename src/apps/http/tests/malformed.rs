//! Requests that are none, and what each is answered.

use super::*;

/// What is sent, and the status of the only answer.
const REQUESTS: &[(&str, u16)] = &[
    // RFC 9112 §3: the request line.
    ("GET\r\n\r\n", 400),
    ("GET /\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /  HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (" GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET / a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET / http/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET / HTTP/1\r\nHost: x\r\n\r\n", 400),
    ("GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400),
    ("GET / HTTP/1.x\r\nHost: x\r\n\r\n", 400),
    ("GET / HTTP/11\r\nHost: x\r\n\r\n", 400),
    ("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    // RFC 9110 §15.6.6, RFC 9113 §3.4.
    ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    // RFC 9110 §9.1, §15.6.2.
    ("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("get / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("GETGET / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    // RFC 9112 §3.2: the target and the host.
    ("GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /a%2f..%2fb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /a%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /% HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a@x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    // RFC 9112 §5: fields.
    ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nA\t: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400),
    // RFC 9112 §2.2: line ends.
    ("GET / HTTP/1.1\nHost: x\n\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
    ("GET / HTTP/1.1\rHost: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", 400),
    ("\n", 400),
    ("\r\r\n", 400),
    ("\r\n\r\n\r\n", 400),
    // RFC 9112 §6: where the body ends.
    (
        "POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nabcd", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\nabcd", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabcd", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4 4\r\n\r\nabcd", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabcd", 413),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\nabcd", 413),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\n\r\n", 411),
    ("PUT /upload/a HTTP/1.0\r\n\r\nabcd", 411),
    // RFC 9112 §7.1: chunks.
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcde\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100000000\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n", 400),
    ("POST /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", 400),
];

/// Covers: RFC 9112 §3
/// Covers: RFC 9112 §3.2
/// Covers: RFC 9112 §5.1
/// Covers: RFC 9112 §5.2
/// Covers: RFC 9112 §6.1
/// Covers: RFC 9112 §6.3
/// Covers: RFC 9112 §11.2
#[test]
fn each_malformed_request_gets_its_answer_and_no_other_follows_it() {
    for (request, status) in REQUESTS {
        let mut talk = Talk::new(Limits::DEFAULT);
        // What a smuggler would have us take for a request.
        let input = [request, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n"].concat();
        let client = talk.ask(input.as_bytes());
        let text = client.text();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{request:?}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{request:?}: {text}");
        assert!(client.is_closed(&mut talk), "{request:?}");
        assert_eq!(talk.server.stats().refused, 1, "{request:?}");
    }
}

#[test]
fn text_that_is_not_ascii_may_be_in_a_value_but_nowhere_else() {
    let with = |field: &[u8]| {
        let input = [&b"GET /ten HTTP/1.1\r\nHost: x\r\n"[..], field, b"\r\n\r\n"].concat();
        Talk::new(Limits::DEFAULT).ask(&input).text()
    };
    assert!(with(b"A: caf\xe9").starts_with("HTTP/1.1 200 "));
    assert!(with(b"Caf\xe9: a").starts_with("HTTP/1.1 400 "));
}
