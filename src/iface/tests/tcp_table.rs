//! The state × event table of RFC 9293 §3.10, written from the RFC: in each state, what each call, each kind of
//! segment and each timeout leads to, what is sent, and what the application is told.
//!
//! The rows are data; one test runs the stack against them, over the wire. Where the RFC lets RFC 5961 decide,
//! the row names it. Where we depart from the RFC, the row says by which entry of docs/DEVIATIONS.md.

use super::family::FAMILIES;
use super::tcp_desk::{At, Desk, On, Out, Told};
use crate::socket::Events;
use crate::socket::tcp::Error;

use At::*;
use On::*;
use Out::*;
use Told::*;

/// Expected in all states of `at` upon all events of `on`.
struct Row {
    /// The clause, or the departure from it.
    by: &'static str,
    at: &'static [At],
    on: &'static [On],
    /// `None`: the state stays.
    next: Option<At>,
    sent: &'static [Out],
    told: Told,
}

const fn row(
    by: &'static str,
    at: &'static [At],
    on: &'static [On],
    next: Option<At>,
    sent: &'static [Out],
    told: Told,
) -> Row {
    Row { by, at, on, next, sent, told }
}

/// All but CLOSED, LISTEN, SYN-SENT and TIME-WAIT, which a record stands for.
const SYNCHRONIZED: &[At] = &[Passive, Active, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck];
const TAKES_DATA: &[At] = &[Established, FinWait1, FinWait2];
/// The peer's FIN was taken.
const TAKES_NONE: &[At] = &[CloseWait, Closing, LastAck];
const SYN_RECEIVED: &[At] = &[Passive, Active];
const ALL_BUT_OPENED: &[At] = &[Closed, Listen, SynSent, Passive, Active];

const READABLE: Events = Events::READABLE;
const WRITABLE: Events = Events::WRITABLE;
const ENDED: Events = Events::READABLE.union(Events::PEER_CLOSED);
const OPENED: Events = Events::CONNECTED.union(Events::WRITABLE);

/// §3.10.1 to §3.10.6: the calls.
const CALLS: &[Row] = &[
    row("§3.10.1", &[Closed], &[OpenActive], Some(SynSent), &[Syn], Ok),
    row("§3.10.1", &[Closed], &[OpenPassive], Some(Listen), &[], Ok),
    row("9293 §3.10.1", &[Listen], &[OpenActive], None, &[], Refused),
    row("§3.10.1", &[Listen], &[OpenPassive], None, &[], Refused),
    row("§3.10.1", &[SynSent], &[OpenActive, OpenPassive], None, &[], Refused),
    row("§3.10.1", SYNCHRONIZED, &[OpenActive, OpenPassive], None, &[], Refused),
    row("9293 §3.10.1", &[TimeWait], &[OpenActive], Some(SynSent), &[Syn], Ok),
    row("9293 §3.10.1", &[TimeWait], &[OpenPassive], Some(Listen), &[], Ok),
    row("§3.10.2", &[Closed, Listen], &[Send], None, &[], Refused),
    row("§3.10.2", &[SynSent, Passive, Active], &[Send], None, &[], Ok),
    row("§3.10.2", &[Established, CloseWait], &[Send], None, &[Data4], Ok),
    row("§3.10.2", &[FinWait1, FinWait2, Closing, LastAck, TimeWait], &[Send], None, &[], Refused),
    row("§3.10.3", &[Closed], &[Receive], None, &[], Refused),
    row("9293 §3.10.3", &[Listen, SynSent, Passive, Active], &[Receive], None, &[], Refused),
    row("§3.10.3", TAKES_DATA, &[Receive], None, &[], Ok),
    row("§3.10.3", TAKES_NONE, &[Receive], None, &[], Refused),
    row("§3.10.3", &[TimeWait], &[Receive], None, &[], Refused),
    row("§3.10.4", &[Closed], &[Close], None, &[], Ok),
    row("§3.10.4", &[Listen, SynSent], &[Close], Some(Closed), &[], Ok),
    row("9293 §3.10.4", SYN_RECEIVED, &[Close], None, &[], Ok),
    row("§3.10.4", &[Established], &[Close], Some(FinWait1), &[Fin], Ok),
    row("§3.10.4", &[FinWait1, FinWait2], &[Close], None, &[], Ok),
    row("§3.10.4", &[CloseWait], &[Close], Some(LastAck), &[Fin], Ok),
    row("§3.10.4", &[Closing, LastAck, TimeWait], &[Close], None, &[], Ok),
    row("§3.10.5", &[Closed], &[Abort], None, &[], Ok),
    row("§3.10.5", &[Listen, SynSent], &[Abort], Some(Closed), &[], Ok),
    row("§3.10.5", SYN_RECEIVED, &[Abort], Some(Closed), &[Reset], Ok),
    row("§3.10.5", TAKES_DATA, &[Abort], Some(Closed), &[Reset], Ok),
    row("§3.10.5", &[CloseWait], &[Abort], Some(Closed), &[Reset], Ok),
    row("9293 §3.10.5", &[Closing, LastAck], &[Abort], Some(Closed), &[Reset], Ok),
    row("9293 §3.10.5", &[TimeWait], &[Abort], None, &[], Ok),
    row("§3.10.6", ALL_BUT_OPENED, &[Status], None, &[], Ok),
    row("§3.10.6", TAKES_DATA, &[Status], None, &[], Ok),
    row("§3.10.6", TAKES_NONE, &[Status], None, &[], Ok),
    row("§3.10.6", &[TimeWait], &[Status], None, &[], Ok),
];

/// §3.10.7.1 to §3.10.7.3: segments before there is a connection.
const UNSYNCHRONIZED: &[Row] = &[
    row("§3.10.7.1", &[Closed], &[RstExact, RstIn, RstOut, RstAck, RstFuture], None, &[], Nothing),
    row("§3.10.7.1", &[Closed], &[SynIn, SynOld, NoAck], None, &[RstBack], Nothing),
    row("§3.10.7.1", &[Closed], &[SynAck, SynAckSame], None, &[Rst], Nothing),
    row("§3.10.7.1", &[Closed], &[AckNew, AckSame, AckFuture, AckAncient], None, &[Rst], Nothing),
    row("§3.10.7.1", &[Closed], &[Data, DataAck, DataAhead, DataBeyond, DataOld], None, &[Rst], Nothing),
    row("§3.10.7.1", &[Closed], &[Urgent, FinIn, FinAck, FinBeyond, FinOld], None, &[Rst], Nothing),
    row("§3.10.7.2 1st", &[Listen], &[RstExact, RstIn, RstOut, RstAck, RstFuture], None, &[], Nothing),
    row("§3.10.7.2 2nd", &[Listen], &[SynAck, SynAckSame], None, &[Rst], Nothing),
    row("§3.10.7.2 2nd", &[Listen], &[AckNew, AckSame, AckFuture, AckAncient], None, &[Rst], Nothing),
    row("§3.10.7.2 2nd", &[Listen], &[Data, DataAck, DataAhead, DataBeyond, DataOld], None, &[Rst], Nothing),
    row("§3.10.7.2 2nd", &[Listen], &[Urgent, FinIn, FinAck, FinBeyond, FinOld], None, &[Rst], Nothing),
    row("§3.10.7.2 3rd", &[Listen], &[SynIn, SynOld], Some(Passive), &[SynAckFor], Nothing),
    row("§3.10.7.2 4th", &[Listen], &[NoAck], None, &[], Nothing),
    row("§3.10.7.3 1st", &[SynSent], &[SynAckSame, AckSame, AckFuture, AckAncient], None, &[Rst], Nothing),
    row("§3.10.7.3 1st", &[SynSent], &[Data, DataAhead, DataBeyond, DataOld], None, &[Rst], Nothing),
    row("§3.10.7.3 1st", &[SynSent], &[Urgent, FinIn, FinBeyond, FinOld], None, &[Rst], Nothing),
    row("§3.10.7.3 1st", &[SynSent], &[RstFuture], None, &[], Nothing),
    row("§3.10.7.3 2nd", &[SynSent], &[RstExact, RstIn, RstOut], None, &[], Nothing),
    row("§3.10.7.3 2nd", &[SynSent], &[RstAck], Some(Closed), &[], Failed(Error::Refused)),
    row("§3.10.7.3 4th", &[SynSent], &[SynAck], Some(Established), &[AckFor], Tells(OPENED)),
    row("§3.10.7.3 4th", &[SynSent], &[SynIn, SynOld], Some(Active), &[SynAckFor], Nothing),
    row("§3.10.7.3 5th", &[SynSent], &[AckNew, NoAck, DataAck, FinAck], None, &[], Nothing),
];

/// §3.10.7.4, with RFC 5961: segments of a connection.
const SEGMENTS: &[Row] = &[
    row("§3.10.7.4 1st", SYNCHRONIZED, &[DataBeyond, DataOld, FinBeyond, FinOld], None, &[Ack(0)], Nothing),
    row("RFC 5961 §3.2", SYNCHRONIZED, &[RstOut], None, &[], Nothing),
    row("RFC 5961 §3.2", SYNCHRONIZED, &[RstIn], None, &[Ack(0)], Nothing),
    row("§3.10.7.4 2nd", &[Passive], &[RstExact, RstAck, RstFuture], Some(Listen), &[], Nothing),
    row(
        "§3.10.7.4 2nd",
        &[Active],
        &[RstExact, RstAck, RstFuture],
        Some(Closed),
        &[],
        Failed(Error::Refused),
    ),
    row("§3.10.7.4 2nd", TAKES_DATA, &[RstExact, RstAck, RstFuture], Some(Closed), &[], Failed(Error::Reset)),
    row(
        "§3.10.7.4 2nd",
        &[CloseWait],
        &[RstExact, RstAck, RstFuture],
        Some(Closed),
        &[],
        Failed(Error::Reset),
    ),
    row(
        "9293 §3.10.7.4",
        &[Closing, LastAck],
        &[RstExact, RstAck, RstFuture],
        Some(Closed),
        &[],
        Failed(Error::Reset),
    ),
    row("RFC 5961 §4.2", &[Active], &[SynIn, SynAck, SynAckSame], None, &[Ack(0)], Nothing),
    row("9293 §3.10.7.4", &[Passive], &[SynIn, SynAck, SynAckSame], None, &[Ack(0)], Nothing),
    row("9293 §3.10.7.4", SYN_RECEIVED, &[SynOld], None, &[SynAckAgain], Nothing),
    row("RFC 5961 §4.2", TAKES_DATA, &[SynIn, SynOld, SynAck, SynAckSame], None, &[Ack(0)], Nothing),
    row("RFC 5961 §4.2", TAKES_NONE, &[SynIn, SynOld, SynAck, SynAckSame], None, &[Ack(0)], Nothing),
    row("§3.10.7.4 5th", SYNCHRONIZED, &[NoAck], None, &[], Nothing),
    row("§3.10.7.4 5th", SYN_RECEIVED, &[AckSame, AckFuture, AckAncient], None, &[Rst], Nothing),
    row("§3.10.7.4 5th", SYN_RECEIVED, &[Data, DataAhead, Urgent, FinIn], None, &[Rst], Nothing),
    row("§3.10.7.4 5th", SYN_RECEIVED, &[AckNew], Some(Established), &[], Tells(OPENED)),
    row(
        "§3.10.7.4 7th",
        SYN_RECEIVED,
        &[DataAck],
        Some(Established),
        &[Ack(4)],
        Tells(OPENED.union(READABLE)),
    ),
    row("§3.10.7.4 8th", SYN_RECEIVED, &[FinAck], Some(CloseWait), &[Ack(1)], Tells(OPENED.union(ENDED))),
    row("§3.10.7.4 5th", TAKES_DATA, &[AckFuture], None, &[Ack(0)], Nothing),
    row("§3.10.7.4 5th", TAKES_NONE, &[AckFuture], None, &[Ack(0)], Nothing),
    row("RFC 5961 §5", TAKES_DATA, &[AckAncient], None, &[Ack(0)], Nothing),
    row("RFC 5961 §5", TAKES_NONE, &[AckAncient], None, &[Ack(0)], Nothing),
    row("§3.10.7.4 5th", TAKES_DATA, &[AckSame], None, &[], Nothing),
    row("§3.10.7.4 5th", TAKES_NONE, &[AckSame], None, &[], Nothing),
    row("§3.10.7.4 5th", &[Established, CloseWait], &[AckNew], None, &[], Tells(WRITABLE)),
    row("§3.10.7.4 5th", &[FinWait1], &[AckNew], Some(FinWait2), &[], Nothing),
    row("§3.10.7.4 5th", &[FinWait2], &[AckNew], None, &[], Nothing),
    row("§3.10.7.4 5th", &[Closing], &[AckNew, DataAck, FinAck], Some(TimeWait), &[], Tells(Events::CLOSED)),
    row("§3.10.7.4 5th", &[LastAck], &[AckNew, DataAck, FinAck], Some(Closed), &[], Tells(Events::CLOSED)),
    row("9293 §3.8.5", TAKES_DATA, &[Urgent], None, &[Ack(4)], Tells(READABLE)),
    row("§3.10.7.4 7th", TAKES_DATA, &[Data], None, &[Ack(4)], Tells(READABLE)),
    row("§3.10.7.4 7th", TAKES_DATA, &[DataAhead], None, &[Ack(0)], Nothing),
    row("§3.10.7.4 7th", &[Established], &[DataAck], None, &[Ack(4)], Tells(WRITABLE.union(READABLE))),
    row("§3.10.7.4 7th", &[FinWait1], &[DataAck], Some(FinWait2), &[Ack(4)], Tells(READABLE)),
    row("§3.10.7.4 7th", &[FinWait2], &[DataAck], None, &[Ack(4)], Tells(READABLE)),
    row("§3.10.7.4 7th", TAKES_NONE, &[Data, DataAhead, Urgent, FinIn], None, &[], Nothing),
    row("§3.10.7.4 7th", &[CloseWait], &[DataAck, FinAck], None, &[], Tells(WRITABLE)),
    row("§3.10.7.4 8th", &[Established], &[FinIn], Some(CloseWait), &[Ack(1)], Tells(ENDED)),
    row("§3.10.7.4 8th", &[Established], &[FinAck], Some(CloseWait), &[Ack(1)], Tells(ENDED.union(WRITABLE))),
    row("§3.10.7.4 8th", &[FinWait1], &[FinIn], Some(Closing), &[Ack(1)], Tells(ENDED)),
    row(
        "§3.10.7.4 8th",
        &[FinWait1],
        &[FinAck],
        Some(TimeWait),
        &[Ack(1)],
        Tells(ENDED.union(Events::CLOSED)),
    ),
    row(
        "§3.10.7.4 8th",
        &[FinWait2],
        &[FinIn, FinAck],
        Some(TimeWait),
        &[Ack(1)],
        Tells(ENDED.union(Events::CLOSED)),
    ),
];

/// §3.10.7.4 in TIME-WAIT, where a record answers.
const TIME_WAITED: &[Row] = &[
    row("§3.10.7.4 1st", &[TimeWait], &[DataBeyond, DataOld, FinBeyond, FinOld], None, &[Ack(0)], Nothing),
    row("1337 §3", &[TimeWait], &[RstExact, RstIn, RstOut, RstAck, RstFuture], None, &[], Nothing),
    row("§3.10.7.4 4th", &[TimeWait], &[SynIn, SynOld, SynAck, SynAckSame], None, &[Ack(0)], Nothing),
    row("§3.10.7.4 5th", &[TimeWait], &[NoAck], None, &[], Nothing),
    row("9293 §3.10.7.4", &[TimeWait], &[AckNew, AckSame, AckFuture, AckAncient], None, &[], Nothing),
    row(
        "§3.10.7.4 5th",
        &[TimeWait],
        &[Data, DataAck, DataAhead, Urgent, FinIn, FinAck],
        None,
        &[Ack(0)],
        Nothing,
    ),
];

/// §3.10.8: the timeouts.
const TIMEOUTS: &[Row] = &[
    row("9293 §3.10.8", &[Passive], &[UserTimeout], Some(Listen), &[], Nothing),
    row("9293 §3.10.8", &[Active], &[UserTimeout], Some(Closed), &[Reset], Failed(Error::TimedOut)),
    row("§3.10.8", &[SynSent], &[UserTimeout], Some(Closed), &[], Failed(Error::TimedOut)),
    row(
        "9293 §3.10.8",
        &[Established, CloseWait],
        &[UserTimeout],
        Some(Closed),
        &[Reset],
        Failed(Error::TimedOut),
    ),
    row(
        "9293 §3.10.8",
        &[FinWait1, Closing, LastAck],
        &[UserTimeout],
        Some(Closed),
        &[Reset],
        Failed(Error::TimedOut),
    ),
    row("§3.8.3", &[Closed, Listen, FinWait2, TimeWait], &[UserTimeout], None, &[], Nothing),
    row("§3.10.8", &[Closed, Listen, FinWait2, TimeWait], &[Retransmission], None, &[], Nothing),
    row("§3.10.8", &[SynSent], &[Retransmission], None, &[Syn], Nothing),
    row("§3.10.8", SYN_RECEIVED, &[Retransmission], None, &[SynAckAgain], Nothing),
    row("§3.10.8", &[Established, CloseWait], &[Retransmission], None, &[Data10], Nothing),
    row("§3.10.8", &[FinWait1, Closing, LastAck], &[Retransmission], None, &[Fin], Nothing),
    row("§3.10.8", &[TimeWait], &[TimeWaitTimeout], Some(Closed), &[Rst], Nothing),
];

const TABLE: [&[Row]; 5] = [CALLS, UNSYNCHRONIZED, SEGMENTS, TIME_WAITED, TIMEOUTS];

fn rows_for(at: At, on: On) -> Vec<&'static Row> {
    let rows = TABLE.into_iter().flatten();
    rows.filter(|row| row.at.contains(&at) && row.on.contains(&on)).collect()
}

/// Covers: RFC 9293 §3.10, MUST-2, MUST-10, MUST-11, MUST-12, MUST-65; RFC 5961 §3.2, §4.2, §5; RFC 1337 §3
#[test]
fn the_stack_does_what_the_table_says() {
    let mut wrong = Vec::new();
    for (at, on) in Desk::cases() {
        let [row] = rows_for(at, on)[..] else { panic!("{at:?} {on:?}: {} rows", rows_for(at, on).len()) };
        let expected = (row.next.unwrap_or(at), row.sent.to_vec(), row.told);
        for family in FAMILIES {
            let seen = Desk::over(family, at).see(on);
            if seen != expected {
                wrong.push(format!("{family:?} {at:?} {on:?} ({}): {seen:?}, not {expected:?}", row.by));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_departure_of_the_table_stands_among_the_deviations() {
    let deviations = include_str!("../../../docs/DEVIATIONS.md");
    let departures = TABLE.into_iter().flatten().map(|row| row.by);
    for by in departures.filter(|by| by.starts_with(|c: char| c.is_ascii_digit())) {
        assert!(deviations.contains(&format!("\n| {by} |")), "{by}");
    }
}
