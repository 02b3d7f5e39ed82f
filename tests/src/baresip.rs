//! baresip as the shop's phone: driven over its JSON control socket, recorded, measured.

use crate::internet::Site;
use crate::kamailio::{Kamailio, PASSWORD, REALM};
use crate::place::{self, Place};
use crate::program::Program;
use crate::sound;
use crate::wait;
use audio::Rate;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long the phone's own tone lasts: as long as a scenario.
const TONE_SECONDS: usize = 120;
const MODULES: &str = "/usr/lib/baresip/modules";

/// What kind of phone it is.
#[derive(Clone, Debug)]
pub struct Phone {
    /// The user part of its address.
    pub user: String,
    /// What it says, in hertz.
    pub tone: f32,
    /// Its codecs, `PCMU/8000`, best first.
    pub codecs: Vec<String>,
    /// Whether it answers by itself.
    pub answers: bool,
    /// More parameters of its account, each with a semicolon before it.
    pub account: String,
    /// Whether it registers itself, every minute.
    pub registers: bool,
    /// The domain of its address; none for its own socket.
    pub domain: Option<String>,
    /// Where it runs.
    pub site: Site,
    /// Where its control socket is reached, if not at its own address.
    pub control: Option<SocketAddr>,
    /// Whether it is reached by IPv6 instead of IPv4.
    pub v6: bool,
}

impl Default for Phone {
    fn default() -> Self {
        Phone {
            user: "sales".into(),
            tone: sound::PHONE,
            codecs: vec!["PCMU/8000".into(), "PCMA/8000".into()],
            answers: true,
            account: String::new(),
            registers: false,
            domain: None,
            site: Site::default(),
            control: None,
            v6: false,
        }
    }
}

impl Phone {
    /// A phone with these codecs.
    pub fn with_codecs(codecs: &[&str]) -> Phone {
        let codecs = codecs.iter().map(|codec| (*codec).to_owned()).collect();
        Phone { codecs, ..Phone::default() }
    }

    /// The phone behind a provider: whom its calls to `sip:phone@...` reach.
    pub fn of_provider() -> Phone {
        Phone { user: "phone".into(), ..Phone::with_codecs(&["PCMA/8000"]) }
    }

    /// Somebody's phone with an account at a provider.
    pub fn with_account(user: &str, provider: &Kamailio) -> Phone {
        Phone {
            user: user.into(),
            domain: Some(REALM.into()),
            registers: true,
            account: format!(
                ";outbound=\"sip:{}\";auth_user={user};auth_pass={PASSWORD}",
                provider.sip
            ),
            ..Phone::with_codecs(&["PCMU/8000"])
        }
    }
}

/// A running baresip. Dropping it ends it.
#[derive(Debug)]
pub struct Baresip {
    program: Program,
    /// Its SIP socket.
    pub sip: SocketAddr,
    control: Mutex<TcpStream>,
    events: Arc<Mutex<Vec<Value>>>,
    records: PathBuf,
}

impl Baresip {
    /// Starts a phone.
    pub fn start(place: &Place, name: &str, phone: &Phone) -> Baresip {
        let (sip, rtp) = (place::port(), place::ports(20));
        let own = || SocketAddr::from((phone.site.ip, place::port()));
        let address = phone.control.unwrap_or_else(own);
        let control = address.port();
        // The sound card of a wide-band phone runs at its codec's rate.
        let wide = phone.codecs.first().is_some_and(|codec| codec.starts_with("G722"));
        let full = phone.codecs.first().is_some_and(|codec| codec.starts_with("opus"));
        let rate = if full {
            Rate::Full
        } else if wide {
            Rate::Wide
        } else {
            Rate::Narrow
        };
        let (folder, records) = (place.path(name), place.path(&format!("{name}/records")));
        std::fs::create_dir_all(&records).unwrap();
        let tone = place.path(&format!("{name}/tone.wav"));
        sound::write_tone(&tone, rate, phone.tone, -10.0, TONE_SECONDS);
        let hz = rate.hz();
        let control_ip = phone.site.ip;
        let ip = if phone.v6 { Ipv6Addr::LOCALHOST.into() } else { IpAddr::from(control_ip) };
        let (host, family) = match ip {
            IpAddr::V4(ip) => (ip.to_string(), "-4"),
            IpAddr::V6(ip) => (format!("[{ip}]"), "-6"),
        };
        let config = format!(
            "poll_method epoll\nsip_listen {host}:{sip}\ncall_local_timeout 120\n\
             call_max_calls 10\naudio_player aubridge,sink\naudio_source aufile,{tone}\n\
             audio_alert aubridge,sink\nausrc_srate {hz}\nauplay_srate {hz}\nausrc_channels 1\n\
             auplay_channels 1\naudio_level no\nausrc_format s16\nauplay_format s16\n\
             auenc_format s16\naudec_format s16\nrtp_ports {rtp}-{last}\nrtcp_mux no\n\
             net_interface {ip}\njitter_buffer_delay 2-8\nrtp_stats yes\n\
             module_path {MODULES}\nmodule g711.so\nmodule g722.so\nmodule opus.so\nmodule srtp.so\n\
             module aufile.so\nmodule aubridge.so\nmodule sndfile.so\nmodule_tmp uuid.so\n\
             module_tmp account.so\nmodule_app menu.so\nmodule_app debug_cmd.so\n\
             module_app ctrl_tcp.so\nctrl_tcp_listen {control_ip}:{control}\nsnd_path {records}\n\
             audio_path /usr/share/baresip\n",
            tone = tone.display(),
            last = rtp + 19,
            records = records.display(),
        );
        place.write(&format!("{name}/config"), &config);
        let answers = if phone.answers { ";answermode=auto" } else { "" };
        let account = format!(
            "<sip:{}@{}>;regint={};audio_codecs={}{answers}{}\n",
            phone.user,
            phone.domain.clone().unwrap_or_else(|| format!("{host}:{sip}")),
            if phone.registers { 60 } else { 0 },
            phone.codecs.join(","),
            phone.account
        );
        place.write(&format!("{name}/accounts"), &account);
        place.write(&format!("{name}/contacts"), "");
        let mut command = phone.site.command("baresip");
        command.args([family, "-f"]).arg(&folder);
        let mut program = Program::start("baresip", &mut command, &folder.join("log"));
        let stream = wait::until("baresip's control socket opens", || {
            assert!(program.ended().is_none(), "baresip ended:\n{}", program.output());
            TcpStream::connect(address).ok()
        });
        let events = Arc::new(Mutex::new(Vec::new()));
        listen(stream.try_clone().unwrap(), Arc::clone(&events));
        let sip = SocketAddr::new(ip, sip);
        Baresip { program, sip, control: Mutex::new(stream), events, records }
    }

    /// Starts a phone with an account at a provider, and waits until it is registered there.
    pub fn registered(place: &Place, user: &str, provider: &Kamailio) -> Baresip {
        Baresip::registered_as(place, user, &Phone::with_account(user, provider), provider)
    }

    /// The same of another kind.
    pub fn registered_as(place: &Place, user: &str, phone: &Phone, provider: &Kamailio) -> Baresip {
        let before = provider.requests("REGISTER", "udp");
        let phone = Baresip::start(place, user, phone);
        // Once without and once with its password.
        provider.gets("REGISTER", "udp", before + 2);
        phone
    }

    /// Gives it a command of its menu, `hangup`.
    pub fn order(&self, command: &str, parameters: &str) {
        let text = json!({"command": command, "params": parameters, "token": "t"}).to_string();
        let mut control = self.control.lock().unwrap();
        write!(control, "{}:{text},", text.len()).expect("baresip's control socket");
    }

    /// Answers the call that rings.
    pub fn answer(&self) {
        self.order("accept", "");
    }

    /// Hangs up.
    pub fn hang_up(&self) {
        self.order("hangup", "");
    }

    /// Presses one key; only in an established call.
    pub fn press(&self, digit: char) {
        self.order("sndcode", &digit.to_string());
    }

    /// Its events so far: type and parameter.
    pub fn events(&self) -> Vec<(String, String)> {
        let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let events = self.events.lock().unwrap();
        events.iter().map(|event| (text(event, "type"), text(event, "param"))).collect()
    }

    /// Waits for an event of this type, the `count`-th one.
    pub fn tells_times(&self, kind: &str, count: usize) -> String {
        let found = wait::within(wait::PATIENCE, || {
            let mut found = self.events().into_iter().filter(|(event, _)| event == kind);
            found.nth(count - 1).map(|(_, parameter)| parameter)
        });
        found.unwrap_or_else(|| {
            panic!("baresip told no {kind}, but {:?}\n{}", self.events(), self.program.output())
        })
    }

    /// Waits for an event of this type.
    pub fn tells(&self, kind: &str) -> String {
        self.tells_times(kind, 1)
    }

    /// The keys that it heard.
    pub fn digits(&self) -> String {
        let starts = self.events().into_iter().filter(|(kind, _)| kind == "CALL_DTMF_START");
        starts.map(|(_, digit)| digit).collect()
    }

    /// What it heard in its newest call, which must be over: recordings are whole only then.
    pub fn heard(&self) -> Vec<i16> {
        let found = wait::until("baresip has a recording", || {
            let entries = std::fs::read_dir(&self.records).ok()?;
            let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            files.retain(|path| path.to_string_lossy().ends_with("-dec.wav"));
            files.sort();
            files.pop()
        });
        let mut length = 0;
        wait::until_within(Duration::from_secs(5), "the recording stops growing", || {
            let now = std::fs::metadata(&found).ok()?.len();
            let same = now == length && now > 44;
            length = now;
            std::thread::sleep(Duration::from_millis(100));
            same.then_some(())
        });
        sound::read_wav(&found)
    }

    /// How loud it heard a tone in its newest call, which must be over, in dBFS.
    ///
    /// # Panics
    /// Where it did not hear that for a second.
    pub fn has_heard(&self, tone: f32) -> f32 {
        sound::has_tone(&self.heard(), tone, 1.0)
            .unwrap_or_else(|words| panic!("{tone} Hz is not heard: {words}\n{}", self.output()))
    }

    /// What it has said on its terminal.
    pub fn output(&self) -> String {
        self.program.output()
    }
}

/// Reads netstrings of JSON.
fn listen(mut stream: TcpStream, events: Arc<Mutex<Vec<Value>>>) {
    std::thread::spawn(move || {
        let mut octets = Vec::new();
        let mut buffer = [0; 4_096];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            octets.extend_from_slice(&buffer[..length]);
            while let Some((event, rest)) = netstring(&octets) {
                if let Some(event) = event.filter(|event| event["event"] == true) {
                    events.lock().unwrap().push(event);
                }
                octets = rest;
            }
        }
    });
}

/// The first netstring, and what follows it.
fn netstring(octets: &[u8]) -> Option<(Option<Value>, Vec<u8>)> {
    let colon = octets.iter().position(|octet| *octet == b':')?;
    let length: usize = std::str::from_utf8(&octets[..colon]).ok()?.trim().parse().ok()?;
    let text = octets.get(colon + 1..colon + 1 + length)?;
    let rest = octets.get(colon + 2 + length..).unwrap_or_default();
    Some((serde_json::from_slice(text).ok(), rest.to_vec()))
}
