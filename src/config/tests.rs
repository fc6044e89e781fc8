use secrecy::ExposeSecret;

use super::*;

#[test]
fn the_example_has_the_defaults() {
    let example = Config::parse(EXAMPLE).unwrap().show().unwrap();
    assert_eq!(example, Config::default().show().unwrap());
}

#[test]
fn a_shown_configuration_can_be_read_again() {
    let shown = Config::parse(FULL).unwrap().show().unwrap();
    let again = Config::parse(&shown).unwrap().show().unwrap();
    assert_eq!(shown, again);
}

const FULL: &str = r#"
[pagerduty.api]
token = { value = "canary-5555555555" }
subscription = "PSUB001"

[[service]]
pagerduty = "PF9KMXH"
services = ["checkout"]
team = "payments"

[[backend]]
name = "datadog"
kind = "datadog"
url = "https://user:hunter2@api.datadoghq.com"
api_key = { value = "canary-0123456789" }
application_key = { value = "canary-9876543210" }
deployments = true
change_failures = true
"#;

#[test]
fn secrets_are_not_shown() {
    let config = Config::parse(FULL).unwrap();
    for shown in [config.show().unwrap(), format!("{config:?}")] {
        assert!(!shown.contains("canary") && !shown.contains("hunter2"), "{shown}");
    }
    assert!(config.show().unwrap().contains("[redacted]"));
}

#[test]
fn tokens_in_the_query_of_a_backend_are_not_shown() {
    let text =
        "[[backend]]\nname = \"sink\"\nkind = \"http\"\nurl = \"https://sink.example/hook?code=canary\"\n";
    let config = Config::parse(text).unwrap();
    for shown in [config.show().unwrap(), format!("{config:?}")] {
        assert!(!shown.contains("canary") && shown.contains("https://sink.example/hook?redacted"), "{shown}");
    }
    assert_eq!(config.backend[0].url.get().query(), Some("code=canary"));
}

/// Configurations with one mistake or several.
const MISTAKES: &[&str] = &[
    "[server]\nlisen = \"127.0.0.1:80\"",
    "[server]\nlisten = \"localhost\"",
    "[store]\nretention = \"two years\"",
    "[store]\nretention = 730",
    "[pagerduty]\npath = \"webhooks\"",
    "[pagerduty]\npath = \"/{id}\"",
    "[pagerduty]\nunverified = \"ignore\"",
    "[pagerduty]\nsigning_secrets = [{ environment = \"X\" }]",
    "[failure]\nstart = \"opened\"",
    "[failure]\nsettle = 10",
    "[failure]\ndefault_env = \"\"",
    "[dora]\ntimezone = \"Mars/Olympus\"",
    "[[rule]]\nname = \"noise\"",
    "[[rule]]\nname = \"min_duration\"\naction = \"count\"",
    "[[rule]]\nname = \"noise\"\naction = \"drop\"",
    "[[rule]]\nname = \"noise\"\naction = \"ignore\"\nurgency = [\"none\"]",
    "[[rule]]\nname = \"noise\"\naction = \"ignore\"\ntitle = [\"disk (\"]",
    "[[rule]]\nname = \"a\"\naction = \"ignore\"\n[[rule]]\nname = \"a\"\naction = \"count\"",
    "[[service]]\nservices = [\"checkout\"]",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"",
    "[[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"api.datadoghq.com\"",
    "[[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"http://x\"\napi_key = { env = \"A\" }\nconcurrency = 0",
    "[[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"http://x\"\napi_key = { env = \"A\" }\n\
     [[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"http://x\"\napi_key = { env = \"A\" }",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"\nurl = \"http://x\"",
    "[[backend]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://x\"\ntoken = { env = \"A\" }",
    "[[backend]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://x\"\ndeployments = true",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"\nurl = \"http://x\"\napi_key = { env = \"A\" }\nchange_failures = true",
    "[[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"http://x\"\napi_key = { env = \"A\" }\nchange_failures = true",
    "[[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"http://x\"\napi_key = { env = \"A\" }\ndeployments = 1",
    "[[backend]]\nname = \"a\"\nkind = \"sleuth\"\nurl = \"http://x\"",
    "[server\n",
    "[[rule]]\nname = \"a\"\naction = \"ignore\"\nservice = []",
    "[[rule]]\nname = \"a\"\naction = \"ignore\"\ntitle = [\n\"disk\",\n\".*\"]",
    "[[rule]]\nname = \"a\"\naction = \"ignore\"\nurgency = [\"low\", \"high\"]",
    "[[rule]]\nname = \"a\"\naction = \"ignore\"\nteam = [\" \"]",
    "[[rule]]\nname = \"a\"\naction = \"ignore\"\nservice = [\"*\"]",
    "[[rule]]\nname = \"a\"\naction = \"ignore\"\nall = true\nurgency = [\"low\"]",
    "[[service]]\npagerduty = \"PSVC001\"\nservices = []",
    "[[service]]\npagerduty = \"PSVC001\"\nservices = [\"a\", \"a \"]",
    "[[service]]\npagerduty = \"PSVC001\"\nenv = \" \"",
    "[service]\npagerduty = \"PSVC001\"",
    "[[service]]\npagerduty = \"PSVC001\"\nservics = [\"a\"]",
    "[[backend]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://x\"\nenvs = []",
    "[[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"https://app.datadoghq.com\"\napi_key = { env = \"A\" }",
    "[[backend]]\nname = \"a\"\nkind = \"datadog\"\nurl = \"http://u:canary@x/api/v2\"\napi_key = { env = \"A\" }",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"\nurl = \"http://x/connections/1/issues\"\napi_key = { env = \"A\" }",
    "[failure]\ncatalog = []",
    "[failure]\ncatalog = [\n\"a/*.yaml\",\n\"***\"]",
    "[failure.severity]\nP1 = \"SEV-1\"\n\"p1 \" = \"SEV-2\"",
    "[failure.severity]\n\" \" = \"SEV-1\"",
    "[store]\npath = \":memory:\"",
    "[store]\npath = \"\"",
    "[pagerduty]\npath = \"/a/../b\"",
    "[server]\nlisten = \"0.0.0.0:8081\"",
    "[log]\nlevel = \"warning\"",
    "[admin]\nhosts = [\"https://dora.internal\"]",
    "[store]\nretention = \"0s\"",
    "[pagerduty]\nsigning_secrets = \"canary-0123456789\"",
    "[pagerduty]\nsigning_secrets = [\n\"Y2FuYXJ5LTAxMjM0NTY3ODk==\",\n]",
    "[pagerduty]\nsigning_secrets = { env = \"CANARY\" }",
    "[pagerduty]\nsigning_secrets = [\n{ env = \"A\" },\n{ envv = \"CANARY\" }]",
    "[pagerduty]\nsigning_secrets = [{ env = \"\" }, { file = \" \" }, { env = \"A\", file = \"b\" }, {}, { env = 1 }]",
    "[pagerduty.signing_secrets]\nfile = \"canary\"",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"\nurl = \"http://x\"\napi_key = [{ env = \"A\" }]",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"\nurl = \"http://x\"\napi_key = \"canary\"",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"\nurl = \"http://x\"\napi_key = { env = canary }",
    "[[backend]]\nname = \"a\"\nkind = \"devlake\"\nurl = \"http://x\"\napi_key = canary",
    "[server]\nlisten = 127.0.0.1:8080\n[failure]\nsettle = 5m # or more\n[[rule]]\nname = noise",
    "[log]\nlevel = true",
    "[log]\nlevel = [\"info\"]",
    "[[backend]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://x\"\nconcurrency = \"4\"",
    "[[service]]\npagerduty = \"PSVC001\"\nservices = [\"a\", \"b\",\n\"\", 5]",
    "[[service]]\npagerduty = \"PSVC001\"\nservices = \"checkout\"",
    "[pagerduty.api]\nurl = \"x\"",
    "[server]\ntls = { key = \"x\" }",
    "[server]\ntls2 = 1",
    "[server]\ntls = { certificate = \"a\", key = \"b\", client_names = [\"c\"] }",
    "[server]\ntls = { certificate = \"a\", key = \"b\", client_names = [\"https://c\"] }",
    "[outgoing]\nproxy = \"socks5://canary@proxy\"",
    "[outgoing]\ncertificate_authority = 1",
    "[[backend]]\n[[rule]]\n[[service]]",
    "[[backend]]\nkind = \"datadog\"",
    "[github]\nsigning_secrets = [\"canary-0123456789\"]",
    "[github]\ntokens = [{ env = \"A\" }]",
    "[gitlab]\npath = \"webhooks\"",
    "[gitlab]\ntokens = { env = \"A\" }",
    "[deployment]\nname = \"a\"",
];

#[test]
fn a_mistake_is_reported_with_line_key_and_remedy() {
    let messages: Vec<String> =
        MISTAKES.iter().map(|text| format!("{text}\n=> {}\n", Config::parse(text).unwrap_err())).collect();
    let messages = messages.join("\n");
    assert!(
        !messages.split("=> ").skip(1).any(|message| message.lines().next().unwrap().contains("canary")),
        "{messages}"
    );
    insta::assert_snapshot!(messages);
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[pagerduty]\nsigning_secrets = [{ file = \"secret\" }]\n").unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef\n").unwrap();
    let config = Config::read(&file).unwrap();
    assert_eq!(config.store.path, Some(folder.path().join("pagerduty-dora.db")));
    let secret = config.pagerduty.signing_secrets[0].fetch(16).unwrap();
    assert_eq!(secret.expose_secret(), "0123456789abcdef");
}

#[test]
fn a_secret_that_is_empty_too_short_or_missing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |content: &str| {
        let path = folder.path().join(content.len().to_string());
        std::fs::write(&path, content).unwrap();
        Secret::File { file: path }
    };
    assert!(matches!(file("\n").fetch(1), Err(SecretError::Empty(_))));
    assert!(matches!(file("short\n").fetch(16), Err(SecretError::TooShort { length: 5, .. })));
    let missing = Secret::File { file: folder.path().join("missing") };
    assert!(matches!(missing.fetch(1), Err(SecretError::Unreadable { .. })));
    let unset = Secret::Env { env: "PAGERDUTY_DORA_SURELY_NOT_SET".into() };
    assert!(matches!(unset.fetch(1), Err(SecretError::NotSet(_))));
}

#[test]
fn credentials_in_the_address_of_a_repository_are_not_kept() {
    let text = "[[service]]\npagerduty = \"P1\"\nrepository_url = \"https://ci:S3CR3T@host/a\"\n";
    let config = Config::parse(text).unwrap();
    assert_eq!(config.policy().services[0].repository_url.as_deref(), Some("https://host/a"));
    assert!(!config.show().unwrap().contains("S3CR3T"));
}

/// Mistakes in single values, and in values that do not fit each other.
#[test]
fn all_mistakes_are_reported_at_once() {
    let values = "[server]\nlisen = \"x\"\nlisten = \"y\"\n[store]\nretention = \"1d\"\n[pagerduty]\nunverified = \"no\"\n\
                  signing_secrets = [\"canary\"]\n[[rule]]\nname = \"a\"\naction = \"drop\"\ntitle = [\"(\", \"ok\"]\n\
                  [[rule]]\naction = \"count\"\n[[backend]]\nname = \"b\"\nkind = \"sleuth\"\nurl = \"y\"\n\
                  concurrency = 900\n[nonsense]\nx = 1\n[[rule]]\nname = \"c\"\naction = \"count\"\nurgency = []\n\
                  [[rule]]\nname = \"c\"\naction = \"count\"\ntitle = [\".*\"]\n[[backend]]\nname = \"d\"\n\
                  kind = \"datadog\"\nurl = \"https://app.datadoghq.com\"\n";
    let together = "[[rule]]\nname = \"a\"\naction = \"count\"\n[[rule]]\nname = \"a\"\naction = \"ignore\"\n\
                    urgency = []\n[[backend]]\nname = \"b\"\nkind = \"datadog\"\n\
                    url = \"https://app.datadoghq.com/?canary\"\ndeployments = true\nchange_failures = true\n";
    let messages = [values, together].map(|text| Config::parse(text).unwrap_err().to_string()).join("\n\n");
    assert!(!messages.contains("canary"), "{messages}");
    insta::assert_snapshot!(messages);
}

#[test]
fn a_wrong_value_in_a_list_is_reported_with_its_own_line() {
    let rule = "[[rule]]\nname = \"a\"\naction = \"ignore\"\n";
    for (text, expected) in [
        (
            format!("{rule}title = [\n\"disk\",\n\"mem (\",\n]\n"),
            "line 6: rule.title: entry 2: \"mem (\" is not a regular expression: unclosed group",
        ),
        (
            format!("{rule}team = [\"a\",\n\"*\"]\n"),
            "line 5: rule.team: entry 2: \"*\" is not a pattern: names are compared exactly; to match all, leave the key out",
        ),
        (
            "[failure]\ncatalog = [\"a.yaml\",\n\"***\"]\n".to_owned(),
            "line 3: failure.catalog: entry 2: \"***\" is not a pattern of file names: ",
        ),
        (
            "[admin]\nhosts = [\n\"dora.internal\",\n\"http://dora\"]\n".to_owned(),
            "line 4: admin.hosts: entry 2: \"http://dora\" is not a host name such as \"dora.internal\": ",
        ),
        (
            "[[service]]\npagerduty = \"PSVC001\"\nservices = [\"a\",\n\" \"]\n".to_owned(),
            "line 4: service.services: entry 2: \" \" is blank: write a name, or leave it out",
        ),
    ] {
        let message = Config::parse(&text).unwrap_err().to_string();
        assert!(message.starts_with(expected) && message.lines().count() == 1, "{message}");
    }
    let both = Config::parse(&format!("{rule}title = [\"(\",\n\"ok\",\n\"[\"]\n")).unwrap_err().to_string();
    assert!(
        both.contains("line 4: rule.title: entry 1: \"(\"")
            && both.contains("line 6: rule.title: entry 3: \"[\""),
        "{both}"
    );
}

#[test]
fn mistakes_that_are_not_shown_are_counted() {
    let messages_of = |mistakes: usize| {
        let text: Vec<String> = (0..mistakes).map(|n| format!("x{n} = 1\n")).collect();
        Config::parse(&text.concat()).unwrap_err().to_string()
    };
    assert_eq!(messages_of(50).lines().count(), 50);
    assert!(messages_of(51).ends_with("\n… 1 further mistake is not shown"), "{}", messages_of(51));
    let messages = messages_of(60);
    assert_eq!(messages.lines().count(), 51, "{messages}");
    assert!(messages.ends_with("\n… 10 further mistakes are not shown"), "{messages}");
    assert!(messages.starts_with("line 1: x0: "), "{messages}");
}

#[test]
fn a_rule_for_all_failures_needs_all_true() {
    let config = |rule: &str| Config::parse(&format!("[[rule]]\nname = \"a\"\naction = \"ignore\"\n{rule}"));
    for rule in ["all = true", "all = true\nservice = []", "all = true\ntitle = [\".*\"]"] {
        let policy = config(rule).unwrap().policy();
        assert!(policy.rules[0].title.is_empty() && policy.rules[0].service.is_empty(), "{rule}");
    }
    for rule in ["", "all = false", "title = [\"^$\", \"\"]", "title = [\"(a|)\"]"] {
        assert!(config(rule).is_err(), "{rule}");
    }
    for rule in ["title = [\"^$\"]", "urgency = [\"high\"]", "service = [\"Payments, Europe\"]"] {
        assert!(config(rule).is_ok(), "{rule}");
    }
}

#[test]
fn values_without_effect_are_warned_about() {
    let text = r#"
[failure]
settle = "15d"
[dora]
link_window = "0s"
[[rule]]
name = "low"
urgency = ["low"]
action = "ignore"
[[rule]]
name = "low disks"
urgency = ["low"]
title = ["disk"]
action = "count"
[[rule]]
name = "elsewhere"
service = ["https://acme.pagerduty.com/services"]
action = "count"
[[service]]
pagerduty = "PSVC001"
env = "prod"
[[service]]
pagerduty = " psvc001 "
env = "staging"
[[service]]
pagerduty = "https://acme.pagerduty.com/service-directory/PSVC002/settings"
env = "prod"
[[service]]
pagerduty = "PSVC002"
env = "prod"
[[service]]
pagerduty = "https://acme.pagerduty.com/service-directory"
env = "prod"
[[service]]
pagerduty = "Checkout API"
env = "prod"
[[service]]
pagerduty = "Checkout API "
env = "prod"
[[backend]]
name = "devlake"
kind = "devlake"
url = "http://127.0.0.1:1"
api_key = { env = "A" }
"#;
    let warnings: Vec<String> =
        Config::parse(text).unwrap().warnings().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"));
    assert!(Config::parse(EXAMPLE).unwrap().warnings().is_empty());
    assert!(Config::parse(FULL).unwrap().warnings().is_empty());
    let spelled = "[[service]]\npagerduty = \"PSVC001\"\nenv = \"Production\"\n";
    assert_eq!(Config::parse(spelled).unwrap().warnings().len(), 1);
    let by_default =
        "[[service]]\npagerduty = \"PSVC001\"\nenv = \"staging\"\n[[service]]\npagerduty = \"PSVC002\"\n";
    assert!(Config::parse(by_default).unwrap().warnings().is_empty());
}

#[test]
fn blanks_around_names_do_not_count() {
    let text = "[[service]]\npagerduty = \" PSVC001\"\nservices = [\" checkout \"]\nteam = \"pay\\u00a0\"\n\
                [failure.severity]\n\" P1 \" = \" SEV-1\"\n";
    let policy = Config::parse(text).unwrap().policy();
    assert_eq!(
        (policy.services[0].services.clone(), policy.services[0].team.as_deref()),
        (vec!["checkout".to_owned()], Some("pay"))
    );
    assert_eq!(policy.severity_of("P1 ").map(String::as_str), Some("SEV-1"));
}

/// Each source gives the same secret.
#[test]
fn secrets_of_every_source_are_cleaned_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for (text, expected) in [
        ("0123456789abcdef", Some("0123456789abcdef")),
        ("\u{feff}0123456789abcdef\r\n\n", Some("0123456789abcdef")),
        ("\"0123456789abcdef\"", None),
        ("0123456789\nabcdef", None),
        ("         short          ", None),
    ] {
        std::fs::write(&path, text).unwrap();
        for secret in [Secret::File { file: path.clone() }, Secret::Value { value: text.into() }] {
            let fetched = secret.fetch(16);
            assert_eq!(
                fetched.as_ref().ok().map(ExposeSecret::expose_secret),
                expected,
                "{text:?} {fetched:?}"
            );
            assert!(fetched.err().is_none_or(|error| !error.to_string().contains("0123456789")));
        }
    }
    std::fs::write(&path, "x".repeat(70_000)).unwrap();
    assert!(matches!(Secret::File { file: path }.fetch(1), Err(SecretError::TooLong(_))));
    let here = Secret::File { file: folder.path().to_owned() };
    assert!(matches!(here.fetch(1), Err(SecretError::NotAFile(_))));
    for name in ["", "canary-0123456789==", "A B", "A=B", "1A"] {
        let error = Secret::Env { env: name.into() }.fetch(1).unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
    }
    assert!(matches!(
        Secret::Credential { credential: "../x".into() }.fetch(1),
        Err(SecretError::NoName(..))
    ));
}

#[test]
fn no_message_repeats_a_possible_secret() {
    for written in [
        "[pagerduty]\nsigning_secret = \"my-canary-secret-123456\"\n",
        "[pagerduty]\nsigning_secrets = \"my-canary-secret-123456\"\n",
        "[events_api]\nkeys = [\"my-canary-secret-123456\"]\n",
        "[[backend]]\nname = \"b\"\nkind = \"http\"\nurl = \"http://h\"\nwebhook_secret_2 = \"my-canary-secret-123456\"\n",
        "[pagerduty]\nsecret = \"my-canary-secret-123456\n",
    ] {
        let message = Config::parse(written).unwrap_err().to_string();
        assert!(!message.contains("canary"), "{message}");
    }
}
