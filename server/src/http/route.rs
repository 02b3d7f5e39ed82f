//! From a request to its answer. Every answer but the WebSocket's is made here, without waiting.

use super::assets::{Asset, is_known};
use super::policy::{self, Embedders};
use super::reached::Reached;
use super::{Body, Shared};
use crate::config::{Button, Config};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use std::sync::atomic::Ordering;

/// What hashed files say: never ask again.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// What everything else says: ask each time, by tag.
const ASK: HeaderValue = HeaderValue::from_static("no-cache");
const NEVER: HeaderValue = HeaderValue::from_static("no-store");
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Answers a request. `/ws` is not among them: it needs the connection itself.
pub(super) fn answer(shared: &Shared, request: &Parts, reached: &Reached) -> Response<Body> {
    let mut response = route(shared, request, reached);
    policy::common(response.headers_mut());
    if request.method == Method::HEAD {
        // The length stays, the octets don't go (RFC 9110 section 9.3.2).
        *response.body_mut() = Full::default();
    }
    response
}

fn route(shared: &Shared, request: &Parts, reached: &Reached) -> Response<Body> {
    let config = shared.config.borrow().clone();
    let view = View { shared, request, reached, config: &config };
    let path = request.uri.path();
    let response = match path {
        "/" => view.page("pages/index.html", Embedders::Own),
        "/demo" => view.page("pages/demo.html", Embedders::Own),
        "/webphone" => match &config.webphone {
            Some(webphone) => {
                view.page("pages/webphone.html", Embedders::OwnAnd(&webphone.origins))
            }
            None => view.missing("page-supplied accounts are not switched on: [webphone]"),
        },
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => view.readiness(),
        "/metrics" => view.metrics(),
        "/site.json" => view.site(),
        "/api/flash.json" => view.flash(),
        "/admin" | "/admin/" => text(
            StatusCode::NOT_FOUND,
            "the dashboard is not in this version; live numbers are at /metrics on this machine\n",
        ),
        _ => view.file(path),
    };
    // What does not exist is missing for every method; what exists can only be read.
    let readable = request.method == Method::GET || request.method == Method::HEAD;
    if response.status() == StatusCode::NOT_FOUND || readable {
        response
    } else {
        not_allowed("GET, HEAD")
    }
}

/// The answer to a method that a path does not have.
pub(crate) fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this can only be read\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// One request with what it takes to answer it.
struct View<'a> {
    shared: &'a Shared,
    request: &'a Parts,
    reached: &'a Reached,
    config: &'a Config,
}

/// `/b/NAME.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ButtonFacts<'a> {
    name: &'a str,
    video: bool,
    max_duration: u64,
    popup: String,
}

/// `/api/flash.json`.
#[derive(Serialize)]
struct FlashFacts {
    port: Option<u16>,
}

/// `/site.json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Site<'a> {
    version: &'a str,
    public_url: &'a str,
    demo: bool,
    buttons: Vec<SiteButton<'a>>,
    webphone: bool,
    registrars: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SiteButton<'a> {
    name: &'a str,
    destination: &'a str,
    origins: &'a [String],
    video: bool,
    max_duration: u64,
}

impl View<'_> {
    /// Everything that is not one fixed path.
    fn file(&self, path: &str) -> Response<Body> {
        if let Some(rest) = path.strip_prefix("/b/") {
            return self.button(rest);
        }
        let key = path.trim_start_matches('/');
        let asset = self.shared.assets.get(key);
        match asset {
            Some(asset) if path.starts_with("/a/") => self.asset(asset, FOREVER),
            Some(asset) if path.starts_with("/api/") => for_any_page(self.asset(asset, ASK)),
            _ => self.missing("there is nothing here"),
        }
    }

    /// `NAME`, `NAME.json`, `NAME/widget.js` below `/b/`.
    fn button(&self, rest: &str) -> Response<Body> {
        if rest.ends_with("/widget.js") {
            let words = "// The floating button is not in this version: use the iframe snippet.\n";
            return with_type(StatusCode::NOT_FOUND, "text/javascript; charset=utf-8", words);
        }
        let find = |name: &str| self.config.buttons.get_key_value(name);
        if let Some(name) = rest.strip_suffix(".json") {
            return match find(name) {
                Some((name, button)) => json(StatusCode::OK, &facts(name, button)),
                None => error(StatusCode::NOT_FOUND, "there is no such button"),
            };
        }
        let Some((_, button)) = find(rest) else { return self.missing("there is no such button") };
        let query = self.request.uri.query().unwrap_or_default();
        if query.split('&').any(|pair| pair == "api=1") {
            // The test bench puts the same page in a frame as a shop's script does.
            return self.page("pages/webphone.html", Embedders::OwnAnd(&button.origins));
        }
        // The operator's first page shows each button as it is.
        let embedders = match self.reached.is_loopback_peer() {
            true => Embedders::OwnAnd(&button.origins),
            false => Embedders::Only(&button.origins),
        };
        self.page("pages/button.html", embedders)
    }

    fn page(&self, path: &str, embedders: Embedders<'_>) -> Response<Body> {
        let Some(asset) = self.shared.assets.get(path) else {
            return text(StatusCode::NOT_FOUND, "this page is not in this version\n");
        };
        let mut response = self.asset(asset, ASK);
        self.harden(response.headers_mut(), embedders);
        response
    }

    /// The 404 page for people, a line of text for machines.
    fn missing(&self, words: &str) -> Response<Body> {
        let accept = self.request.headers.get(header::ACCEPT);
        let person = accept
            .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")));
        match self.shared.assets.get("pages/missing.html") {
            Some(asset) if person => {
                let form = asset.negotiate(&self.request.headers);
                let mut response = Response::new(Full::new(form.body.clone()));
                *response.status_mut() = StatusCode::NOT_FOUND;
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, asset.content_type.clone());
                headers.insert(header::CONTENT_LENGTH, form.length.clone());
                headers.insert(header::CACHE_CONTROL, NEVER);
                if let Some(encoding) = &form.encoding {
                    headers.insert(header::CONTENT_ENCODING, encoding.clone());
                }
                self.harden(headers, Embedders::Own);
                response
            }
            _ => text(StatusCode::NOT_FOUND, &format!("{words}\n")),
        }
    }

    fn harden(&self, headers: &mut HeaderMap, embedders: Embedders<'_>) {
        let value = policy::content_security_policy(self.config, self.reached, embedders);
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
        policy::page(headers);
    }

    /// A file in the form that fits, or 304 where the browser has it.
    fn asset(&self, asset: &Asset, cache: HeaderValue) -> Response<Body> {
        let form = asset.negotiate(&self.request.headers);
        let known = is_known(&self.request.headers, &form.etag);
        let mut response =
            Response::new(if known { Full::default() } else { Full::new(form.body.clone()) });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.reserve(12);
        headers.insert(header::CACHE_CONTROL, cache);
        headers.insert(header::ETAG, form.etag.clone());
        if asset.varies() {
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if !known {
            headers.insert(header::CONTENT_TYPE, asset.content_type.clone());
            headers.insert(header::CONTENT_LENGTH, form.length.clone());
            if let Some(encoding) = &form.encoding {
                headers.insert(header::CONTENT_ENCODING, encoding.clone());
            }
        }
        response
    }

    /// Whether calls can be made now, with the reason where they can't.
    fn readiness(&self) -> Response<Body> {
        let metrics = &self.shared.metrics;
        let wanted = metrics.accounts_wanted.load(Ordering::Relaxed);
        let registered = metrics.accounts_registered.load(Ordering::Relaxed);
        let not = |words: &str| text(StatusCode::SERVICE_UNAVAILABLE, words);
        if !self.shared.hub.is_shard_alive() {
            not("not ready: the call engine does not run\n")
        } else if self.shared.hub.is_draining() {
            not("not ready: about to stop, no new calls\n")
        } else if registered < wanted {
            not(&format!("not ready: {registered} of {wanted} accounts are registered\n"))
        } else {
            text(StatusCode::OK, "ready\n")
        }
    }

    /// Where the Flash WebPhone connects to; store pages ask before they load it.
    fn flash(&self) -> Response<Body> {
        for_any_page(json(StatusCode::OK, &FlashFacts { port: self.shared.rtmfp_port }))
    }

    fn metrics(&self) -> Response<Body> {
        if !self.reached.is_loopback_peer() {
            return text(StatusCode::FORBIDDEN, "metrics are for this machine only\n");
        }
        let body = self.shared.metrics.render();
        with_type(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body)
    }

    /// What the start page shows: destinations are the shop's own affair, so only this machine
    /// may see them.
    fn site(&self) -> Response<Body> {
        if !self.reached.is_loopback_peer() {
            return error(StatusCode::FORBIDDEN, "this is for the shop's own machine only");
        }
        let config = self.config;
        let buttons = config.buttons.iter().map(|(name, button)| SiteButton {
            name,
            destination: &button.destination,
            origins: &button.origins,
            video: button.video,
            max_duration: button.max_duration.as_secs(),
        });
        let registrars = config.webphone.iter().flat_map(|webphone| &webphone.registrars);
        let site = Site {
            version: env!("CARGO_PKG_VERSION"),
            public_url: &config.public_url,
            demo: config.demo,
            buttons: buttons.collect(),
            webphone: config.webphone.is_some(),
            registrars: registrars.map(ToString::to_string).collect(),
        };
        json(StatusCode::OK, &site)
    }
}

fn facts<'a>(name: &'a str, button: &Button) -> ButtonFacts<'a> {
    ButtonFacts {
        name,
        video: button.video,
        max_duration: button.max_duration.as_secs(),
        popup: format!("/b/{name}"),
    }
}

/// Store pages load the API from their own origin's point of view.
fn for_any_page(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, JSON, body),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "this can't be shown\n"),
    }
}

fn error(status: StatusCode, words: &str) -> Response<Body> {
    json(status, &serde_json::json!({ "error": words }))
}

/// A short answer in words.
pub(crate) fn text(status: StatusCode, words: &str) -> Response<Body> {
    with_type(status, TEXT, words.to_owned())
}

fn with_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let body = body.into();
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(header::CACHE_CONTROL, NEVER);
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    *response.body_mut() = Full::new(body);
    response
}
