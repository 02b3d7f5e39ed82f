//! The server over real loopback sockets, asked octet by octet.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config;
use crate::core::door::LinkOutput;
use base::Seed;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// A running server and everything that keeps it running.
pub(crate) struct Site {
    pub address: SocketAddr,
    pub shared: Shared,
    pub config: watch::Sender<Arc<Config>>,
    pub inbox: crate::core::door::CoreInbox,
    pub outputs: mpsc::Sender<LinkOutput>,
    pub stop: watch::Sender<bool>,
}

const SHOP: &str = r#"public_url = "https://call.shop.example"
[accounts.main]
registrar = "sip.provider.example"
username = "me"
password = "secret"
[buttons.sales]
destination = "sip:sales@sip.provider.example"
origins = ["https://www.shop.example", "https://shop.example"]
max_duration = "10m"
[webphone]
registrars = ["sip.provider.example"]
origins = ["https://pages.example"]
"#;

fn files() -> Assets {
    let files: [(&str, &[u8]); 13] = [
        ("pages/index.html", b"<p>index, long enough to shrink"),
        ("pages/index.html.br", b"[br]"),
        ("pages/index.html.gz", b"[gzip]"),
        ("pages/button.html", b"<p>button"),
        ("pages/demo.html", b"<p>demo"),
        ("pages/webphone.html", b"<p>webphone"),
        ("pages/missing.html", b"<p>missing"),
        ("a/0123456789abcdef/phone.js", b"export {};"),
        ("a/0123456789abcdef/link_bg.wasm", b"\0asm"),
        ("api/rtckit.js", b"// rtckit, long enough to shrink"),
        ("api/rtckit.js.gz", b"[js]"),
        ("api/webphone.swf", b"CWS"),
        ("secret.txt", b"not for pages"),
    ];
    Assets::new(
        files.map(|(path, body)| {
            (path.to_owned(), Cow::Borrowed(body), Sha256::digest(body).into())
        }),
    )
}

pub(crate) async fn site() -> Site {
    site_with(Limits::default()).await
}

async fn site_with(limits: Limits) -> Site {
    let surroundings = config::Surroundings {
        variable: &|_| None,
        file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        folder: "".into(),
    };
    let (shop, _) = config::read("shop.toml", SHOP, &surroundings).unwrap();
    let (config, config_out) = watch::channel(Arc::new(shop));
    let (core, inbox) = CoreHandle::new(Arc::new(|| {}));
    let metrics = Arc::new(Metrics::default());
    let seed = Seed::from_number(1);
    let hub = Hub::new(config_out.clone(), core.clone(), Arc::clone(&metrics), seed);
    let (outputs, outputs_out) = mpsc::channel(16);
    tokio::spawn(hub.clone().run(outputs_out));
    let mut shared = Shared::new(config_out, core, metrics, hub);
    shared.assets = Arc::new(files());
    shared.limits = limits;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, shared.clone(), stopped));
    Site { address, shared, config, inbox, outputs, stop }
}

/// An answer taken apart.
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Site {
    /// Asks with these extra header lines, closes after the answer.
    async fn ask(&self, method: &str, path: &str, extra: &[&str]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !extra.iter().any(|line| line.starts_with("Host:")) {
            head += &format!("Host: {}\r\n", self.address);
        }
        for line in extra {
            head += &format!("{line}\r\n");
        }
        let text = self.raw(&(head + "\r\n")).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Answer { status, headers: headers.collect(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[]).await
    }

    /// Sends octets and reads until the server closes.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[tokio::test]
async fn a_buttons_page_may_be_framed_by_its_own_shop_only_and_runs_nothing_inline() {
    let site = site().await;
    let page = site.get("/b/sales").await;
    assert_eq!((page.status, page.body.as_str()), (200, "<p>button"));
    let address = site.address;
    assert_eq!(
        page.header("content-security-policy"),
        format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src \
             'self' data:; media-src 'self' blob: mediastream:; connect-src 'self' \
             wss://call.shop.example ws://{address}; frame-src 'self'; font-src 'self'; base-uri \
             'none'; form-action 'none'; frame-ancestors 'self' https://www.shop.example \
             https://shop.example"
        )
    );
    assert_eq!(
        page.header("permissions-policy"),
        "microphone=(self), camera=(self), autoplay=(self)"
    );
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "strict-origin-when-cross-origin");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("x-frame-options"), "");
}

#[tokio::test]
async fn every_page_is_framed_by_whom_it_is_meant_for() {
    let site = site().await;
    for (path, body, ancestors) in [
        ("/", "<p>index, long enough to shrink", "'self'"),
        ("/demo", "<p>demo", "'self'"),
        ("/webphone", "<p>webphone", "'self' https://pages.example"),
        (
            "/b/sales?x=y&api=1",
            "<p>webphone",
            "'self' https://www.shop.example https://shop.example",
        ),
    ] {
        let page = site.get(path).await;
        assert_eq!((page.status, page.body.as_str()), (200, body), "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.ends_with(&format!("; frame-ancestors {ancestors}")), "{path}: {policy}");
    }
}

#[tokio::test]
async fn a_visitor_from_elsewhere_gets_a_button_that_exactly_its_origins_may_frame() {
    let site = site().await;
    let page = site.ask("GET", "/b/sales", &["X-Forwarded-For: 203.0.113.9"]).await;
    let policy = page.header("content-security-policy");
    let origins = "; frame-ancestors https://www.shop.example https://shop.example";
    assert!(policy.ends_with(origins), "{policy}");
}

#[tokio::test]
async fn a_foreign_host_header_never_reaches_the_policy() {
    let site = site().await;
    let page = site.ask("GET", "/", &["Host: evil.example"]).await;
    assert!(!page.header("content-security-policy").contains("evil"));
    assert!(page.header("content-security-policy").contains("wss://call.shop.example"));
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again_and_each_form_has_its_own_tag() {
    let site = site().await;
    let plain = site.get("/").await;
    assert_eq!(plain.header("vary"), "Accept-Encoding");
    let tag = plain.header("etag").to_owned();
    for header in [format!("If-None-Match: {tag}"), format!("If-None-Match: \"x\", W/{tag}")] {
        let known = site.ask("GET", "/", &[&header]).await;
        assert_eq!((known.status, known.body.as_str()), (304, ""));
        assert_eq!(known.header("etag"), tag);
        assert!(!known.header("content-security-policy").is_empty());
    }
    let brotli = site.ask("GET", "/", &["Accept-Encoding: gzip, deflate, br"]).await;
    assert_eq!(brotli.header("content-encoding"), "br");
    assert_eq!(brotli.body, "[br]");
    assert_ne!(brotli.header("etag"), tag);
    let gzip = site.ask("GET", "/", &["Accept-Encoding: gzip;q=0.5, br;q=0"]).await;
    assert_eq!((gzip.header("content-encoding"), gzip.body.as_str()), ("gzip", "[gzip]"));
    let plain_tag = format!("If-None-Match: {tag}");
    let other = site.ask("GET", "/", &["Accept-Encoding: br", &plain_tag]).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn hashed_files_are_kept_for_ever_and_the_api_is_open_to_every_page() {
    let site = site().await;
    let file = site.get("/a/0123456789abcdef/link_bg.wasm").await;
    assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(file.header("content-type"), "application/wasm");
    assert_eq!(file.header("cross-origin-resource-policy"), "");
    let api = site.ask("GET", "/api/rtckit.js", &["Accept-Encoding: br, gzip"]).await;
    assert_eq!(api.body, "[js]");
    assert_eq!(api.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(api.header("cache-control"), "no-cache");
    assert_eq!(api.header("access-control-allow-origin"), "*");
    assert_eq!(api.header("cross-origin-resource-policy"), "cross-origin");
}

#[tokio::test]
async fn nothing_but_the_named_paths_is_served() {
    let site = site().await;
    for path in [
        "/secret.txt",
        "/pages/index.html",
        "/a/../secret.txt",
        "/a/%2e%2e/secret.txt",
        "/api/../../etc/passwd",
        "//secret.txt",
        "/a//0123456789abcdef/phone.js/..",
        "/a/0123456789abcdef",
        "/a/",
        "/b/",
        "/b/nobody",
        "/b/sales/",
        "/b/nobody.json",
        "/admin/",
        "/admin",
        "/api/nothing.swf",
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("not for pages"), "{path}");
    }
    assert!(site.get("/admin/").await.body.contains("not in this version"));
    let widget = site.get("/b/sales/widget.js").await;
    assert_eq!(widget.status, 404);
    assert!(widget.body.starts_with("//") && widget.body.contains("not in this version"));
}

#[tokio::test]
async fn people_get_the_friendly_page_for_what_is_missing() {
    let site = site().await;
    let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
    let page = site.ask("GET", "/b/nobody", &[accept]).await;
    assert_eq!((page.status, page.body.as_str()), (404, "<p>missing"));
    assert!(page.header("content-security-policy").ends_with("frame-ancestors 'self'"));
    assert_eq!(page.header("cache-control"), "no-store");
}

#[tokio::test]
async fn only_reading_is_allowed_and_a_head_has_the_length_without_the_octets() {
    let site = site().await;
    for path in ["/", "/b/sales", "/healthz", "/api/rtckit.js"] {
        let refused = site.ask("POST", path, &["Content-Length: 0"]).await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"), "{path}");
    }
    assert_eq!(site.ask("DELETE", "/ws", &[]).await.header("allow"), "GET");
    let head = site.ask("HEAD", "/b/sales", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), "9");
}

#[tokio::test]
async fn a_buttons_facts_keep_the_shops_number_to_themselves() {
    let site = site().await;
    let facts = site.get("/b/sales.json").await;
    assert_eq!(
        facts.body,
        r#"{"name":"sales","video":false,"maxDuration":600,"popup":"/b/sales"}"#
    );
    assert_eq!(facts.header("content-type"), "application/json");
}

#[tokio::test]
async fn store_pages_get_the_flash_phone_and_the_port_that_it_connects_to() {
    let mut site = site().await;
    let film = site.get("/api/webphone.swf").await;
    assert_eq!((film.status, film.body.as_str()), (200, "CWS"));
    assert_eq!(film.header("content-type"), "application/x-shockwave-flash");
    let facts = site.get("/api/flash.json").await;
    assert_eq!(facts.body, r#"{"port":null}"#);
    for answer in [film, facts] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    }
    // Another server of the same site, which has the port open.
    site.shared.rtmfp_port = Some(1935);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    site.address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, site.shared.clone(), stopped));
    assert_eq!(site.get("/api/flash.json").await.body, r#"{"port":1935}"#);
}

#[tokio::test]
async fn the_sites_facts_and_numbers_are_for_this_machine_only() {
    let site = site().await;
    let facts = site.get("/site.json").await;
    let json: serde_json::Value = serde_json::from_str(&facts.body).unwrap();
    assert_eq!(json["publicUrl"], "https://call.shop.example");
    assert_eq!(json["buttons"][0]["destination"], "sip:sales@sip.provider.example");
    assert_eq!(json["registrars"][0], "sip.provider.example");
    assert_eq!((&json["demo"], &json["webphone"]), (&false.into(), &true.into()));
    let metrics = site.get("/metrics").await;
    assert!(metrics.body.contains("click2call_http_requests_total 2\n"), "{}", metrics.body);
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for foreign in ["X-Forwarded-For: 203.0.113.9", "Host: call.shop.example"] {
        let refused = site.ask("GET", "/site.json", &[foreign]).await;
        assert_eq!(refused.status, 403);
        assert!(refused.body.starts_with("{\"error\":"));
        assert_eq!(site.ask("GET", "/metrics", &[foreign]).await.status, 403);
    }
}

#[tokio::test]
async fn readiness_names_what_is_lacking() {
    let site = site().await;
    assert_eq!(site.get("/healthz").await.body, "ok\n");
    assert_eq!(site.get("/readyz").await.status, 200);
    let metrics = &site.shared.metrics;
    metrics.accounts_wanted.store(2, std::sync::atomic::Ordering::Relaxed);
    metrics.accounts_registered.store(1, std::sync::atomic::Ordering::Relaxed);
    let waiting = site.get("/readyz").await;
    assert_eq!(waiting.status, 503);
    assert_eq!(waiting.body, "not ready: 1 of 2 accounts are registered\n");
    site.shared.hub.drain();
    assert!(site.get("/readyz").await.body.contains("about to stop"));
    drop(site.outputs);
    while site.shared.hub.is_shard_alive() {
        tokio::task::yield_now().await;
    }
    let request = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("the call engine does not run"));
}

#[tokio::test]
async fn a_new_configuration_holds_for_the_next_request() {
    let site = site().await;
    let mut next = Config::clone(&site.config.borrow());
    let button = next.buttons.remove("sales").unwrap();
    next.buttons.insert("support".into(), button);
    site.config.send(Arc::new(next)).unwrap();
    assert_eq!(site.get("/b/sales").await.status, 404);
    assert_eq!(site.get("/b/support").await.status, 200);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let limits = Limits { head_within: Duration::from_millis(100), ..Limits::default() };
    let site = site_with(limits).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let begin = std::time::Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(80) && took < Duration::from_secs(5), "{took:?}");
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let site = site().await;
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "a".repeat(64 * 1024));
    assert!(!site.raw(&long).await.contains("200 OK"));
    let lines = "X-Line: a\r\n".repeat(200);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    assert!(!site.raw(&many).await.contains("200 OK"));
}

#[tokio::test]
async fn connections_above_the_bound_are_closed_and_places_come_back() {
    let site = site_with(Limits { connections: 2, ..Limits::default() }).await;
    let first = TcpStream::connect(site.address).await.unwrap();
    let _second = TcpStream::connect(site.address).await.unwrap();
    let mut third = TcpStream::connect(site.address).await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0);
    drop(first);
    // The server learns of the end by itself; until then a new connection may be refused.
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    while !site.raw_or_empty(request).await.contains("200 OK") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_end_finishes_answers_and_takes_no_more_connections() {
    let site = site().await;
    let mut open = TcpStream::connect(site.address).await.unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    open.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    open.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    site.stop.send(true).unwrap();
    // An idle connection is closed at once, not after its timer.
    let mut rest = Vec::new();
    open.read_to_end(&mut rest).await.unwrap();
    while TcpStream::connect(site.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

impl Site {
    /// Like `raw`, for a server that may refuse the connection.
    async fn raw_or_empty(&self, request: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(self.address).await else { return String::new() };
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}
