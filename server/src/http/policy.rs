//! Security headers of pages.

use super::reached::Reached;
use crate::config::Config;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Who may put a page in a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Embedders<'a> {
    /// The appliance's own pages.
    Own,
    /// The appliance's own pages and these origins.
    OwnAnd(&'a [String]),
    /// These origins, and nobody else.
    Only(&'a [String]),
}

/// The policy of a page. Everything comes from the appliance; nothing is inline, so that text
/// which slips into a page can't run.
pub(super) fn content_security_policy(
    config: &Config,
    reached: &Reached,
    embedders: Embedders<'_>,
) -> HeaderValue {
    let mut policy = String::with_capacity(512);
    policy.push_str(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; media-src 'self' blob: mediastream:; connect-src 'self'",
    );
    // Older Safari does not count the WebSocket of the same host as 'self'.
    let public = config.public_url.as_str();
    match public.split_once("://") {
        Some(("https", host)) => push(&mut policy, "wss://", host),
        Some((_, host)) => push(&mut policy, "ws://", host),
        None => {}
    }
    if let Some(own) = reached.own_host() {
        let own = own.to_string();
        let host = own.trim_start_matches("http://");
        if !public.ends_with(host) {
            push(&mut policy, "ws://", host);
        }
    }
    policy.push_str(
        "; frame-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors",
    );
    let (own, origins): (&[&str], _) = match embedders {
        Embedders::Own => (&["'self'"], &[][..]),
        Embedders::OwnAnd(origins) => (&["'self'"], origins),
        Embedders::Only([]) => (&["'none'"], &[][..]),
        Embedders::Only(origins) => (&[], origins),
    };
    own.iter().for_each(|word| push(&mut policy, "", word));
    origins.iter().for_each(|origin| push(&mut policy, "", origin));
    HeaderValue::try_from(policy)
        // Origins are checked when the file is read, so this is not reached; it fails shut.
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

fn push(policy: &mut String, scheme: &str, rest: &str) {
    policy.push(' ');
    policy.push_str(scheme);
    policy.push_str(rest);
}

/// Headers that every answer has.
pub(super) fn common(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("strict-origin-when-cross-origin"),
    );
}

/// Headers that every page has beside its policy.
pub(super) fn page(headers: &mut HeaderMap) {
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("microphone=(self), camera=(self), autoplay=(self)"),
    );
}
