//! `click2call init`: a few questions, then a commented file that only its owner can read.

use super::{FAILED, FINE};
use crate::config::origin::Origin;
use crate::config::values;
use crate::config::{self, Surroundings};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// What was answered.
#[derive(Debug)]
struct Answers {
    /// Empty for a try on this machine.
    domain: String,
    registrar: String,
    username: String,
    password: String,
    destination: String,
    /// Empty where no page embeds the button yet.
    origin: String,
}

/// Reads a line that does not show while it is typed; none where nobody types.
pub type Hidden<'a> = &'a dyn Fn() -> std::io::Result<Option<String>>;

/// Reads a line from the terminal without showing it; none where the input is a pipe or a file.
pub fn hidden_line() -> std::io::Result<Option<String>> {
    if std::io::stdin().is_terminal() { rpassword::read_password().map(Some) } else { Ok(None) }
}

/// Asks on `out`, reads answers from `input` and the password from `hidden`, writes `file`. An
/// existing file is overwritten only after a yes. Status 1 where the answers end early or the file
/// can't be written.
pub fn init(
    file: &Path,
    input: &mut dyn BufRead,
    hidden: Hidden<'_>,
    out: &mut dyn Write,
) -> std::io::Result<u8> {
    let shown = file.display();
    if file.exists() {
        let question = format!("{shown} is there already. Overwrite it? [y/N] ");
        let yes = |text: &str| Ok(matches!(text.to_ascii_lowercase().as_str(), "y" | "yes"));
        if ask(input, out, &question, yes)? != Some(true) {
            writeln!(out, "{shown} was left as it is.")?;
            return Ok(FAILED);
        }
    }
    let Some(answers) = interview(input, hidden, out)? else {
        writeln!(out, "\nThe answers ended early; nothing was written.")?;
        return Ok(FAILED);
    };
    let text = compose(&answers);
    // What init writes must load; a mistake here would be ours, so it is not written.
    let surroundings = Surroundings {
        variable: &|_| Some("set later".into()),
        file: &|_| Ok("set later".into()),
        folder: PathBuf::new(),
    };
    if let Err(problems) = config::read(&shown.to_string(), &text, &surroundings) {
        writeln!(out, "These answers do not make a proper file; nothing was written:\n{problems}")?;
        return Ok(FAILED);
    }
    if let Err(error) = write_private(file, &text) {
        writeln!(out, "{shown} can't be written: {error}")?;
        return Ok(FAILED);
    }
    writeln!(
        out,
        "\nWrote {shown}. Next:\n  click2call check --config {shown}\n  click2call --config {shown}\n  \
         click2call snippet --config {shown}"
    )?;
    Ok(FINE)
}

fn interview(
    input: &mut dyn BufRead,
    hidden: Hidden<'_>,
    out: &mut dyn Write,
) -> std::io::Result<Option<Answers>> {
    writeln!(out, "Six questions; Enter takes what stands in [brackets].\n")?;
    macro_rules! answer {
        ($question:expr, $check:expr) => {
            match ask(input, out, $question, $check)? {
                Some(answer) => answer,
                None => return Ok(None),
            }
        };
    }
    let domain = answer!(
        "Public name of this machine, call.shop.example [none: try it on this machine only]: ",
        |text: &str| if text.is_empty() { Ok(String::new()) } else { values::domain(text) }
    );
    let registrar = answer!("SIP server of your provider, sip.provider.example: ", |text: &str| {
        values::registrar(text).map(|_| text.to_owned())
    });
    let username = answer!("SIP user name, 74951234567: ", |text: &str| {
        match text.split_once('@') {
            Some((user, _)) => Err(format!("leave out the @ and what follows: \"{user}\"")),
            None => values::sip_uri(&format!("sip:{text}@host.example"))
                .map(|_| text.to_owned())
                .map_err(|_| "a SIP user has letters, digits and a few signs".to_owned()),
        }
    });
    let Some(password) = ask_password(input, hidden, out)? else { return Ok(None) };
    let own = format!("sip:{username}@{registrar}");
    let question = format!("Whom the button calls [{own}]: ");
    let destination = answer!(&question, |text: &str| {
        let text = match text {
            "" => own.clone(),
            // A bare number is meant at the provider.
            number if !number.contains([':', '@']) => format!("sip:{number}@{registrar}"),
            uri => uri.to_owned(),
        };
        values::sip_uri(&text).map(|_| text)
    });
    let origin = answer!(
        "Your store's address, https://www.shop.example [none yet]: ",
        |text: &str| if text.is_empty() {
            Ok(String::new())
        } else {
            // People copy the whole address of a page; its origin is what counts.
            Origin::of_page(text)
                .map(|origin| origin.to_string())
                .ok_or_else(|| "write it with https://".to_owned())
        }
    );
    Ok(Some(Answers { domain, registrar, username, password, destination, origin }))
}

/// Asks for the password, unseen where somebody types it; none where the input ends.
fn ask_password(
    input: &mut dyn BufRead,
    hidden: Hidden<'_>,
    out: &mut dyn Write,
) -> std::io::Result<Option<String>> {
    loop {
        let question = "SIP password (it does not show), or env:NAME for an environment variable: ";
        write!(out, "{question}")?;
        out.flush()?;
        let mut line = String::new();
        match hidden()? {
            Some(typed) => line = typed,
            None if input.read_line(&mut line)? == 0 => return Ok(None),
            None => {}
        }
        match line.trim() {
            "" => writeln!(out, "  the password is empty")?,
            password => return Ok(Some(password.to_owned())),
        }
    }
}

/// Asks until the answer is accepted; none where the input ends.
fn ask<T>(
    input: &mut dyn BufRead,
    out: &mut dyn Write,
    question: &str,
    check: impl Fn(&str) -> Result<T, String>,
) -> std::io::Result<Option<T>> {
    loop {
        write!(out, "{question}")?;
        out.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match check(line.trim()) {
            Ok(answer) => return Ok(Some(answer)),
            Err(what) => writeln!(out, "  {what}")?,
        }
    }
}

/// A TOML string with its quotes.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn compose(answers: &Answers) -> String {
    let place = if answers.domain.is_empty() {
        "public_url = \"http://127.0.0.1:8080\"  # a try on this machine; later: domain = \"call.shop.example\""
            .to_owned()
    } else {
        format!("domain = {}  # public name of this machine", quoted(&answers.domain))
    };
    let origins = if answers.origin.is_empty() {
        "origins = []  # pages that may embed this button: [\"https://www.shop.example\"]"
            .to_owned()
    } else {
        format!("origins = [{}]  # pages that may embed this button", quoted(&answers.origin))
    };
    format!(
        r##"# click2call, see click2call --help. Lines that begin with # show what else can be set.

{place}

[listen]
http = "127.0.0.1:8080"             # pages; put a TLS proxy in front for other machines
webrtc = "0.0.0.0:8443"             # browser calls: open this port for UDP and TCP
# rtmfp = "0.0.0.0:1935"            # Flash calls: open this port for UDP where Flash is still used
# sip = "0.0.0.0:0"                 # towards the provider; port 0 = any
# rtp = "0.0.0.0:20000-20999"       # towards the provider
# public_ip = "203.0.113.7"         # only where it can't be found by itself (1:1 NAT)

[accounts.main]
registrar = {registrar}
username = {username}
password = {password}               # or "env:NAME", or password_file = "..." instead
# transport = "udp"                 # or "tcp", "tls"; without it the provider's DNS records say it
# ca_file = "authority.pem"         # for a provider with an authority of its own
# auth_username = "..."             # only if other than username
# from_user = "+4930123456"         # the number that calls come from, if other than username
# outbound_proxy = "sip:proxy.provider.example;lr"
# register = true                   # false: a trunk known by its IP address
# expires = 300
# srtp = "off"                      # encrypted sound: "offered" where the provider can, or "required"
# codecs = ["opus", "g722", "pcma", "pcmu", "speex16", "speex8"]
# domain = "provider.example"       # behind the @ of your SIP address, if other than registrar
# identity = "off"                  # "pai" or "ppi": a header field that says who calls
# quirks = ["no-rport"]             # what the provider wants otherwise; README.md lists all

[buttons.sales]
# account = ["main", "backup"]      # where there are several: in the order of trying
destination = {destination}
{origins}
# max_duration = "15m"
# max_calls = 4

# [webphone]                        # page-supplied SIP accounts, only for these registrars
# registrars = ["sip.provider.example"]
# origins = ["https://pages.example"]
# srtp = "off"                      # encrypted sound, as for accounts

[data]
path = "click2call.db"              # call log (SQLite)
# traces = true                     # and how the newest calls went: click2call trace
"##,
        registrar = quoted(&answers.registrar),
        username = quoted(&answers.username),
        password = quoted(&answers.password),
        destination = quoted(&answers.destination),
    )
}

/// Writes a file that only its owner can read, by way of a temporary one, so that a full disk
/// leaves the old file whole.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = file.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut handle| {
        // A leftover of an earlier run keeps its own mode when it is opened again.
        #[cfg(unix)]
        handle.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        handle.write_all(text.as_bytes())?;
        handle.sync_all()
    });
    let moved = written.and_then(|()| std::fs::rename(&temporary, file));
    if moved.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    moved
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("click2call-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn run(file: &Path, answers: &str) -> (u8, String) {
        let mut out = Vec::new();
        let status = init(file, &mut answers.as_bytes(), &|| Ok(None), &mut out).unwrap();
        (status, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_init_writes_loads_without_problems_and_only_its_owner_reads_it() {
        let folder = folder("init-writes");
        let file = folder.join("shop.toml");
        let answers = "call.shop.example\nsip.provider.example\n74951234567\npa\"ss\\w#ord\n\
                       74957654321\nhttps://www.shop.example/shop?x\n";
        let (status, out) = run(&file, answers);
        assert_eq!(status, FINE, "{out}");
        let (config, notices) = config::load(&file).unwrap();
        assert_eq!(config.public_url, "https://call.shop.example");
        assert_eq!(config.accounts["main"].password.reveal(), "pa\"ss\\w#ord");
        let sales = &config.buttons["sales"];
        assert_eq!(sales.destination, "sip:74957654321@sip.provider.example");
        assert_eq!(sales.origins, ["https://www.shop.example"]);
        // Only the TLS proxy is worth a word: the mode is right.
        assert_eq!(notices.len(), 1, "{notices:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn enter_takes_the_defaults_and_a_wrong_answer_is_asked_again() {
        let folder = folder("init-defaults");
        let file = folder.join("shop.toml");
        let (status, out) = run(&file, "\nsip:wrong@host\n127.0.0.1:5070\nme@x\nme\npw\n\n\n");
        assert_eq!(status, FINE, "{out}");
        assert!(out.contains("more than a host") && out.contains("leave out the @"), "{out}");
        let (config, _) = config::load(&file).unwrap();
        assert_eq!(config.public_url, "http://127.0.0.1:8080");
        assert_eq!(config.buttons["sales"].destination, "sip:me@127.0.0.1:5070");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_overwritten_without_a_yes_nor_written_from_half_an_interview() {
        let folder = folder("init-overwrite");
        let file = folder.join("shop.toml");
        assert_eq!(run(&file, "\nsip.provider.example\n").0, FAILED);
        assert!(!file.exists());
        std::fs::write(&file, "old").unwrap();
        let answers = "\na.example\nme\npw\n\n\n";
        assert_eq!(run(&file, &format!("\n{answers}")).0, FAILED);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(run(&file, &format!("y\n{answers}")).0, FINE);
        assert!(config::load(&file).is_ok());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
