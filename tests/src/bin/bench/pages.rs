//! What pages and files cost.

use harness::Appliance;
use harness::measure::cpu;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Visitors at once, each with a connection that stays open.
const CONNECTIONS: usize = 32;
/// Requests of each of them.
const ROUNDS: u32 = 200;
/// Rounds before anything is measured.
const WARM_UP: u32 = 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two looks at connections without an answer.
const LOOK_EVERY: Duration = Duration::from_millis(1);

struct Connection {
    stream: TcpStream,
    got: Vec<u8>,
    /// How long the whole answer is, once its head is there.
    whole: Option<usize>,
}

/// Microseconds of CPU for one request of `path`: all visitors ask, all answers are read, and so
/// on. Nobody sleeps on a connection, so that an answer wakes nobody.
pub fn cost(appliance: &Appliance, path: &str, headers: &str) -> Option<f64> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", appliance.http);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(appliance.http).ok()?);
    }
    for _ in 0..WARM_UP {
        round(&mut connections, request.as_bytes())?;
    }
    let used = cpu(appliance.pid());
    for _ in 0..ROUNDS {
        round(&mut connections, request.as_bytes())?;
    }
    let used = cpu(appliance.pid()) - used;
    Some(used.as_secs_f64() * 1e6 / f64::from(ROUNDS) / CONNECTIONS as f64)
}

fn round(connections: &mut [Connection], request: &[u8]) -> Option<()> {
    for connection in &mut *connections {
        connection.stream.write_all(request).ok()?;
    }
    let deadline = Instant::now() + PATIENCE;
    for connection in connections {
        while !connection.is_answered()? {
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
    Some(())
}

impl Connection {
    fn open(to: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, got: Vec::new(), whole: None })
    }

    /// Reads what is there; whether that is all of a good answer. None for anything else.
    fn is_answered(&mut self) -> Option<bool> {
        let mut buffer = [0; 32_768];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.got.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(false),
                Err(_) => return None,
            }
            if self.whole.is_none() {
                let end = self.got.windows(4).position(|four| four == b"\r\n\r\n");
                let Some(end) = end else { continue };
                let head = String::from_utf8_lossy(&self.got[..end]).to_ascii_lowercase();
                assert!(head.starts_with("http/1.1 200"), "{head}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
                self.whole = Some(end + 4 + length.trim().parse::<usize>().ok()?);
            }
            if self.whole.is_some_and(|whole| self.got.len() >= whole) {
                self.got.clear();
                self.whole = None;
                return Some(true);
            }
        }
    }
}
