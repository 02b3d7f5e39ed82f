//! Which pages may be phones: the same question for a WebSocket and for Flash.

use crate::config::origin::Origin;
use crate::config::{Button, Config};

/// What a visitor's page wants to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The configured button; none for page-supplied accounts.
    pub button: Option<&'a str>,
}

/// What it may be.
#[derive(Clone, Copy, Debug)]
pub struct Admitted<'a> {
    /// Its settings, where it is a button.
    pub button: Option<&'a Button>,
    origins: &'a [String],
}

/// Why it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The file has no such button.
    UnknownButton,
    /// The file allows no page-supplied accounts.
    NoAccounts,
    /// The page's origin is not among those that may.
    Origin,
}

impl Refused {
    /// What happened, and what to do about it, for who wrote the page.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Refused::UnknownButton => {
                ("there is no such button", "the name in /b/NAME is a section [buttons.NAME]")
            }
            Refused::NoAccounts => (
                "page-supplied accounts are not switched on",
                "the file needs a section [webphone]",
            ),
            Refused::Origin => {
                ("this page may not call", "the page's origin must stand in origins")
            }
        }
    }
}

impl<'a> Wanted<'a> {
    /// Looks it up in the configuration. The page's origin is the caller's next question.
    ///
    /// # Errors
    /// Where the file knows nothing of it.
    pub fn admitted(self, config: &'a Config) -> Result<Admitted<'a>, Refused> {
        match self.button {
            Some(name) => {
                let button = config.buttons.get(name).ok_or(Refused::UnknownButton)?;
                Ok(Admitted { button: Some(button), origins: &button.origins })
            }
            None => {
                let webphone = config.webphone.as_ref().ok_or(Refused::NoAccounts)?;
                Ok(Admitted { button: None, origins: &webphone.origins })
            }
        }
    }
}

impl Admitted<'_> {
    /// The origin of a page, where it may embed this. `is_own`: whether an origin is the
    /// appliance's own, which always may.
    ///
    /// # Errors
    /// [`Refused::Origin`]
    pub fn origin(&self, page: &str, is_own: impl Fn(&Origin) -> bool) -> Result<Origin, Refused> {
        Origin::of_page(page)
            .filter(|origin| is_own(origin) || self.origins.contains(&origin.to_string()))
            .ok_or(Refused::Origin)
    }
}
