//! `click2call check`: proves a set-up. It looks (file, ports, names, certificates, clock), then tries
//! (registration, and a real call with a tone each way), and where the provider refuses, it walks
//! through what providers want otherwise.
//!
//! ```text
//!   look: ports, names, certificate --> attempt: register, call --refused--> walk --> write
//!                                         |                                    |
//!                                         v                                    v
//!                                       verdict: findings in words     the line that helps
//! ```
//!
//! The call is made by a SIP and RTP agent of this program's own, on the appliance's kind of sockets,
//! with a browser of its own before it: sound passes the WebRTC endpoint and the bridge as a visitor's
//! does. Without a number it calls the account itself and is both ends. Absent: the page and its
//! signalling, and whatever stands between visitors and this machine.

mod agent;
mod attempt;
mod certificate;
mod clock;
mod cure;
mod edit;
mod end;
pub mod finding;
mod heard;
mod names;
mod ports;
mod talk;
mod tap;
mod verdict;
mod visit;
mod voice;
mod walk;

use crate::app;
use crate::config::{Account, Config, Notice};
use agent::Stop;
use attempt::{Bench, HASTY, Outcome, PATIENT, Refusal, Registered};
use finding::{Finding, Level, Report, Step};
use names::Names;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use walk::{Facts, Walk};

/// How long one walk may take.
const WALK_WITHIN: Duration = Duration::from_secs(300);

/// What is asked of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct CheckArgs {
    /// All findings as one JSON object, at the end
    #[arg(long)]
    pub json: bool,
    /// Each account calls this number or SIP address, once and for ten seconds; without it, itself
    #[arg(long, value_name = "NUMBER")]
    pub to: Option<String>,
    /// Tries this account only
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Where a provider wants another setting and it is found: writes it into the file
    #[arg(long)]
    pub write: bool,
    /// Seconds between two tries of the walk.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 2)]
    pub pause: u64,
}

/// What a check works on.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The configuration.
    pub config: Config,
    /// What reading it had to say.
    pub notices: &'a [Notice],
    /// Its file; none for the demo.
    pub file: Option<&'a Path>,
}

/// Checks, and gives whether calls will work.
pub fn run(
    mut subject: Subject<'_>,
    wish: &CheckArgs,
    report: &mut Report<'_>,
) -> io::Result<bool> {
    let mut wish = wish.clone();
    let mut seed = app::os_seed()?;
    // Kept until the end: dropping it stops its thread.
    let _phone = match subject.config.demo {
        true => Some(app::start_phone(&mut subject.config, &mut seed)?),
        false => None,
    };
    if subject.config.demo && wish.to.is_none() {
        let mut buttons = subject.config.buttons.values();
        wish.to = buttons.next().map(|button| button.destination.clone());
    }
    let stop = Stop::default();
    listen_for_signals(Arc::clone(&stop))?;
    look_at_file(&subject, report)?;
    let runs = ports::runs_here(subject.config.listen.http);
    for finding in ports::look(&subject.config, runs) {
        report.add(finding)?;
    }
    let mut check = Check {
        names: Names::new()?,
        config: &subject.config,
        file: subject.file,
        wish: &wish,
        stop,
        runs,
        clock: false,
    };
    for finding in names::look_at_buttons(&mut check.names, &subject.config) {
        report.add(finding)?;
    }
    let mut works = true;
    let mut tried = 0;
    for (name, account) in &subject.config.accounts {
        if wish.account.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        tried += 1;
        works &= check.account(name, account, report)?;
    }
    if tried == 0 {
        let words = match &wish.account {
            Some(name) => format!("the file has no account \"{name}\""),
            None => "the file has no account: nothing can call".to_owned(),
        };
        report
            .add(Finding::fail(Step::File, words).todo("click2call init writes a file with one"))?;
    }
    if check.stop.load(Ordering::Acquire) {
        let words = "ended before its time; calls were hung up, registrations withdrawn";
        report.add(Finding::warn(Step::Call, words))?;
        works = false;
    }
    Ok(works && !report.has_failed())
}

fn look_at_file(subject: &Subject<'_>, report: &mut Report<'_>) -> io::Result<()> {
    let name = subject.file.unwrap_or(Path::new("(demo)")).display();
    let (accounts, buttons) = (subject.config.accounts.len(), subject.config.buttons.len());
    let words = format!("{name}: {accounts} account(s), {buttons} button(s)");
    report.add(Finding::ok(Step::File, words))?;
    for notice in subject.notices {
        report.add(Finding::warn(Step::File, notice.to_string()))?;
    }
    let written =
        subject.file.and_then(|file| std::fs::metadata(file).and_then(|f| f.modified()).ok());
    if let Some(finding) = written.and_then(|at| clock::by_file(at, SystemTime::now())) {
        report.add(finding)?;
    }
    Ok(())
}

/// A first signal ends calls properly, a second one the program.
fn listen_for_signals(stop: Stop) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = move || {
        runtime.block_on(async {
            let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
            let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.swap(true, Ordering::AcqRel) {
                    std::process::exit(crate::cli::FAILED.into());
                }
            }
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}

/// A check under way.
struct Check<'a> {
    names: Names,
    config: &'a Config,
    file: Option<&'a Path>,
    wish: &'a CheckArgs,
    stop: Stop,
    /// Whether the appliance runs meanwhile.
    runs: bool,
    /// Whether the clock was spoken of.
    clock: bool,
}

/// What was tried for one account, at last with the setting that works.
struct Tried {
    /// The setting.
    account: Account,
    outcome: Outcome,
    /// What the setting of the file was refused with, where another one was found.
    refusal: Option<Refusal>,
    /// Tries of walks that led nowhere.
    in_vain: usize,
}

impl Check<'_> {
    /// Everything about one account; whether its calls will work.
    fn account(
        &mut self,
        name: &str,
        account: &Account,
        report: &mut Report<'_>,
    ) -> io::Result<bool> {
        let calls = self.wish.to.is_some() || account.register;
        let destination = match attempt::destination(account, self.wish.to.as_deref()) {
            Ok(destination) => destination,
            Err(why) => {
                let todo = "write --to as a number, or in full: sip:user@host";
                report.add(Finding::fail(Step::Call, why).of(name).todo(todo))?;
                return Ok(false);
            }
        };
        report.doing(&format!("looking for the servers of {name}"));
        let found = names::look(&mut self.names, self.config, name, account);
        let mut reached = found.iter().all(|finding| finding.level != Level::Fail);
        for finding in found {
            report.add(finding)?;
        }
        if reached {
            report.doing(&format!("looking at the certificate for {name}"));
            let found = certificate::look(&mut self.names, self.config, name, account);
            reached = found.iter().all(|finding| finding.level != Level::Fail);
            for finding in found {
                report.add(finding)?;
            }
        }
        if !reached {
            let words = "registration and call were not tried: the server is not reached";
            report.add(Finding::warn(Step::Registration, words).of(name))?;
            return Ok(false);
        }
        if self.wish.to.is_some() && !self.config.demo {
            let words = format!(
                "{name} now calls {destination}: one call that is hung up ten seconds after its \
                 answer; it may cost money. A call that is refused is tried again with other settings"
            );
            report.say(&words)?;
        }
        report.doing(&format!("{name} registers and calls"));
        let tried = match self.tried(name, account, calls, report) {
            Ok(tried) => tried,
            Err(error) => {
                let words = format!("nothing could be tried: {error}");
                let todo = "look at [listen] and at what else runs on this machine";
                report.add(Finding::fail(Step::Ports, words).of(name).todo(todo))?;
                return Ok(false);
            }
        };
        self.told(name, account, calls, tried, report)
    }

    /// Tries the account, and where it is refused, other settings.
    fn tried(
        &mut self,
        name: &str,
        account: &Account,
        calls: bool,
        report: &mut Report<'_>,
    ) -> io::Result<Tried> {
        let mut bench = Bench {
            config: self.config,
            names: &mut self.names,
            stop: Arc::clone(&self.stop),
            to: self.wish.to.as_deref(),
        };
        let pause = Duration::from_secs(self.wish.pause);
        let outcome = bench.attempt(name, account, calls, PATIENT)?;
        let mut tried = Tried { account: account.clone(), outcome, refusal: None, in_vain: 0 };
        // Registration first, then with what was found there the call.
        for _ in 0..2 {
            let Some(refusal) = tried.outcome.refusal() else { break };
            let registers = matches!(tried.outcome.registered, Registered::No(_));
            let facts = Facts { realm: tried.outcome.tap.realm.clone(), calls: !registers };
            let mut walk = Walk::new(&tried.account, &refusal, facts);
            if walk.most() > 0 {
                let status = verdict::answered(&refusal);
                let words = format!(
                    "{name} is refused ({status}): up to {} other settings are tried, {} s apart",
                    walk.most(),
                    pause.as_secs()
                );
                report.say(&words)?;
            }
            let until = Instant::now() + WALK_WITHIN;
            let mut found = None;
            while let Some(setting) = walk.next() {
                let stopped = self.stop.load(Ordering::Acquire);
                if stopped || Instant::now() + pause > until {
                    break;
                }
                let line = cure::lines(account, &setting).replace('\n', ", ");
                report.doing(&format!(
                    "{name}: {} was refused; try {}: {line}",
                    refusal.status,
                    walk.tries()
                ));
                std::thread::sleep(pause);
                let t1 = if refusal.status == 0 { HASTY } else { PATIENT };
                let outcome = bench.attempt(name, &setting, calls, t1)?;
                match outcome.refusal() {
                    Some(next) if registers == matches!(outcome.registered, Registered::No(_)) => {
                        walk.refused(&next);
                    }
                    // Registered, and refused at the call now: that is the next walk.
                    Some(_) if registers => found = Some((setting, outcome)),
                    Some(_) => {}
                    None => found = Some((setting, outcome)),
                }
                if found.is_some() {
                    break;
                }
            }
            let Some((setting, outcome)) = found else {
                tried.in_vain = walk.tries();
                break;
            };
            (tried.account, tried.outcome) = (setting, outcome);
            tried.refusal.get_or_insert(refusal);
        }
        Ok(tried)
    }

    /// Says what came of it; whether calls will work with the file as it is now.
    fn told(
        &mut self,
        name: &str,
        account: &Account,
        calls: bool,
        tried: Tried,
        report: &mut Report<'_>,
    ) -> io::Result<bool> {
        let Tried { account: setting, outcome, refusal, in_vain } = tried;
        let mut stands = true;
        if let Some(refusal) = refusal {
            let (finding, written, shown) = self.proposal(name, account, &setting, &refusal);
            stands = written;
            if let Some(shown) = shown {
                report.say(&shown)?;
            }
            report.add(finding)?;
        }
        report.add(verdict::registration(&outcome.registered, &setting).of(name))?;
        let registered = matches!(outcome.registered, Registered::Yes { .. });
        if self.runs && registered && outcome.tap.bindings == Some(1) {
            let words = "this provider keeps one registration of an account: that of the running \
                         appliance is gone until it is renewed";
            let todo = "send the appliance SIGHUP, then it registers at once";
            report.add(Finding::warn(Step::Registration, words).of(name).todo(todo))?;
        }
        if !self.clock
            && let Some(finding) = clock::by_provider(outcome.tap.hours)
        {
            self.clock = true;
            report.add(finding)?;
        }
        let mut works = false;
        if let Some(called) = &outcome.called {
            let refusal = outcome.refusal();
            let (rtp, to) = (self.config.listen.rtp, self.wish.to.as_deref());
            let findings = verdict::call(called, refusal.as_ref(), rtp, to);
            works = verdict::shows_that_calls_work(&findings, called);
            for finding in findings {
                report.add(finding.of(name))?;
            }
        } else if !calls {
            let words = "no call was tried: an account that does not register cannot call itself";
            report.add(
                Finding::warn(Step::Call, words).of(name).todo("name a number: --to NUMBER"),
            )?;
        }
        if in_vain > 0 {
            let words = format!("{in_vain} other settings were tried and refused as well");
            report.add(Finding::warn(Step::Walk, words).of(name))?;
        }
        Ok(works && stands)
    }

    /// What to write, and whether it is written, with the difference between the files.
    fn proposal(
        &self,
        name: &str,
        before: &Account,
        after: &Account,
        refusal: &Refusal,
    ) -> (Finding, bool, Option<String>) {
        let line = cure::lines(before, after);
        let was = match refusal.status {
            0 => "met with silence".to_owned(),
            status => format!("refused with {status}"),
        };
        let words =
            format!("as the file is, this provider {was}; with another setting it does not");
        let told = |level, todo: String| Finding {
            line: line.clone(),
            ..Finding::new(level, Step::Walk, words.clone()).of(name).todo(todo)
        };
        let by_hand = format!("put this into [accounts.{name}], or run this again with --write");
        let Some(file) = self.file.filter(|_| self.wish.write) else {
            return (told(Level::Fail, by_hand), false, None);
        };
        let written = std::fs::read_to_string(file).map_err(|error| error.to_string());
        let written = written.and_then(|text| {
            let (text, shown) = edit::edited(&text, name, before, after)?;
            edit::verify(file, &text, name, after)?;
            Ok((text, shown))
        });
        let (text, shown) = match written {
            Ok(edited) => edited,
            Err(why) => {
                let todo =
                    format!("it could not be written: {why}; put this into [accounts.{name}]");
                return (told(Level::Fail, todo), false, None);
            }
        };
        let shown = Some(format!("{}:\n{shown}", file.display()));
        match edit::replace(file, &text) {
            Ok(()) => (told(Level::Warn, format!("written to {}", file.display())), true, shown),
            Err(error) => {
                let todo =
                    format!("it could not be written: {error}; put this into [accounts.{name}]");
                (told(Level::Fail, todo), false, shown)
            }
        }
    }
}
