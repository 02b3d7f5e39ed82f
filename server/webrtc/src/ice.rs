//! The ICE-lite side of one peer (RFC 8445 2.5): it answers authentic checks and follows the
//! browser's nominations; it never sends a check of its own.

use base::{Datagram, Protocol, Secret, Seed, Transmit};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::crypto::CryptoProvider;
use str0m::ice::StunMessage;

/// The most validated paths kept for one peer; the least recently checked makes room.
const PATHS_MAX: usize = 8;
/// A path without a check for this long may be given up for a less wanted one. Browsers check the
/// pair in use every 2 to 6 s.
const STALE_AFTER: Duration = Duration::from_secs(6);

/// A user name fragment and its password (RFC 8445 5.3).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) fragment: String,
    pub(crate) password: Secret,
}

impl Credentials {
    /// New ones of ours: 62 bits of fragment, 134 bits of password.
    pub(crate) fn generate(seed: &mut Seed) -> Credentials {
        Credentials { fragment: seed.token(12), password: Secret::new(seed.token(26)) }
    }

    /// Those of an offer, when they keep to RFC 8839 5.4.
    pub(crate) fn remote(fragment: &str, password: &str) -> Option<Credentials> {
        let valid = |text: &str, least| {
            (least..=256).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
        };
        (valid(fragment, 4) && valid(password, 22))
            .then(|| Credentials { fragment: fragment.to_owned(), password: Secret::new(password) })
    }
}

/// One way between us and the browser over which an authentic check came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) protocol: Protocol,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    checked_at: Instant,
    nominated: bool,
    generation: u32,
}

/// What a check did.
pub(crate) struct Checked {
    pub(crate) reply: Transmit,
    /// This path made room and is no longer valid.
    pub(crate) removed: Option<Path>,
    /// Datagrams go another way from now on.
    pub(crate) moved: bool,
    /// The previous credentials are of no more use: this is their fragment.
    pub(crate) retired: Option<String>,
}

/// One generation of credentials: ours and the browser's (RFC 8445 9).
struct Generation {
    number: u32,
    local: Credentials,
    remote: Credentials,
}

/// The ICE side of one peer.
pub(crate) struct IceLite {
    current: Generation,
    /// Kept after a restart until the browser nominates with the new ones, so that the call goes
    /// on meanwhile.
    previous: Option<Generation>,
    paths: Vec<Path>,
    selected: Option<usize>,
    checked_at: Option<Instant>,
}

impl IceLite {
    pub(crate) fn new(local: Credentials, remote: Credentials) -> IceLite {
        IceLite {
            current: Generation { number: 0, local, remote },
            previous: None,
            paths: Vec::new(),
            selected: None,
            checked_at: None,
        }
    }

    pub(crate) fn local(&self) -> &Credentials {
        &self.current.local
    }

    pub(crate) fn remote(&self) -> &Credentials {
        &self.current.remote
    }

    /// Every fragment of ours by which a check may name this peer.
    pub(crate) fn fragments(&self) -> impl Iterator<Item = &str> {
        let generations = [Some(&self.current), self.previous.as_ref()];
        generations.into_iter().flatten().map(|generation| generation.local.fragment.as_str())
    }

    pub(crate) fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Where datagrams go: the nominated path, or before nomination any valid one, which
    /// RFC 8445 12.1 allows and which saves a round trip of DTLS.
    pub(crate) fn selected(&self) -> Option<&Path> {
        self.paths.get(self.selected?)
    }

    /// Whether checks came from this address lately.
    pub(crate) fn is_living(
        &self,
        now: Instant,
        (protocol, remote): (Protocol, SocketAddr),
    ) -> bool {
        self.paths.iter().any(|path| {
            path.protocol == protocol
                && path.remote == remote
                && now.saturating_duration_since(path.checked_at) <= STALE_AFTER
        })
    }

    /// When the latest authentic check came.
    pub(crate) fn checked_at(&self) -> Option<Instant> {
        self.checked_at
    }

    /// Takes new credentials after an ICE restart. Returns the fragment of those that were still
    /// kept from the restart before.
    pub(crate) fn restart(&mut self, local: Credentials, remote: Credentials) -> Option<String> {
        let number = self.current.number + 1;
        let before = std::mem::replace(&mut self.current, Generation { number, local, remote });
        let retired = self.previous.replace(before);
        retired.map(|generation| generation.local.fragment)
    }

    /// Handles a binding request that names one of our fragments. `None` when it is not authentic;
    /// such a request gets no answer, for an answer would help only whoever guesses.
    pub(crate) fn handle_check(
        &mut self,
        now: Instant,
        crypto: &CryptoProvider,
        datagram: &Datagram<'_>,
        message: &StunMessage<'_>,
    ) -> Option<Checked> {
        let (ours, theirs) = message.split_username()?;
        let previous = self.previous.as_ref();
        let generation =
            [Some(&self.current), previous].into_iter().flatten().find(|generation| {
                generation.local.fragment == ours && generation.remote.fragment == theirs
            })?;
        let key = generation.local.password.reveal().as_bytes();
        let hmac = |key: &[u8], parts: &[&[u8]]| crypto.sha1_hmac_provider.sha1_hmac(key, parts);
        if !message.verify(key, hmac) {
            return None;
        }
        let mut buffer = [0; 128];
        // A socket of both families shows IPv4 as mapped; the browser must see what it knows.
        let seen = SocketAddr::new(datagram.remote.ip().to_canonical(), datagram.remote.port());
        let reply = StunMessage::binding_reply(message.trans_id(), seen);
        let length = reply.to_bytes(Some(key), &mut buffer, hmac).ok()?;
        let reply = Transmit {
            protocol: datagram.protocol,
            local: datagram.local,
            remote: datagram.remote,
            payload: buffer.get(..length)?.to_vec(),
        };

        let number = generation.number;
        self.checked_at = Some(now);
        let (index, removed) = self.path(now, datagram, number);
        let moved = self.elect(now, index, message.use_candidate(), number);
        let nominated = self.selected().is_some_and(|path| path.nominated);
        let selected_number = self.selected().map(|path| path.generation);
        let retired = if nominated && selected_number == Some(self.current.number) {
            self.previous.take().map(|generation| generation.local.fragment)
        } else {
            None
        };
        Some(Checked { reply, removed, moved, retired })
    }

    /// Finds or adds the path of a check.
    fn path(
        &mut self,
        now: Instant,
        datagram: &Datagram<'_>,
        number: u32,
    ) -> (usize, Option<Path>) {
        let found = self.paths.iter().position(|path| {
            path.protocol == datagram.protocol
                && path.remote == datagram.remote
                && path.local == datagram.local
        });
        if let Some(index) = found {
            let path = &mut self.paths[index];
            path.checked_at = now;
            if path.generation < number {
                path.generation = number;
                path.nominated = false;
            }
            return (index, None);
        }
        let mut removed = None;
        if self.paths.len() >= PATHS_MAX {
            let stalest = (0..self.paths.len())
                .filter(|index| Some(*index) != self.selected)
                .min_by_key(|index| self.paths[*index].checked_at);
            if let Some(index) = stalest {
                removed = Some(self.remove(index));
            }
        }
        self.paths.push(Path {
            protocol: datagram.protocol,
            local: datagram.local,
            remote: datagram.remote,
            checked_at: now,
            nominated: false,
            generation: number,
        });
        (self.paths.len() - 1, removed)
    }

    /// Chooses the path in use after a check on the path at `index`. The latest nomination wins:
    /// a browser that checks an ICE-lite peer nominates the pair that it has chosen. The exception
    /// is TCP beside living UDP, which a browser that nominates everything also nominates.
    fn elect(&mut self, now: Instant, index: usize, nominates: bool, number: u32) -> bool {
        let path = &mut self.paths[index];
        path.nominated |= nominates && path.generation == number;
        let path = *path;
        let better = match self.selected() {
            None => true,
            Some(_) if self.selected == Some(index) => false,
            Some(selected) if path.nominated && path.generation == number => {
                let stale = now.saturating_duration_since(selected.checked_at) > STALE_AFTER;
                let older = selected.generation < path.generation;
                let newer = selected.generation > path.generation && selected.nominated;
                let less_wanted = path.protocol == Protocol::Tcp
                    && selected.protocol == Protocol::Udp
                    && selected.nominated;
                let latest = nominates && !newer && !less_wanted;
                stale || older || latest || !selected.nominated
            }
            Some(_) => false,
        };
        let moved = better && self.selected.is_some();
        if better {
            self.selected = Some(index);
        }
        moved
    }

    /// Forgets a path whose TCP connection is closed. Returns it.
    pub(crate) fn connection_closed(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<Path> {
        let index = self.paths.iter().position(|path| {
            path.protocol == Protocol::Tcp && path.local == local && path.remote == remote
        })?;
        Some(self.remove(index))
    }

    fn remove(&mut self, index: usize) -> Path {
        let path = self.paths.remove(index);
        self.selected = match self.selected {
            Some(selected) if selected == index => (0..self.paths.len()).max_by_key(|index| {
                let path = &self.paths[*index];
                (path.generation, path.nominated, path.checked_at)
            }),
            Some(selected) if selected > index => Some(selected - 1),
            other => other,
        };
        path
    }
}
