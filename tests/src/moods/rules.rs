//! What a provider refuses.

use super::{flag_of, number_of, only, text_of, texts_of};
use sip::message::{Name, Request};
use toml::Table;

/// One refusal: `on` (methods), `status` (0: nothing is said at all), one of `has`, `lacks`,
/// `longer_than`, `more_codecs_than` and `more_contacts_than`; `after_password`, where it asks for
/// that first; and `add`, a header field of the refusal.
///
/// `has` and `lacks` are `"Field: text"`. Any header field of that name counts that holds the text, in
/// any case of letters; a text that begins with `^` must stand at its beginning. `Request` is the
/// Request-URI, `Body` the body, and `Codecs` the codecs of an offer in their order, `pcma pcmu`.
#[derive(Clone, Debug)]
pub struct Rule {
    methods: Vec<String>,
    /// What it says.
    pub status: u16,
    /// Whether it looks only at who has the password.
    pub after_password: bool,
    /// A header field of the refusal.
    pub add: Option<(Name, String)>,
    has: String,
    lacks: String,
    longer_than: u32,
    more_codecs_than: u32,
    more_contacts_than: u32,
}

impl Rule {
    pub(super) fn read(table: &Table) -> Rule {
        let known = [
            "on",
            "status",
            "after_password",
            "has",
            "lacks",
            "longer_than",
            "more_codecs_than",
            "more_contacts_than",
            "add",
        ];
        only(table, &known);
        let add = text_of(table, "add", "");
        let add = add.split_once(':').map(|(name, value)| (name.into(), value.trim().to_owned()));
        Rule {
            methods: texts_of(table, "on", &["REGISTER", "INVITE"]),
            status: u16::try_from(number_of(table, "status", 403)).unwrap(),
            after_password: flag_of(table, "after_password"),
            add,
            has: text_of(table, "has", ""),
            lacks: text_of(table, "lacks", ""),
            longer_than: number_of(table, "longer_than", u32::MAX),
            more_codecs_than: number_of(table, "more_codecs_than", u32::MAX),
            more_contacts_than: number_of(table, "more_contacts_than", u32::MAX),
        }
    }

    /// Whether a request is refused. A datagram or message has this many octets.
    pub fn refuses(&self, request: &Request, octets: usize) -> bool {
        let method = request.method.as_str();
        self.methods.iter().any(|known| known == method)
            && ((!self.has.is_empty() && holds(request, &self.has))
                || (!self.lacks.is_empty() && !holds(request, &self.lacks))
                || octets > self.longer_than as usize
                || request.contacts().len() > self.more_contacts_than as usize
                || codecs(request).split_whitespace().count() > self.more_codecs_than as usize)
    }
}

fn holds(request: &Request, wanted: &str) -> bool {
    let (name, text) = wanted.split_once(':').expect("a field and a text");
    let text = text.trim().to_ascii_lowercase();
    let fields: Vec<String> = match name {
        "Request" => vec![request.uri.to_string()],
        "Body" => vec![String::from_utf8_lossy(&request.body).into_owned()],
        "Codecs" => vec![codecs(request)],
        name => request.headers.all(&Name::from(name)).map(str::to_owned).collect(),
    };
    fields.iter().map(|field| field.to_ascii_lowercase()).any(|field| {
        match text.strip_prefix('^') {
            Some(text) => field.starts_with(text),
            None => field.contains(&text),
        }
    })
}

/// The codecs of an offer, without telephone events.
fn codecs(request: &Request) -> String {
    let body = String::from_utf8_lossy(&request.body).to_ascii_lowercase();
    let names = body.lines().filter_map(|line| {
        let (_, format) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        let name = format.split('/').next()?;
        (!["telephone-event", "cn"].contains(&name)).then(|| name.to_owned())
    });
    names.collect::<Vec<String>>().join(" ")
}
