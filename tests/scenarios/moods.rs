//! Providers' moods: what each file of `tests/moods` says happens without the cure, with it a call
//! works, and `click2call check` finds it.

use harness::check::{Checked, check, check_file};
use harness::moods::{Check, Fails, Mood, Provider};
use harness::sound::PHONE;
use harness::{Appliance, HandsetSettings, Place, Shop, Visitor, VisitorSettings, wait};
use signalling::{CallState, EndCause};
use sip::message::Method;
use std::process::Command;
use std::time::Duration;

/// What a call to a provider that says nothing takes to fail (RFC 3261 timer B, and to spare).
const SILENCE: Duration = Duration::from_secs(60);

/// How often a check is made where this machine was too busy for sound.
const TRIES: usize = 4;

/// A provider in a mood, and a shop there.
struct Scene {
    appliance: Appliance,
    provider: Provider,
    _place: Place,
}

/// A shop with an account at a provider, and a button that calls somebody there.
fn shop(mood: &Mood, provider: &Provider, user: &str, cure: &str) -> Shop {
    let authority = provider.authority.as_ref().map(|path| path.display().to_string());
    let lines = mood
        .account
        .replace("{registrar}", &provider.registrar)
        .replace("{authority}", &authority.unwrap_or_default());
    let lines = format!("expires = 60\n{lines}\n{cure}");
    Shop::registered_for(&provider.registrar, user, &lines)
}

fn scene(name: &str, mood: &Mood, cure: &str) -> Scene {
    let suffix = if cure.is_empty() { "" } else { "-cured" };
    let place = Place::new(&format!("mood-{name}{suffix}"));
    let provider = Provider::start(&place, mood);
    let appliance = Appliance::start(&place, &shop(mood, &provider, &mood.calls, cure));
    Scene { appliance, provider, _place: place }
}

/// The account is registered, and as long as it takes a provider to forget.
fn registered(mood: &Mood, scene: &Scene) {
    assert_eq!(scene.appliance.readiness_becomes(200), "ready\n");
    if let Some(after) = mood.habits.forgets_after {
        std::thread::sleep(after + Duration::from_secs(3));
    }
}

/// A visitor who has just called.
fn call(scene: &Scene) -> Visitor {
    let mut visitor = Visitor::open(&scene.appliance, VisitorSettings::default());
    visitor.call();
    visitor
}

/// Until the phone answers, the visitor's page has been in these states.
fn states_before_answer(visitor: &Visitor) -> Vec<CallState> {
    visitor.reaches(CallState::Active);
    let steps = visitor.look(|seen| seen.steps.clone());
    let states = steps.iter().map(|step| step.state).filter(|state| *state != CallState::Calling);
    states.take_while(|state| *state != CallState::Active).collect()
}

/// Two keys of the visitor: those that the phone gets as telephone events, and how many by INFO.
fn keys(scene: &Scene, visitor: &Visitor) -> (String, usize) {
    visitor.talks();
    visitor.press("59");
    let phone = &scene.provider.phone;
    phone.until("both keys arrive", |seen| {
        (seen.digits.len() + seen.infos.len() == 2).then_some(())
    });
    phone.look(|seen| (seen.digits.clone(), seen.infos.len()))
}

/// A call that is answered, with sound, and hung up by the visitor.
fn works(scene: &Scene, visitor: &Visitor) {
    visitor.talks();
    scene.provider.phone.say(Some(PHONE));
    visitor.hears(PHONE);
    scene.provider.phone.hears(harness::sound::VISITOR);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    wait::until("the provider passes BYE on", || {
        (scene.provider.requests(&Method::Bye) > 0).then_some(())
    });
    scene.appliance.is_quiet();
}

/// What happens without the cure.
fn without(name: &str, mood: &Mood) {
    let scene = scene(name, mood, "");
    match &mood.fails {
        Fails::Never => {
            registered(mood, &scene);
            works(&scene, &call(&scene));
        }
        Fails::Registration => {
            if !mood.rules.is_empty() {
                scene.provider.refuses(&Method::Register);
            }
            let words = scene.appliance.readiness_becomes(503);
            assert!(words.contains("0 of 1 accounts are registered"), "{words}");
            std::thread::sleep(Duration::from_secs(1));
            assert_eq!(scene.appliance.metric("accounts_registered"), 0);
        }
        Fails::Call(cause) => {
            registered(mood, &scene);
            let visitor = call(&scene);
            let ended = visitor.within(SILENCE, |seen| seen.state(1).and_then(|step| step.cause));
            assert_eq!(ended.map(EndCause::key), Some(cause.clone()));
            assert_eq!(scene.provider.phone.look(|seen| seen.invited.len()), 0, "it rang");
        }
        Fails::Keys => {
            registered(mood, &scene);
            let visitor = call(&scene);
            assert_eq!(keys(&scene, &visitor), ("59".to_owned(), 0));
            works(&scene, &visitor);
        }
        Fails::Ringing(state) => {
            registered(mood, &scene);
            let visitor = call(&scene);
            visitor.reaches(CallState::Early);
            match mood.phone.tone {
                Some(tone) => drop(visitor.hears(tone)),
                None => visitor.hears_nothing(),
            }
            let last = states_before_answer(&visitor).pop();
            assert_eq!(last.map(|state| format!("{state:?}").to_lowercase()).as_ref(), Some(state));
            works(&scene, &visitor);
        }
    }
}

/// What happens with it.
fn cured(name: &str, mood: &Mood) {
    let scene = scene(name, mood, &mood.cure);
    registered(mood, &scene);
    let visitor = call(&scene);
    if matches!(mood.fails, Fails::Ringing(_)) {
        let last = states_before_answer(&visitor).pop();
        assert_eq!(last, Some(CallState::Ringing));
    }
    if mood.fails == Fails::Keys {
        assert_eq!(keys(&scene, &visitor), (String::new(), 2));
    }
    works(&scene, &visitor);
}

/// What a check says, and that what it writes into the file is enough. It calls the account itself, so
/// that the provider brings the call back; where the number matters, it calls that.
fn checked(name: &str, mood: &Mood) {
    let place = Place::new(&format!("mood-{name}-check"));
    // A check believes that a number hears it where its tone comes back.
    let phone = HandsetSettings { echoes: true, ..mood.phone.clone() };
    let provider = Provider::start(&place, &Mood { phone, ..mood.clone() });
    let shop = shop(mood, &provider, &mood.calls, "");
    let to: &[&str] = if mood.calls == "phone" { &[] } else { &["--to", &mood.calls] };
    let checked = check(&place, &shop, &[to, &["--write"]].concat());
    let again = || check_file(&checked.file, to, Command::new(Appliance::executable()));
    if mood.check == Check::GivesUp {
        let facts = (checked.status, checked.works, checked.proposal());
        assert_eq!(facts, (Some(1), false, None), "{checked:#?}");
        return;
    }
    let cure = (mood.check == Check::Finds).then_some(mood.cure.as_str());
    assert_eq!(checked.proposal(), cure, "{checked:#?}");
    let text = std::fs::read_to_string(&checked.file).unwrap();
    assert!(text.contains(cure.unwrap_or_default()), "{text}");
    works_when_checked(again);
}

/// A check finds that calls work, and proposes nothing. What it says of sound counts only where this
/// machine was in time with its own.
fn works_when_checked(mut check: impl FnMut() -> Checked) {
    for tries in 1.. {
        let checked = check();
        let is_late =
            |finding: &serde_json::Value| finding["words"].to_string().contains("ms late");
        if tries < TRIES && !checked.works && checked.findings.iter().any(is_late) {
            continue;
        }
        let facts = (checked.status, checked.works, checked.proposal());
        assert_eq!(facts, (Some(0), true, None), "{checked:#?}");
        return;
    }
}

/// All of it. Side by side where the provider takes its time.
fn plays(name: &str) {
    let mood = Mood::read(name);
    let slow =
        mood.habits.forgets_after.is_some() || mood.rules.iter().any(|rule| rule.status == 0);
    let cures = || {
        if !mood.cure.is_empty() {
            cured(name, &mood);
        }
    };
    let (fails, finds) = (|| without(name, &mood), || checked(name, &mood));
    let parts: [&(dyn Fn() + Sync); 3] = [&fails, &cures, &finds];
    std::thread::scope(|all| {
        for part in parts {
            let running = all.spawn(part);
            if !slow {
                running.join().unwrap();
            }
        }
    });
}

#[test]
fn a_provider_that_refuses_calls_to_the_own_number_is_checked_with_another() {
    let place = Place::new("mood-own-number-to");
    let mut mood = Mood::read("own-number");
    mood.phone.echoes = true;
    let provider = Provider::start(&place, &mood);
    let shop = shop(&mood, &provider, "phone", "");
    works_when_checked(|| check(&place, &shop, &["--to", "phone"]));
    let digits = provider.phone.look(|seen| seen.digits.clone());
    assert!(!digits.is_empty(), "keys arrive at the number");
}

/// One test for each mood.
macro_rules! moods {
    ($($test:ident: $name:literal,)*) => {
        $(
            mod $test {
                #[test]
                fn fails_as_its_file_says_and_works_once_it_is_cured() {
                    super::plays($name);
                }
            }
        )*

        #[test]
        fn every_mood_is_played() {
            let mut played = vec![$($name),*];
            played.sort_unstable();
            assert_eq!(Mood::names(), played);
        }
    };
}

moods! {
    algorithms: "algorithms",
    another_port: "another-port",
    asserted_identity: "asserted-identity",
    bare_contact: "bare-contact",
    contact_auth_user: "contact-auth-user",
    contact_user: "contact-user",
    few_codecs: "few-codecs",
    from_auth_user: "from-auth-user",
    from_domain: "from-domain",
    from_number: "from-number",
    info_digits: "info-digits",
    least_expires: "least-expires",
    name_transport: "name-transport",
    no_100rel: "no-100rel",
    no_early_media: "no-early-media",
    no_path: "no-path",
    no_plus: "no-plus",
    no_route: "no-route",
    no_rport: "no-rport",
    no_rtcp_mux: "no-rtcp-mux",
    no_session_timers: "no-session-timers",
    no_transport: "no-transport",
    only_tcp: "only-tcp",
    one_contact: "one-contact",
    options_pings: "options-pings",
    own_number: "own-number",
    pcma_first: "pcma-first",
    pcmu_first: "pcmu-first",
    plus: "plus",
    preferred_identity: "preferred-identity",
    realms: "realms",
    registrar_domain: "registrar-domain",
    rewritten_contact: "rewritten-contact",
    ringing_after_sound: "ringing-after-sound",
    short_expires: "short-expires",
    short_requests: "short-requests",
    sips: "sips",
    sound_then_ringing: "sound-then-ringing",
    stale_nonces: "stale-nonces",
    user_phone: "user-phone",
}
