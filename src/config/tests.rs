use secrecy::ExposeSecret;

use super::*;

#[test]
fn the_example_says_what_holds_without_a_file() {
    let example = Config::parse(EXAMPLE).unwrap().show().unwrap();
    assert_eq!(example, Config::default().show().unwrap());
}

/// What is shown may be read again.
#[test]
fn what_is_shown_is_a_configuration() {
    let shown = Config::parse(FULL).unwrap().show().unwrap();
    let again = Config::parse(&shown).unwrap().show().unwrap();
    assert_eq!(shown, again);
}

const FULL: &str = r#"
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

/// Every mistake names its line, its key and what is allowed.
#[test]
fn mistakes_are_told_so_that_they_can_be_mended() {
    let mistakes = [
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
        "[store]\nretention = \"0s\"",
        "[pagerduty]\nsigning_secrets = \"canary-0123456789\"",
        "[pagerduty]\nsigning_secrets = [\n\"Y2FuYXJ5LTAxMjM0NTY3ODk==\",\n]",
    ];
    let told: Vec<String> =
        mistakes.iter().map(|text| format!("{text}\n=> {}\n", Config::parse(text).unwrap_err())).collect();
    let told = told.join("\n");
    assert!(
        !told.split("=> ").skip(1).any(|message| message.lines().next().unwrap().contains("canary")),
        "{told}"
    );
    insta::assert_snapshot!(told);
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[pagerduty]\nsigning_secrets = [{ file = \"secret\" }]\n").unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef\n").unwrap();
    let config = Config::read(&file).unwrap();
    assert_eq!(config.store.path, folder.path().join("pagerduty-dora.db"));
    let secret = config.pagerduty.signing_secrets[0].fetch(16).unwrap();
    assert_eq!(secret.expose_secret(), "0123456789abcdef");
}

#[test]
fn secrets_that_are_none_are_refused() {
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
