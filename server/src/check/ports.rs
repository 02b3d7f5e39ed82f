//! Whether our own sockets can be opened.

use super::finding::{Finding, Level, Step};
use crate::config::Config;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Whether the ports of `[listen]` are free. Each is closed again at once. Ports that the appliance
/// has, running with this very file (`runs`), are taken and stop no call, so that is no failure.
pub fn look(config: &Config, runs: bool) -> Vec<Finding> {
    let listen = &config.listen;
    let tcp = |at: SocketAddr| TcpListener::bind(at).map(drop);
    let udp = |at: SocketAddr| UdpSocket::bind(at).map(drop);
    let rtmfp = if listen.rtmfp_named { Level::Fail } else { Level::Warn };
    let rtp = SocketAddr::new(listen.rtp.address, listen.rtp.first.next_multiple_of(2));
    let all = [
        ("listen.http", "TCP", listen.http, tcp(listen.http), Level::Fail),
        ("listen.webrtc", "UDP", listen.webrtc, udp(listen.webrtc), Level::Fail),
        ("listen.webrtc", "TCP", listen.webrtc, tcp(listen.webrtc), Level::Fail),
        ("listen.rtmfp", "UDP", listen.rtmfp, udp(listen.rtmfp), rtmfp),
        ("listen.sip", "UDP", listen.sip, udp(listen.sip), Level::Fail),
        // Single ones of the range may be taken; an address that is not ours is another matter.
        ("listen.rtp", "UDP", rtp, udp(rtp), Level::Warn),
    ];
    let look = |(key, protocol, address, bound, level)| {
        finding(key, protocol, address, bound, level, runs)
    };
    all.into_iter().map(look).collect()
}

fn finding(
    key: &str,
    protocol: &str,
    address: SocketAddr,
    bound: io::Result<()>,
    level: Level,
    runs: bool,
) -> Finding {
    let Err(error) = bound else {
        return Finding::ok(Step::Ports, format!("{protocol} {address} is free")).at(key);
    };
    if runs && error.kind() == io::ErrorKind::AddrInUse {
        let words = format!("{protocol} {address} is in use, as it is while click2call runs");
        return Finding::ok(Step::Ports, words).at(key);
    }
    let todo = match error.kind() {
        io::ErrorKind::AddrInUse => "end what listens there, or name another",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: name one that it has",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a permission: name another",
        _ => "see the system's message, or name another",
    };
    let words = format!("{protocol} {address} cannot be opened: {error}");
    Finding::new(level, Step::Ports, words).at(key).todo(todo)
}

/// Whether click2call itself answers where the file has pages.
pub fn runs_here(http: SocketAddr) -> bool {
    use std::io::{Read as _, Write as _};
    use std::time::Duration;
    let within = Duration::from_secs(1);
    let ask = || {
        let mut stream = std::net::TcpStream::connect_timeout(&http, within)?;
        stream.set_read_timeout(Some(within))?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(64 * 1024).read_to_string(&mut answer)?;
        io::Result::Ok(answer)
    };
    http.port() != 0 && ask().is_ok_and(|answer| answer.contains("click2call_"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config;

    #[test]
    fn a_port_that_somebody_has_is_found_and_a_free_one_is_fine() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        // It takes connections and is no click2call.
        std::thread::spawn(move || while taken.accept().is_ok() {});
        let mut config = config::demo();
        let any = "127.0.0.1:0".parse().unwrap();
        (config.listen.webrtc, config.listen.rtmfp) = (any, any);
        config.listen.http = address;
        let mut found = look(&config, runs_here(address));
        found.retain(|finding| finding.level == Level::Fail);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].key, "listen.http");
    }
}
