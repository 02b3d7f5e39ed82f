//! The pages' WebSockets: `/ws`, one a page, types and rules in `signalling`.
//!
//! [`Hub`] holds the links, `socket` carries one of them, `links` is the table itself, without
//! clock or socket. A browser sends `Origin` with every WebSocket and pages can't change it, so it
//! is what keeps foreign pages out; without one nobody gets in.

mod check;
mod hub;
mod links;
mod socket;

pub use hub::{Hub, LINKS, LINKS_PER_ADDRESS};

use crate::config::origin::Origin;
use crate::core::metrics::bump;
use crate::http::{self, Reached, Shared};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use signalling::{ClientMessage, Envelope};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Answers a request for `/ws` and, if it is a proper one, runs the socket after the answer.
pub(crate) fn upgrade(
    shared: &Shared,
    request: &Parts,
    reached: Reached,
    upgrade: OnUpgrade,
) -> Response<Full<Bytes>> {
    if request.method != Method::GET {
        return http::not_allowed("GET");
    }
    let headers = &request.headers;
    let is_websocket = has_token(headers, header::UPGRADE, "websocket")
        && has_token(headers, header::CONNECTION, "upgrade");
    if !is_websocket {
        let words = "this is the WebSocket of the call pages\n";
        let mut response = http::text(StatusCode::UPGRADE_REQUIRED, words);
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return response;
    }
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let (Some(key), Some(b"13")) = (key, version.map(HeaderValue::as_bytes)) else {
        let mut response = http::text(StatusCode::BAD_REQUEST, "only WebSocket version 13\n");
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return response;
    };
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| Origin::parse(text).ok())
        .filter(|origin| reached.is_own(origin, &shared.config.borrow().public_url));
    let (Some(origin), Ok(accept)) = (origin, accept) else {
        bump(&shared.metrics.websockets_refused_total);
        let words = "only the appliance's own pages may open this; if you are on one, public_url \
                     (or domain) in the configuration is not the address in the browser\n";
        return http::text(StatusCode::FORBIDDEN, words);
    };
    let hub = shared.hub.clone();
    tokio::spawn(async move {
        // An error is a page that left between the two.
        if let Ok(stream) = upgrade.await {
            socket::run(hub, TokioIo::new(stream), reached, origin).await;
        }
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// Whether a list header has this element, in any case.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|element| element.trim().eq_ignore_ascii_case(token))
    })
}

/// Fuzz entry point: any octets as a page's message must be read or refused.
pub fn fuzz(data: &[u8]) {
    if let Ok(envelope) = serde_json::from_slice::<Envelope<ClientMessage>>(data) {
        let _ = check::message(&envelope.message);
        let text = serde_json::to_string(&envelope).unwrap_or_default();
        assert!(!text.is_empty());
    }
}

#[cfg(test)]
mod tests;
