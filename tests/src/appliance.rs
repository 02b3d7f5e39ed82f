//! The appliance: the real executable as a process of its own.

use crate::disk::Disk;
use crate::kamailio::PASSWORD;
use crate::name_server::NameServer;
use crate::place::{self, Place};
use crate::program::Program;
use crate::wait;
use crate::web;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// RTP ports of one appliance: fifteen calls, and ports that rest after one.
const RTP_PORTS: u16 = 60;
/// What the log says in scenarios.
const TALKATIVE: &str = "info,click2call=debug,sip=debug";

/// What a configuration says besides where to listen.
#[derive(Clone, Debug, Default)]
pub struct Shop {
    accounts: Vec<String>,
    buttons: Vec<String>,
    /// Page-supplied accounts.
    webphone: String,
    /// RTP ports to have; 0 for the usual number.
    rtp_ports: u16,
    /// The call log; none for one in the scenario's folder.
    call_log: Option<PathBuf>,
    /// Whether it logs no more than for a shop.
    terse: bool,
    /// Whether it records no call.
    untraced: bool,
    /// Its address towards providers; none for loopback.
    outside: Option<Ipv4Addr>,
    /// Its address outside of a NAT, where the file says it.
    public_ip: Option<Ipv4Addr>,
    /// Whether it talks with its provider by IPv6.
    v6: bool,
}

impl Shop {
    /// Nothing yet.
    pub fn new() -> Shop {
        Shop::default()
    }

    /// An account by its lines: `registrar = "..."` and so on.
    pub fn account(mut self, name: &str, lines: &str) -> Shop {
        self.accounts.push(format!("[accounts.{name}]\n{lines}\n"));
        self
    }

    /// A button by its lines: `destination = "..."` and so on.
    pub fn button(mut self, name: &str, lines: &str) -> Shop {
        self.buttons.push(format!("[buttons.{name}]\n{lines}\n"));
        self
    }

    /// Page-supplied accounts at this registrar, for the store's pages.
    pub fn webphone(self, registrar: SocketAddr) -> Shop {
        self.webphone_at(&[registrar])
    }

    /// The same at several.
    pub fn webphone_at(mut self, registrars: &[SocketAddr]) -> Shop {
        let registrars: Vec<String> = registrars.iter().map(SocketAddr::to_string).collect();
        self.webphone = format!("[webphone]\nregistrars = {registrars:?}\n{ORIGINS}\n");
        self
    }

    /// More or fewer ports towards the provider.
    pub fn rtp_ports(mut self, count: u16) -> Shop {
        self.rtp_ports = count;
        self
    }

    /// With its call log in this file.
    pub fn call_log(mut self, path: &Path) -> Shop {
        self.call_log = Some(path.to_path_buf());
        self
    }

    /// With the log of a shop instead of one for finding faults.
    pub fn terse(mut self) -> Shop {
        self.terse = true;
        self
    }

    /// Without traces of its calls.
    pub fn untraced(mut self) -> Shop {
        self.untraced = true;
        self
    }

    /// With its sockets towards providers at this address.
    pub fn outside(mut self, ip: Ipv4Addr) -> Shop {
        self.outside = Some(ip);
        self
    }

    /// With the address that it has outside of a NAT.
    pub fn public_ip(mut self, ip: Ipv4Addr) -> Shop {
        self.public_ip = Some(ip);
        self
    }

    /// With IPv6 on the provider's side.
    pub fn by_ipv6(mut self) -> Shop {
        self.v6 = true;
        self
    }

    /// A trunk that is known by its address, and a button `sales` that calls there.
    pub fn trunk(peer: SocketAddr, codecs: &[&str]) -> Shop {
        let lines = format!("register = false\ncodecs = {codecs:?}");
        Shop::at(&peer.to_string(), "sales", &lines)
    }

    /// An account that registers at a provider of ours, and a button `sales` that calls the phone
    /// behind it.
    pub fn registered(provider: &str, lines: &str) -> Shop {
        Shop::registered_for(provider, "phone", lines)
    }

    /// The same for calls to another user there.
    pub fn registered_for(provider: &str, user: &str, lines: &str) -> Shop {
        Shop::at(provider, user, &format!("password = \"{PASSWORD}\"\n{lines}"))
    }

    /// An account `main` at a host by its other lines, and a button `sales` that calls a user there.
    pub fn at(host: &str, user: &str, lines: &str) -> Shop {
        let account = format!("registrar = \"{host}\"\nusername = \"shop\"\n{lines}");
        let button = format!("account = \"main\"\ndestination = \"sip:{user}@{host}\"\n{ORIGINS}");
        Shop::new().account("main", &account).button("sales", &button)
    }

    fn text(&self, listen: &str) -> String {
        format!(
            "public_url = \"http://127.0.0.1:8080\"\n\n{listen}\n{}{}{}",
            self.accounts.join("\n"),
            self.buttons.join("\n"),
            self.webphone
        )
    }
}

/// The store page that may embed the buttons of scenarios.
pub const STORE: &str = "http://store.example";
/// The same as a line of a button.
pub const ORIGINS: &str = "origins = [\"http://store.example\"]";

/// A running appliance. Dropping it ends it.
#[derive(Debug)]
pub struct Appliance {
    program: Program,
    /// Pages and WebSocket.
    pub http: SocketAddr,
    /// Flash.
    pub rtmfp: SocketAddr,
    config: Option<PathBuf>,
    listen: String,
    call_log: PathBuf,
}

impl Appliance {
    /// Where the executable is: `CLICK2CALL_BIN`, or beside the running test.
    pub fn executable() -> PathBuf {
        if let Some(path) = std::env::var_os("CLICK2CALL_BIN") {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "CLICK2CALL_BIN names no file: {}", path.display());
            return path;
        }
        let own = std::env::current_exe().unwrap();
        let beside = own.ancestors().skip(1).take(3).map(|folder| folder.join("click2call"));
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/click2call");
        beside
            .chain([built])
            .find(|path| path.is_file())
            .unwrap_or_else(|| panic!("the executable is not built: run cargo build -p click2call"))
    }

    /// `click2call --demo` on free ports.
    pub fn demo(place: &Place) -> Appliance {
        let first = place::ports(RTP_PORTS);
        let mut command = Command::new(Appliance::executable());
        command.args(["--demo", "--listen-http", "127.0.0.1:0"]);
        command.env("CLICK2CALL_LOG", TALKATIVE);
        command.arg("--listen-webrtc").arg(format!("127.0.0.1:{}", place::port()));
        command.arg("--listen-rtp").arg(format!("127.0.0.1:{first}-{}", first + RTP_PORTS - 1));
        Appliance::greeted(place, "appliance", command)
    }

    /// The appliance with a configuration file.
    pub fn start(place: &Place, shop: &Shop) -> Appliance {
        Appliance::start_as(place, "appliance", shop)
    }

    /// The same under a name of its own, where a scenario has two.
    pub fn start_as(place: &Place, name: &str, shop: &Shop) -> Appliance {
        let command = Command::new(Appliance::executable());
        Appliance::start_by(place, name, shop, command)
    }

    /// The appliance with its call log, `calls.db`, on a disk of its own.
    pub fn start_on(place: &Place, shop: &Shop, disk: &Disk) -> Appliance {
        let shop = shop.clone().call_log(&disk.folder().join("calls.db"));
        let command = disk.command(Appliance::executable());
        Appliance::start_by(place, "appliance", &shop, command)
    }

    /// The appliance where names are looked up at this name server.
    pub fn start_among(place: &Place, shop: &Shop, names: &NameServer) -> Appliance {
        let command = names.command(Appliance::executable());
        Appliance::start_by(place, "appliance", shop, command)
    }

    /// The appliance with a file as it is. Only the ports are others, since scenarios share none.
    pub fn start_with(place: &Place, config: &Path) -> Appliance {
        let first = place::ports(RTP_PORTS);
        let mut command = Command::new(Appliance::executable());
        command.arg("--config").arg(config).args(["--listen-http", "127.0.0.1:0"]);
        command.env("CLICK2CALL_LOG", TALKATIVE);
        command.arg("--listen-webrtc").arg(format!("0.0.0.0:{}", place::port()));
        command.arg("--listen-rtp").arg(format!("0.0.0.0:{first}-{}", first + RTP_PORTS - 1));
        let mut appliance = Appliance::greeted(place, "appliance", command);
        appliance.call_log = place.path("click2call.db");
        appliance
    }

    /// Where it must not start: its exit status and all that it says. `command` is the executable,
    /// or something that runs it.
    pub fn refuses(place: &Place, shop: &Shop, mut command: Command) -> (Option<i32>, String) {
        let (config, _) = Appliance::configure(place, "appliance", shop);
        command.arg("--config").arg(config).env("NO_COLOR", "1");
        let mut program = Program::start("click2call", &mut command, &place.path("appliance.log"));
        let status = program.wait(wait::PATIENCE);
        // Its last words may still be on their way.
        std::thread::sleep(Duration::from_millis(200));
        (status.code(), program.output())
    }

    fn start_by(place: &Place, name: &str, shop: &Shop, mut command: Command) -> Appliance {
        let (config, listen) = Appliance::configure(place, name, shop);
        command.arg("--config").arg(&config);
        if !shop.terse {
            command.env("CLICK2CALL_LOG", TALKATIVE);
        }
        let appliance = Appliance::greeted(place, name, command);
        Appliance { config: Some(config), listen, ..appliance }
    }

    /// Writes a configuration file for a chore, which starts nothing.
    pub fn file(place: &Place, name: &str, shop: &Shop) -> PathBuf {
        Appliance::configure(place, name, shop).0
    }

    /// Writes a configuration file; gives its path and the part that a reload leaves as it is.
    fn configure(place: &Place, name: &str, shop: &Shop) -> (PathBuf, String) {
        let count = if shop.rtp_ports == 0 { RTP_PORTS } else { shop.rtp_ports };
        let (first, webrtc) = (place::ports(count), place::port());
        let call_log = shop.call_log.clone().unwrap_or_else(|| format!("{name}.db").into());
        let outside = match shop.outside.unwrap_or(Ipv4Addr::LOCALHOST) {
            _ if shop.v6 => "[::1]".to_owned(),
            ip => ip.to_string(),
        };
        let public_ip = shop.public_ip.map(|ip| format!("public_ip = \"{ip}\"\n"));
        let public_ip = public_ip.unwrap_or_default();
        let listen = format!(
            "[listen]\nhttp = \"127.0.0.1:0\"\nwebrtc = \"127.0.0.1:{webrtc}\"\n\
             sip = \"{outside}:0\"\nrtp = \"{outside}:{first}-{}\"\n{public_ip}\n\
             [data]\npath = {call_log:?}\ntraces = {}\n",
            first + count - 1,
            !shop.untraced
        );
        (place.write(&format!("{name}.toml"), &shop.text(&listen)), listen)
    }

    fn greeted(place: &Place, name: &str, mut command: Command) -> Appliance {
        let rtmfp = SocketAddr::from((Ipv4Addr::LOCALHOST, place::port()));
        command.arg("--listen-rtmfp").arg(rtmfp.to_string());
        command.env("NO_COLOR", "1");
        let log = place.path(&format!("{name}.log"));
        let mut program = Program::start("click2call", &mut command, &log);
        let line = program.says("click here:");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let http = address.and_then(|address| address.parse().ok());
        let http = http.unwrap_or_else(|| panic!("no address in {line:?}"));
        let call_log = place.path("appliance.db");
        Appliance { program, http, rtmfp, config: None, listen: String::new(), call_log }
    }

    /// Its SIP socket.
    pub fn sip(&self) -> SocketAddr {
        wait::until("the SIP port is known", || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains("listening"))?;
            line.split("sip=").nth(1)?.split_whitespace().next()?.parse().ok()
        })
    }

    /// The origin of its own pages.
    pub fn origin(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The process.
    pub fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.program.output()
    }

    /// Sends SIGTERM, as service managers do.
    pub fn terminate(&self) {
        self.program.signal("TERM");
    }

    /// Writes another configuration (sockets stay) and sends SIGHUP.
    pub fn reload(&self, shop: &Shop) {
        let config = self.config.as_ref().expect("the demo has no file");
        std::fs::write(config, shop.text(&self.listen)).unwrap();
        self.program.signal("HUP");
    }

    /// A number of `/metrics`, by its name without the prefix.
    pub fn metric(&self, name: &str) -> u64 {
        let answer = web::get(self.http, "/metrics").expect("/metrics answers");
        let wanted = format!("click2call_{name} ");
        let found = answer.body.lines().find_map(|line| line.strip_prefix(&wanted));
        let number = found.and_then(|text| text.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no metric {name} in:\n{}", answer.body))
    }

    /// Waits until a number of `/metrics` is `value`.
    pub fn metric_becomes(&self, name: &str, value: u64) {
        let mut last = 0;
        let done = wait::within(wait::PATIENCE, || {
            last = self.metric(name);
            (last == value).then_some(())
        });
        assert!(done.is_some(), "{name} stays {last} instead of {value}");
    }

    /// Status and words of `/readyz`.
    pub fn readiness(&self) -> (u16, String) {
        let answer = web::get(self.http, "/readyz").expect("/readyz answers");
        (answer.status, answer.body)
    }

    /// Waits until `/readyz` has this status, and gives its words.
    pub fn readiness_becomes(&self, status: u16) -> String {
        wait::until(&format!("/readyz answers {status}"), || {
            let (now, words) = self.readiness();
            (now == status).then_some(words)
        })
    }

    /// Waits until the call log holds `count` rows, and gives them, oldest first.
    pub fn rows(&self, count: usize) -> Vec<store::Row> {
        Appliance::rows_of(&self.call_log, count)
    }

    /// The same of a call log somewhere else.
    pub fn rows_of(call_log: &Path, count: usize) -> Vec<store::Row> {
        let store = store::Store::open(Some(call_log)).expect("the call log opens");
        wait::until(&format!("the call log has {count} rows"), || {
            let mut rows = store.recent(count + 1).expect("the call log answers");
            rows.reverse();
            (rows.len() >= count).then_some(rows)
        })
    }

    /// `click2call trace` with this appliance's file: status, what it prints, what it complains of.
    pub fn trace(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(Appliance::executable());
        let config = self.config.as_ref().expect("the demo has no file");
        command.arg("trace").arg("--config").arg(config).args(arguments);
        let output = command.output().expect("the executable starts");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Waits until the trace of a call is there, and gives what is printed.
    pub fn traces(&self, arguments: &[&str]) -> String {
        wait::until(&format!("click2call trace {arguments:?} prints"), || {
            let (status, text, _) = self.trace(arguments);
            (status == Some(0)).then_some(text)
        })
    }

    /// The file of the call log.
    pub fn call_log(&self) -> &Path {
        &self.call_log
    }

    /// Waits until nothing is left of any call.
    pub fn is_quiet(&self) {
        self.metric_becomes("calls_live", 0);
    }

    /// Ends it and waits for its end.
    pub fn stop(&mut self, limit: Duration) -> std::process::ExitStatus {
        self.terminate();
        self.program.wait(limit)
    }
}
