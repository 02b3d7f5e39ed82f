//! From a button to what is offered and sent.

use base::Codec;
use std::collections::BTreeMap;

/// What earlier calls taught about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// The codec that the provider chose last.
    pub trunk_codec: Option<Codec>,
}

/// The order of codecs in the answer to the browser, which sends the first of them. What browsers
/// don't speak is left out.
///
/// The answer leaves before the provider has chosen, so this is a guess: what the provider chose
/// last time, or the account's first codec. A right guess means relaying instead of transcoding; a
/// wrong one costs CPU, never sound, since the browser takes every codec of the answer.
pub fn browser_codecs(account: &[Codec], learnt: Learnt) -> Vec<Codec> {
    let first = learnt.trunk_codec.filter(|codec| account.contains(codec));
    let mut order: Vec<Codec> = first.into_iter().collect();
    for codec in account.iter().copied().chain(Codec::OF_BROWSERS) {
        if !order.contains(&codec) {
            order.push(codec);
        }
    }
    order.retain(|codec| codec.is_of_browsers());
    order
}

/// The order of codecs in the INVITE: the account's, but those that the browser has too go first,
/// since only they can be passed on untouched.
pub fn trunk_codecs(account: &[Codec], browser: &[Codec]) -> Vec<Codec> {
    let (shared, others): (Vec<Codec>, Vec<Codec>) =
        account.iter().partition(|codec| browser.contains(codec));
    shared.into_iter().chain(others).collect()
}

/// The page's data that goes into the INVITE: `X-` names of letters, digits and hyphens; values of
/// printable characters, on one line. What does not fit is left out rather than mended, except that
/// line ends and other controls become spaces.
pub fn page_headers(page: &BTreeMap<String, String>) -> Vec<(String, String)> {
    page.iter()
        .filter_map(|(name, value)| {
            let bare = name.strip_prefix("X-").or_else(|| name.strip_prefix("x-"));
            let bare = bare.unwrap_or(name);
            let clean = !bare.is_empty()
                && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && name.len() <= signalling::limits::HEADER_OCTETS
                && value.len() <= signalling::limits::HEADER_OCTETS;
            let value: String =
                value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            clean.then(|| (format!("X-{bare}"), value.trim().to_owned()))
        })
        .take(signalling::limits::HEADERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Codec::{G722, Opus, Pcma, Pcmu, Speex8, Speex16};

    #[test]
    fn a_provider_with_g711_only_gets_g711_from_the_browser() {
        assert_eq!(browser_codecs(&[Pcma, Pcmu], Learnt::default()), [Pcma, Pcmu, Opus, G722]);
    }

    #[test]
    fn what_the_provider_chose_last_time_comes_first() {
        let learnt = Learnt { trunk_codec: Some(Pcmu) };
        let order = browser_codecs(&[Opus, G722, Pcma, Pcmu], learnt);
        assert_eq!(order, [Pcmu, Opus, G722, Pcma]);
        let order = browser_codecs(&[Opus], learnt);
        assert_eq!(order[0], Opus);
    }

    #[test]
    fn a_browser_is_never_asked_for_speex() {
        let learnt = Learnt { trunk_codec: Some(Speex16) };
        let order = browser_codecs(&[Speex16, Speex8, Pcma], learnt);
        assert_eq!(order, [Pcma, Opus, G722, Pcmu]);
        assert_eq!(browser_codecs(&[Speex8], learnt), Codec::OF_BROWSERS);
    }

    #[test]
    fn speex_stands_behind_what_a_browser_has_and_before_it_for_one_who_has_speex() {
        let account = [Speex16, Pcma, Opus, Speex8];
        assert_eq!(trunk_codecs(&account, &Codec::OF_BROWSERS), [Pcma, Opus, Speex16, Speex8]);
        assert_eq!(trunk_codecs(&Codec::ALL, &[Speex16, Pcma])[..2], [Pcma, Speex16]);
        assert_eq!(trunk_codecs(&account, &[Speex16]), [Speex16, Pcma, Opus, Speex8]);
    }

    #[test]
    fn what_the_browser_has_too_is_offered_to_the_provider_first() {
        let account = [Opus, G722, Pcma, Pcmu];
        assert_eq!(trunk_codecs(&account, &[Pcmu, G722]), [G722, Pcmu, Opus, Pcma]);
        assert_eq!(trunk_codecs(&account, &[]), account);
    }

    #[test]
    fn page_data_cannot_inject_a_header() {
        let page = BTreeMap::from([
            ("X-Order".into(), "17\r\nRoute: <sip:evil>".into()),
            ("Route".into(), "kept as X-Route".into()),
            ("X-Bad\r\nFrom".into(), "x".into()),
            ("X-".into(), "x".into()),
        ]);
        let headers = page_headers(&page);
        assert_eq!(
            headers,
            [
                ("X-Route".to_owned(), "kept as X-Route".to_owned()),
                ("X-Order".to_owned(), "17  Route: <sip:evil>".to_owned()),
            ]
        );
    }
}
