//! What there is on the web server: a page that lies in the program, the counters, things to download
//! of any length, and a place to upload to.

use std::collections::HashMap;
use std::fmt::{self, Write};

use goldcrest::apps::http::{
    self, Exchange, File, Handler, Methods, Next, Reply, Request, Route, Server, Site, Status,
};
use goldcrest::stats::{Mib, Stats};
use xxhash_rust::xxh3::Xxh3;

use crate::common::Stack;
use crate::streams::character;

const INDEX: &[u8] = b"<!doctype html>
<title>Goldcrest</title>
<h1>It works</h1>
<p>This page comes from a TCP/IP stack of its own.
<ul>
<li><a href=/status>/status</a>: what it has counted
<li><a href=/bytes/100000>/bytes/100000</a>: so many octets
<li><a href=/lines/100>/lines/100</a>: so many lines, in chunks
<li>PUT or POST to /upload/ANYTHING: how much came, and its XXH3 hash
</ul>
";

static FILES: [File; 2] = [
    File { path: "/", content_type: "text/html; charset=utf-8", octets: INDEX, etag: "\"index-1\"" },
    File {
        path: "/robots.txt",
        content_type: "text/plain",
        octets: b"User-agent: *\nDisallow: /\n",
        etag: "",
    },
];

const STATUS: usize = 0;
const BYTES: usize = 1;
const LINES: usize = 2;

static ROUTES: [Route; 4] = [
    Route { path: "/status", methods: Methods::READING },
    Route { path: "/bytes/*", methods: Methods::READING },
    Route { path: "/lines/*", methods: Methods::READING },
    Route { path: "/upload/*", methods: Methods::PUT.union(Methods::POST) },
];

/// Octets of `/flash`.
const FLASH_LEN: u32 = 10_000_000;

/// All of it, and `/flash` if asked for, which is there for good, as if it lay in flash memory.
pub(crate) fn site(has_flash: bool) -> Site {
    if !has_flash {
        return Site { routes: &ROUTES, files: &FILES };
    }
    let octets = (0..FLASH_LEN).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let octets = Vec::leak(octets);
    let flash =
        File { path: "/flash", content_type: "application/octet-stream", octets, etag: "\"flash-1\"" };
    Site { routes: &ROUTES, files: Vec::leak([&FILES[..], &[flash]].concat()) }
}

/// Octets of a line of `/lines`.
const LINE_LEN: usize = 74;

/// An upload that is going on.
#[derive(Default)]
struct Upload {
    len: usize,
    hash: Xxh3,
}

/// The part of the web server that is this program's.
#[derive(Default)]
pub(crate) struct Pages {
    uploads: HashMap<usize, Upload>,
    /// Octets that an exchange has still to send, by its key.
    rest: HashMap<usize, usize>,
    stack: Stats,
    mib: Option<Mib>,
    http: http::Stats,
    connections: usize,
}

impl Pages {
    /// Looks at the counters, for whoever asks.
    pub(crate) fn see(&mut self, stack: &Stack, server: &Server<'_>) {
        self.stack.clone_from(stack.iface.stats());
        self.mib = Some(stack.iface.mib());
        (self.http, self.connections) = (*server.stats(), server.connection_count());
    }

    /// What the stack and the server have counted.
    pub(crate) fn counters(&self) -> Counters<'_> {
        Counters(self)
    }
}

/// Prints the counters.
pub(crate) struct Counters<'p>(&'p Pages);

impl fmt::Display for Counters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pages { stack, mib, http, connections, .. } = self.0;
        if let Some(Mib { interface, tcp, udp, .. }) = mib {
            writeln!(f, "frames received {}, octets {}", interface.in_frames, interface.in_octets)?;
            writeln!(f, "frames sent {}, octets {}", interface.out_frames, interface.out_octets)?;
            writeln!(f, "TCP segments received {}, sent {}", tcp.in_segs, tcp.out_segs)?;
            writeln!(f, "TCP segments sent again {}, resets {}", tcp.retrans_segs, tcp.out_rsts)?;
            writeln!(f, "UDP datagrams received {}, sent {}", udp.in_datagrams, udp.out_datagrams)?;
        }
        writeln!(f, "HTTP connections {}, open {connections}", http.connections)?;
        writeln!(f, "HTTP requests {}, answered {}", http.requests, http.responses)?;
        writeln!(f, "HTTP refused {}, too slow {}", http.refused, http.timeouts)?;
        writeln!(f, "HTTP aborted {}, evicted {}, faults {}", http.aborted, http.evicted, http.faults)?;
        for (reason, count) in stack.dropped() {
            writeln!(f, "dropped: {reason:?} {count}")?;
        }
        Ok(())
    }
}

/// The number that a path ends with.
fn number(path: &str) -> Option<usize> {
    path.rsplit('/').next()?.parse().ok()
}

impl Handler for Pages {
    fn request(&mut self, exchange: &mut Exchange, request: &Request<'_>, reply: &mut Reply<'_>) -> Next {
        let count = number(request.path());
        reply.content_type("text/plain");
        match (exchange.route, count) {
            (STATUS, _) => {
                reply.field_lines("Cache-Control: no-store\r\n");
                let _ = write!(reply, "{}", self.counters()); // too long becomes an error by itself
            }
            (BYTES, Some(len)) => {
                self.rest.insert(exchange.key(), len);
                reply.generate(len);
            }
            (LINES, Some(lines)) => {
                self.rest.insert(exchange.key(), lines.saturating_mul(LINE_LEN));
                reply.generate_open();
            }
            (BYTES | LINES, None) => {
                reply.status(Status::NOT_FOUND);
            }
            _ => {
                self.uploads.insert(exchange.key(), Upload::default());
                return Next::Receive;
            }
        }
        Next::Respond
    }

    fn body(&mut self, exchange: &mut Exchange, piece: &[u8]) -> Result<(), Status> {
        let upload = self.uploads.entry(exchange.key()).or_default();
        upload.len += piece.len();
        upload.hash.update(piece);
        Ok(())
    }

    fn respond(&mut self, exchange: &mut Exchange, reply: &mut Reply<'_>) {
        let upload = self.uploads.remove(&exchange.key()).unwrap_or_default();
        reply.status(Status::CREATED).content_type("text/plain");
        let _ = writeln!(reply, "{} octets, XXH3 {:016x}", upload.len, upload.hash.digest()); // it is short
    }

    fn fill(&mut self, exchange: &mut Exchange, out: &mut [u8]) -> usize {
        let Some(rest) = self.rest.get_mut(&exchange.key()) else { return 0 };
        let len = out.len().min(*rest);
        out.iter_mut().zip(exchange.state..).take(len).for_each(|(octet, at)| *octet = character(at));
        exchange.state += len;
        *rest -= len;
        len
    }

    fn ended(&mut self, exchange: &mut Exchange, is_complete: bool) {
        log::debug!("{exchange:?} is over, complete: {is_complete}");
        self.uploads.remove(&exchange.key());
        self.rest.remove(&exchange.key());
    }
}
