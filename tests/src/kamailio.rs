//! Kamailio as the provider: registrar and proxy with digest.

use crate::place::{self, Place};
use crate::program::Program;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

/// The realm and domain of its users.
pub const REALM: &str = "test.local";
/// The password of every user.
pub const PASSWORD: &str = "secret";

/// A running Kamailio. Dropping it ends it.
#[derive(Debug)]
pub struct Kamailio {
    program: Program,
    /// Its SIP socket.
    pub sip: SocketAddr,
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
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, place::port()));
        Kamailio::start_at(place, digest, phone, sip)
    }

    /// The same at a known address.
    pub fn start_at(
        place: &Place,
        digest: Digest,
        phone: Option<SocketAddr>,
        sip: SocketAddr,
    ) -> Kamailio {
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
        // The To tag asks first: requests inside a call go where its route leads.
        let config = format!(
            "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nfork=no\nchildren=1\nlisten=udp:{sip}\n\
             mpath=\"{modules}\"\n{loaded}modparam(\"usrloc\",\"db_mode\",0)\n\
             modparam(\"auth\",\"algorithm\",\"{algorithm}\")\n\
             request_route {{\n\
             xlog(\"L_NOTICE\", \"request $rm $ru from $si:$sp\\n\");\n\
             if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\",\"Too Many Hops\"); exit; }}\n\
             if (has_totag()) {{ if (loose_route()) {{ t_relay(); exit; }}\n\
             if (is_method(\"ACK\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
             sl_send_reply(\"404\",\"Not here\"); exit; }}\n\
             if (is_method(\"CANCEL\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
             if (is_method(\"REGISTER|INVITE\")) {{\n$var(pw) = \"{PASSWORD}\";\n\
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
        command.arg("-f").arg(&path).args(["-DD", "-E", "-M", "8", "-m", "32"]);
        command.arg("-Y").arg(place.folder());
        let log = place.path("kamailio.log");
        let mut program = Program::start("kamailio", &mut command, &log);
        // It answers OPTIONS from nobody before it is up: its socket is what shows it.
        crate::wait::until("Kamailio listens", || {
            assert!(program.ended().is_none(), "Kamailio ended:\n{}", program.output());
            std::net::UdpSocket::bind(sip).is_err().then_some(())
        });
        Kamailio { program, sip }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.program.output()
    }
}
