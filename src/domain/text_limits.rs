//! Limits of the texts by which the store finds rows. They are the same for each engine of the store.
//!
//! PostgreSQL holds no U+0000 in a text, and about 2,700 bytes in a row of an index. With these limits the longest row of
//! an index fits. It has three names, an id of a failure or deployment (128 bytes) and two times.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Maximum length of the id and of the type of an event, in bytes. PagerDuty's ids have 26.
pub const LONGEST_ID: usize = 512;

/// Maximum length of a name, in bytes: of a service, a team, an env, a severity, a version or a backend. That is 256
/// characters in most scripts, and PagerDuty, GitHub and GitLab allow 255.
pub const LONGEST_NAME: usize = 768;

/// Bytes of the hash at the end of a name that is cut.
const HASH_BYTES: usize = 8;

/// Reason why a text cannot be an id or a name. Shown as the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitText {
    /// It has a control character.
    #[error("holds a control character, such as a tab or a line end")]
    Control,
    /// It is longer than this number of bytes.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
}

/// Checks an id, or the type of an event.
pub fn check_id(id: &str) -> Result<(), UnfitText> {
    check(id, LONGEST_ID)
}

/// Checks a name.
pub fn check_name(name: &str) -> Result<(), UnfitText> {
    check(name, LONGEST_NAME)
}

fn check(text: &str, longest: usize) -> Result<(), UnfitText> {
    match text {
        _ if text.len() > longest => Err(UnfitText::TooLong(longest)),
        _ if text.contains(char::is_control) => Err(UnfitText::Control),
        _ => Ok(()),
    }
}

/// Makes a name fit, for names whose sender cannot correct them. Control characters become blanks. A name that is too
/// long is cut and ends with a hash of the whole name, so that two names that differ still differ.
pub fn fitting_name(name: &str) -> Cow<'_, str> {
    if check_name(name).is_ok() {
        return Cow::Borrowed(name);
    }
    let clean = on_one_line(name.to_owned());
    if clean.len() <= LONGEST_NAME {
        return Cow::Owned(clean);
    }
    let end = clean.floor_char_boundary(LONGEST_NAME - 2 * HASH_BYTES - '~'.len_utf8());
    let hash = hex::encode(&Sha256::digest(name)[..HASH_BYTES]);
    Cow::Owned(format!("{}~{hash}", &clean[..end]))
}

/// A text for people, with blanks for control characters.
pub fn on_one_line(text: String) -> String {
    if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_and_names_have_a_length_and_no_control_characters() {
        for (longest, check) in [(LONGEST_ID, check_id as fn(&str) -> _), (LONGEST_NAME, check_name)] {
            assert_eq!(check(&"x".repeat(longest)), Ok(()));
            assert_eq!(check(&"x".repeat(longest + 1)), Err(UnfitText::TooLong(longest)));
            assert_eq!(check(&"\u{e9}".repeat(longest / 2 + 1)), Err(UnfitText::TooLong(longest)));
            for control in ["a\0", "a\tb", "a\nb", "\u{7f}", "\u{85}"] {
                assert_eq!(check(control), Err(UnfitText::Control), "{control:?}");
            }
        }
        assert_eq!(check_name(&"\u{20ac}".repeat(255)), Ok(()));
    }

    #[test]
    fn a_name_is_cut_so_that_it_still_differs() {
        let long = "\u{20ac}".repeat(300);
        let cut = fitting_name(&long).into_owned();
        assert_eq!(cut, format!("{}~f0bfafb140a383bc", "\u{20ac}".repeat(250)));
        assert_ne!(fitting_name(&format!("{long}x")), cut);
        assert_eq!(fitting_name("check\tout\0"), "check out ");
        assert_eq!(fitting_name("checkout"), Cow::Borrowed("checkout"));
    }

    proptest! {
        #[test]
        fn every_name_fits(start in "\\PC{0,4}[\u{0}-\u{a0}]{0,4}", part in "\\PC{1,3}|[\u{0}-\u{a0}]", times in 0..900_usize) {
            let name = format!("{start}{}", part.repeat(times));
            let fitting = fitting_name(&name);
            prop_assert_eq!(check_name(&fitting), Ok(()));
            prop_assert_eq!(&fitting_name(&fitting), &fitting);
            prop_assert_eq!(fitting == name, check_name(&name).is_ok());
        }
    }
}
