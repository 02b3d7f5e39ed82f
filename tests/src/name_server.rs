//! A name server of a scenario's own (dnsmasq), and programs that know no other one.

use crate::place::{self, Place};
use crate::program::Program;
use crate::wait;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

/// A running name server. Dropping it ends it.
#[derive(Debug)]
pub struct NameServer {
    program: Program,
    folder: PathBuf,
}

/// What a name server knows.
#[derive(Clone, Debug, Default)]
pub struct Records {
    lines: Vec<String>,
    hosts: String,
}

impl Records {
    /// Nothing: every name under `example` is said not to exist.
    pub fn new() -> Records {
        Records::default()
    }

    /// An address of a host; several calls give it several.
    pub fn host(mut self, name: &str, address: IpAddr) -> Records {
        self.lines.push(format!("--host-record={name},{address}"));
        self
    }

    /// An SRV record: the whole name, the host, its port, priority and weight.
    pub fn srv(mut self, name: &str, host: &str, port: u16, priority: u16, weight: u16) -> Records {
        self.lines.push(format!("--srv-host={name},{host},{port},{priority},{weight}"));
        self
    }

    /// A NAPTR record with the flag `s`: its order, service, and the SRV name that it leads to.
    pub fn naptr(mut self, name: &str, order: u16, service: &str, to: &str) -> Records {
        self.lines.push(format!("--naptr-record={name},{order},10,s,{service},,{to}"));
        self
    }

    /// A line of the machine's own table of hosts, which no name server sees.
    pub fn listed(mut self, line: &str) -> Records {
        self.hosts.push_str(line);
        self.hosts.push('\n');
        self
    }
}

impl NameServer {
    /// Starts one.
    ///
    /// # Panics
    /// Where it cannot have port 53 of a loopback address: name servers have no other.
    pub fn start(place: &Place, records: &Records) -> NameServer {
        let [high, low] = place::port().to_be_bytes();
        let ip = Ipv4Addr::new(127, 53, high, low);
        let mut command = Command::new("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ]);
        command.args(["--port=53", "--bind-interfaces", "--local=/example/", "--local-ttl=30"]);
        command.args(["--user=root", "--pid-file", "--log-queries", "--log-facility=-"]);
        command.arg(format!("--listen-address={ip}")).args(&records.lines);
        let log = place.path("dnsmasq.log");
        let mut program = Program::start("dnsmasq", &mut command, &log);
        let address = SocketAddr::from((ip, 53));
        wait::until("the name server listens", || {
            assert!(program.ended().is_none(), "run it as root:\n{}", program.output());
            UdpSocket::bind(address).is_err().then_some(())
        });
        place.write("resolv.conf", &format!("nameserver {ip}\n"));
        place.write("hosts", &format!("127.0.0.1 localhost\n{}", records.hosts));
        NameServer { program, folder: place.folder().to_path_buf() }
    }

    /// A program whose only name server this is; arguments are still to be added. The process's
    /// number stays the same from here to the program.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let script = "mount --bind \"$1/resolv.conf\" /etc/resolv.conf && \
                      mount --bind \"$1/hosts\" /etc/hosts && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&self.folder).arg(program);
        command
    }

    /// Ends it: nobody answers any more.
    pub fn stop(&mut self) {
        self.program.stop();
    }

    /// How often it was asked for records of a kind, `SRV`, by this name.
    pub fn asked(&self, kind: &str, name: &str) -> usize {
        let text = format!("query[{kind}] {name} ");
        self.program.output().matches(&text).count()
    }
}
