//! The call log's file: a disk that is full, and files that cannot be opened.

use harness::appliance::ORIGINS;
use harness::{Appliance, Baresip, Disk, Phone, Place, Shop, Visitor, VisitorSettings, sound};
use signalling::EndCause;
use std::process::Command;
use std::time::Duration;

/// The call log's own pause after the disk first refuses a row. Sound that waited for the log would
/// have a gap as long as that.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A call in which both hear each other without a gap, up to the hanging up.
fn both_talk(phone: &Baresip, visitor: &mut Visitor) {
    visitor.call();
    visitor.talks();
    visitor.hears(660.0);
    visitor.sends(100);
    no_gap(visitor);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.tells_times("CALL_CLOSED", visitor.number() as usize);
    phone.has_heard(sound::VISITOR);
}

fn no_gap(visitor: &Visitor) {
    let gap = visitor.look(|seen| seen.longest_gap);
    let usual = Duration::from_millis(1)..FIRST_PAUSE;
    assert!(usual.contains(&gap), "the longest gap between two packets is {gap:?}");
}

/// A phone, and a shop that has a trunk and a button of this name for it besides.
fn with_phone(place: &Place, shop: Shop, name: &str) -> (Shop, Baresip) {
    let phone = Baresip::start(place, name, &Phone::with_codecs(&["PCMU/8000"]));
    let trunk = format!(
        "registrar = \"{}\"\nusername = \"shop\"\nregister = false\ncodecs = [\"pcmu\"]",
        phone.sip
    );
    let button =
        format!("account = \"{name}\"\ndestination = \"sip:sales@{}\"\n{ORIGINS}", phone.sip);
    (shop.account(name, &trunk).button(name, &button), phone)
}

#[test]
fn a_full_disk_delays_rows_and_no_call() {
    let place = Place::new("call-log-full-disk");
    let (shop, phone) = with_phone(&place, Shop::new(), "sales");
    let (shop, _other_phone) = with_phone(&place, shop, "support");
    let disk = Disk::small(&place);
    let appliance = Appliance::start_on(&place, &shop, &disk);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    both_talk(&phone, &mut visitor);
    appliance.metric_becomes("rows_written_total", 1);
    // This one talks all the while.
    let support = VisitorSettings { button: Some("support".into()), ..VisitorSettings::default() };
    let mut witness = Visitor::open(&appliance, support);
    witness.call();
    witness.talks();

    disk.fill(appliance.pid());
    both_talk(&phone, &mut visitor);
    appliance.metric_becomes("rows_waiting", 1);
    harness::until("the log says what is wrong", || {
        appliance.log().contains("the call log can't be written").then_some(())
    });
    both_talk(&phone, &mut visitor);
    appliance.metric_becomes("rows_waiting", 2);
    witness.hears(660.0);
    assert_eq!(appliance.metric("rows_written_total"), 1);

    disk.make_room(appliance.pid());
    let longest_pause = Duration::from_secs(30);
    harness::wait::until_within(longest_pause + FIRST_PAUSE * 5, "the rows are written", || {
        (appliance.metric("rows_written_total") == 3).then_some(())
    });
    appliance.metric_becomes("rows_waiting", 0);
    // It is looked at with the numbers that others read, now and then.
    harness::until("the log says that it is over", || {
        appliance.log().contains("the call log is written again").then_some(())
    });
    witness.hears(660.0);
    no_gap(&witness);
    witness.hang_up();
    assert_eq!(witness.ends().0, EndCause::VisitorHungUp);
    appliance.metric_becomes("rows_written_total", 4);
    assert_eq!(appliance.metric("rows_lost_total"), 0);
    let copy = place.path("copy");
    disk.copy(appliance.pid(), "calls.db", &copy);
    let rows = Appliance::rows_of(&copy.join("calls.db"), 4);
    assert!(rows.iter().all(|row| row.cause == EndCause::VisitorHungUp.key()), "{rows:?}");
    assert!(rows.is_sorted_by_key(|row| row.ended_at), "in the order of their ends");
    assert!(rows.iter().all(|row| row.trunk_received > 20 && row.browser_received > 20));
}

/// The appliance does not start, and says in one line which file it is and what to do.
fn refused(place: &Place, shop: &Shop, command: Command, file: &str, hint: &str) {
    let (status, output) = Appliance::refuses(place, shop, command);
    assert_eq!(status, Some(1), "{output}");
    let lines: Vec<_> = output.lines().filter(|line| line.starts_with("click2call: ")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(lines[0].contains("[data] path") && lines[0].contains(file), "{output}");
    assert!(lines[0].contains(hint), "{output}");
    assert!(!output.contains("click here"), "{output}");
}

fn executable() -> Command {
    Command::new(Appliance::executable())
}

fn shop() -> Shop {
    Shop::trunk("127.0.0.1:9".parse().unwrap(), &["pcmu"])
}

#[test]
fn a_call_log_in_a_folder_that_is_not_there_is_named_at_start() {
    let place = Place::new("call-log-no-folder");
    let file = place.path("nowhere/calls.db");
    let shop = shop().call_log(&file);
    refused(&place, &shop, executable(), &file.display().to_string(), "make the folder");
}

#[test]
fn a_call_log_on_a_read_only_disk_is_named_at_start() {
    let place = Place::new("call-log-read-only");
    let disk = Disk::read_only(&place);
    let file = disk.folder().join("calls.db");
    let shop = shop().call_log(&file);
    let command = disk.command(Appliance::executable());
    refused(&place, &shop, command, &file.display().to_string(), "the disk is read-only");
}

#[test]
fn a_file_that_is_no_call_log_is_left_alone_and_named_at_start() {
    let place = Place::new("call-log-other-file");
    let text = "a page of notes that somebody needs, long enough to be taken for a header\n";
    let file = place.write("notes.txt", &text.repeat(20));
    let shop = shop().call_log(&file);
    refused(&place, &shop, executable(), &file.display().to_string(), "another file");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text.repeat(20));
}
