//! Kamailio as the provider: registrar and proxy with digest.

use crate::internet::Site;
use crate::place::{self, Place};
use crate::program::Program;
use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// Whether it holds one registration of an account, the newest.
    pub single: bool,
    /// Whether it refuses calls that speak of session timers.
    pub timeless: bool,
    /// The files of its certificate and key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where calls to `sip:line@...` go: the first of them that takes the call.
    pub dispatched: Vec<SocketAddr>,
    /// Whether it looks through NATs: at where messages come from, not at what they say.
    pub looks_through: bool,
    /// The control socket of the rtpengine that carries the sound of its calls.
    pub media: Option<SocketAddr>,
    /// How sound goes from there to who is called, `RTP/AVP`; empty: as it came.
    pub carried_as: &'static str,
    /// The registrar that it stands before: it takes nothing itself, stays on the way of everything,
    /// and says so in registrations (RFC 3327).
    pub before: Option<SocketAddr>,
    /// Whether it hides who is behind it: it rewrites what routes and Contacts say.
    pub hides: bool,
    /// Where it runs.
    pub site: Site,
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
            single: false,
            timeless: false,
            certificate: None,
            dispatched: Vec::new(),
            looks_through: false,
            media: None,
            carried_as: "",
            before: None,
            hides: false,
            site: Site::default(),
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
        let sip = SocketAddr::from((provider.site.ip, place::ports(2)));
        Kamailio::provide_at(place, provider, sip)
    }

    /// The same at a known address, where another one has ended.
    pub fn provide_at(place: &Place, provider: &Provider, sip: SocketAddr) -> Kamailio {
        let extras = Extras::of(place, provider);
        let Provider {
            digest,
            phone,
            tcp,
            udp,
            open,
            busy,
            single,
            timeless,
            certificate,
            site,
            ..
        } = provider.clone();
        // One contact of an address of record.
        let flags = if single { "0x04" } else { "0x00" };
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
        let timeless = match timeless {
            true => {
                "if (is_method(\"INVITE\") && is_present_hf(\"Session-Expires\")) { \
                 append_to_reply(\"Unsupported: timer\\r\\n\"); \
                 sl_send_reply(\"420\",\"Bad Extension\"); exit; }\n"
            }
            false => "",
        };
        // The To tag asks first: requests inside a call go where its route leads.
        let config = format!(
            "#!KAMAILIO\ndebug={debug}\nlog_stderror=yes\nfork=no\nchildren=1\nlisten=udp:{sip}\n{listen}\
             mpath=\"{modules}\"\n{loaded}modparam(\"usrloc\",\"db_mode\",0)\n\
             modparam(\"registrar\",\"gruu_enabled\",0)\nmodparam(\"registrar\",\"use_path\",1)\n\
             modparam(\"auth\",\"algorithm\",\"{algorithm}\")\n{extra_modules}\
             request_route {{\n\
             {xlog}{deaf}\
             if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\",\"Too Many Hops\"); exit; }}\n\
             {extra_first}\
             if (has_totag()) {{ if (loose_route()) {{ {extra_inside} t_relay(); exit; }}\n\
             if (is_method(\"ACK\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
             sl_send_reply(\"404\",\"Not here\"); exit; }}\n\
             if (is_method(\"CANCEL\")) {{ if (t_check_trans()) t_relay(); exit; }}\n\
             {extra_edge}remove_hf(\"Route\");\n\
             if (is_method(\"{asked}\")) {{\n$var(pw) = \"{PASSWORD}\";\n\
             if (!pv_auth_check(\"{REALM}\", \"$var(pw)\", \"0\", \"0\")) {{\n\
             auth_challenge(\"{REALM}\", \"0\"); exit; }}\nconsume_credentials();\n}}\n{timeless}\
             if (is_method(\"REGISTER\")) {{ if (!save(\"location\", \"{flags}\")) sl_reply_error(); exit; }}\n\
             {extra_call}{route}\n{extra_dispatch}\
             if (is_method(\"INVITE\")) record_route();\n\
             if (!lookup(\"location\")) {{ sl_send_reply(\"404\",\"Not Found\"); exit; }}\n\
             t_relay();\n}}\n{extra_routes}",
            extra_modules = extras.modules,
            extra_first = extras.first,
            extra_inside = extras.inside,
            extra_edge = extras.edge,
            extra_call = extras.call,
            extra_dispatch = extras.dispatch,
            extra_routes = extras.routes,
        );
        let path = place.write("kamailio.cfg", &config);
        let mut command = site.command("kamailio");
        command.arg("-f").arg(&path).args(["-DD", "-E"]);
        command.args(if busy { ["-M", "32", "-m", "512"] } else { ["-M", "8", "-m", "32"] });
        command.arg("-Y").arg(place.folder());
        let log = place.path("kamailio.log");
        let mut program = Program::start("kamailio", &mut command, &log);
        // It answers OPTIONS from nobody before it is up: its socket is what shows it.
        crate::wait::until("Kamailio listens", || {
            assert!(program.ended().is_none(), "Kamailio ended:\n{}", program.output());
            let connects = |address| std::net::TcpStream::connect(address).is_ok();
            let listens = site.is_bound(sip.port())
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

/// The parts of a configuration that only some providers have.
#[derive(Default)]
struct Extras {
    modules: String,
    first: String,
    inside: String,
    edge: String,
    call: String,
    dispatch: String,
    routes: String,
}

impl Extras {
    fn of(place: &Place, provider: &Provider) -> Extras {
        let mut extras = Extras::default();
        if !provider.dispatched.is_empty() {
            extras.dispatch(place, &provider.dispatched);
        }
        if provider.looks_through {
            extras.look_through();
        }
        if let Some(media) = provider.media {
            extras.carry_sound(media, provider.carried_as);
        }
        if let Some(registrar) = provider.before {
            extras.stand_before(registrar);
        }
        if provider.hides {
            extras.modules += "loadmodule \"topoh.so\"\nmodparam(\"topoh\",\"mask_key\",\"key\")\n\
                 modparam(\"topoh\",\"mask_callid\",1)\n";
        }
        extras
    }

    /// Each destination in turn, in the order of the list: the next one after 5xx or two seconds of
    /// silence.
    fn dispatch(&mut self, place: &Place, destinations: &[SocketAddr]) {
        let ranked = destinations.iter().rev().enumerate();
        let list: String =
            ranked.map(|(rank, to)| format!("1 sip:{to} 0 {}\n", rank + 1)).collect();
        let list = place.write("dispatcher.list", &list);
        self.modules += &format!(
            "loadmodule \"dispatcher.so\"\nmodparam(\"dispatcher\",\"list_file\",\"{}\")\n\
             modparam(\"dispatcher\",\"flags\",2)\nmodparam(\"tm\",\"fr_timer\",2000)\n",
            list.display()
        );
        self.dispatch += "if (is_method(\"INVITE\") && $rU == \"line\") {\n record_route();\n \
             if (!ds_select_dst(\"1\", \"8\")) { sl_send_reply(\"503\",\"No destination\"); exit; }\n \
             t_on_failure(\"NEXT\");\n t_relay();\n exit;\n}\n";
        self.routes += "failure_route[NEXT] {\n if (t_is_canceled()) exit;\n \
             if (t_branch_timeout() || t_check_status(\"5[0-9][0-9]\")) {\n  \
             if (ds_next_dst()) {\n   xlog(\"L_NOTICE\", \"next is $du\\n\");\n   \
             t_on_failure(\"NEXT\");\n   t_relay();\n   exit;\n  }\n }\n}\n";
    }

    /// What comes from the registrar goes outwards, all else inwards.
    fn stand_before(&mut self, registrar: SocketAddr) {
        self.modules += "loadmodule \"path.so\"\n";
        self.edge += &format!(
            "if (is_method(\"REGISTER\")) {{ add_path(); }}\n\
             if (is_method(\"INVITE\")) {{ record_route(); }}\n\
             loose_route();\n\
             if ($si != \"{}\") {{ $du = \"sip:{registrar}\"; }}\n\
             t_relay();\nexit;\n",
            registrar.ip()
        );
    }

    fn look_through(&mut self) {
        self.modules += "loadmodule \"nathelper.so\"\n\
             modparam(\"nathelper|registrar\",\"received_avp\",\"$avp(RECEIVED)\")\n";
        self.first += "force_rport();\nif (nat_uac_test(\"19\")) {\n \
             if (is_method(\"REGISTER\")) { fix_nated_register(); }\n \
             else { if (is_first_hop()) set_contact_alias(); }\n}\n";
        self.inside += "handle_ruri_alias();";
        self.routes += "onreply_route {\n \
             if (nat_uac_test(\"1\") && is_first_hop()) set_contact_alias();\n}\n";
    }

    fn carry_sound(&mut self, control: SocketAddr, carried_as: &str) {
        let manage = "rtpengine_manage(\"replace-origin replace-session-connection\");";
        let begin = manage.replace("\");", &format!(" {carried_as}\");"));
        self.modules += &format!(
            "loadmodule \"rtpengine.so\"\nmodparam(\"rtpengine\",\"rtpengine_sock\",\"udp:{control}\")\n"
        );
        let each = format!(
            "if (is_method(\"INVITE|UPDATE|ACK|BYE\")) {{ {manage} t_on_reply(\"MEDIA\"); }}\n"
        );
        self.inside += &each;
        self.call += &format!("if (is_method(\"INVITE\")) {{ {begin} t_on_reply(\"MEDIA\"); }}\n");
        self.routes += &format!(
            "onreply_route[MEDIA] {{\n if (has_body(\"application/sdp\")) {{ {manage} }}\n}}\n"
        );
    }
}
