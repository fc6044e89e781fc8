//! References to services and teams of PagerDuty, in all the forms in which people write and copy them.

use super::name::trimmed;

/// A service or team of PagerDuty as somebody wrote it: an exact name, one or several ids, or an address with an id in
/// it.
///
/// Blanks around it and the case of ids do not matter. Only this module compares such texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PagerDutyRef {
    text: String,
    ids: Vec<String>,
    is_address: bool,
}

impl PagerDutyRef {
    /// Reads a text. Several ids or addresses are separated by commas, semicolons or blanks. Every other text with such
    /// a separator in it is one name.
    pub fn parse(text: &str) -> Self {
        let text = trimmed(text);
        // An id without a digit may be a word of a name, such as `PAYMENT PROCESS`.
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

    /// The ids that it stands for, in upper case. A text that does not look like an id counts as one, too, because
    /// PagerDuty does not promise the form of its ids.
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

    /// `true` if it is this id or this name. Ids match in upper or lower case, names only exactly. `id_or_name` with a
    /// lower-case letter counts as an id only if `self` is an address: PagerDuty writes ids in upper case.
    pub fn is(&self, id_or_name: &str) -> bool {
        let may_be_id = self.is_address || !id_or_name.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_id = || may_be_id && self.ids.iter().any(|id| id.eq_ignore_ascii_case(trimmed(id_or_name)));
        self.is_name(id_or_name) || is_id()
    }

    /// `true` if no service can match it: it is an address without an id, or a text with an address of PagerDuty from
    /// which no id can be read.
    pub fn cannot_match(&self) -> bool {
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

    /// `true` if the others together match everything that it matches.
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

/// Parts of a text between separators, without blank parts.
fn parts(text: &str, is_mark: impl Fn(char) -> bool) -> Vec<&str> {
    text.split(is_mark).map(trimmed).filter(|part| !part.is_empty()).collect()
}

/// Reads a text as an address. Without a scheme, only PagerDuty's own hosts and the paths of its pages are recognised.
fn address(text: &str) -> Option<Address<'_>> {
    let text = unwrapped(text);
    if let Some(id) = text.strip_suffix('/').filter(|id| is_id(id)) {
        return Some(Address { id: Some(id) });
    }
    let behind_scheme = match text.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => Some(rest),
        _ => None,
    };
    let rest = behind_scheme.unwrap_or_else(|| without_web_scheme(text).trim_start_matches('/'));
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if behind_scheme.is_none() && !is_pagerdutys(host) {
        let is_path = COLLECTIONS.iter().any(|name| host.eq_ignore_ascii_case(name));
        return id_in_path(rest).filter(|_| is_path).map(|id| Address { id: Some(id) });
    }
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    let split = |path: &'_ str| path.find('?').unwrap_or(path.len());
    let (path, query) = path.split_at(split(path));
    let fragment = &fragment[..split(fragment)];
    Some(Address { id: id_in_path(path).or_else(|| id_in_path(fragment)).or_else(|| id_in_query(query)) })
}

/// Removes the marks of Markdown, mail or a quotation around a text.
fn unwrapped(text: &str) -> &str {
    let target = text.strip_suffix(')').and_then(|text| text.split_once("](")).map(|(_, target)| target);
    let marks = ['<', '>', '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{201e}', '\u{ab}', '\u{bb}'];
    target.unwrap_or(text).trim_matches(marks)
}

/// Removes `http:` or `https:` at the beginning of a text in which slashes are missing.
fn without_web_scheme(text: &str) -> &str {
    match text.split_once(':') {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            rest
        }
        _ => text,
    }
}

/// The id in the query of a list of services or teams, if there is exactly one.
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

/// The text of a path segment before a full stop, parameters or an encoded blank. These may follow an id.
fn bare(segment: &str) -> &str {
    segment.split_once(['.', ';', '%', ')', '"', '\'']).map_or(segment, |(bare, _)| bare)
}

fn is_pagerdutys(host: &str) -> bool {
    let name = host.split_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    name == "pagerduty.com" || name.ends_with(".pagerduty.com")
}

/// Names of collections of services or teams in paths.
const COLLECTIONS: [&str; 4] = ["service-directory", "services", "service_directory", "teams"];

/// Finds the id after the name of a collection: pages have `/service-directory/P…`, the API has `/services/P…`. A tab
/// may follow. After any other name, a text counts as an id only if it has the form of one.
fn id_in_path(path: &str) -> Option<&str> {
    const OTHER_COLLECTIONS: [&str; 7] = [
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
    let named = pairs().find(|(collection, id)| is_one_of(&COLLECTIONS, collection) && may_be_id(id));
    let unmistakable = || {
        let before = std::iter::once("").chain(segments.iter().copied());
        before
            .zip(segments.iter().copied())
            .filter(|(before, id)| {
                !is_one_of(&OTHER_COLLECTIONS, before) && is_id(id) && *id == id.to_ascii_uppercase()
            })
            .last()
    };
    named.or_else(unmistakable).map(|(_, id)| id)
}

/// `true` if a text after the name of a collection is an id, and not a page such as `new`.
fn may_be_id(text: &str) -> bool {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    is_plain && (has_digit(text) || is_upper || is_id(text))
}

/// `true` if a text has the form of PagerDuty's ids: `P` or `Q` and 6 to 13 more letters and digits, in upper or lower
/// case. A text with lower-case letters and without a digit is a word.
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
            assert!(written.cannot_match() && !written.is("PSVC001"), "{address}");
        }
        assert!(!PagerDutyRef::parse("Checkout API").cannot_match());
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
    fn one_text_may_list_several_ids() {
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
