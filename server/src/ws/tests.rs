//! WebSockets over real loopback sockets, from a client that is no browser.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::core::door::{CoreEvent, LinkOutput, Visitor};
use crate::http::tests::{Site, site};
use base::{LinkId, Seed};
use futures_util::{SinkExt as _, StreamExt as _};
use signalling::{ErrorCode, HangupReason, ServerMessage, VERSION, limits};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Client = WebSocketStream<TcpStream>;

/// Opens a socket with this `Origin`; the HTTP status where it is refused.
async fn connect(site: &Site, origin: Option<&str>) -> Result<Client, u16> {
    let address = site.address;
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    match client_async(request, stream).await {
        Ok((client, _)) => Ok(client),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

async fn own(site: &Site) -> Client {
    connect(site, Some(&format!("http://{}", site.address))).await.unwrap()
}

fn hello(link: Option<&str>, button: Option<&str>, page: Option<&str>) -> ClientMessage {
    ClientMessage::Hello {
        version: VERSION,
        link: link.map(str::to_owned),
        button: button.map(str::to_owned),
        page: page.map(str::to_owned),
    }
}

async fn say(client: &mut Client, sequence: u64, ack: u64, message: ClientMessage) {
    let text = serde_json::to_string(&Envelope { sequence, ack, message }).unwrap();
    client.send(Message::text(text)).await.unwrap();
}

/// The next message, or the code with which the socket was closed.
async fn hear(client: &mut Client) -> Result<Envelope<ServerMessage>, Option<CloseCode>> {
    loop {
        match client.next().await {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(None),
        }
    }
}

/// Greets and gives back the link's name and whether it goes on.
async fn greet(client: &mut Client, link: Option<&str>, ack: u64) -> (String, bool) {
    say(client, 0, ack, hello(link, Some("sales"), Some("https://www.shop.example/shop"))).await;
    match hear(client).await.unwrap().message {
        ServerMessage::Welcome { link, resumed, .. } => (link, resumed),
        other => panic!("{other:?}"),
    }
}

/// Greets and gives back the error with which that is refused.
async fn refusal(site: &Site, greeting: ClientMessage) -> ErrorCode {
    let mut client = own(site).await;
    say(&mut client, 0, 0, greeting).await;
    let ServerMessage::Error { code, message, hint, .. } = hear(&mut client).await.unwrap().message
    else {
        panic!("welcome")
    };
    assert!(!message.is_empty() && !hint.is_empty());
    assert_eq!(hear(&mut client).await.unwrap_err(), Some(CloseCode::Policy));
    code
}

async fn event(site: &Site) -> Visitor {
    loop {
        match site.inbox.take() {
            Some(CoreEvent::Visitor(visitor)) => return visitor,
            Some(other) => panic!("{other:?}"),
            None => tokio::task::yield_now().await,
        }
    }
}

async fn opened(site: &Site) -> LinkId {
    match event(site).await {
        Visitor::Opened { link, .. } => link,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_page_is_greeted_and_what_it_says_reaches_the_shard_in_order() {
    let site = site().await;
    let mut client = own(&site).await;
    say(&mut client, 0, 0, hello(None, Some("sales"), Some("https://shop.example/a?b"))).await;
    let welcome = hear(&mut client).await.unwrap();
    let ServerMessage::Welcome { version, link, resumed, button } = welcome.message else {
        panic!()
    };
    assert_eq!((version, resumed, link.len()), (VERSION, false, 32));
    let button = button.unwrap();
    assert_eq!((button.name.as_str(), button.max_duration), ("sales", 600));
    let Visitor::Opened { link, button, page, address, local_page } = event(&site).await else {
        panic!()
    };
    assert_eq!(button.as_deref(), Some("sales"));
    assert_eq!(page.reveal(), "https://shop.example");
    assert!(address.reveal().is_loopback() && local_page);
    for call in 1..4 {
        let message = ClientMessage::Hangup { call, reason: HangupReason::Visitor };
        say(&mut client, u64::from(call), 0, message.clone()).await;
        match event(&site).await {
            Visitor::Message { link: from, message: got } => {
                assert_eq!((from, got), (link, message));
            }
            other => panic!("{other:?}"),
        }
    }
    say(&mut client, 0, 0, ClientMessage::Ping { at: 7.5 }).await;
    let pong = hear(&mut client).await.unwrap();
    assert_eq!((pong.sequence, pong.ack), (0, 3));
    assert_eq!(pong.message, ServerMessage::Pong { at: 7.5 });
    assert_eq!(site.shared.metrics.links_live.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dropped_socket_is_resumed_with_what_the_page_has_missed() {
    let site = site().await;
    let mut client = own(&site).await;
    let (name, _) = greet(&mut client, None, 0).await;
    let link = opened(&site).await;
    drop(client);
    let digit = |digit| ServerMessage::Digit { call: 1, digit };
    for letter in ['1', '2'] {
        site.outputs.send(LinkOutput { link, message: digit(letter) }).await.unwrap();
    }
    let mut client = own(&site).await;
    assert_eq!(greet(&mut client, Some(&name), 0).await, (name, true));
    for (sequence, letter) in [(1, '1'), (2, '2')] {
        let envelope = hear(&mut client).await.unwrap();
        assert_eq!((envelope.sequence, envelope.message), (sequence, digit(letter)));
    }
    // Neither an end nor a second beginning has reached the shard.
    assert!(site.inbox.take().is_none());
}

#[tokio::test]
async fn a_second_socket_ends_the_first() {
    let site = site().await;
    let mut first = own(&site).await;
    let (name, _) = greet(&mut first, None, 0).await;
    let mut second = own(&site).await;
    assert!(greet(&mut second, Some(&name), 0).await.1);
    assert_eq!(hear(&mut first).await.unwrap_err(), Some(CloseCode::Away));
    say(&mut second, 0, 0, ClientMessage::Ping { at: 1.0 }).await;
    assert!(hear(&mut second).await.is_ok());
}

#[tokio::test]
async fn an_unknown_name_gets_a_new_link() {
    let site = site().await;
    let mut client = own(&site).await;
    let (name, resumed) = greet(&mut client, Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 9).await;
    assert!(!resumed && name != "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

#[tokio::test]
async fn only_the_appliances_own_pages_open_a_socket() {
    let site = site().await;
    let port = site.address.port();
    for origin in [
        None,
        Some("null".to_owned()),
        Some("https://www.shop.example".to_owned()),
        Some("http://call.shop.example".to_owned()),
        Some(format!("http://127.0.0.1:{}", port ^ 1)),
        Some(format!("http://127.0.0.1:{port}/")),
    ] {
        let refused = connect(&site, origin.as_deref()).await;
        assert_eq!(refused.err(), Some(403), "{origin:?}");
    }
    assert_eq!(site.shared.metrics.websockets_refused_total.load(Ordering::Relaxed), 6);
    assert!(connect(&site, Some("https://call.shop.example")).await.is_ok());
    assert!(connect(&site, Some(&format!("http://127.0.0.1:{port}"))).await.is_ok());
}

#[tokio::test]
async fn greetings_that_may_not_be_are_refused_with_the_reason() {
    let site = site().await;
    let old = ClientMessage::Hello { version: VERSION + 1, link: None, button: None, page: None };
    assert_eq!(refusal(&site, old).await, ErrorCode::Version);
    let unknown = hello(None, Some("nobody"), None);
    assert_eq!(refusal(&site, unknown).await, ErrorCode::UnknownButton);
    for page in ["https://evil.example/", "null", "about:srcdoc", "http://www.shop.example/"] {
        let foreign = hello(None, Some("sales"), Some(page));
        assert_eq!(refusal(&site, foreign).await, ErrorCode::Forbidden, "{page}");
    }
    let foreign = hello(None, None, Some("https://www.shop.example/"));
    assert_eq!(refusal(&site, foreign).await, ErrorCode::Forbidden);
    assert_eq!(refusal(&site, ClientMessage::Unregister).await, ErrorCode::BadMessage);
    let long = hello(None, Some("sales"), Some(&"a".repeat(600)));
    assert_eq!(refusal(&site, long).await, ErrorCode::BadMessage);
    assert!(site.inbox.take().is_none());
}

#[tokio::test]
async fn own_pages_opened_directly_and_allowed_webphones_are_welcome() {
    let site = site().await;
    let own_page = format!("http://{}/", site.address);
    for greeting in [
        hello(None, Some("sales"), None),
        hello(None, Some("sales"), Some("")),
        hello(None, Some("sales"), Some(&own_page)),
        hello(None, None, Some("https://pages.example/2011.html")),
        hello(None, None, None),
    ] {
        let mut client = own(&site).await;
        say(&mut client, 0, 0, greeting).await;
        let message = hear(&mut client).await.unwrap().message;
        assert!(matches!(message, ServerMessage::Welcome { .. }));
    }
}

#[tokio::test]
async fn while_the_program_ends_old_links_come_back_and_new_ones_do_not() {
    let site = site().await;
    let mut client = own(&site).await;
    let (name, _) = greet(&mut client, None, 0).await;
    drop(client);
    site.shared.hub.drain();
    assert_eq!(refusal(&site, hello(None, Some("sales"), None)).await, ErrorCode::Draining);
    let mut client = own(&site).await;
    assert!(greet(&mut client, Some(&name), 0).await.1);
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_socket_and_link() {
    let site = site().await;
    let mut client = own(&site).await;
    greet(&mut client, None, 0).await;
    let link = opened(&site).await;
    let long = "a".repeat(limits::MESSAGE_OCTETS + 1);
    client.send(Message::text(long)).await.unwrap();
    let message = hear(&mut client).await.unwrap().message;
    assert!(matches!(message, ServerMessage::Error { code: ErrorCode::BadMessage, .. }));
    assert!(matches!(event(&site).await, Visitor::Closed { link: ended } if ended == link));
    assert_eq!(site.shared.metrics.websockets_refused_total.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn nonsense_ends_socket_and_link() {
    let site = site().await;
    for nonsense in [
        Message::text("nonsense"),
        Message::text(r#"{"sequence":1,"type":"nothing"}"#),
        Message::binary(vec![1, 2, 3]),
    ] {
        let mut client = own(&site).await;
        greet(&mut client, None, 0).await;
        let link = opened(&site).await;
        client.send(nonsense).await.unwrap();
        let message = hear(&mut client).await.unwrap().message;
        assert!(matches!(message, ServerMessage::Error { code: ErrorCode::BadMessage, .. }));
        assert!(matches!(event(&site).await, Visitor::Closed { link: ended } if ended == link));
    }
}

#[tokio::test]
async fn a_flood_is_cut_off_with_a_word() {
    let site = site().await;
    let mut client = own(&site).await;
    greet(&mut client, None, 0).await;
    for _ in 0..limits::MESSAGES_BURST + 20 {
        let message = ClientMessage::Ping { at: 1.0 };
        let text = serde_json::to_string(&Envelope { sequence: 0, ack: 0, message }).unwrap();
        if client.send(Message::text(text)).await.is_err() {
            break;
        }
    }
    let mut limit = false;
    while let Ok(envelope) = hear(&mut client).await {
        limit |= matches!(envelope.message, ServerMessage::Error { code: ErrorCode::Limit, .. });
    }
    assert!(limit);
    assert_eq!(site.shared.metrics.websockets_refused_total.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_page_that_is_closed_ends_its_link_soon() {
    let site = site().await;
    let mut client = own(&site).await;
    greet(&mut client, None, 0).await;
    let link = opened(&site).await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    client.close(Some(CloseFrame { code: CloseCode::Away, reason: "".into() })).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match site.inbox.take() {
                Some(CoreEvent::Visitor(visitor)) => return visitor,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    assert!(matches!(ended.await.unwrap(), Visitor::Closed { link: ended } if ended == link));
    assert!(before.elapsed() >= links::GOODBYE);
}

#[tokio::test]
async fn a_socket_without_a_greeting_and_a_silent_page_are_let_go() {
    let site = site().await;
    let mut mute = own(&site).await;
    let mut silent = own(&site).await;
    greet(&mut silent, None, 0).await;
    let link = opened(&site).await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(hear(&mut mute).await.unwrap_err(), Some(CloseCode::Policy));
    assert!(before.elapsed() >= Duration::from_secs(4));
    assert_eq!(hear(&mut silent).await.unwrap_err(), Some(CloseCode::Away));
    assert!(before.elapsed() >= limits::LINK_SILENCE - Duration::from_secs(1));
    drop(silent);
    let ended = loop {
        match site.inbox.take() {
            Some(CoreEvent::Visitor(visitor)) => break visitor,
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    assert!(matches!(ended, Visitor::Closed { link: ended } if ended == link));
    let whole = limits::LINK_SILENCE + limits::LINK_RESUME;
    assert!(before.elapsed() >= whole - Duration::from_secs(2), "{:?}", before.elapsed());
}

#[tokio::test]
async fn the_end_of_the_shard_ends_every_socket() {
    let Site { address, shared, config, inbox, outputs, stop } = site().await;
    let (spare, _) = tokio::sync::mpsc::channel(1);
    let site = Site { address, shared, config, inbox, outputs: spare, stop };
    let mut client = own(&site).await;
    greet(&mut client, None, 0).await;
    drop(outputs);
    assert_eq!(hear(&mut client).await.unwrap_err(), Some(CloseCode::Away));
}

#[tokio::test]
async fn a_request_that_is_no_websocket_is_told_so() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let site = site().await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let request = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[test]
fn any_octets_as_a_message_get_an_answer() {
    let good = serde_json::to_vec(&Envelope {
        sequence: 1,
        ack: 2,
        message: ClientMessage::Dtmf { call: 1, digits: "12#".into() },
    })
    .unwrap();
    let mut seed = Seed::from_number(3);
    fuzz(&good);
    for _ in 0..2000 {
        let mut octets = good.clone();
        let at = seed.below(octets.len() as u64) as usize;
        octets[at] = seed.below(256) as u8;
        fuzz(&octets);
    }
}
