//! The same message in rsip's own model, for those who hold one.

use super::model::Message;

impl Message {
    /// The message as rsip's model has it; `None` if that cannot hold it: a method outside its
    /// closed set, or a URI that its parser refuses (`tel`, a user part with `;`).
    ///
    /// rsip is given the header fields as they are and the Request-URI as we write it, never the
    /// octets of the network.
    pub fn to_rsip(&self) -> Option<rsip::SipMessage> {
        let version = rsip::Version::V2;
        Some(match self {
            Message::Request(request) => rsip::SipMessage::Request(rsip::Request {
                method: request.method.to_rsip()?,
                uri: rsip::Uri::try_from(request.uri.to_string()).ok()?,
                version,
                headers: request.headers.as_rsip().clone(),
                body: request.body.clone(),
            }),
            Message::Response(response) => rsip::SipMessage::Response(rsip::Response {
                status_code: rsip::StatusCode::from(response.status),
                version,
                headers: response.headers.as_rsip().clone(),
                body: response.body.clone(),
            }),
        })
    }
}
