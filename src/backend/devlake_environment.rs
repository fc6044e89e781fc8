//! The environments of Apache DevLake, and the names that people give them.

use Environment::{Development, Production, Staging, Testing};

/// DevLake has four environments, and its figures count PRODUCTION alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Environment {
    Production,
    Staging,
    Testing,
    Development,
}

impl Environment {
    const fn as_str(self) -> &'static str {
        match self {
            Production => "PRODUCTION",
            Staging => "STAGING",
            Testing => "TESTING",
            Development => "DEVELOPMENT",
        }
    }
}

/// DevLake's environment for an env, by the words in its name.
///
/// A word for another environment wins over a word for production, in any position: `pre-prod` and `test-prod` are not
/// production. An env without any known word is not production either.
pub(super) fn environment(env: &str) -> &'static str {
    let words: Vec<String> = words(env).iter().flat_map(|word| split_off_production(word)).collect();
    // `no` before a word for production negates it (`no-prod`). Elsewhere it is Norway (`prod-no`).
    let is_country =
        |at: usize| words[at] == "no" && words.get(at + 1).and_then(|next| meaning(next)) != Some(Production);
    let meant: Vec<Environment> =
        (0..words.len()).filter(|at| !is_country(*at)).filter_map(|at| meaning(&words[at])).collect();
    let other = meant.iter().find(|meant| **meant != Production);
    other.or(meant.first()).copied().unwrap_or(Development).as_str()
}

/// Words of a name, in lower case: runs of letters. A capital letter after a small one begins a new word (`euProd`).
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = None::<char>;
    for c in name.chars() {
        let begins = c.is_uppercase() && before.is_some_and(char::is_lowercase);
        if begins || !c.is_alphabetic() {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = Some(c);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Regions that people write together with "live" (`liveeu`). Together with other letters, "live" is a part of another
/// word (`olive`).
const REGIONS: [&str; 22] = [
    "eu",
    "us",
    "uk",
    "gb",
    "de",
    "fr",
    "ca",
    "au",
    "jp",
    "sg",
    "br",
    "ap",
    "na",
    "apac",
    "emea",
    "east",
    "west",
    "central",
    "useast",
    "uswest",
    "euwest",
    "eucentral",
];

/// Splits a word in which a word for production is written together with another one (`prodeu`, `useastprod`,
/// `nonprod`, `euprd`).
fn split_off_production(word: &str) -> Vec<String> {
    // Longest first. `product` and `producer` are no environments. Other words contain "live", too (`olive`).
    for production in ["production", "prod", "prd", "live"] {
        let is_other_word = |rest: &str| match production {
            "prod" => rest.starts_with("uc") || rest.starts_with("uk"),
            "live" => !REGIONS.contains(&rest) && meaning(rest).is_none(),
            _ => false,
        };
        if let Some(rest) = word.strip_prefix(production).filter(|rest| !is_other_word(rest)) {
            return [production, rest].map(str::to_owned).to_vec();
        }
        if let Some(rest) = word.strip_suffix(production).filter(|rest| !is_other_word(rest)) {
            return [rest, production].map(str::to_owned).to_vec();
        }
    }
    vec![word.to_owned()]
}

/// Environment that a word means, if any.
fn meaning(word: &str) -> Option<Environment> {
    match word {
        "prod" | "production" | "prd" | "live" | "produktion" | "produktiv" => Some(Production),
        "stage" | "staging" | "stag" | "stg" | "uat" | "acceptance" | "pre" | "prelive" => Some(Staging),
        "test" | "tests" | "testing" | "tst" | "qa" => Some(Testing),
        "dev" | "devel" | "develop" | "development" | "local" | "sandbox" | "demo" | "preview" | "non"
        | "no" | "not" | "nonlive" | "like" => Some(Development),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of environments by DevLake's word for them, separated by bars.
    const NAMES: [(&str, &str); 4] = [
        (
            "PRODUCTION",
            "production | Production | prod | PROD | prd | live | eu-prod | prod_us | production-eu | \
             Prod-EU | eu.prod | EU PROD | eu/prod | prod2 | prod-01 | eu1prod | prodeu | euProd | \
             ProdEU | useast1-production | k8s-prd-1 | live-eu | acme:live | canary-prod | \
             product-api-prod | prod-no | testimonials-prod | euprd | prdeu | PRD01 | liveeu | eulive | \
             uswestlive",
        ),
        (
            "STAGING",
            "staging | stage | stg | STAGE-2 | eu-stage | uat | uat2 | preprod | pre-prod | pre_prod | \
             preProd | PREPROD | preproduction | pre-production-eu | prod-stage | prod-uat | pre-live | \
             preprd | prelive",
        ),
        (
            "TESTING",
            "test | testing | qa | qa2 | eu-test | prod-test | testprod | test-live | TEST1 | testlive | \
             prdtest",
        ),
        (
            "DEVELOPMENT",
            "- | dev | development | eu-1 | nonprod | non-prod | NonProd | not-production | noprod | \
             prod-like | dev-prod | product | product-catalog | producer | reproduce | nonprd | nonlive | \
             devprd | olive | oliver | lively | relive | liverpool | alive | livestock | delivery | \
             contest | latest | backstage | main | sandbox",
        ),
    ];

    #[test]
    fn the_words_in_the_name_of_an_env_decide() {
        for (expected, names) in NAMES {
            for env in names.split(" | ") {
                assert_eq!(environment(env), expected, "{env}");
            }
        }
    }
}
