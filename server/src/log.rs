//! Logs: to stderr, for people on a terminal, JSON where asked.
//!
//! No secret and no visitor's data reaches them: such values have types that do not print
//! (`base::Secret`, `base::Private`), and messages of pages print as their kind only.

use clap::ValueEnum;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// The environment variable that chooses what is logged, `info,click2call::ws=debug`.
pub const FILTER: &str = "CLICK2CALL_LOG";
/// What is logged where nothing is chosen. TLS and HTTP libraries have nothing to say to a shop.
const DEFAULT_FILTER: &str = "info,hyper=warn,tungstenite=warn,tokio_tungstenite=warn";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts logging for the whole process. A second call changes nothing.
pub fn init(format: Format) {
    let (filter, mistake) = match std::env::var(FILTER) {
        Ok(text) => match EnvFilter::try_new(&text) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
        },
        Err(_) => (EnvFilter::new(DEFAULT_FILTER), None),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        Format::Human => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder.with_ansi(colours).with_target(false).try_init()
        }
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    if let (Ok(()), Some(error)) = (started, mistake) {
        tracing::warn!("{FILTER} is not a filter, the default is used: {error}");
    }
}
