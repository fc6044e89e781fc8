//! References to services and teams of PagerDuty, in all the forms in which people write and copy them.

use super::name::trimmed;

/// A service or team of PagerDuty as somebody wrote it: an exact name, one id or several, or an address with an id in it.
///
/// Blanks around it do not count, nor does the case of an id. This is the only place that compares such texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PagerDutyRef {
    text: String,
    ids: Vec<String>,
    is_address: bool,
}

impl PagerDutyRef {
    /// Reads a text. Several ids or addresses stand side by side, with commas, semicolons or blanks between them; every
    /// other text with such a mark in it is one name.
    pub fn parse(text: &str) -> Self {
        let text = trimmed(text);
        // What looks like a word may be the word of a name, where only blanks are between them.
        let is_clear = |part: &str| address(part).is_some() || (is_id(part) && has_digit(part));
        let by_any_mark = parts(text, |mark| matches!(mark, ',' | ';') || mark.is_whitespace());
        let parts = if by_any_mark.iter().all(|part| is_clear(part)) {
            by_any_mark
        } else {
            parts(text, |mark| mark == ',')
        };
        let is_address = parts.iter().any(|part| address(part).is_some());
        let all_ids = parts.iter().all(|part| address(part).is_some() || is_id(part));
        let id = |part: &&str| match address(part) {
            Some(address) => address.id.map(str::to_ascii_uppercase),
            None => Some(part.to_ascii_uppercase()),
        };
        let ids = if all_ids { parts.iter().filter_map(id).collect() } else { Vec::new() };
        Self { text: text.to_owned(), ids, is_address: is_address && all_ids }
    }

    /// The text, without the blanks around it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The ids that it stands for, in upper case. A text that looks like none is taken for one too, for nobody
    /// promises how PagerDuty's ids look.
    pub fn ids(&self) -> Vec<String> {
        if self.ids.is_empty() && !self.is_address && !self.text.is_empty() {
            return vec![self.text.to_ascii_uppercase()];
        }
        self.ids.clone()
    }

    /// `true` if it is this id, written as an id.
    pub fn is_id(&self, id: &str) -> bool {
        !self.is_address && self.stands_for(id)
    }

    /// `true` if it is an address of this id.
    pub fn is_address_of(&self, id: &str) -> bool {
        self.is_address && self.stands_for(id)
    }

    /// `true` if it is this name.
    pub fn is_name(&self, name: &str) -> bool {
        !self.is_address && !self.text.is_empty() && self.text == trimmed(name)
    }

    /// `true` if it is this id or this name. Only ids match in any case, and PagerDuty writes them in upper case.
    pub fn is(&self, id_or_name: &str) -> bool {
        let may_be_id = self.is_address || !id_or_name.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_id = || may_be_id && self.ids.iter().any(|id| id.eq_ignore_ascii_case(trimmed(id_or_name)));
        self.is_name(id_or_name) || is_id()
    }

    /// `true` if it is an address without an id, which no service matches, or has such an address in it that nothing
    /// can be read from.
    pub fn names_nothing(&self) -> bool {
        let is_about_pagerduty = || self.text.to_ascii_lowercase().contains("pagerduty.com");
        self.ids.is_empty() && (self.is_address || is_about_pagerduty())
    }

    /// `true` if it is an address.
    pub fn is_address(&self) -> bool {
        self.is_address
    }

    /// `true` if it matches everything that the other matches.
    pub fn includes(&self, other: &Self) -> bool {
        other.is_included_in(&[self])
    }

    /// `true` if everything that it matches is matched by one of the others.
    pub fn is_included_in(&self, others: &[&Self]) -> bool {
        let is_same = |other: &&Self| !self.is_address && !other.is_address && self.text == other.text;
        let has = |id: &String| others.iter().any(|other| other.stands_for(id));
        others.iter().any(is_same) || (!self.ids.is_empty() && self.ids.iter().all(has))
    }

    fn stands_for(&self, id: &str) -> bool {
        let id = trimmed(id);
        let is_whole = !self.is_address && self.text.eq_ignore_ascii_case(id);
        !id.is_empty() && (is_whole || self.ids.iter().any(|known| known.eq_ignore_ascii_case(id)))
    }
}

impl From<&str> for PagerDutyRef {
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

impl From<String> for PagerDutyRef {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

/// The id in an address, if the text is an address and has one.
pub fn id_in_address(text: &str) -> Option<&str> {
    address(trimmed(text))?.id
}

/// An address of a page or an API of PagerDuty.
struct Address<'a> {
    id: Option<&'a str>,
}

/// Parts of a text between marks.
fn parts(text: &str, is_mark: impl Fn(char) -> bool) -> Vec<&str> {
    text.split(is_mark).map(trimmed).filter(|part| !part.is_empty()).collect()
}

/// The text as an address. Without a scheme, only PagerDuty's own hosts and the paths of its pages are known for one.
fn address(text: &str) -> Option<Address<'_>> {
    let text = unwrapped(text);
    if let Some(id) = text.strip_suffix('/').filter(|id| is_id(id)) {
        return Some(Address { id: Some(id) });
    }
    let behind_scheme = match text.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => Some(rest),
        _ => None,
    };
    let rest = behind_scheme.unwrap_or_else(|| without_colon(text).trim_start_matches('/'));
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if behind_scheme.is_none() && !is_pagerdutys(host) {
        let is_path = HOLDS_ONE.iter().any(|name| host.eq_ignore_ascii_case(name));
        return id_in_path(rest).filter(|_| is_path).map(|id| Address { id: Some(id) });
    }
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    let split = |path: &'_ str| path.find('?').unwrap_or(path.len());
    let (path, query) = path.split_at(split(path));
    let fragment = &fragment[..split(fragment)];
    Some(Address { id: id_in_path(path).or_else(|| id_in_path(fragment)).or_else(|| id_in_query(query)) })
}

/// The text without the marks of Markdown, mail or a quotation around it.
fn unwrapped(text: &str) -> &str {
    let target = text.strip_suffix(')').and_then(|text| text.split_once("](")).map(|(_, target)| target);
    let marks = ['<', '>', '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{201e}', '\u{ab}', '\u{bb}'];
    target.unwrap_or(text).trim_matches(marks)
}

/// The text behind `https:`, where the slashes are missing.
fn without_colon(text: &str) -> &str {
    match text.split_once(':') {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            rest
        }
        _ => text,
    }
}

/// The id that a list of services or teams is narrowed to, if it is one.
fn id_in_query(query: &str) -> Option<&str> {
    let of_pair = |pair: &'_ str| {
        let (key, id) = pair.split_once('=')?;
        let is_known = ["service_id", "team_id"].iter().any(|known| key.starts_with(known));
        (is_known && may_be_id(bare(id))).then_some(bare(id).len()).map(|length| (key.len() + 1, length))
    };
    let mut ids = query.trim_start_matches('?').split('&').filter_map(|pair| {
        let (start, length) = of_pair(pair)?;
        pair.get(start..start + length)
    });
    ids.next().filter(|_| ids.next().is_none())
}

/// A part of a path without the marks behind it: a full stop, parameters, a blank.
fn bare(segment: &str) -> &str {
    segment.split_once(['.', ';', '%', ')', '"', '\'']).map_or(segment, |(bare, _)| bare)
}

fn is_pagerdutys(host: &str) -> bool {
    let name = host.split_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    name == "pagerduty.com" || name.ends_with(".pagerduty.com")
}

/// Collections of what a reference may stand for.
const HOLDS_ONE: [&str; 4] = ["service-directory", "services", "service_directory", "teams"];

/// Finds the id behind the name of a collection: pages have `/service-directory/P…`, the API `/services/P…`; a tab
/// may follow. Behind any other name, only a text that can be nothing but an id is taken for one.
fn id_in_path(path: &str) -> Option<&str> {
    const HOLDS_OTHERS: [&str; 7] = [
        "incidents",
        "alerts",
        "users",
        "escalation_policies",
        "escalation-policies",
        "schedules",
        "extensions",
    ];
    let segments: Vec<&str> = path.split('/').map(bare).filter(|segment| !segment.is_empty()).collect();
    let is_one_of =
        |names: &[&str], segment: &str| names.iter().any(|name| segment.eq_ignore_ascii_case(name));
    let pairs = || segments.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)));
    let named = pairs().find(|(collection, id)| is_one_of(&HOLDS_ONE, collection) && may_be_id(id));
    let unmistakable = || {
        let before = std::iter::once("").chain(segments.iter().copied());
        before
            .zip(segments.iter().copied())
            .filter(|(before, id)| {
                !is_one_of(&HOLDS_OTHERS, before) && is_id(id) && *id == id.to_ascii_uppercase()
            })
            .last()
    };
    named.or_else(unmistakable).map(|(_, id)| id)
}

/// `true` if a text behind the name of a collection is an id, and not a page such as `new`.
fn may_be_id(text: &str) -> bool {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    is_plain && (has_digit(text) || is_upper || is_id(text))
}

/// `true` if a text has the form of PagerDuty's ids: `P` or `Q` and at least six more letters and digits, in any
/// case. In lower case without a digit it is a word.
fn is_id(text: &str) -> bool {
    let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    (7..=14).contains(&text.len())
        && text.starts_with(['P', 'Q', 'p', 'q'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && (has_digit(text) || is_upper)
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_copy_them_name_the_id() {
        for address in [
            "https://acme.pagerduty.com/service-directory/PSVC001",
            "https://acme.pagerduty.com/services/PSVC001/integrations?service_profile=1",
            "https://acme.pagerduty.com/service-directory/PSVC001/settings/",
            "https://acme.pagerduty.com/service-directory/PSVC001#activity",
            "https://acme.pagerduty.com/service-directory/PSVC001?tab=x#y",
            "acme.pagerduty.com/service-directory/PSVC001",
            "acme.eu.pagerduty.com/services/psvc001",
            "//acme.pagerduty.com/services/PSVC001",
            "HTTPS://WWW.ACME.PagerDuty.COM/service-directory/PSVC001",
            "https://api.pagerduty.com/services/PSVC001",
            "https://acme.pagerduty.com/#/services/PSVC001",
            " https://acme.pagerduty.com/services/PSVC001/ \n",
            "<https://acme.pagerduty.com/services/PSVC001>",
            "https://acme.pagerduty.com/somewhere/new/PSVC001/integrations",
            "/service-directory/PSVC001",
            "service-directory/PSVC001",
            "services/PSVC001",
            "[x](https://acme.pagerduty.com/service-directory/PSVC001)",
            "\"https://acme.pagerduty.com/service-directory/PSVC001\"",
            "PSVC001/",
            "https:acme.pagerduty.com/services/PSVC001",
            "https:/acme.pagerduty.com/services/PSVC001",
            "https://acme.pagerduty.com/services/PSVC001%20",
            "https://acme.pagerduty.com/services/PSVC001.",
            "https://acme.pagerduty.com/services/PSVC001;x=1",
            "https://acme.pagerduty.com/service-directory?service_ids[]=PSVC001",
            "https://acme.pagerduty.com/incidents?service_ids%5B%5D=PSVC001&x=1",
        ] {
            let written = PagerDutyRef::parse(address);
            assert_eq!(written.ids(), ["PSVC001"], "{address}");
            assert!(written.is_address_of("PSVC001") && written.is("psvc001"), "{address}");
            assert!(!written.is_id("PSVC001") && !written.is_name(address), "{address}");
        }
    }

    #[test]
    fn an_address_without_an_id_names_nothing() {
        for address in [
            "https://acme.pagerduty.com",
            "https://acme.pagerduty.com/service-directory/",
            "https://acme.pagerduty.com/services/new",
            "https://acme.pagerduty.com/incidents/Q3YON8WNWTZMRQ",
            "acme.pagerduty.com/service-directory?query=checkout",
            "https://acme.pagerduty.com/incidents?service_ids[]=PSVC001&service_ids[]=PSVC002",
            "Checkout (https://acme.pagerduty.com/services/PSVC001)",
        ] {
            let written = PagerDutyRef::parse(address);
            assert!(written.names_nothing() && !written.is("PSVC001"), "{address}");
        }
        assert!(!PagerDutyRef::parse("Checkout API").names_nothing());
    }

    #[test]
    fn ids_match_in_any_case_and_names_exactly() {
        let id = PagerDutyRef::parse(" psvc001 ");
        assert!(id.is_id("PSVC001") && id.is("PSVC001 ") && !id.is("PSVC002"));
        let name = PagerDutyRef::parse("\u{a0}Checkout API\u{200b}");
        assert!(name.is_name("Checkout API ") && !name.is_name("checkout api") && !name.is("checkout api"));
        let word = PagerDutyRef::parse("payments1");
        assert!(word.is("payments1") && !word.is("Payments1"), "a name may look like an id");
        assert!(!PagerDutyRef::parse("").is("") && !PagerDutyRef::default().is_name(" "));
    }

    #[test]
    fn several_ids_stand_side_by_side() {
        let several =
            PagerDutyRef::parse("PSVC001, psvc002,https://acme.pagerduty.com/services/PSVC003/settings");
        assert_eq!(several.ids(), ["PSVC001", "PSVC002", "PSVC003"]);
        assert!(several.is("PSVC002"));
        for written in
            ["PSVC001;PSVC002", "PSVC001 psvc002", "PSVC001\nPSVC002", "services/PSVC001; services/PSVC002"]
        {
            assert_eq!(PagerDutyRef::parse(written).ids(), ["PSVC001", "PSVC002"], "{written}");
        }
        assert!(PagerDutyRef::parse("PAYMENT PROCESS").is_name("PAYMENT PROCESS"));
        assert!(!PagerDutyRef::parse("PAYMENT PROCESS").is("PAYMENT"));
        let name = PagerDutyRef::parse("Payments, Europe");
        assert!(name.is_name("Payments, Europe") && !name.is("Payments"));
    }
}
