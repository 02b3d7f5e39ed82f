//! A small Internet of a scenario's own: network namespaces, routers between them, and NATs of the
//! kinds of RFC 4787.
//!
//! ```text
//!   here (the test, the appliance)    [Router with a NAT]      the Internet (providers, phones)
//!        10.1.0.2 ------------- 10.1.0.1 | 198.51.100.2 ----- 203.0.113.10  203.0.113.20 ...
//! ```
//!
//! The test runs itself again in a namespace, which is "here", so that it reaches its appliance over
//! loopback as ever. Everything goes away with the last process in it. The namespaces of the others
//! are held by sleeping programs.

use crate::program::Program;
use crate::wait;
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Set in the process that has its own network.
const MARK: &str = "CLICK2CALL_TEST_NETWORK";
/// How a test gets a network of its own: as root, or as root of a user namespace.
const WAYS: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
const NAMESPACES: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// What a router does between its network and the Internet (RFC 4787 4.1 and 5). None of them hands
/// datagrams back to its own side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// One address and port outside for each inside, open to everybody: "full cone".
    FullCone,
    /// The same, open to addresses that were sent something: "restricted cone".
    AddressRestricted,
    /// The same, open to addresses and ports that were sent something: "port-restricted cone". Linux
    /// as it comes, and most routers.
    PortRestricted,
    /// Another port outside for every destination: "symmetric".
    Symmetric,
}

/// The time after which a NAT forgets a way by UDP that nothing passes, in seconds: the shortest
/// that was found in homes and at carriers.
pub const FORGETS_AFTER: u64 = 30;

/// Where a program of a scenario runs, and which address it has there.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Its address.
    pub ip: Ipv4Addr,
    /// The process that holds its namespace; none for the test's own.
    holder: Option<u32>,
}

impl Default for Site {
    fn default() -> Self {
        Site { ip: Ipv4Addr::LOCALHOST, holder: None }
    }
}

impl Site {
    /// A program that runs there; arguments are still to be added. The process's number stays the
    /// same from here to the program.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(holder) = self.holder else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{holder}/ns/net")).arg("--").arg(program);
        command
    }

    /// Whether anybody there has this UDP port, by IPv4 or IPv6.
    pub fn is_bound(&self, port: u16) -> bool {
        let whose = self.holder.map_or("self".to_owned(), |holder| holder.to_string());
        let read = |table| std::fs::read_to_string(format!("/proc/{whose}/net/{table}"));
        let table = ["udp", "udp6"].map(|table| read(table).unwrap_or_default()).concat();
        let wanted = format!(":{port:04X}");
        let local = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
        table.lines().filter_map(local).any(|address| address.ends_with(&wanted))
    }

    /// Runs something there to its end.
    fn run(&self, words: &[&str]) {
        let output = self.command(words[0]).args(&words[1..]).output();
        let output = output.unwrap_or_else(|error| {
            panic!("{}: {error}; cargo xtask test installs what is needed", words[0])
        });
        let words = words.join(" ");
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn ip(&self, words: &str) {
        let words: Vec<&str> = ["ip"].into_iter().chain(words.split(' ')).collect();
        self.run(&words);
    }

    fn set(&self, key: &str, value: u64) {
        self.run(&["sh", "-c", &format!("echo {value} > /proc/sys/net/{key}")]);
    }

    /// Gives nftables its rules.
    fn rules(&self, text: &str) {
        let mut command = self.command("nft");
        let child = command.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("nft; cargo xtask test installs what is needed");
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The networks of one scenario.
#[derive(Debug)]
pub struct Internet {
    holders: Vec<Program>,
    /// The Internet's own namespace, where everything has a public address.
    core: Site,
    cables: u8,
}

/// Runs a scenario in a network of its own: the test calls this and nothing else.
///
/// # Panics
/// Where the scenario fails there, or where the system lets nobody have a network.
pub fn alone<F: FnOnce(Internet)>(scenario: F) {
    if std::env::var_os(MARK).is_some() {
        Site::default().ip("link set lo up");
        return scenario(Internet::new());
    }
    // `scenarios::module::test::{{closure}}`.
    let path = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    let test = path.split_once("::").map_or(path, |(_, test)| test);
    let probe = |way: &&&[&str]| {
        let mut command = Command::new("unshare");
        command.args(**way).args(NAMESPACES).arg("true").stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let way = WAYS.iter().find(probe).expect(
        "this scenario needs a network namespace of its own: run it as root, or allow user \
         namespaces",
    );
    // Nobody is left behind where this process is killed.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "unshare"]).args(*way).args(NAMESPACES);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(MARK, "1");
    // There its process number is 1, by which folders of several runs would be the same one. Short:
    // baresip cuts long paths.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("c2c-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let output = command.env("TMPDIR", &folder).stdin(Stdio::null()).output().unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "in its network:\n{said}");
}

impl Internet {
    fn new() -> Internet {
        let mut internet = Internet { holders: Vec::new(), core: Site::default(), cables: 0 };
        internet.core = internet.namespace();
        internet
    }

    /// A namespace with nothing but loopback, which passes on what is not for itself.
    fn namespace(&mut self) -> Site {
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "infinity"]);
        let log = std::env::temp_dir().join(format!("click2call-holder-{}", std::process::id()));
        let holder = Program::start("unshare", &mut command, &log);
        let _ = std::fs::remove_file(log);
        let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let (pid, own) = (holder.pid(), network("self"));
        wait::until("the namespace is there", || {
            let theirs = network(&pid.to_string());
            (theirs.is_some() && theirs != own).then_some(())
        });
        self.holders.push(holder);
        let site = Site { ip: Ipv4Addr::LOCALHOST, holder: Some(pid) };
        site.ip("link set lo up");
        site.set("ipv4/ip_forward", 1);
        site
    }

    /// A machine for a server or phone, with one public address, `203.0.113.N`.
    pub fn public(&mut self, number: u8) -> Site {
        let site = self.namespace();
        self.cable(site, Ipv4Addr::new(203, 0, 113, number))
    }

    /// A cable from a namespace to the Internet; its end there has this address.
    fn cable(&mut self, site: Site, ip: Ipv4Addr) -> Site {
        self.cables += 1;
        let (name, hub) = (format!("core{}", self.cables), Ipv4Addr::new(192, 0, 2, self.cables));
        let holder = self.core.holder.unwrap();
        site.ip(&format!("link add wan type veth peer name {name} netns {holder}"));
        site.ip(&format!("addr add {ip} peer {hub} dev wan"));
        site.ip("link set wan up");
        self.core.ip(&format!("addr add {hub} peer {ip} dev {name}"));
        self.core.ip(&format!("link set {name} up"));
        site.ip(&format!("route add default via {hub}"));
        Site { ip, ..site }
    }

    /// The test's own namespace gets a public address.
    pub fn here(&mut self) -> Site {
        self.cable(Site::default(), Ipv4Addr::new(198, 51, 100, 1))
    }

    /// The test's own namespace gets a private address behind a router; the router's public one is
    /// given too.
    pub fn here_behind(&mut self, nat: Nat) -> (Site, Ipv4Addr) {
        let (here, router) = self.router(Site::default(), nat);
        (here, router.ip)
    }

    /// A phone's own network behind a router. Its TCP port `control` can be reached from the
    /// Internet, at the router's address, which is the second that is given.
    pub fn phone_behind(&mut self, nat: Nat, control: u16) -> (Site, IpAddr) {
        let phone = self.namespace();
        let (phone, router) = self.router(phone, nat);
        let inside = phone.ip;
        router.rules(&format!(
            "table ip control {{\n chain arrive {{\n  \
             type nat hook prerouting priority -110; policy accept;\n  \
             iifname \"wan\" tcp dport {control} dnat to {inside}\n }}\n}}\n"
        ));
        (phone, router.ip.into())
    }

    /// Puts a namespace behind a router; both with their addresses.
    fn router(&mut self, site: Site, nat: Nat) -> (Site, Site) {
        let router = self.namespace();
        let router = self.cable(router, Ipv4Addr::new(198, 51, 100, 2 + self.cables));
        let at = |last: u8| Ipv4Addr::new(10, self.cables, 0, last);
        let holder = router.holder.unwrap();
        site.ip(&format!("link add lan type veth peer name lan netns {holder}"));
        site.ip(&format!("addr add {}/24 dev lan", at(2)));
        site.ip("link set lan up");
        router.ip(&format!("addr add {}/24 dev lan", at(1)));
        router.ip("link set lan up");
        site.ip(&format!("route add default via {}", at(1)));
        router.rules(&rules(nat, router.ip, at(2)));
        // Both kinds of what it remembers: seen one way, and seen both ways.
        for key in ["nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"] {
            router.set(&format!("netfilter/{key}"), FORGETS_AFTER);
        }
        (Site { ip: at(2), ..site }, router)
    }
}

/// What makes a router such a NAT.
fn rules(nat: Nat, public: Ipv4Addr, inside: Ipv4Addr) -> String {
    let leaving = match nat {
        Nat::Symmetric => "masquerade fully-random".to_owned(),
        Nat::PortRestricted => "masquerade".to_owned(),
        // One address inside has all ports outside.
        Nat::FullCone | Nat::AddressRestricted => format!("snat to {public}"),
    };
    let coming = match nat {
        Nat::Symmetric | Nat::PortRestricted => String::new(),
        Nat::FullCone => format!("iifname \"wan\" meta l4proto udp dnat to {inside}"),
        Nat::AddressRestricted => {
            format!("iifname \"wan\" meta l4proto udp ip saddr @spoken dnat to {inside}")
        }
    };
    // From outside only what is answered, or what was let in above, gets through. The router itself
    // takes nothing: what it remembered of such datagrams would be in the way of those from inside.
    format!(
        "table ip nat {{\n \
         set spoken {{ type ipv4_addr; flags dynamic,timeout; timeout {FORGETS_AFTER}s; }}\n \
         chain arrive {{\n  type nat hook prerouting priority dstnat; policy accept;\n  {coming}\n }}\n \
         chain leave {{\n  type nat hook postrouting priority srcnat; policy accept;\n  \
         oifname \"wan\" {leaving}\n }}\n \
         chain pass {{\n  type filter hook forward priority filter; policy accept;\n  \
         oifname \"wan\" meta l4proto udp update @spoken {{ ip daddr }}\n  \
         iifname \"wan\" ct status dnat accept\n  \
         iifname \"wan\" ct state new,invalid drop\n }}\n \
         chain keep {{\n  type filter hook input priority filter; policy accept;\n  \
         iifname \"wan\" ct state new drop\n }}\n}}\n"
    )
}
