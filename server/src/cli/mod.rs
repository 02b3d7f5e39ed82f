//! The command line: what is asked for, and the chores that need no running appliance.
//!
//! Exit status: 0 fine, 1 failed, 2 bad arguments or a bad file.

mod check;
mod init;
mod snippet;
mod trace;

pub use self::trace::{TraceArgs, trace};
pub use check::check;
pub use init::{hidden_line, init};
pub use snippet::{snippet, snippet_text};

use crate::check::CheckArgs;
use crate::config::{self, Config, Notice, Problems};
use crate::log::Format;
use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything went well.
pub const FINE: u8 = 0;
/// It was tried and failed.
pub const FAILED: u8 = 1;
/// Bad arguments or a bad file: nothing was tried.
pub const BAD_INPUT: u8 = 2;

const EXAMPLES: &str = "\
Start here:
  click2call --demo                          try it: a page with a Call button on
                                             http://127.0.0.1:8080, and a phone that answers
  click2call init shop.toml                  a few questions, then a commented file
  click2call check --config shop.toml        proves it: registers, calls, a tone each way
  click2call --config shop.toml              run the appliance
  click2call snippet --config shop.toml      what to paste in the store page
  click2call trace --config shop.toml last   how the last call went, and what was wrong

While it runs:
  SIGTERM or Ctrl-C   no new calls; those that are up may end (a second one ends at once)
  SIGHUP              reads the file again; calls that are up are not touched

Exit status: 0 fine, 1 failed, 2 bad arguments or a bad file.
Logs go to stderr; the environment variable CLICK2CALL_LOG chooses what is logged.";

/// A Call button for your store page that rings your SIP phone.
///
/// A visitor presses the button in a browser and talks; you talk on the SIP phone that you have.
/// One program, no PBX, no cloud.
#[derive(Debug, Parser)]
#[command(name = "click2call", version, after_help = EXAMPLES, arg_required_else_help = true)]
#[command(args_conflicts_with_subcommands = false, subcommand_negates_reqs = true)]
pub struct Args {
    /// The configuration file; `click2call init` writes one
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "demo")]
    pub config: Option<PathBuf>,

    /// Runs with a built-in configuration: one button, and a phone that answers and echoes
    #[arg(long, global = true)]
    pub demo: bool,

    /// How log lines look
    #[arg(long, value_enum, default_value_t, global = true)]
    pub log: Format,

    /// Where the demo listens; tests put port 0 here.
    #[command(flatten)]
    pub listen: ListenArgs,

    /// A chore instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Sockets on the command line instead of in the file: for tests, which need any free port.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListenArgs {
    /// Pages and WebSocket.
    #[arg(long, hide = true, value_name = "ADDRESS", env = "CLICK2CALL_LISTEN_HTTP")]
    pub listen_http: Option<SocketAddr>,
    /// Browser media.
    #[arg(long, hide = true, value_name = "ADDRESS", env = "CLICK2CALL_LISTEN_WEBRTC")]
    pub listen_webrtc: Option<SocketAddr>,
    /// Flash.
    #[arg(long, hide = true, value_name = "ADDRESS", env = "CLICK2CALL_LISTEN_RTMFP")]
    pub listen_rtmfp: Option<SocketAddr>,
    /// SIP.
    #[arg(long, hide = true, value_name = "ADDRESS", env = "CLICK2CALL_LISTEN_SIP")]
    pub listen_sip: Option<SocketAddr>,
    /// RTP towards the provider, `127.0.0.1:20000-20999`.
    #[arg(long, hide = true, value_name = "RANGE", env = "CLICK2CALL_LISTEN_RTP",
        value_parser = config::values::rtp_range)]
    pub listen_rtp: Option<config::RtpRange>,
}

/// The chores.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Asks a few questions and writes a commented configuration file
    Init {
        /// The file to write
        #[arg(default_value = "click2call.toml")]
        file: PathBuf,
    },
    /// Proves the set-up: ports, names, certificate, clock, registration, and a real call
    #[command(after_help = check::CHECK_HELP)]
    Check(CheckArgs),
    /// Prints what to paste in a store page
    Snippet {
        /// The button; without it, every button is printed
        #[arg(long, value_name = "NAME")]
        button: Option<String>,
    },
    /// Shows how a call went, both sides on one clock, and what was wrong
    #[command(after_help = self::trace::TRACE_HELP)]
    Trace(TraceArgs),
}

/// What the program should do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Run the appliance; [`Args::configuration`] reads what to run with.
    Run,
    /// [`init`].
    Init(PathBuf),
    /// [`check`].
    Check(CheckArgs),
    /// [`snippet`].
    Snippet(Option<String>),
    /// [`trace()`].
    Trace(TraceArgs),
}

impl Args {
    /// Reads the process's arguments; prints help and ends the process where they ask for it or
    /// make no sense.
    pub fn from_command_line() -> Args {
        match Args::try_from_arguments(std::env::args_os()) {
            Ok(args) => args,
            Err(error) => error.exit(),
        }
    }

    /// Reads arguments, the program's name first.
    pub fn try_from_arguments<I, T>(arguments: I) -> Result<Args, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let args = Args::try_parse_from(arguments)?;
        let needs_file = !matches!(args.command, Some(Command::Init { .. }));
        if needs_file && !args.demo && args.config.is_none() {
            let what = "name a configuration file with --config FILE, or try --demo; \
                        click2call init writes a file";
            return Err(<Args as clap::CommandFactory>::command()
                .error(clap::error::ErrorKind::MissingRequiredArgument, what));
        }
        Ok(args)
    }

    /// What the program should do.
    pub fn action(&self) -> Action {
        match &self.command {
            None => Action::Run,
            Some(Command::Init { file }) => Action::Init(file.clone()),
            Some(Command::Check(wish)) => Action::Check(wish.clone()),
            Some(Command::Snippet { button }) => Action::Snippet(button.clone()),
            Some(Command::Trace(wish)) => Action::Trace(wish.clone()),
        }
    }

    /// Reads the configuration that these arguments name; also what SIGHUP calls.
    pub fn configuration(&self) -> Result<(Config, Vec<Notice>), Problems> {
        let (mut config, notices) = match &self.config {
            Some(path) => config::load(path)?,
            None => (config::demo(), config::demo_notices()),
        };
        let listen = &self.listen;
        if let Some(http) = listen.listen_http {
            config.listen.http = http;
            if config.demo {
                // The demo is reached where it listens.
                config.set_public_address(http);
            }
        }
        config.listen.webrtc = listen.listen_webrtc.unwrap_or(config.listen.webrtc);
        if let Some(rtmfp) = listen.listen_rtmfp {
            (config.listen.rtmfp, config.listen.rtmfp_named) = (rtmfp, true);
        }
        config.listen.sip = listen.listen_sip.unwrap_or(config.listen.sip);
        config.listen.rtp = listen.listen_rtp.unwrap_or(config.listen.rtp);
        Ok((config, notices))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn args(line: &str) -> Result<Args, clap::Error> {
        Args::try_from_arguments(std::iter::once("click2call").chain(line.split_whitespace()))
    }

    #[test]
    fn the_calls_of_the_contract_are_understood() {
        assert_eq!(args("--config shop.toml").unwrap().action(), Action::Run);
        assert_eq!(args("--demo --log json").unwrap().log, Format::Json);
        assert_eq!(args("init").unwrap().action(), Action::Init("click2call.toml".into()));
        assert_eq!(args("init a.toml").unwrap().action(), Action::Init("a.toml".into()));
        let usual = CheckArgs { pause: 2, ..CheckArgs::default() };
        let check = args("check --config a.toml").unwrap().action();
        assert_eq!(check, Action::Check(usual.clone()));
        let check = args("check --json --to 100 --account main --write --config a").unwrap();
        let (to, account) = (Some("100".into()), Some("main".into()));
        let wish = CheckArgs { json: true, write: true, to, account, ..usual };
        assert_eq!(check.action(), Action::Check(wish));
        let snippet = args("snippet --config a.toml --button sales").unwrap();
        assert_eq!(snippet.action(), Action::Snippet(Some("sales".into())));
        assert_eq!(snippet.config, Some("a.toml".into()));
        let trace = args("trace --config a.toml 12 --redact").unwrap().action();
        let wish = TraceArgs { call: Some("12".into()), redact: true, ..TraceArgs::default() };
        assert_eq!(trace, Action::Trace(wish));
        let before = args("--config a.toml snippet").unwrap();
        assert_eq!(before.config, Some("a.toml".into()));
    }

    #[test]
    fn arguments_that_make_no_sense_end_with_status_2() {
        for line in [
            "",
            "--config",
            "--demo --config a.toml",
            "snippet",
            "check",
            "--colour",
            "--log loud",
            "--demo --listen-http here",
        ] {
            assert_eq!(args(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert_eq!(args("--help").unwrap_err().exit_code(), 0);
        assert_eq!(args("--version").unwrap_err().exit_code(), 0);
    }

    #[test]
    fn the_demo_may_listen_elsewhere() {
        let args = args("--demo --listen-http 127.0.0.1:0 --listen-rtp 127.0.0.1:30000-30099");
        let (config, _) = args.unwrap().configuration().unwrap();
        assert_eq!(config.listen.http.port(), 0);
        assert_eq!(config.listen.rtp.last, 30_099);
        assert_eq!(config.listen.webrtc.port(), 8443);
    }
}
