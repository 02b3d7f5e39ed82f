//! SIPp: a phone that does what its scenario says, right or wrong.

use crate::internet::Site;
use crate::place::{self, Place};
use crate::program::Program;
use crate::wait;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A running SIPp. Dropping it ends it.
#[derive(Debug)]
pub struct Sipp {
    program: Program,
    /// Its SIP socket.
    pub sip: SocketAddr,
    messages: std::path::PathBuf,
}

impl Sipp {
    /// Runs a scenario of `tests/scenarios/sipp/` for one call.
    pub fn start(place: &Place, scenario: &str) -> Sipp {
        Sipp::start_with(place, scenario, &[])
    }

    /// The same with keywords: `[status]` in the scenario becomes the value of `status`.
    pub fn start_with(place: &Place, scenario: &str, keys: &[(&str, &str)]) -> Sipp {
        Sipp::run(place, scenario, keys, Site::default(), None)
    }

    /// The same somewhere else.
    pub fn start_at(place: &Place, scenario: &str, keys: &[(&str, &str)], site: Site) -> Sipp {
        Sipp::run(place, scenario, keys, site, None)
    }

    /// A scenario that calls somebody, by way of this address.
    pub fn call(place: &Place, scenario: &str, keys: &[(&str, &str)], to: SocketAddr) -> Sipp {
        Sipp::run(place, scenario, keys, Site::default(), Some(to))
    }

    fn run(
        place: &Place,
        scenario: &str,
        keys: &[(&str, &str)],
        site: Site,
        to: Option<SocketAddr>,
    ) -> Sipp {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/sipp");
        let file = folder.join(format!("{scenario}.xml"));
        let mut text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // SIPp itself takes no keyword in a status line.
        for (key, value) in keys {
            text = text.replace(&format!("[{key}]"), value);
        }
        let file = place.write(&format!("{scenario}.xml"), &text);
        let (port, media) = (place::port(), place::ports(4));
        let messages = place.path(&format!("{scenario}.messages"));
        // A second of 1000 Hz, A-law, for scenarios that play it.
        let mut pcm = vec![0; 8_000];
        let tone = audio::tone::Tone::steady(1_000.0, -10.0);
        audio::tone::ToneGenerator::new(tone, crate::sound::RATE).fill(&mut pcm[40..]);
        let octets: Vec<u8> = pcm.into_iter().map(audio::alaw_encode).collect();
        std::fs::write(place.path("tone.al"), octets).unwrap();
        let mut command = site.command("sipp");
        command.current_dir(place.folder());
        let ip = site.ip.to_string();
        command.args(to.map(|to| to.to_string()));
        // The one to which a call is handed on is the same program.
        let calls = if scenario == "transfers" { "2" } else { "1" };
        command.arg("-sf").arg(&file).args(["-i", &ip, "-mi", &ip, "-m", calls]);
        command.arg("-p").arg(port.to_string()).arg("-mp").arg(media.to_string());
        command.args(["-nostdin", "-trace_msg", "-message_file"]).arg(&messages);
        command.args(["-trace_err", "-error_file"]).arg(place.path(&format!("{scenario}.errors")));
        match scenario {
            // It plays deaf for the first ACK.
            "answers-twice" => drop(command.args(["-default_behaviors", "all,-abortunexp"])),
            // It sends back what it hears, and nothing else.
            "echoes" | "hangs-up-late" => drop(command.arg("-rtp_echo")),
            _ => {}
        }
        command.env("TERM", "dumb");
        let mut program =
            Program::start("sipp", &mut command, &place.path(&format!("{scenario}.log")));
        let sip = SocketAddr::from((site.ip, port));
        wait::until("SIPp listens", || {
            assert!(program.ended().is_none(), "SIPp ended:\n{}", program.output());
            site.is_bound(port).then_some(())
        });
        Sipp { program, sip, messages }
    }

    /// Waits for its end; it must have got all that its scenario expects.
    pub fn is_content(&mut self, limit: Duration) {
        let status = self.program.wait(limit);
        assert!(status.success(), "SIPp is not content ({status}):\n{}", self.messages());
    }

    /// All messages so far.
    pub fn messages(&self) -> String {
        std::fs::read_to_string(&self.messages).unwrap_or_default()
    }

    /// How many requests of a method came.
    pub fn requests(&self, method: &str) -> usize {
        let start = format!("{method} sip:");
        self.messages().lines().filter(|line| line.starts_with(&start)).count()
    }

    /// Waits for the `count`-th request of a method.
    pub fn gets(&self, method: &str, count: usize) {
        wait::until(&format!("SIPp gets {count} {method}"), || {
            (self.requests(method) >= count).then_some(())
        });
    }
}
