//! Host names that the admin listener answers to.

use serde::Serialize;

use super::value::read_from_text;

/// Host name of a `Host` header, in lower case and without a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct HostName(String);

impl HostName {
    /// The name in lower case, without a port.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

read_from_text!(HostName);

impl TryFrom<String> for HostName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = text.trim().trim_end_matches('.');
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = !name.is_empty() && !name.starts_with('.') && name.bytes().all(of_a_name);
        let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_ipv6 = inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
        if is_name || is_ipv6 {
            return Ok(Self(name.to_ascii_lowercase()));
        }
        Err("is not a host name such as \"dora.internal\": leave out the scheme, the port and the path")
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_kept_in_lower_case_without_a_final_dot() {
        let kept = |text: &str| HostName::try_from(text.to_owned()).map(String::from);
        assert_eq!(kept(" Dora.Internal. ").unwrap(), "dora.internal");
        assert_eq!(kept("192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(kept("[2001:DB8::1]").unwrap(), "[2001:db8::1]");
        for wrong in ["", " ", "dora.internal:8081", "http://dora.internal", "a/b", "a b", "[x]", "*"] {
            assert!(kept(wrong).is_err(), "{wrong}");
        }
    }
}
