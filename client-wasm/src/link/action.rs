//! What a link asks of the world outside it.

/// Whether the server can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The server has welcomed this page on the present socket.
    pub connected: bool,
    /// There is no socket, and one is being tried for.
    pub reconnecting: bool,
    /// The link from before goes on: its calls and its registration are as they were.
    pub resumed: bool,
}

impl Connection {
    /// `connected`, `reconnecting`, `resumed`, each as 0 or 1.
    fn flags(self) -> String {
        let flag = |set: bool| if set { '1' } else { '0' };
        [self.connected, self.reconnecting, self.resumed].map(flag).iter().collect()
    }
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
    /// A [`signalling::ServerMessage`] as JSON, for the page: as it came from the server, or in its
    /// words (a call that the link itself ended, a request that it refused).
    Tell(String),
}

impl Action {
    /// The form that JavaScript gets. A tag before the text, since a message in JSON within JSON
    /// would have to be escaped, a quarter more for an offer.
    pub fn to_text(&self) -> String {
        let flags;
        let (tag, rest) = match self {
            Action::Open => ('o', ""),
            Action::Send(text) => ('s', text.as_str()),
            Action::Close => ('c', ""),
            Action::Connection(connection) => {
                flags = connection.flags();
                ('n', flags.as_str())
            }
            Action::Tell(text) => ('t', text.as_str()),
        };
        let mut all = String::with_capacity(rest.len() + 1);
        all.push(tag);
        all.push_str(rest);
        all
    }
}
