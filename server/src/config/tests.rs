//! Files with and without mistakes.
#![allow(clippy::unwrap_used)]

use super::*;
use sdp::Encryption;

const SMALLEST: &str = r#"domain = "call.shop.example"

[accounts.main]
registrar = "sip.provider.example"
username  = "74951234567"
password  = "hunter2"

[buttons.sales]
destination = "sip:74957654321@sip.provider.example"
origins = ["https://www.shop.example"]
"#;

fn surroundings() -> Surroundings<'static> {
    Surroundings {
        variable: &|name| (name == "SIP_PASSWORD").then(|| "from-environment".to_owned()),
        file: &|path| {
            if path == Path::new("/etc/click2call/secret") {
                Ok("from-file\n".into())
            } else if path == Path::new("/etc/click2call/ca.pem") {
                Ok("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".into())
            } else {
                Err(std::io::ErrorKind::NotFound.into())
            }
        },
        folder: PathBuf::from("/etc/click2call"),
    }
}

fn good(text: &str) -> (Config, Vec<Notice>) {
    read("shop.toml", text, &surroundings()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn bad(text: &str) -> Vec<Problem> {
    read("shop.toml", text, &surroundings()).unwrap_err().list().to_vec()
}

#[test]
fn the_smallest_file_gets_every_default() {
    let (config, notices) = good(SMALLEST);
    assert_eq!(config.public_url, "https://call.shop.example");
    assert_eq!(config.listen.http.to_string(), "127.0.0.1:8080");
    assert_eq!(config.listen.webrtc.to_string(), "0.0.0.0:8443");
    assert_eq!(config.listen.sip.to_string(), "0.0.0.0:0");
    assert_eq!((config.listen.rtp.first, config.listen.rtp.last), (20_000, 20_999));
    let account = &config.accounts["main"];
    assert_eq!(account.registrar.to_string(), "sip.provider.example");
    assert_eq!(account.password, Secret::new("hunter2"));
    assert!(account.register);
    assert_eq!(account.srtp, Encryption::Off);
    assert_eq!(account.expires, Duration::from_secs(300));
    assert_eq!(account.codecs, Codec::ALL);
    let button = &config.buttons["sales"];
    assert_eq!(button.accounts, ["main"]);
    assert_eq!(button.max_duration, Duration::from_secs(900));
    assert_eq!(button.max_calls, 4);
    assert_eq!(config.data.as_deref(), Some(Path::new("/etc/click2call/click2call.db")));
    assert!(config.traces);
    assert_eq!(notices.len(), 1);
    assert!(notices[0].text.contains("automatic HTTPS is not in this version"));
    assert!(notices[0].text.contains("127.0.0.1:8080"));
}

/// The smallest file with further lines of its account.
fn with(lines: &str) -> String {
    SMALLEST.replace("[buttons", &format!("{lines}\n[buttons"))
}

#[test]
fn an_account_by_tls_has_authorities_beside_the_file() {
    let (config, _) = good(&with("transport = \"tls\"\nca_file = \"ca.pem\""));
    let account = &config.accounts["main"];
    assert_eq!(account.transport, Some(Protocol::Tls));
    assert_eq!(account.registrar.to_string(), "sip.provider.example");
    assert_eq!(account.ca_file.as_deref(), Some(Path::new("/etc/click2call/ca.pem")));
    let lines = "transport = \"tls\"\noutbound_proxy = \"sip:p.example;transport=tcp;lr\"";
    let (config, _) = good(&with(lines));
    let proxy = config.accounts["main"].outbound_proxy.clone().unwrap();
    assert_eq!((proxy.transport, proxy.target.port), (Some(Protocol::Tcp), None));
    for (ca, what) in [("none.pem", "can't be read"), ("secret", "holds no certificate")] {
        let problems = bad(&with(&format!("transport = \"tls\"\nca_file = \"{ca}\"")));
        assert_eq!(problems[0].key, "accounts.main.ca_file");
        assert!(problems[0].what.contains(what), "{}", problems[0].what);
    }
}

#[test]
fn every_key_of_the_contract_is_accepted_and_what_is_off_is_said() {
    let (config, notices) = good(
        r#"public_url = "http://127.0.0.1:8080"
[listen]
http   = "127.0.0.1:8080"
https  = "0.0.0.0:443"
webrtc = "127.0.0.1:8443"
rtmfp  = "127.0.0.1:1935"
sip    = "127.0.0.1:0"
rtp    = "127.0.0.1:20000-20999"
public_ip = "203.0.113.7"
[accounts.main]
registrar = "127.0.0.1:5070"
transport = "udp"
username = "shop"
auth_username = "shop-auth"
password = "env:SIP_PASSWORD"
outbound_proxy = "sip:127.0.0.1:5080;lr"
register = true
expires = 300
srtp = "off"
codecs = ["opus", "g722", "pcma", "pcmu", "speex16", "speex8"]
[accounts.other]
registrar = "[::1]:5070"
username = "shop"
password_file = "secret"
register = false
srtp = "offered"
[accounts.third]
registrar = "[::1]:5071"
username = "shop"
register = false
srtp = "required"
[buttons.sales]
account = "main"
destination = "sip:sales@127.0.0.1:5070"
origins = ["https://WWW.shop.example:443"]
video = true
max_duration = "1h30m"
max_calls = 4
[webphone]
registrars = ["talkpad.ru", "127.0.0.1:5070"]
origins = ["https://pages.example"]
srtp = "offered"
[data]
path = "/var/lib/calls.db"
traces = false
[admin]
password_hash = "$argon2id$v=19$x"
"#,
    );
    assert_eq!(config.public_url, "http://127.0.0.1:8080");
    assert_eq!(config.listen.rtmfp.to_string(), "127.0.0.1:1935");
    assert!(config.listen.rtmfp_named);
    let main = &config.accounts["main"];
    assert_eq!(main.password.reveal(), "from-environment");
    assert_eq!(main.outbound_proxy.as_ref().unwrap().target.to_string(), "127.0.0.1:5080");
    assert_eq!(main.codecs, Codec::ALL);
    let srtp = ["main", "other", "third"].map(|name| config.accounts[name].srtp);
    assert_eq!(srtp, [Encryption::Off, Encryption::Offered, Encryption::Required]);
    assert_eq!(config.accounts["other"].password.reveal(), "from-file");
    assert_eq!(config.buttons["sales"].origins, ["https://www.shop.example"]);
    assert_eq!(config.data.as_deref(), Some(Path::new("/var/lib/calls.db")));
    assert!(!config.traces);
    let webphone = config.webphone.unwrap();
    assert_eq!(webphone.registrars[0].to_string(), "talkpad.ru");
    assert_eq!(webphone.srtp, Encryption::Offered);
    let said = notices.iter().map(|notice| notice.text.as_str()).collect::<Vec<_>>().join("\n");
    for word in ["listen.https", "sales.video", "admin"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert_eq!(notices.len(), 3, "{said}");
}

#[test]
fn every_mistake_of_a_file_is_found_in_one_run_with_its_line() {
    let text = r#"domain = "https://call.shop.example"
public_url = "https://call.shop.example/path"
colour = "red"

[listen]
http = "8080"
htpps = "0.0.0.0:443"
webrtc = 8443
sip = "127.0.0.1"
rtp = "0.0.0.0:20999-20000"
public_ip = "here"

[accounts.main]
registar = "sip.provider.example"
username = "me@provider.example"
transport = "sctp"
srtp = "sometimes"
expires = 5
register = "yes"
codecs = ["opus", "g729"]
outbound_proxy = "sip:127.0.0.1:5080"
password = "env:NOWHERE"

[buttons.sales]
account = "mian"
destination = "sales"
origins = ["https://www.shop.example/shop", "https://*.shop.example"]
max_duration = "15"
max_calls = 0

[buttons."sales team"]
destination = "sips:a@b.example"
origins = "https://www.shop.example"

[webphone]
registrars = ["sip:talkpad.ru"]
srtp = "yes"

[admin]
password_hash = "hunter2"
"#;
    let problems = bad(text);
    let found: Vec<(usize, &str)> =
        problems.iter().map(|problem| (problem.line, problem.key.as_str())).collect();
    let expected = [
        (1, "domain"),
        (2, "public_url"),
        (2, "public_url"),
        (3, "colour"),
        (6, "listen.http"),
        (7, "listen.htpps"),
        (8, "listen.webrtc"),
        (9, "listen.sip"),
        (10, "listen.rtp"),
        (11, "listen.public_ip"),
        (13, "accounts.main.registrar"),
        (14, "accounts.main.registar"),
        (15, "accounts.main.username"),
        (16, "accounts.main.transport"),
        (17, "accounts.main.srtp"),
        (18, "accounts.main.expires"),
        (19, "accounts.main.register"),
        (20, "accounts.main.codecs"),
        (21, "accounts.main.outbound_proxy"),
        (22, "accounts.main.password"),
        (25, "buttons.sales.account"),
        (26, "buttons.sales.destination"),
        (27, "buttons.sales.origins"),
        (27, "buttons.sales.origins"),
        (28, "buttons.sales.max_duration"),
        (29, "buttons.sales.max_calls"),
        (31, "buttons.sales team"),
        (32, "buttons.sales team.destination"),
        (33, "buttons.sales team.origins"),
        (35, "webphone.origins"),
        (36, "webphone.registrars"),
        (37, "webphone.srtp"),
        (40, "admin.password_hash"),
    ];
    assert_eq!(found, expected, "{problems:#?}");
}

#[test]
fn an_unknown_key_names_the_nearest_and_every_message_says_what_is_accepted() {
    let text = SMALLEST.replace("registrar", "registar");
    let problems = bad(&text);
    let unknown = problems.iter().find(|problem| problem.key.ends_with("registar")).unwrap();
    assert!(unknown.what.contains("nearest known one is \"registrar\""), "{}", unknown.what);
    let printed = read("shop.toml", &text, &surroundings()).unwrap_err().to_string();
    assert!(printed.contains("shop.toml:4: accounts.main.registar: unknown key"), "{printed}");
    assert!(problems.iter().all(|problem| !problem.accepted.is_empty()));
}

#[test]
fn unknown_keys_are_found_at_every_level() {
    let text = SMALLEST.to_owned()
        + "colour = 1\n[listen]\ncolour = 1\n[data]\ncolour = 1\n[admin]\ncolour = 1\n\
           [webphone]\ncolour = 1\nregistrars = [\"a\"]\norigins = []\n[colours]\n";
    let keys: Vec<_> = bad(&text).into_iter().map(|problem| problem.key).collect();
    let expected = [
        "buttons.sales.colour",
        "listen.colour",
        "data.colour",
        "admin.colour",
        "webphone.colour",
        "colours",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn text_that_is_not_toml_is_named_by_its_line_and_the_rest_still_read() {
    let text = SMALLEST.replace("username  = ", "username  ") + "max_calls = 0\n";
    let problems = bad(&text);
    assert!(problems.iter().any(|problem| problem.line == 5), "{problems:#?}");
    assert!(
        problems.iter().any(|problem| problem.key == "buttons.sales.max_calls"),
        "{problems:#?}"
    );
    assert!(problems.iter().all(|problem| problem.what != "missing"), "{problems:#?}");
}

#[test]
fn no_message_repeats_a_password() {
    let wrong_kind = SMALLEST.replace("\"hunter2\"", "[\"hunter2\"]");
    let twice = SMALLEST.replace("\"hunter2\"", "\"hunter2\"\npassword_file = \"x\"");
    let unquoted = SMALLEST.replace("\"hunter2\"", "hunter2");
    for text in [wrong_kind, twice, unquoted] {
        let printed = read("shop.toml", &text, &surroundings()).unwrap_err();
        assert!(!format!("{printed} {printed:?}").contains("hunter2"), "{printed}");
    }
    let (config, notices) = good(SMALLEST);
    assert!(!format!("{config:?} {notices:?}").contains("hunter2"));
}

#[test]
fn an_empty_file_says_what_it_needs() {
    let keys: Vec<_> = bad("").into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["domain", "accounts", "buttons"]);
}

#[test]
fn a_button_may_name_several_accounts_in_the_order_of_trying() {
    let spare = "[accounts.spare]\nregistrar = \"a.example\"\nusername = \"b\"\npassword = \"c\"\n";
    let with = |value: &str| {
        SMALLEST.replace("[buttons.sales]\n", &format!("[buttons.sales]\naccount = {value}\n"))
            + spare
    };
    let accounts = |value: &str| {
        let (config, _) = good(&with(value));
        config.buttons["sales"].accounts.clone()
    };
    assert_eq!(accounts("[\"spare\", \"main\"]"), ["spare", "main"]);
    assert_eq!(accounts("[\"main\"]"), ["main"]);
    assert_eq!(accounts("\"spare\""), ["spare"]);
    for (value, words) in [
        ("[]", "the list is empty"),
        ("[\"main\", \"main\"]", "stands twice"),
        ("[\"main\", \"spar\"]", "the nearest one is \"spare\""),
        ("[\"main\", 7]", ""),
        ("7", ""),
    ] {
        let problems = bad(&with(value));
        let problem = &problems[0];
        assert_eq!(problem.key, "buttons.sales.account", "{value}");
        assert!(problem.what.contains(words), "{value}: {}", problem.what);
    }
}

#[test]
fn several_accounts_need_a_name_and_one_does_not() {
    let two = SMALLEST.to_owned()
        + "[accounts.spare]\nregistrar = \"a.example\"\nusername = \"b\"\npassword = \"c\"\n";
    let problems = bad(&two);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].key, "buttons.sales.account");
    assert_eq!(problems[0].accepted, "one of main, spare");
}

#[test]
fn a_trunk_known_by_its_address_needs_no_password() {
    let text = SMALLEST.replace("password  = \"hunter2\"", "register = false");
    let (config, _) = good(&text);
    assert!(!config.accounts["main"].register);
}

#[test]
fn sockets_that_would_collide_are_found() {
    let with = |listen: &str| bad(&format!("{SMALLEST}[listen]\n{listen}\n"))[0].clone();
    assert_eq!(with("webrtc = \"0.0.0.0:8080\"").key, "listen.webrtc");
    assert_eq!(with("sip = \"127.0.0.1:8443\"").key, "listen.sip");
    assert_eq!(with("rtp = \"0.0.0.0:8000-9000\"").key, "listen.rtp");
    assert!(
        good(&format!("{SMALLEST}[listen]\nwebrtc = \"10.0.0.1:8080\"\n")).0.buttons.len() == 1
    );
}

#[test]
fn a_button_whose_page_is_plain_http_elsewhere_is_warned_of() {
    let text = SMALLEST
        .replace("domain = \"call.shop.example\"", "public_url = \"http://call.shop.example/\"");
    let (config, notices) = good(&text);
    assert_eq!(config.public_url, "http://call.shop.example");
    assert!(notices[0].text.contains("https pages only"));
}

#[test]
fn a_missing_file_is_one_clear_message() {
    let problems = load(Path::new("/nonexistent/shop.toml")).unwrap_err();
    assert!(problems.to_string().starts_with("/nonexistent/shop.toml: can't be read: "));
}

#[test]
fn any_octets_get_an_answer() {
    let mut seed = base::Seed::from_number(7);
    fuzz(SMALLEST.as_bytes());
    for _ in 0..2000 {
        let mut octets = SMALLEST.as_bytes().to_vec();
        for _ in 0..1 + seed.below(4) {
            let at = seed.below(octets.len() as u64) as usize;
            match seed.below(3) {
                0 => octets[at] = seed.below(256) as u8,
                1 => drop(octets.remove(at)),
                _ => octets.insert(at, b"[]\"'=.#\n{},\\0\xff"[seed.below(14) as usize]),
            }
        }
        fuzz(&octets);
    }
}

#[test]
fn a_provider_may_want_another_domain_an_identity_and_quirks() {
    let (config, _) = good(&with(
        "auth_username = \"line7\"\ndomain = \"Voice.Example\"\nidentity = \"pai\"\n\
         quirks = [\"no-rport\", \"from-auth-user\"]\nfrom_user = \"+4930123456\"",
    ));
    let account = &config.accounts["main"];
    assert_eq!(account.from_user.as_deref(), Some("+4930123456"));
    assert_eq!(account.domain.as_deref(), Some("voice.example"));
    assert_eq!(account.identity, Identity::Asserted);
    let words: Vec<&str> = account.quirks.iter().map(|row| row.word).collect();
    assert_eq!(words, ["from-auth-user", "no-rport"]);
    for (lines, what) in [
        ("quirks = [\"no-report\"]", "the nearest one is \"no-rport\""),
        ("quirks = [\"no-path\", \"no-path\"]", "stands twice"),
        ("quirks = [\"from-auth-user\"]", "needs auth_username"),
        ("quirks = [\"no-route\"]", "needs outbound_proxy"),
        ("quirks = [\"sips\"]\ntransport = \"tcp\"", "needs transport = \"tls\""),
        ("quirks = [\"no-transport\"]\ntransport = \"udp\"", "needs transport = \"tcp\" or"),
        ("from_user = \"a@b.example\"", "leave out the @"),
        ("identity = \"paid\"", "\"paid\" is not known"),
        ("domain = \"sip:voice.example\"", "leave out sip:"),
    ] {
        let problems = bad(&with(lines));
        assert!(problems[0].what.contains(what), "{lines}: {}", problems[0].what);
    }
}

#[test]
fn every_quirk_is_named_where_one_is_wrong_and_stands_in_the_readme() {
    let readme = include_str!("../../../README.md");
    for row in sip::QUIRKS {
        assert!(written::QUIRKS.contains(&format!("\"{}\"", row.word)), "{}", row.word);
        let line = format!("| `{}` | {} | {} |", row.word, row.sentence, row.asked_by);
        assert!(readme.contains(&line), "{line}");
    }
    assert_eq!(written::QUIRKS.matches('"').count(), 2 * sip::QUIRKS.len());
}
