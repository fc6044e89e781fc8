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
    /// Reads a text. Several ids or addresses stand side by side, with commas between them; every other text with a
    /// comma is one name.
    pub fn parse(text: &str) -> Self {
        let text = trimmed(text);
        let parts: Vec<&str> = text.split(',').map(trimmed).filter(|part| !part.is_empty()).collect();
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

    /// `true` if it is this id or this name.
    pub fn is(&self, id_or_name: &str) -> bool {
        self.is_name(id_or_name) || self.stands_for(id_or_name)
    }

    /// `true` if it is an address without an id, which no service matches.
    pub fn names_nothing(&self) -> bool {
        self.is_address && self.ids.is_empty()
    }

    /// `true` if it is an address.
    pub fn is_address(&self) -> bool {
        self.is_address
    }

    /// `true` if it matches everything that the other matches.
    pub fn includes(&self, other: &Self) -> bool {
        let is_same = !self.is_address && !other.is_address && self.text == other.text;
        let has_all = !other.ids.is_empty() && other.ids.iter().all(|id| self.stands_for(id));
        is_same || has_all
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

/// The text as an address. Without a scheme, only PagerDuty's own hosts are known for one.
fn address(text: &str) -> Option<Address<'_>> {
    let text = text.trim_start_matches('<').trim_end_matches('>');
    let behind_scheme = match text.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => Some(rest),
        _ => None,
    };
    let rest = behind_scheme.unwrap_or_else(|| text.trim_start_matches('/'));
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if behind_scheme.is_none() && !is_pagerdutys(host) {
        return None;
    }
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    let without_query = |path: &'_ str| path.find('?').unwrap_or(path.len());
    let path = &path[..without_query(path)];
    let fragment = &fragment[..without_query(fragment)];
    Some(Address { id: id_in_path(path).or_else(|| id_in_path(fragment)) })
}

fn is_pagerdutys(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    name == "pagerduty.com" || name.ends_with(".pagerduty.com")
}

/// Finds the id behind the name of a collection: pages have `/service-directory/P…`, the API `/services/P…`; a tab
/// may follow. Behind any other name, only a text that can be nothing but an id is taken for one.
fn id_in_path(path: &str) -> Option<&str> {
    const HOLDS_ONE: [&str; 4] = ["service-directory", "services", "service_directory", "teams"];
    const HOLDS_OTHERS: [&str; 7] = [
        "incidents",
        "alerts",
        "users",
        "escalation_policies",
        "escalation-policies",
        "schedules",
        "extensions",
    ];
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
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
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    is_plain && (has_digit || is_upper || is_id(text))
}

/// `true` if a text has the form of PagerDuty's ids: `P` or `Q` and at least six more letters and digits, in any
/// case. In lower case without a digit it is a word.
fn is_id(text: &str) -> bool {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    (7..=14).contains(&text.len())
        && text.starts_with(['P', 'Q', 'p', 'q'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && (has_digit || is_upper)
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
        ] {
            let written = PagerDutyRef::parse(address);
            assert!(written.names_nothing() && written.ids().is_empty(), "{address}");
        }
        assert!(!PagerDutyRef::parse("Checkout API").names_nothing());
    }

    #[test]
    fn ids_match_in_any_case_and_names_exactly() {
        let id = PagerDutyRef::parse(" psvc001 ");
        assert!(id.is_id("PSVC001") && id.is("PSVC001 ") && !id.is("PSVC002"));
        let name = PagerDutyRef::parse("\u{a0}Checkout API\u{200b}");
        assert!(name.is_name("Checkout API ") && !name.is_name("checkout api"));
        assert!(!PagerDutyRef::parse("").is("") && !PagerDutyRef::default().is_name(" "));
    }

    #[test]
    fn several_ids_stand_side_by_side() {
        let several =
            PagerDutyRef::parse("PSVC001, psvc002,https://acme.pagerduty.com/services/PSVC003/settings");
        assert_eq!(several.ids(), ["PSVC001", "PSVC002", "PSVC003"]);
        assert!(several.is("PSVC002"));
        let name = PagerDutyRef::parse("Payments, Europe");
        assert!(name.is_name("Payments, Europe") && !name.is("Payments"));
    }
}
