//! What a link asks of the world outside it.

use serde::{Serialize, Serializer};
use signalling::ServerMessage;

/// Whether the server can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The server has welcomed this page on the present socket.
    pub connected: bool,
    /// There is no socket, and one is being tried for.
    pub reconnecting: bool,
    /// The link from before goes on: its calls and its registration are as they were.
    pub resumed: bool,
}

/// One thing to do outside, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a WebSocket.
    Open,
    /// Send this text on the socket.
    Send(String),
    /// Close the socket and forget it: its events mean nothing from now on.
    Close,
    /// The connection has changed.
    Connection(Connection),
    /// Something for the page: of the server, or in its words (a call that the link itself ended, a
    /// request that it refused).
    Tell(ServerMessage),
}

/// The form that JavaScript gets: an object with `type`; for [`Action::Tell`] that of the message.
impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Plain<'a> {
            r#type: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<&'a str>,
            #[serde(flatten, skip_serializing_if = "Option::is_none")]
            connection: Option<&'a Connection>,
        }
        let (kind, text, connection) = match self {
            Action::Tell(message) => return message.serialize(serializer),
            Action::Open => ("open", None, None),
            Action::Send(text) => ("send", Some(text.as_str()), None),
            Action::Close => ("close", None, None),
            Action::Connection(connection) => ("connection", None, Some(connection)),
        };
        Plain { r#type: kind, text, connection }.serialize(serializer)
    }
}
