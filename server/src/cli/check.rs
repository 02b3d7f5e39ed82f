//! `click2call check`: looks at what calls will need, one line a finding. So far it only looks; what
//! takes a provider (registration, a call with a tone) it says it has not tried.

use super::{Args, BAD_INPUT, FAILED};
use crate::config::Config;
use crate::core;
use crate::net::resolve;
use base::{Protocol, Seed};
use serde::Serialize;
use sip::Target;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// A server that takes no connection by then takes none.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Calls may work all the same.
    Warn,
    /// Calls will not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub words: String,
    /// What to do about it; empty where nothing is to be done.
    pub advice: String,
    /// The key of the file that it is about; empty: none.
    pub key: String,
}

impl Finding {
    fn new(level: Level, key: impl Into<String>, words: String, advice: &str) -> Finding {
        Finding { level, words, advice: advice.to_owned(), key: key.into() }
    }
}

/// Reads the file, looks, and prints what was found. Status 0 would promise that calls work, which
/// looking alone cannot, so this version never gives it.
pub fn check(args: &Args, json: bool, out: &mut dyn Write) -> io::Result<u8> {
    let (config, notices) = match args.configuration() {
        Ok(read) => read,
        Err(problems) => {
            writeln!(out, "{problems}")?;
            return Ok(BAD_INPUT);
        }
    };
    let name = args.config.as_deref().unwrap_or(Path::new("(demo)")).display();
    let (accounts, buttons) = (config.accounts.len(), config.buttons.len());
    let words = format!("{name}: {accounts} account(s), {buttons} button(s)");
    print(&Finding::new(Level::Ok, "", words, ""), json, out)?;
    for notice in notices {
        print(&Finding::new(Level::Warn, "", notice.to_string(), ""), json, out)?;
    }
    for finding in ports(&config) {
        print(&finding, json, out)?;
    }
    for finding in servers(&config) {
        print(&finding, json, out)?;
    }
    let words = "not tried: the certificate, SIP registration and a call with a tone are not in \
                 this version of check";
    let advice = "run click2call with this file, read /readyz, then press the button";
    print(&Finding::new(Level::Warn, "", words.into(), advice), json, out)?;
    Ok(FAILED)
}

/// One line a finding: `fail: accounts.main.registrar: words; advice`, or a JSON object.
fn print(finding: &Finding, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string(finding)?);
    }
    let level = match finding.level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    };
    let parts = [&finding.key, &finding.words];
    let parts: Vec<&str> =
        parts.into_iter().map(String::as_str).filter(|t| !t.is_empty()).collect();
    write!(out, "{level}: {}", parts.join(": "))?;
    match finding.advice.as_str() {
        "" => writeln!(out),
        advice => writeln!(out, "; {advice}"),
    }
}

/// Whether the ports of `[listen]` are free. Each is closed again at once.
fn ports(config: &Config) -> Vec<Finding> {
    let listen = &config.listen;
    let tcp = |at: SocketAddr| TcpListener::bind(at).map(drop);
    let udp = |at: SocketAddr| UdpSocket::bind(at).map(drop);
    let rtmfp = if listen.rtmfp_named { Level::Fail } else { Level::Warn };
    [
        ("listen.http", "TCP", listen.http, tcp(listen.http), Level::Fail),
        ("listen.webrtc", "UDP", listen.webrtc, udp(listen.webrtc), Level::Fail),
        ("listen.webrtc", "TCP", listen.webrtc, tcp(listen.webrtc), Level::Fail),
        ("listen.rtmfp", "UDP", listen.rtmfp, udp(listen.rtmfp), rtmfp),
        ("listen.sip", "UDP", listen.sip, udp(listen.sip), Level::Fail),
    ]
    .into_iter()
    .map(|(key, protocol, address, bound, level)| match bound {
        Ok(()) => Finding::new(Level::Ok, key, format!("{protocol} {address} is free"), ""),
        Err(error) => {
            let words = format!("{protocol} {address} cannot be opened: {error}");
            let advice = "end what listens there (click2call itself, if it runs), or name another";
            Finding::new(level, key, words, advice)
        }
    })
    .collect()
}

/// Whether the names of the accounts' servers are known, and whether those that are reached by a
/// connection take one.
fn servers(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, account) in &config.accounts {
        let (key, host, transport) = match &account.outbound_proxy {
            Some(proxy) => ("outbound_proxy", &proxy.target, proxy.transport),
            None => ("registrar", &account.registrar, account.transport),
        };
        let key = format!("accounts.{name}.{key}");
        let question = resolve::Question { host: host.host.clone(), port: host.port, transport };
        let found = look_up(&question, config.listen.sip);
        if found.is_empty() {
            let words = format!("the name {host} leads to no SIP server");
            let advice = "look for a typing error, then ask whoever runs your name server";
            findings.push(Finding::new(Level::Fail, key, words, advice));
            continue;
        }
        let words = match question.literal() {
            Some(_) => format!("{host} needs no name server"),
            None => {
                let place = |target: &Target| format!("{} ({:?})", target.address, target.protocol);
                let places: Vec<String> = found.iter().map(place).collect();
                format!("{host} is at {}", places.join(", "))
            }
        };
        findings.push(Finding::new(Level::Ok, key.clone(), words, ""));
        let mut streams = found.iter().filter(|target| target.protocol != Protocol::Udp).peekable();
        if streams.peek().is_none() {
            continue;
        }
        let connected = streams
            .any(|target| TcpStream::connect_timeout(&target.address, CONNECT_WITHIN).is_ok());
        findings.push(if connected {
            Finding::new(Level::Ok, key, format!("{host} takes connections"), "")
        } else {
            let words = format!("{host} takes no connections");
            let advice = "ask the provider for its port for this transport, or leave transport out";
            Finding::new(Level::Fail, key, words, advice)
        });
    }
    findings
}

/// The servers behind a host, as calls would find them.
fn look_up(question: &resolve::Question, sip: SocketAddr) -> Vec<Target> {
    if let Some(found) = question.targets() {
        return found;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_or_else(
        |_| Vec::new(),
        |runtime| {
            let search =
                resolve::search(question.clone(), core::abilities(sip), Seed::from_bytes([0; 32]));
            runtime.block_on(search).targets
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config;

    #[test]
    fn check_never_promises_what_it_has_not_tried() {
        let args = |line: &str| Args::try_from_arguments(line.split_whitespace()).unwrap();
        let mut out = Vec::new();
        assert_eq!(check(&args("click2call check --demo"), false, &mut out).unwrap(), FAILED);
        assert!(String::from_utf8(out).unwrap().contains("not in this version"));
        let mut out = Vec::new();
        let missing = args("click2call check --config /nonexistent/a.toml");
        assert_eq!(check(&missing, false, &mut out).unwrap(), BAD_INPUT);
    }

    #[test]
    fn a_port_that_somebody_has_is_found_and_a_free_one_is_fine() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = config::demo();
        let any = "127.0.0.1:0".parse().unwrap();
        (config.listen.webrtc, config.listen.rtmfp) = (any, any);
        config.listen.http = taken.local_addr().unwrap();
        let bad: Vec<Finding> =
            ports(&config).into_iter().filter(|finding| finding.level != Level::Ok).collect();
        assert_eq!(bad.len(), 1);
        assert_eq!((bad[0].level, bad[0].key.as_str()), (Level::Fail, "listen.http"));
    }

    #[test]
    fn a_server_by_tcp_is_connected_to_and_one_by_udp_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut config = config::demo();
        let account = config.accounts.get_mut("demo").unwrap();
        account.registrar = config::HostPort { host: "127.0.0.1".into(), port: Some(port) };
        assert_eq!(servers(&config).len(), 1);
        config.accounts.get_mut("demo").unwrap().transport = Some(Protocol::Tcp);
        assert!(servers(&config).iter().all(|finding| finding.level == Level::Ok));
        drop(listener);
        let last = servers(&config).pop().unwrap();
        assert_eq!((last.level, last.key.as_str()), (Level::Fail, "accounts.demo.registrar"));
    }

    #[test]
    fn a_finding_is_one_line_or_one_object() {
        let finding = Finding::new(Level::Fail, "a.b", "broken".into(), "mend it");
        let text = |json| {
            let mut out = Vec::new();
            print(&finding, json, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(false), "fail: a.b: broken; mend it\n");
        let object: serde_json::Value = serde_json::from_str(&text(true)).unwrap();
        assert_eq!((&object["level"], &object["key"]), (&"fail".into(), &"a.b".into()));
    }
}
