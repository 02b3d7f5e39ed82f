//! Kamailio as the provider: registrar and proxy with digest.

use crate::place::{self, Place};
use crate::program::Program;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

/// The realm and domain of its users.
pub const REALM: &str = "test.local";
/// The password of every user.
pub const PASSWORD: &str = "secret";

/// A running Kamailio. Dropping it ends it.
#[derive(Debug)]
pub struct Kamailio {
    program: Program,
    /// Its SIP socket, for UDP and TCP.
    pub sip: SocketAddr,
    /// Its SIP socket for TLS, where it has a certificate.
    pub tls: SocketAddr,
}

/// How it is set up, beside its address.
#[derive(Clone, Debug)]
pub struct Provider {
    /// How it asks for passwords.
    pub digest: Digest,
    /// Where calls to `sip:phone@...` go; all others go to who has registered.
    pub phone: Option<SocketAddr>,
    /// Whether it takes connections.
    pub tcp: bool,
    /// Whether it takes datagrams from others than the phone: without, REGISTER by UDP is dropped.
    pub udp: bool,
    /// Whether it asks nobody for a password.
    pub open: bool,
    /// Whether much is to pass: it logs no requests and has room for ten thousand users.
    pub busy: bool,
    /// The files of its certificate and key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl Default for Provider {
    fn default() -> Self {
        Provider {
            digest: Digest::Md5,
            phone: None,
            tcp: false,
            udp: true,
            open: false,
            busy: false,
            certificate: None,
        }
    }
}

/// How it asks for passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// RFC 2617.
    Md5,
    /// RFC 8760.
    Sha256,
}

impl Kamailio {
    /// Starts a registrar and proxy. Calls to `sip:phone@...` go to `phone`, all others to who has
    /// registered.
    pub fn start(place: &Place, digest: Digest, phone: Option<SocketAddr>) -> Kamailio {
        Kamailio::provide(place, &Provider { digest, phone, ..Provider::default() })
    }

    /// The same with everything that can be chosen.
    pub fn provide(place: &Place, provider: &Provider) -> Kamailio {
        // The second port is that of TLS.
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, place::ports(2)));
        Kamailio::provide_at(place, provider, sip)
    }

    /// The same at a known address, where another one has ended.
    pub fn provide_at(place: &Place, provider: &Provider, sip: SocketAddr) -> Kamailio {
        let Provider { digest, phone, tcp, udp, open, busy, certificate } = provider.clone();
        let asked = if open { "NONE" } else { "REGISTER|INVITE" };
        let tls = SocketAddr::new(sip.ip(), sip.port() + 1);
        let algorithm = match digest {
            Digest::Md5 => "MD5",
            Digest::Sha256 => "SHA-256",
        };
        let modules = [
            "/usr/lib/x86_64-linux-gnu/kamailio/modules/",
            "/usr/lib/aarch64-linux-gnu/kamailio/modules/",
            "/usr/lib64/kamailio/modules/",
        ];
        let found = modules.into_iter().find(|path| std::path::Path::new(path).is_dir());
        let modules = found.expect("Kamailio's modules; cargo xtask test installs what is needed");
        let loaded: String = [
            "kex",
            "corex",
            "tm",
            "tmx",
            "sl",
            "rr",
            "pv",
            "maxfwd",
            "usrloc",
            "registrar",
            "textops",
            "siputils",
            "xlog",
            "auth",
        ]
        .map(|name| format!("loadmodule \"{name}.so\"\n"))
        .concat();
        let route = match phone {
            Some(phone) => format!(
                "if (is_method(\"INVITE\") && $rU == \"phone\") {{ record_route(); \
                 $du = \"sip:{phone}\"; t_relay(); exit; }}"
            ),
            None => String::new(),
        };
        let mut listen = match tcp || certificate.is_some() {
            true => format!("tcp_children=1\nlisten=tcp:{sip}\n"),
            false => "disable_tcp=yes\n".to_owned(),
        };
        let mut loaded = loaded;
        if let Some((certificate, key)) = &certificate {
            listen.push_str(&format!("enable_tls=yes\nlisten=tls:{tls}\n"));
            loaded.push_str(&format!(
                "loadmodule \"tls.so\"\nmodparam(\"tls\",\"tls_method\",\"TLSv1.2+\")\n\
                 modparam(\"tls\",\"certificate\",\"{}\")\nmodparam(\"tls\",\"private_key\",\"{}\")\n",
                certificate.display(),
                key.display()
            ));
        }
        let deaf = match udp {
            true => "",
            false => "if ($proto == \"udp\" && is_method(\"REGISTER|INVITE\")) { drop; }\n",
        };
        let (debug, xlog) = match busy {
            true => (0, ""),
            false => {
                (2, "xlog(\"L_NOTICE\", \"request $rm $ru from $si:$sp by $proto of $ml\\n\");\n")
            }
        };
        // The To tag asks first: requests inside a call go where its route leads.
        let config = format!(
            "#!KAMAILIO\ndebug={debug}\nlog_stderror=yes\nfork=no\nchildren=1\nlisten=udp:{sip}\n{listen}\
             mpath=\"{modules}\"\n{loaded}modparam(\"usrloc\",\"db_mode\",0)\n\
             modparam(\"auth\",\"algorithm\",\"{algorithm}\")\n\
             request_route {{\n\
             {xlog}{deaf}\
             if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\",\"Too Many Hops\"); exit; }}\n\
             if (has_totag()) {{ if (loose_route()) {{ t_relay(); exit; }}\n\
             if (is_method(\"ACK\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
             sl_send_reply(\"404\",\"Not here\"); exit; }}\n\
             if (is_method(\"CANCEL\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
             if (is_method(\"{asked}\")) {{\n$var(pw) = \"{PASSWORD}\";\n\
             if (!pv_auth_check(\"{REALM}\", \"$var(pw)\", \"0\", \"0\")) {{\n\
             auth_challenge(\"{REALM}\", \"0\"); exit; }}\nconsume_credentials();\n}}\n\
             if (is_method(\"REGISTER\")) {{ if (!save(\"location\")) sl_reply_error(); exit; }}\n\
             {route}\n\
             if (is_method(\"INVITE\")) record_route();\n\
             if (!lookup(\"location\")) {{ sl_send_reply(\"404\",\"Not Found\"); exit; }}\n\
             t_relay();\n}}\n"
        );
        let path = place.write("kamailio.cfg", &config);
        let mut command = Command::new("kamailio");
        command.arg("-f").arg(&path).args(["-DD", "-E"]);
        command.args(if busy { ["-M", "32", "-m", "512"] } else { ["-M", "8", "-m", "32"] });
        command.arg("-Y").arg(place.folder());
        let log = place.path("kamailio.log");
        let mut program = Program::start("kamailio", &mut command, &log);
        // It answers OPTIONS from nobody before it is up: its socket is what shows it.
        crate::wait::until("Kamailio listens", || {
            assert!(program.ended().is_none(), "Kamailio ended:\n{}", program.output());
            let connects = |address| std::net::TcpStream::connect(address).is_ok();
            let listens = std::net::UdpSocket::bind(sip).is_err()
                && (!tcp || connects(sip))
                && (certificate.is_none() || connects(tls));
            listens.then_some(())
        });
        Kamailio { program, sip, tls }
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// How many requests of a method it has logged that came by a transport, in lower case.
    pub fn requests(&self, method: &str, transport: &str) -> usize {
        let (method, by) = (format!("request {method} "), format!(" by {transport} of "));
        self.log().lines().filter(|line| line.contains(&method) && line.contains(&by)).count()
    }

    /// Waits until it has logged so many of them.
    pub fn gets(&self, method: &str, transport: &str, count: usize) {
        crate::wait::until(&format!("the provider gets {count} {method} by {transport}"), || {
            (self.requests(method, transport) >= count).then_some(())
        });
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.program.output()
    }
}
