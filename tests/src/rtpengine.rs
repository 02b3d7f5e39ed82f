//! rtpengine in user space, to compare with: its control protocol is bencode over UDP.

use crate::internet::Site;
use crate::place::{self, Place};
use crate::program::{Program, is_installed};
use crate::wait;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// A running rtpengine. Dropping it ends it.
#[derive(Debug)]
pub struct Rtpengine {
    program: Program,
    control: UdpSocket,
    cookie: u32,
}

impl Rtpengine {
    /// Starts one, where it is installed.
    pub fn start(place: &Place) -> Option<Rtpengine> {
        let (program, ng) = Rtpengine::run(place, Site::default())?;
        let control = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        control.connect(ng).unwrap();
        control.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut engine = Rtpengine { program, control, cookie: 0 };
        wait::within(Duration::from_secs(5), || engine.ask(&[("command", "ping")], &[]))?;
        Some(engine)
    }

    /// Runs one somewhere, where it is installed; gives its control socket too.
    pub fn run(place: &Place, site: Site) -> Option<(Program, SocketAddr)> {
        let name = ["rtpengine", "rtpengine-daemon"].into_iter().find(|name| is_installed(name))?;
        let (ng, cli, first) = (place::port(), place::port(), place::ports(400));
        let mut command = site.command(name);
        let ip = site.ip;
        command.args(["--config-file=none", "--foreground", "--log-stderr", "--table=-1"]);
        command.args([&format!("--interface={ip}"), "--num-threads=2", "--log-level=4"]);
        command.arg(format!("--listen-ng={ip}:{ng}"));
        command.arg(format!("--listen-cli={ip}:{cli}"));
        command.arg(format!("--port-min={first}")).arg(format!("--port-max={}", first + 399));
        let program = Program::start("rtpengine", &mut command, &place.path("rtpengine.log"));
        wait::within(Duration::from_secs(5), || site.is_bound(ng).then_some(()))?;
        Some((program, SocketAddr::from((ip, ng))))
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// A browser's offer becomes an offer for a phone.
    pub fn offer(&mut self, call: &str, sdp: &str) -> Option<String> {
        self.ask(
            &[
                ("ICE", "remove"),
                ("call-id", call),
                ("command", "offer"),
                ("from-tag", "browser"),
                ("sdp", sdp),
                ("transport-protocol", "RTP/AVP"),
            ],
            &["rtcp-mux-demux"],
        )
    }

    /// A phone's answer becomes an answer for the browser; `mid` is that of its offer.
    pub fn answer(&mut self, call: &str, sdp: &str, mid: &str) -> Option<String> {
        let answer = self.ask(
            &[
                ("ICE", "force"),
                ("call-id", call),
                ("command", "answer"),
                ("from-tag", "browser"),
                ("sdp", sdp),
                ("to-tag", "phone"),
                ("transport-protocol", "UDP/TLS/RTP/SAVPF"),
            ],
            &["rtcp-mux-require"],
        )?;
        // The phone knows of no bundles, and this rtpengine does not put back what was offered.
        let answer = answer.replacen("\r\nm=", &format!("\r\na=group:BUNDLE {mid}\r\nm="), 1);
        Some(format!(
            "{answer}{}",
            if answer.contains("a=mid:") { String::new() } else { format!("a=mid:{mid}\r\n") }
        ))
    }

    /// Ends a call.
    pub fn delete(&mut self, call: &str) {
        let words = [("call-id", call), ("command", "delete"), ("from-tag", "browser")];
        let _ = self.ask(&words, &[]);
    }

    /// Asks; gives the `sdp` of a good answer (empty where it has none).
    fn ask(&mut self, words: &[(&str, &str)], flags: &[&str]) -> Option<String> {
        self.cookie += 1;
        let text = |text: &str| format!("{}:{text}", text.len());
        let mut body = String::from("d");
        for (key, value) in words {
            body += &(text(key) + &text(value));
        }
        if let Some(flag) = flags.first() {
            body += &format!("{}l{}e", text("rtcp-mux"), text(&flag[9..]));
        }
        let request = format!("{} {body}e", self.cookie);
        self.control.send(request.as_bytes()).ok()?;
        let mut buffer = vec![0; 16_384];
        let length = self.control.recv(&mut buffer).ok()?;
        let reply = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !reply.contains("6:result2:ok") && !reply.contains("6:result4:pong") {
            return None;
        }
        let Some((_, rest)) = reply.split_once("3:sdp") else { return Some(String::new()) };
        let (length, rest) = rest.split_once(':')?;
        rest.get(..length.parse().ok()?).map(str::to_owned)
    }
}
