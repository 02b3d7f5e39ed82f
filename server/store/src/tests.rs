//! The store as its callers see it, with files that fill up, break and are killed.

#![allow(clippy::unwrap_used)]

use super::*;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

/// A folder of one test, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("click2call-store-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("log.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A row that tells itself apart by its start.
fn row(started_at: i64) -> Row {
    Row {
        number: started_at.max(0).cast_unsigned(),
        button: "sales".into(),
        page: "https://www.shop.example".into(),
        started_at,
        answered_at: Some(started_at + 900),
        ended_at: started_at + 60_000,
        cause: "shop-hung-up".into(),
        sip_status: 200,
        browser_codec: Some("opus".into()),
        trunk_codec: Some("pcma".into()),
        transcoded: true,
        browser_received: 3000,
        browser_lost: 12,
        browser_jitter_ms: 4.5,
        browser_sent: 2990,
        round_trip_ms: Some(38.25),
        trunk_received: 2991,
        trunk_lost: 0,
        trunk_jitter_ms: 0.5,
        trunk_sent: 2988,
        invite_ms: Some(3),
        ringing_ms: Some(210),
        answer_ms: Some(900),
    }
}

fn starts(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.started_at).collect()
}

impl Store {
    /// Does something to the file in the writer's thread.
    fn act(&self, work: impl FnOnce(&Connection) + Send + 'static) {
        self.requests.as_ref().unwrap().try_send(Request::Do(Box::new(work))).unwrap();
    }

    /// As a disk without a free block: the file may not grow.
    fn fill_the_disk(&self) {
        self.act(|file| {
            let pages: i64 = file.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
            file.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
        });
    }

    fn free_the_disk(&self) {
        self.act(|file| {
            file.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
        });
    }
}

#[test]
fn a_row_reads_back_as_it_was_written() {
    let store = Store::open(None).unwrap();
    let empty = Row { cause: "cancelled".into(), ..Row::default() };
    store.record(row(1)).unwrap();
    store.record(empty.clone()).unwrap();
    let rows = store.recent(10).unwrap();
    assert!(rows == [empty, row(1)], "newest first, every column");
    assert_eq!(store.counters(), Counters { written: 2, ..Counters::default() });
}

#[test]
fn a_row_is_written_soon_though_nobody_asks() {
    let store = Store::open(None).unwrap();
    store.record(row(1)).unwrap();
    store.record(row(2)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while store.counters().written < 2 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(store.counters().written, 2);
}

#[test]
fn recent_rows_are_bounded_by_what_is_asked() {
    let store = Store::open(None).unwrap();
    for number in 0..5 {
        store.record(row(number)).unwrap();
    }
    assert_eq!(starts(&store.recent(2).unwrap()), [4, 3]);
    assert!(store.recent(0).unwrap().is_empty());
}

#[test]
fn numbers_that_sqlite_does_not_have_are_written_all_the_same() {
    let store = Store::open(None).unwrap();
    let odd = Row {
        browser_received: u64::MAX,
        trunk_jitter_ms: f32::NAN,
        round_trip_ms: Some(f32::INFINITY),
        ..row(1)
    };
    store.record(odd).unwrap();
    let rows = store.recent(1).unwrap();
    assert_eq!(rows[0].browser_received, i64::MAX as u64);
    assert_eq!((rows[0].trunk_jitter_ms, rows[0].round_trip_ms), (0.0, Some(0.0)));
}

#[test]
fn closing_writes_what_is_queued_and_the_file_opens_again() {
    let scratch = Scratch::new();
    let mut store = Store::open(Some(&scratch.file())).unwrap();
    for number in 0..100 {
        store.record(row(number)).unwrap();
    }
    store.close();
    assert_eq!(store.counters().written, 100);
    assert_eq!(store.record(row(100)), Err(StoreFull));
    assert_eq!(store.counters().lost, 1);
    store.close();

    let store = Store::open(Some(&scratch.file())).unwrap();
    assert_eq!(store.recent(1000).unwrap().len(), 100);
}

#[test]
fn rows_of_a_killed_process_are_there_at_the_next_start() {
    let scratch = Scratch::new();
    let store = Store::open(Some(&scratch.file())).unwrap();
    store.record(row(1)).unwrap();
    store.record(row(2)).unwrap();
    assert_eq!(store.flush().unwrap(), 0);
    // What lies on the disk at this moment is what a killed process leaves behind.
    let after = Scratch::new();
    for entry in std::fs::read_dir(&scratch.0).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), after.0.join(entry.file_name())).unwrap();
    }
    let store = Store::open(Some(&after.file())).unwrap();
    assert_eq!(starts(&store.recent(10).unwrap()), [2, 1]);
}

#[test]
fn rows_wait_for_a_full_disk_and_are_written_when_there_is_room() {
    let scratch = Scratch::new();
    let store = Store::open(Some(&scratch.file())).unwrap();
    store.fill_the_disk();
    // More than the free space of the pages that are there already.
    for number in 0..500 {
        store.record(row(number)).unwrap();
    }
    let waiting = store.flush().unwrap();
    assert!(waiting > 0, "the disk was not full");
    let counters = store.counters();
    assert_eq!((counters.waiting, counters.lost), (waiting, 0));
    assert!(counters.failures > 0);
    assert!(store.trouble().unwrap().contains("full"), "{:?}", store.trouble());

    store.free_the_disk();
    assert_eq!(store.flush().unwrap(), 0);
    assert_eq!(store.counters().written, 500);
    assert_eq!(store.trouble(), None);
    let expected: Vec<i64> = (0..500).rev().collect();
    assert_eq!(starts(&store.recent(1000).unwrap()), expected, "each once, in order");
}

#[test]
fn a_disk_that_stays_read_only_costs_the_oldest_rows() {
    let mut store = Store::open(None).unwrap();
    store.act(|file| file.pragma_update(None, "query_only", true).unwrap());
    let all = writer::BACKLOG + 300;
    for number in 0..all {
        store.record(row(number as i64)).unwrap();
        if number % 500 == 499 {
            // The queue is shorter than the backlog; this empties it into the backlog.
            assert!(store.flush().unwrap() > 0);
        }
    }
    assert_eq!(store.flush().unwrap(), writer::BACKLOG as u64);
    assert_eq!(store.counters().lost, 300);
    store.act(|file| file.pragma_update(None, "query_only", false).unwrap());
    assert_eq!(store.flush().unwrap(), 0);
    assert_eq!(starts(&store.recent(1).unwrap()), [all as i64 - 1]);
    store.close();
    assert_eq!(store.counters().written, writer::BACKLOG as u64);
}

#[test]
fn rows_that_the_disk_never_took_are_counted_at_the_end() {
    let mut store = Store::open(None).unwrap();
    store.act(|file| file.pragma_update(None, "query_only", true).unwrap());
    for number in 0..3 {
        store.record(row(number)).unwrap();
    }
    store.close();
    let counters = store.counters();
    assert_eq!((counters.written, counters.lost, counters.waiting), (0, 3, 0));
}

#[test]
fn a_disk_that_hangs_never_blocks_the_caller() {
    let mut store = Store::open(None).unwrap();
    let (release, held) = sync_channel::<()>(0);
    let (begun, begins) = sync_channel::<()>(0);
    store.act(move |_| {
        begun.send(()).unwrap();
        let _ = held.recv();
    });
    begins.recv().unwrap();
    // The writer stands still; this loop ends only because recording does not wait for it.
    let results: Vec<_> = (0..QUEUE + 50).map(|number| store.record(row(number as i64))).collect();
    assert!(results[..QUEUE].iter().all(Result::is_ok));
    assert!(results[QUEUE..].iter().all(|result| *result == Err(StoreFull)));
    assert_eq!(store.counters().lost, 50);
    assert!(store.recent(1).is_err(), "a question to a full queue fails at once");
    drop(release);
    store.close();
    assert_eq!(store.counters().written, QUEUE as u64);
}

#[test]
fn a_file_that_can_not_be_opened_is_named_with_what_to_do() {
    let scratch = Scratch::new();
    let missing = scratch.0.join("no-such-folder/log.db");
    let words = Store::open(Some(&missing)).unwrap_err().to_string();
    assert!(words.contains("no-such-folder") && words.contains("make the folder"), "{words}");
    let words = Store::open(Some(&scratch.0)).unwrap_err().to_string();
    assert!(words.contains("name a file, not a folder"), "{words}");

    std::fs::write(scratch.file(), "this is a text, long enough to have a header").unwrap();
    let words = Store::open(Some(&scratch.file())).unwrap_err().to_string();
    assert!(words.contains("log.db") && words.contains("not a database"), "{words}");
    assert!(words.contains("name another file"), "{words}");
}

#[test]
fn a_file_of_a_newer_program_says_what_to_do() {
    let scratch = Scratch::new();
    drop(Store::open(Some(&scratch.file())).unwrap());
    Connection::open(scratch.file()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let words = Store::open(Some(&scratch.file())).unwrap_err().to_string();
    assert!(words.contains("99") && words.contains("update the program"), "{words}");
    assert!(words.contains("log.db"), "{words}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let _store = Store::open(Some(&scratch.file())).unwrap();
    let mode = std::fs::metadata(scratch.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn a_printed_row_shows_neither_page_nor_times() {
    let printed = format!("{:?}", row(1_700_000_000_000));
    assert!(printed.contains("sales") && printed.contains("shop-hung-up"), "{printed}");
    assert!(!printed.contains("shop.example") && !printed.contains("1700000000000"), "{printed}");
}

fn trace(number: u64, octets: &[u8]) -> KeptTrace {
    let started_at = 1_000 * i64::try_from(number).unwrap();
    let ended_at = (!octets.is_empty()).then_some(started_at + 500);
    KeptTrace { number, started_at, ended_at, octets: octets.to_vec() }
}

fn numbers(reader: &Reader) -> Vec<u64> {
    reader.traces().unwrap().into_iter().map(|(number, ..)| number).collect()
}

#[test]
fn another_process_reads_calls_and_traces_while_they_are_written() {
    let scratch = Scratch::new();
    let store = Store::open(Some(&scratch.file())).unwrap();
    store.record(row(7)).unwrap();
    store.record_trace(trace(7, b"seven")).unwrap();
    store.record_trace(trace(8, b"")).unwrap();
    store.flush().unwrap();
    let reader = Reader::open(&scratch.file()).unwrap();
    assert!(reader.calls(5).unwrap() == [row(7)]);
    assert!(reader.call(7).unwrap() == Some(row(7)) && reader.call(8).unwrap().is_none());
    assert_eq!(reader.trace(7).unwrap(), Some(trace(7, b"seven")));
    assert_eq!(reader.trace(9).unwrap(), None);
    assert_eq!(reader.traces().unwrap(), [(8, 8_000, true), (7, 7_000, false)]);
    // The call ends, and its trace takes the place of the word that it is up.
    store.record_trace(trace(8, b"eight")).unwrap();
    store.flush().unwrap();
    assert_eq!(reader.trace(8).unwrap(), Some(trace(8, b"eight")));
}

#[test]
fn a_log_that_nobody_writes_any_more_is_read_too() {
    let scratch = Scratch::new();
    let mut store = Store::open(Some(&scratch.file())).unwrap();
    store.record_trace(trace(1, b"one")).unwrap();
    store.close();
    let reader = Reader::open(&scratch.file()).unwrap();
    assert_eq!(reader.trace(1).unwrap(), Some(trace(1, b"one")));
}

#[test]
fn what_is_no_call_log_of_this_program_is_refused_in_words() {
    let scratch = Scratch::new();
    let words = |path: &Path| Reader::open(path).unwrap_err().to_string();
    assert!(words(&scratch.file()).contains("the appliance makes it"));
    std::fs::write(scratch.file(), "notes of somebody ".repeat(100)).unwrap();
    assert!(words(&scratch.file()).contains("it is no call log"));
    let empty = scratch.0.join("empty.db");
    std::fs::write(&empty, "").unwrap();
    assert!(words(&empty).contains("no traces yet"));
}

#[test]
fn traces_are_few_and_not_older_than_a_week() {
    let scratch = Scratch::new();
    let store = Store::open(Some(&scratch.file())).unwrap();
    // One that is up all the while, and is the oldest.
    store.record_trace(trace(1, b"")).unwrap();
    for number in 2..=u64::from(KEPT) + 20 {
        store.record_trace(trace(number, b"x")).unwrap();
        if number % 50 == 0 {
            store.flush().unwrap();
        }
    }
    store.flush().unwrap();
    let reader = Reader::open(&scratch.file()).unwrap();
    let kept = numbers(&reader);
    assert_eq!(kept.len(), KEPT as usize + 1);
    assert_eq!((kept[0], kept[KEPT as usize - 1], kept[KEPT as usize]), (220, 21, 1));
    let later = KeptTrace { started_at: 300_000 + KEPT_FOR_MS, ..trace(300, b"x") };
    store.record_trace(later).unwrap();
    store.flush().unwrap();
    assert_eq!(numbers(&reader), [300]);
}

#[test]
fn a_clock_that_was_wrong_for_one_call_costs_no_later_trace() {
    let scratch = Scratch::new();
    let store = Store::open(Some(&scratch.file())).unwrap();
    let ahead = KeptTrace { started_at: 100 * KEPT_FOR_MS, ..trace(1, b"x") };
    for kept in [ahead, trace(2, b"x"), trace(3, b"x")] {
        store.record_trace(kept).unwrap();
        store.flush().unwrap();
    }
    assert_eq!(numbers(&Reader::open(&scratch.file()).unwrap()), [3, 2, 1]);
}

#[test]
fn calls_are_numbered_on_where_the_file_ends() {
    let scratch = Scratch::new();
    let mut store = Store::open(Some(&scratch.file())).unwrap();
    assert_eq!(store.newest_number(), 0);
    store.record(row(41)).unwrap();
    store.record_trace(trace(42, b"")).unwrap();
    store.close();
    let store = Store::open(Some(&scratch.file())).unwrap();
    assert_eq!(store.newest_number(), 42);
    // The program that had it up is gone.
    store.interrupt_traces().unwrap();
    store.flush().unwrap();
    let reader = Reader::open(&scratch.file()).unwrap();
    assert_eq!(reader.traces().unwrap(), [(42, 42_000, false)]);
}

#[test]
fn a_disk_that_refuses_traces_costs_no_row_and_a_bounded_room() {
    let scratch = Scratch::new();
    let store = Store::open(Some(&scratch.file())).unwrap();
    store.flush().unwrap();
    store.fill_the_disk();
    let large = vec![b'x'; 50_000];
    for number in 1..=2 * TRACES_WAITING {
        let _ = store.record_trace(trace(number, &large));
    }
    assert_eq!(store.record_trace(trace(999, b"x")), Err(StoreFull));
    store.record(row(5)).unwrap();
    assert!(store.counters().traces_lost > TRACES_WAITING);
    store.free_the_disk();
    assert_eq!(store.flush().unwrap(), 0);
    assert_eq!(store.counters().written, 1);
    assert_eq!(store.record_trace(trace(1_000, b"x")), Ok(()));
    store.flush().unwrap();
    let reader = Reader::open(&scratch.file()).unwrap();
    assert_eq!(numbers(&reader).first(), Some(&1_000));
}
