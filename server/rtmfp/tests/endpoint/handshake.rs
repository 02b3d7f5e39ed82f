//! Handshakes that go well, in every combination.

use crate::world::{S, World, address, ephemeral, fixed};
use base::Seed;
use rtmfp::crypto::{Group, Identity, Protection};
use rtmfp::session::Role;
use rtmfp::{Event, Settings};

type MakeIdentity = fn(Group, &mut Seed) -> Identity;

/// Opens a session and talks in it; gives the two `legacy` marks.
fn try_pair(
    (client_identity, server_identity): (MakeIdentity, MakeIdentity),
    group: Group,
    client_wants: (Protection, Protection),
    server_wants: (Protection, Protection),
) -> (bool, bool) {
    let mut world = World::new(7);
    let settings = |local: &str, (hmac, sequence)| Settings {
        hmac,
        sequence,
        ..Settings::server(address(local))
    };
    let identity = server_identity(group, &mut world.seed);
    let server = world.host(settings("192.0.2.1:1935", server_wants), identity);
    let identity = client_identity(group, &mut world.seed);
    let client = world.host(settings("198.51.100.1:5000", client_wants), identity);
    let session = world.open(client, &["192.0.2.1:1935"]);
    assert!(world.pass_until(2 * S, |world| world.is_open(client) && world.is_open(server)));
    assert_eq!(world.session(client), session, "the handle stays");
    world.talk(client, server);
    let legacy = |host: usize, role| {
        let opened = world.hosts[host].events.iter().find_map(|event| match event {
            Event::Opened { role, legacy, certificate, remote, .. } => {
                Some((*role, *legacy, certificate.clone(), *remote.reveal()))
            }
            _ => None,
        });
        let (seen, legacy, certificate, remote) = opened.unwrap();
        let other = if host == client { server } else { client };
        assert_eq!(seen, role);
        assert_eq!(certificate, world.certificate(other));
        assert_eq!(remote, world.hosts[other].local);
        legacy
    };
    let legacy = (legacy(client, Role::Initiator), legacy(server, Role::Responder));
    world.pass(S);
    legacy
}

const FULL: (Protection, Protection) = (Protection::Wanted, Protection::Wanted);

#[test]
fn static_and_ephemeral_keys_open_sessions_in_every_group_and_combination() {
    for group in Group::ALL {
        for client in [ephemeral as MakeIdentity, fixed] {
            for server in [ephemeral as MakeIdentity, fixed] {
                assert_eq!(try_pair((client, server), group, FULL, FULL), (false, false));
            }
        }
    }
}

#[test]
fn sessions_open_with_and_without_hmac_and_sequence_numbers() {
    use Protection::{Never, Required, Wanted, WhenAsked};
    let identities: (MakeIdentity, MakeIdentity) = (fixed, ephemeral);
    let group = Group::Modp1024;
    for sequence in [Never, WhenAsked, Wanted, Required] {
        for hmac in [Never, WhenAsked, Wanted] {
            let server = (WhenAsked, WhenAsked);
            let (near, far) = try_pair(identities, group, (hmac, sequence), {
                if sequence == Required { (WhenAsked, Required) } else { server }
            });
            // A mere offer is what legacy clients make.
            let expected = hmac != Wanted;
            assert_eq!((near, far), (expected, expected), "{hmac:?} {sequence:?}");
        }
    }
    // One direction only: the client sends, the server does not.
    assert_eq!(try_pair(identities, group, FULL, (Never, Never)), (false, false));
    assert_eq!(try_pair(identities, group, (WhenAsked, Never), (Wanted, Never)), (false, false));
}

#[test]
fn an_end_that_requires_protection_opens_no_session_without() {
    for (client_wants, server_wants) in
        [(Protection::Never, Protection::Required), (Protection::Required, Protection::Never)]
    {
        let mut world = World::new(1);
        let settings = |local: &str, hmac| Settings { hmac, ..Settings::server(address(local)) };
        let identity = ephemeral(Group::Modp1024, &mut world.seed);
        let server = world.host(settings("192.0.2.1:1935", server_wants), identity);
        let identity = ephemeral(Group::Modp1024, &mut world.seed);
        let client = world.host(settings("198.51.100.1:5000", client_wants), identity);
        world.open(client, &["192.0.2.1:1935"]);
        world.pass(100 * S);
        assert!(!world.is_open(client), "{client_wants:?} {server_wants:?}");
        if server_wants == Protection::Required {
            assert!(!world.is_open(server));
            assert!(world.hosts[server].endpoint.counters().keying_refused > 0);
        }
    }
}

#[test]
fn ends_without_a_common_group_open_no_session_and_leave_nothing() {
    let mut world = World::new(1);
    let identity = ephemeral(Group::Modp2048, &mut world.seed);
    let server = world.host(Settings::server(address("192.0.2.1:1935")), identity);
    let client = world.client("198.51.100.1:5000");
    let session = world.open(client, &["192.0.2.1:1935"]);
    world.pass(96 * S);
    let failed = Event::Failed { session, cause: rtmfp::OpenFailure::Timeout };
    assert_eq!(world.hosts[client].events, [failed]);
    for host in [client, server] {
        assert_eq!(world.hosts[host].endpoint.sessions(), 0);
        assert_eq!(world.hosts[host].endpoint.handshakes(), 0);
        assert_eq!(world.hosts[host].endpoint.poll_timeout(), None);
    }
}

#[test]
fn a_client_takes_the_first_of_its_groups_that_the_server_has() {
    let mut world = World::new(1);
    let groups = [Group::Modp2048, Group::Modp1024];
    let identity = Identity::server(&groups, None, &mut world.seed).unwrap();
    let server = world.host(Settings::server(address("192.0.2.1:1935")), identity);
    let groups = [Group::Modp1536, Group::Modp2048, Group::Modp1024];
    let identity = Identity::ephemeral(&groups, &mut world.seed).unwrap();
    let client = world.host(Settings::client(address("198.51.100.1:5000")), identity);
    world.log = Some(Vec::new());
    world.open(client, &["192.0.2.1:1935"]);
    assert!(world.pass_until(2 * S, |world| world.is_open(client) && world.is_open(server)));
    world.talk(client, server);
    // A key of 256 octets went each way.
    let log = world.log.take().unwrap();
    let keying: Vec<_> = log.iter().filter(|sent| sent.octets.len() > 280).collect();
    assert_eq!(keying.len(), 2);
    assert!(keying.iter().all(|sent| sent.octets.len() < 520));
}

#[test]
fn both_ends_close_with_one_event_each_and_leave_nothing() {
    for orderly in [true, false] {
        let mut world = World::new(1);
        let (server, client) = (world.server("192.0.2.1:1935"), world.client("198.51.100.1:5000"));
        world.open(client, &["192.0.2.1:1935"]);
        assert!(world.pass_until(2 * S, |world| world.is_open(client) && world.is_open(server)));
        let session = world.session(client);
        world.command(client, rtmfp::Command::Close { session, orderly });
        world.pass(200 * S);
        for (host, cause) in [(client, rtmfp::CloseCause::Local), (server, rtmfp::CloseCause::Peer)]
        {
            let closed = |event: &&Event| matches!(event, Event::Closed { .. });
            let events = &world.hosts[host].events;
            let ends: Vec<_> = events.iter().filter(closed).collect();
            assert!(
                matches!(ends[..], [Event::Closed { cause: seen, .. }] if *seen == cause),
                "{orderly} {ends:?}"
            );
            assert_eq!(world.hosts[host].endpoint.sessions(), 0);
            assert_eq!(world.hosts[host].endpoint.poll_timeout(), None);
        }
    }
}

#[test]
fn a_shutdown_closes_every_session_and_lets_nobody_in() {
    let mut world = World::new(1);
    let (server, client) = (world.server("192.0.2.1:1935"), world.client("198.51.100.1:5000"));
    let late = world.client("198.51.100.2:5000");
    world.open(client, &["192.0.2.1:1935"]);
    assert!(world.pass_until(2 * S, |world| world.is_open(client) && world.is_open(server)));
    world.command(server, rtmfp::Command::Shutdown);
    world.open(late, &["192.0.2.1:1935"]);
    world.pass(200 * S);
    assert!(!world.is_open(server) && !world.is_open(client) && !world.is_open(late));
    assert_eq!(world.hosts[server].endpoint.sessions(), 0);
    let now = world.now;
    let refused = world.hosts[server].endpoint.open(now, Vec::new(), &[address("192.0.2.9:1")]);
    assert_eq!(refused, Err(rtmfp::OpenError::ShutDown));
}
