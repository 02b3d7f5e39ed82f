//! Linphone's console program as a phone: driven by lines on its standard input, playing and
//! recording files.

use crate::internet::Site;
use crate::kamailio::{Kamailio, PASSWORD, REALM};
use crate::place::{self, Place};
use crate::program::Program;
use crate::sound;
use crate::wait;
use audio::Rate;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

/// How long its own tone lasts: as long as a scenario.
const TONE_SECONDS: usize = 120;

/// A running linphonec. Dropping it ends it.
#[derive(Debug)]
pub struct Linphone {
    program: Program,
    /// Its SIP socket.
    pub sip: SocketAddr,
    orders: File,
    record: PathBuf,
}

impl Linphone {
    /// Starts a phone that answers by itself and says this tone.
    pub fn start(place: &Place, tone: f32) -> Linphone {
        Linphone::named(place, "linphone", tone)
    }

    /// The same where there are several: this one's files have this name.
    pub fn named(place: &Place, name: &str, tone: f32) -> Linphone {
        // A second call has the next two of these.
        let (port, rtp) = (place::port(), place::ports(4));
        let home = place.path(name);
        std::fs::create_dir_all(home.join(".local/share/linphone")).unwrap();
        let config = format!(
            "[sip]\nsip_port={port}\nsip_tcp_port=-1\nsip_tls_port=-1\nguess_hostname=0\n\
             contact=sip:linphone@127.0.0.1:{port}\ndefault_proxy=-1\nbind_address=127.0.0.1\n\
             media_encryption=none\nregister_only_when_network_is_up=0\n\
             [rtp]\naudio_rtp_port={rtp}\n[video]\ndisplay=0\ncapture=0\n"
        );
        let config = place.write(&format!("{name}/rc"), &config);
        let (record, played) = (home.join("record.wav"), home.join("tone.wav"));
        sound::write_tone(&played, Rate::Narrow, tone, -10.0, TONE_SECONDS);
        let pipe = home.join("orders");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success(), "mkfifo {}", pipe.display());
        // Opened both ways nobody waits for the other end.
        let orders = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exec linphonec -c \"$1\" < \"$2\"", "sh"]).arg(config).arg(&pipe);
        command.env("HOME", &home);
        let mut program = Program::start("linphonec", &mut command, &home.join("log"));
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait::until("linphonec listens", || {
            assert!(program.ended().is_none(), "linphonec ended:\n{}", program.output());
            Site::default().is_bound(port).then_some(())
        });
        // A pipe cannot be kept with the rest of a failed scenario.
        std::fs::remove_file(&pipe).unwrap();
        let mut phone = Linphone { program, sip, orders, record };
        phone.order("soundcard use files");
        phone.order(&format!("play {}", played.display()));
        phone.order(&format!("record {}", phone.record.display()));
        phone.order("autoanswer enable");
        phone
    }

    /// Gives it a command, as a person would type it.
    pub fn order(&mut self, command: &str) {
        writeln!(self.orders, "{command}").unwrap();
    }

    /// Registers an account at a provider, and waits until it is there.
    pub fn registers(&mut self, user: &str, provider: &Kamailio) {
        let before = provider.requests("REGISTER", "udp");
        self.order(&format!("register sip:{user}@{REALM} sip:{} {PASSWORD}", provider.sip));
        // Once without and once with its password.
        provider.gets("REGISTER", "udp", before + 2);
    }

    /// From here on what it hears goes into another file: one of two calls at once leaves the other's
    /// in no state to be read.
    pub fn record_anew(&mut self) {
        self.record.set_extension("anew.wav");
        self.order(&format!("record {}", self.record.display()));
    }

    /// Waits until it says this on its terminal.
    pub fn says(&mut self, text: &str) {
        self.program.says(text);
    }

    /// Ends it; it must have heard a tone for a second.
    pub fn has_heard(mut self, tone: f32) {
        self.order("quit");
        self.program.wait(wait::PATIENCE);
        sound::has_tone(&sound::read_wav(&self.record), tone, 1.0)
            .unwrap_or_else(|words| panic!("Linphone does not hear {tone} Hz: {words}"));
    }
}
