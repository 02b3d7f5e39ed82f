//! Many accounts at one registrar.

use crate::registrar::Registrar;
use crate::wire::*;
use base::AccountId;
use sip::message::Name;
use sip::{Account, Command};
use std::time::Duration;

#[test]
fn many_accounts_register_by_turns_and_stay_registered() {
    const ACCOUNTS: u64 = 200;
    let mut world = World::new(11);
    world.add(ours(), &[]);
    world.registrar = Some(Registrar::new(theirs()));
    let begun = world.now;
    for number in 1..=ACCOUNTS {
        let settings = Account {
            username: format!("shop{number}"),
            register: true,
            expires: Duration::from_secs(60),
            ..account(theirs())
        };
        world.command(0, Command::SetAccount { account: AccountId(number), settings });
    }
    world.seconds(10);
    let registrar = world.registrar.as_ref().unwrap();
    assert_eq!(registrar.alive(world.now).len(), ACCOUNTS as usize);
    // Of the first hundredth of a second; each is challenged and comes twice.
    let burst = registrar.log.iter().filter(|(at, _)| *at < begun + Duration::from_millis(10));
    assert!((64..150).contains(&burst.count()));
    for _ in 0..120 {
        world.seconds(1);
        let registrar = world.registrar.as_ref().unwrap();
        assert_eq!(registrar.alive(world.now).len(), ACCOUNTS as usize);
    }
    // An account that is taken back while it waits for its turn never registers.
    world.registrar.as_mut().unwrap().log.clear();
    for number in 1..=ACCOUNTS {
        world.command(0, Command::Register { account: AccountId(number) });
    }
    world.command(0, Command::Unregister { account: AccountId(ACCOUNTS) });
    world.seconds(5);
    let log = &world.registrar.as_ref().unwrap().log;
    let last = log.iter().filter(|(_, request)| {
        request.from().unwrap().uri.user_text().as_deref() == Some("shop200")
    });
    let expires: Vec<_> =
        last.map(|(_, request)| request.headers.seconds(&Name::Expires).unwrap()).collect();
    assert!(!expires.is_empty() && expires.iter().all(|seconds| *seconds == 0), "{expires:?}");
}
