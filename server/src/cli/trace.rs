//! `click2call trace`: how one call went, out of the call log. The appliance may run meanwhile.

use super::{Args, BAD_INPUT, FAILED, FINE};
use crate::config;
use std::io::Write;
use store::{KeptTrace, Reader, StoreError};
use trace::{PrintOptions, Trace};

/// Calls in a list.
const LISTED: usize = 20;

/// Which call, and how much of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct TraceArgs {
    /// The call's number in the log (`call=12`), or `last`; without it the newest calls are listed
    #[arg(value_name = "CALL")]
    pub call: Option<String>,
    /// Everything that is kept, as JSON
    #[arg(long)]
    pub json: bool,
    /// Without telephone numbers, names and addresses: for a ticket at the provider's
    #[arg(long)]
    pub redact: bool,
    /// Session descriptions in full
    #[arg(long)]
    pub sdp: bool,
    /// SIP messages in full
    #[arg(long)]
    pub messages: bool,
}

/// What `--help` says below the options.
pub const TRACE_HELP: &str = "\
A trace is one sentence that says what was wrong, the messages of both sides in their order, and a
line of figures for each second: packets, losses, jitter, loudness. It holds no sound, no keys that
were pressed and no passwords; it does hold numbers and addresses unless --redact takes them out.

  click2call trace --config shop.toml                 the newest calls
  click2call trace --config shop.toml last            the newest call that is over
  click2call trace --config shop.toml 12 --redact     what to send to the provider
  click2call trace --config shop.toml 12 --json       all of it, for a program

A call's trace is there two seconds after its end. The newest 200 of a week are kept.";

/// Why there is nothing to print: a status and words.
type Nothing = (u8, String);

/// Prints a trace, or the list of calls.
pub fn trace(
    args: &Args,
    wish: &TraceArgs,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> std::io::Result<u8> {
    match text(args, wish) {
        Ok(text) => {
            writeln!(out, "{}", text.trim_end())?;
            Ok(FINE)
        }
        Err((status, words)) => {
            writeln!(errors, "{words}")?;
            Ok(status)
        }
    }
}

fn text(args: &Args, wish: &TraceArgs) -> Result<String, Nothing> {
    let config = match &args.config {
        Some(path) => config::load_without_passwords(path)
            .map_err(|problems| (BAD_INPUT, problems.to_string()))?,
        None => config::demo(),
    };
    let Some(path) = config.data else {
        let words = "the demo keeps its call log in memory: nobody else can read it";
        return Err((FAILED, words.to_owned()));
    };
    let reader = Reader::open(&path).map_err(refused)?;
    let Some(call) = &wish.call else { return list(&reader, wish.json).map_err(refused) };
    let number = match call.as_str() {
        "last" => {
            let newest = reader.calls(1).map_err(refused)?;
            let none = || (FAILED, "the call log has no call yet".to_owned());
            newest.first().ok_or_else(none)?.number
        }
        written => written.trim_start_matches("call=").parse().map_err(|_| {
            let words = "CALL is a number of the log, or `last`; without it calls are listed";
            (BAD_INPUT, format!("\"{}\": {words}", written.escape_debug()))
        })?,
    };
    let trace = find(&reader, number)?;
    let trace = if wish.redact { trace::redacted(&trace) } else { trace };
    Ok(match wish.json {
        true => trace.to_json(),
        false => {
            let options = PrintOptions { descriptions: wish.sdp, messages: wish.messages };
            trace::print(&trace, options)
        }
    })
}

fn refused(error: StoreError) -> Nothing {
    (FAILED, format!("[data] path: {error}"))
}

/// The trace of a call, or why there is none.
fn find(reader: &Reader, number: u64) -> Result<Trace, Nothing> {
    let over = reader.call(number).map_err(refused)?.is_some();
    let began = |kept: &KeptTrace| trace::calendar(kept.started_at);
    let words = match reader.trace(number).map_err(refused)? {
        None if over => format!(
            "call {number} has no trace: the newest {} of a week are kept, and none with \
             traces = false in [data]",
            store::KEPT
        ),
        None => format!("there is no call {number} in the call log"),
        Some(kept) if kept.ended_at.is_none() && over => format!(
            "call {number} has ended: its trace is there in two seconds, or lost where the disk \
             took none"
        ),
        Some(kept) if kept.ended_at.is_none() => format!(
            "call {number} is still running, since {} UTC: its trace is there two seconds after \
             its end",
            began(&kept)
        ),
        Some(kept) if kept.octets.is_empty() => format!(
            "call {number} began at {} UTC; the program ended before the call did, and nothing of \
             it was kept",
            began(&kept)
        ),
        Some(kept) => {
            let damaged = |error| (FAILED, format!("call {number}: {error}"));
            return Trace::decode(&kept.octets).map_err(damaged);
        }
    };
    Err((FAILED, words))
}

/// The newest calls, those that are up first.
fn list(reader: &Reader, json: bool) -> Result<String, StoreError> {
    let rows = reader.calls(LISTED)?;
    let traces = reader.traces()?;
    let is_over = |number: u64| rows.iter().any(|row| row.number == number);
    let up: Vec<_> = traces.iter().filter(|(of, _, up)| *up && !is_over(*of)).collect();
    let kept = |number: u64| traces.iter().any(|(of, _, up)| *of == number && !up);
    if json {
        let up = up.iter().map(|(number, started_at, _)| {
            serde_json::json!({ "number": number, "started_at": started_at, "running": true })
        });
        let over = rows.iter().map(|row| {
            serde_json::json!({
                "number": row.number,
                "started_at": row.started_at,
                "ended_at": row.ended_at,
                "button": row.button,
                "cause": row.cause,
                "status": row.sip_status,
                "trace": kept(row.number),
            })
        });
        let all: Vec<_> = up.chain(over).collect();
        return Ok(serde_json::to_string_pretty(&all).unwrap_or_default());
    }
    if rows.is_empty() && up.is_empty() {
        return Ok("The call log has no call yet.".to_owned());
    }
    let mut lines = vec![format!(
        "{:>6}  {:<19}  {:>7}  {:<12}  {:<24}  trace",
        "call", "began (UTC)", "length", "button", "ended"
    )];
    for (number, started_at, _) in up {
        let began = trace::calendar(*started_at);
        lines.push(format!("{number:>6}  {began}  {:>7}  {:<12}  still running", "", ""));
    }
    for row in &rows {
        let length = row.ended_at.saturating_sub(row.started_at).max(0);
        let length = trace::clock(u32::try_from(length).unwrap_or(u32::MAX));
        let status =
            if row.sip_status < 300 { String::new() } else { format!(" ({})", row.sip_status) };
        lines.push(format!(
            "{:>6}  {}  {length:>7}  {:<12}  {:<24}  {}",
            row.number,
            trace::calendar(row.started_at),
            row.button,
            format!("{}{status}", row.cause),
            if kept(row.number) { "yes" } else { "-" },
        ));
    }
    lines.push("\nclick2call trace CALL shows one of them; --help says more.".to_owned());
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_whose_passwords_are_elsewhere_is_enough() {
        let folder = std::env::temp_dir().join(format!("click2call-trace-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("shop.toml");
        let text = "public_url = \"http://127.0.0.1:8080\"\n[accounts.main]\n\
                    registrar = \"sip.provider.example\"\nusername = \"shop\"\n\
                    password = \"env:CLICK2CALL_NOT_SET\"\n[buttons.sales]\n\
                    destination = \"sip:sales@sip.provider.example\"\n\
                    origins = [\"https://www.shop.example\"]\n";
        std::fs::write(&file, text).unwrap();
        let config = file.to_str().unwrap();
        let args = Args::try_from_arguments(["click2call", "trace", "--config", config]).unwrap();
        assert!(args.configuration().is_err(), "running needs the password");
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let status = trace(&args, &TraceArgs::default(), &mut out, &mut errors).unwrap();
        let words = String::from_utf8(errors).unwrap();
        let _ = std::fs::remove_dir_all(&folder);
        assert_eq!((status, words.contains("the appliance makes it")), (FAILED, true), "{words}");
    }

    #[test]
    fn the_demo_has_no_log_to_read() {
        let args = Args::try_from_arguments(["click2call", "trace", "--demo", "last"]).unwrap();
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let wish = TraceArgs { call: Some("last".into()), ..TraceArgs::default() };
        assert_eq!(trace(&args, &wish, &mut out, &mut errors).unwrap(), FAILED);
        assert!(String::from_utf8(errors).unwrap().contains("in memory"));
        assert!(out.is_empty());
    }
}
