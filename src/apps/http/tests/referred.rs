//! Files that are sent from where they lie.

use super::*;
use crate::phy::PathConfig;
use crate::socket::tcp::SendRef;

const RX_LEN: usize = 432;
const TX_LEN: usize = 384;

/// A server of one file, whose connections have little memory, over a path that loses `loss_ppm` of a million.
fn talk(len: usize, loss_ppm: u32) -> (Talk, &'static [u8]) {
    let octets: &'static [u8] =
        Vec::leak((0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect());
    let files = [File { path: "/flash", content_type: "image/raw", octets, etag: "\"flash\"" }];
    let site = Site { routes: &[], files: Vec::leak(files.to_vec()) };
    let path = PathConfig { delay: Duration::from_millis(5), loss_ppm, ..PathConfig::default() };
    let mut talk = Talk::over(SimConfig::symmetric(Medium::Ip, path), site, RX_LEN, TX_LEN, Limits::DEFAULT);
    talk.host.sockets.get_mut::<Listener>(talk.listener).set_send_refs(1);
    (talk, octets)
}

fn body(got: &[u8]) -> &[u8] {
    let end = got.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
    &got[end + 4..]
}

#[test]
fn ten_megabytes_are_served_from_flash_in_two_kilobytes_over_losses() {
    let memory = RX_LEN + TX_LEN + size_of::<SendRef<'_>>() + size_of::<tcp::Socket<'_>>();
    assert!(memory < 2_000, "{memory} octets a connection");
    let (mut talk, octets) = talk(10_000_000, 10_000);
    let mut client = talk.connect();
    client.send(&mut talk, b"GET /flash HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.listen(&mut talk, 5_000);
    assert!(body(&client.got) == octets, "{} octets came", client.got.len());
    assert!(client.is_closed(&mut talk));
    assert_eq!(talk.server.stats().responses, 1);
    assert_eq!(talk.server.stats().aborted, 0);
}

#[test]
fn parts_of_a_file_follow_each_other_on_one_connection() {
    let (mut talk, octets) = talk(50_000, 0);
    let request = |range: &str| format!("GET /flash HTTP/1.1\r\nHost: x\r\nRange: bytes={range}\r\n\r\n");
    let mut client = talk.connect();
    let requests = [request("10000-29999"), request("5-14"), request("20000-"), request("0-39999")].concat();
    client.send(&mut talk, requests.as_bytes());
    client.listen(&mut talk, 200);
    let mut rest = &client.got[..];
    for part in [&octets[10_000..30_000], &octets[5..15], &octets[20_000..], &octets[..40_000]] {
        rest = body(rest);
        assert!(rest.starts_with(part));
        rest = &rest[part.len()..];
    }
    assert!(rest.is_empty());
    assert_eq!(talk.server.stats().responses, 4);
}

#[test]
fn a_client_that_takes_nothing_of_a_file_is_cut_off_and_a_slow_one_is_not() {
    let (mut talk, octets) = talk(60_000, 0);
    let mut client = talk.connect();
    client.socket(&mut talk).send_slice(b"GET /flash HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    talk.run(100);
    // A kilobyte in five seconds is slow, and in its time.
    for _ in 0..20 {
        talk.pass(5);
        let mut piece = [0; 1_024];
        let len = client.socket(&mut talk).recv_slice(&mut piece).unwrap();
        client.got.extend(&piece[..len]);
    }
    assert!(octets.starts_with(body(&client.got)));
    assert_eq!(talk.server.stats().timeouts, 0);
    talk.pass(40);
    assert_eq!(talk.server.stats().timeouts, 1);
    assert!(client.is_reset(&mut talk));
}
