use crate::config::Config;

/// The message about a table with these lines, or its warnings, or nothing.
fn found(lines: &str) -> String {
    let sources = "[github]\nsigning_secrets = [{ env = \"A\" }]\n[gitlab]\ntokens = [{ env = \"B\" }]\n";
    found_in(&format!("{sources}[[deployment]]\nname = \"shop\"\n{lines}\n"))
}

fn found_in(text: &str) -> String {
    match Config::parse(text) {
        Ok(config) => config.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_complete_table_is_read() {
    let lines = r#"
source = ["github", "gitlab"]
repository = ["acme/shop", "acme/shop-*"]
environment = ["(?<service>[a-z-]+)-(?<env>production|staging)"]
ref = ["main", "v.*"]
creator = ["ada"]
services = ["{service}", "{repository}/{payload.part}"]
env = "{env}"
version = "{ref}"
team = "shop"
action = "count""#;
    assert_eq!(found(lines), "");
    let github_only = r#"
source = ["github"]
workflow = ['\.github/workflows/(?<service>.*)\.yml']
job = ["deploy"]
task = ["deploy"]
services = ["{service}"]
version = """#;
    assert_eq!(found(github_only), "");
    assert_eq!(found("environment = [\"test.*\"]\naction = \"ignore\""), "");
}

#[test]
fn a_mistake_is_reported_with_line_key_and_remedy() {
    let mistakes = [
        "enviroment = [\"production\"]",
        "source = [\"bitbucket\"]",
        "source = []",
        "repository = [\"https://github.com/acme/shop\"]",
        "repository = [\" \"]",
        "environment = \"production\"",
        "environment = []",
        "environment = [\n\"production\",\n\"(\"]",
        "environment = [\"(?<a>x)|(?<a>y)\"]",
        "services = [\"{service}\"]",
        "environment = [\"(?<service>.*)\"]\nservices = [\"{service}\", \"{servce}\"]",
        "services = [\"\"]",
        "services = [\"{repository\"]",
        "services = [\"{}\"]",
        "env = \" \"",
        "env = \"{payload.}\"",
        "team = \"{team}\"",
        "version = 1.2",
        "version = \"a\\tb\"",
        "action = \"drop\"",
        "[[deployment]]\nname = \"shop\"",
        "[[deployment]]\naction = \"ignore\"",
    ];
    let messages: Vec<String> =
        mistakes.iter().map(|lines| format!("{lines}\n=> {}\n", found(lines))).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn values_without_effect_are_warned_about() {
    let with_next = |first: &str, second: &str| format!("{first}\n[[deployment]]\nname = \"next\"\n{second}");
    let warned = [
        "environment = [\"production\", \"[a&&b]\"]".to_owned(),
        "environment = [\"test.*\"]\nservices = [\"x\"]\naction = \"ignore\"".to_owned(),
        "services = [\"x\"]".to_owned(),
        "source = [\"gitlab\"]\njob = [\"deploy\"]".to_owned(),
        "source = [\"gitlab\"]\nservices = [\"{payload.service}\"]".to_owned(),
        "source = [\"github\"]\nenvironment = [\"live\"]\nenv = \"{tier}\"\nversion = \"{tier}\"".to_owned(),
        with_next("environment = [\".*\"]", "environment = [\"production\"]"),
        with_next("repository = [\"acme/*\"]", "repository = [\"acme/shop-*\"]\nenvironment = [\"x\"]"),
    ];
    let mut messages: Vec<String> =
        warned.iter().map(|lines| format!("{lines}\n=> {}\n", found(lines))).collect();
    let texts = [
        "[github]\n[gitlab]\n".to_owned(),
        "[[deployment]]\nname = \"shop\"\nenvironment = [\"x\"]\n".to_owned(),
        "[github]\nsigning_secrets = [{ env = \"A\" }]\n[[deployment]]\nname = \"shop\"\nsource = [\"gitlab\"]\n".to_owned(),
        "[gitlab]\ntokens = [{ env = \"A\" }]\n[[deployment]]\nname = \"shop\"\nworkflow = [\".*\"]\n".to_owned(),
        "[github]\ntoken = { env = \"A\" }\n[[deployment]]\nname = \"shop\"\njob = [\".*\"]\nenv = \"{workflow}\"\n".to_owned(),
        "[github]\ntoken = { env = \"A\" }\n[gitlab]\ntoken = { env = \"B\" }\n[[deployment]]\nname = \"shop\"\njob = [\".*\"]\n".to_owned(),
    ];
    messages.extend(texts.iter().map(|text| format!("{text}=> {}\n", found_in(text))));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn sources_without_tables_are_fine() {
    assert_eq!(found_in("[github]\nsigning_secrets = [{ env = \"A\" }]\n"), "");
    assert_eq!(found_in("[gitlab]\nsigning_secrets = [{ env = \"A\" }]\n"), "");
}

#[test]
fn each_source_has_a_path_of_its_own() {
    for (text, expected) in [
        ("[github]\npath = \"/webhooks/pagerduty/\"\n", "github.path: is the same path as pagerduty.path"),
        ("[github]\n[gitlab]\npath = \"/webhooks/github\"\n", "gitlab.path: is the same path as github.path"),
        ("[github]\npath = \"/api/v2/dora/failure\"\n", "must not be under /api/v2/dora/"),
    ] {
        let message = Config::parse(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    assert!(Config::parse("[pagerduty]\npath = \"/webhooks/github\"\n").is_ok(), "GitHub is off");
}

#[test]
fn a_shown_table_can_be_read_again() {
    let text = "[[deployment]]\nname = \"shop\"\nenvironment = [\"(?<service>.*)\"]\nservices = [\"{service}\"]\nversion = \"\"\n";
    let shown = Config::parse(text).unwrap().show().unwrap();
    assert_eq!(Config::parse(&shown).unwrap().show().unwrap(), shown);
    assert_eq!(Config::parse(text).unwrap().policy(), Config::parse(&shown).unwrap().policy());
}
