use super::*;

fn entity(service: &str, team: Option<&str>, pagerduty: Option<&str>) -> Entity {
    Entity { service: service.into(), team: team.map(Into::into), pagerduty: pagerduty.map(Into::into) }
}

fn entities(text: &str) -> Vec<Entity> {
    parse(text).unwrap().entities.into_iter().map(|(_, entity)| entity).collect()
}

#[test]
fn rule_9_every_kind_of_catalog_file_is_read() {
    let url = Some("https://acme.pagerduty.com/service-directory/PSVC001");
    assert_eq!(
        entities(include_str!("../../../fixtures/catalog/datadog-v2.yaml")),
        [
            entity("checkout", Some("payments"), url),
            entity(
                "search",
                Some("storefront"),
                Some("https://acme.pagerduty.com/service-directory/PSVC002")
            ),
            entity("image-resizer", None, None),
        ]
    );
    assert_eq!(
        entities(include_str!("../../../fixtures/catalog/datadog-v3.yaml")),
        [entity("checkout", Some("payments"), url), entity("orders-db", Some("payments"), None)]
    );
    assert_eq!(
        entities(include_str!("../../../fixtures/catalog/backstage.yaml")),
        [entity("checkout", Some("payments"), Some("PSVC001")), entity("mail", Some("platform"), None)]
    );
}

#[test]
fn a_document_without_a_service_is_skipped() {
    assert_eq!(entities(""), []);
    let bare = "dd-service: checkout\nintegrations:\nspec:\nmetadata:\n";
    assert_eq!(entities(bare), [entity("checkout", None, None)]);
    assert_eq!(entities("---\n---\nsome: thing\n---\nkind: service\nmetadata: {}\n"), []);
    let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: checkout\n";
    assert_eq!(entities(other), []);
}

#[test]
fn a_mistake_has_its_line() {
    let (line, message) = parse("dd-service: a\n---\ndd-service: [b\n").unwrap_err();
    assert!(line.is_some_and(|line| line >= 3), "{line:?} {message}");
    for (text, at) in [
        ("dd-service: a\nteam: [b]\n", 2),
        ("dd-service: a\nteam: b\nteam: c\n", 3),
        ("x: 1\n---\napiVersion: v3\nkind: service\nmetadata: text\n", 5),
        ("dd-service: a\nintegrations:\n  pagerduty:\n    service-url: {a: b}\n", 4),
        ("- x: &x\n...\ndd-service: a\nbroken: [\n", 4),
    ] {
        let (line, message) = parse(text).unwrap_err();
        assert_eq!(line, Some(at), "{text}");
        assert!(!message.contains("line") && !message.contains('\n'), "{message}");
    }
}

const OURS: &str = "dd-service: checkout\nteam: payments\n";

/// Documents of other tools, each with something that documents for this program never have.
#[test]
fn documents_of_other_kinds_are_skipped_whatever_they_contain() {
    for foreign in [
        "apiVersion: example.org/v1\nkind: PlatformComponent\nmetadata:\n  name: [a]\nspec:\n  owner: [eng-a, eng-b]\n",
        "apiVersion: v1\nkind: List\nitems: []\nmetadata: text\n",
        "kind: [Component]\napiVersion: 3\n",
        "kind: Component\napiVersion: {backstage.io/v1: x}\nmetadata: [x]\n",
        "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: x\n  annotations: []\nspec: [x]\n",
        "apiVersion: backstage.io/v1alpha1\nkind: System\nspec:\n  owner: {name: x}\n",
        "Resources:\n  Topic: !Ref Name\n  Policy: !Sub\n    - a\n    - {b: !GetAtt c.d}\n",
        "team: [a, b]\nintegrations: 3\nmetadata: !thing {}\n",
        "!custom\nkind: 1\n",
        "- dd-service: listed\n- 2\n",
        "just a text",
        "42",
        "null",
        "~",
        "",
        "# a comment\n",
        "1: number\n? [a, b]\n: list as a key\nnull: x\ntrue: y\n",
        "a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n",
        "kind: Secret\ndata: !!binary aGVsbG8=\nwhen: 2001-12-14t21:59:43.10-05:00\nn: .nan\n",
        "same: 1\nsame: 2\n",
        "tagged: !!int abc\n",
        "text: |\n  dd-service: inner\n  ...\n   ---\n",
        "when: !!timestamp 2001-12-14\n? !!binary aGVsbG8=\n: !!binary /////w==\n",
        "a: !!binary not base64\nb: !<tag:example.org,2002:x> c\nc: !!null d\n",
        "apiVersion: v3\nkind: Dashboard\nmetadata: text\nintegrations: [x]\n",
        "apiVersion: v3\nkind: Plan\nmetadata: {name: x, owner: [a, b]}\n",
        "apiVersion: v3\nkind: custom.x\nmetadata: {name: [a]}\n",
        "a: *nowhere\n<<: *nowhere\n",
        "a: !e!foo bar\n",
        "a: [unclosed\n",
        "{{- if .Values.x }}\nkind: A\n{{- end }}\n",
        "name: {{ x }}\n",
        "dd-service: [a]\nkind: Foo\n",
        "dd-service:\nteam: [x]\n",
    ] {
        for text in [
            format!("{OURS}---\n{foreign}\n"),
            format!("{foreign}\n---\n{OURS}"),
            format!("---\n{foreign}\n...\n---\n{OURS}"),
        ] {
            let found = parse(&text).unwrap_or_else(|error| panic!("{text}: {error:?}")).entities;
            let found: Vec<_> = found.into_iter().map(|(_, entity)| entity).collect();
            assert_eq!(found, [entity("checkout", Some("payments"), None)], "{text}");
        }
    }
}

/// Documents that are not YAML.
#[test]
fn only_outermost_keys_make_a_broken_document_an_error() {
    for foreign in [
        "port: [http\nimage: registry/v3/app\n",
        "apiVersion: apps/v3\nport: [http\n",
        "port: [http\nspec:\n  apiVersion: v3\n  dd-service: inner\n",
        "port: [http\nlabels:\n  backstage.io/kubernetes-id: x\ntext: |\n  dd-service: inner\n",
        "# dd-service: x\nport: [http\n",
        "{port: [http, image: registry/v3/app}",
    ] {
        assert_eq!(entities(foreign), [], "{foreign}");
    }
    for ours in [
        "dd-service: a\nport: [http\n",
        "---\n  \"dd-service\": a\n  port: [http\n",
        "apiVersion: !!str 'v3' # ours\nkind: service\nport: [http\n",
        "port: [http\napiVersion: backstage.io/v1alpha1\nkind: Component\n",
        "{\"apiVersion\": \"v3\", port: [http}",
    ] {
        parse(ours).expect_err(ours);
    }
}

#[test]
fn documents_for_this_program_are_read() {
    for (text, expected) in [
        ("dd-service: checkout\ndd-team: payments\n", entity("checkout", Some("payments"), None)),
        ("dd-service: a\nteam: b\ndd-team: c\n", entity("a", Some("b"), None)),
        ("dd-service: a\nteam: ' '\ndd-team: c\n", entity("a", Some("c"), None)),
        ("dd-service: ' checkout '\nteam: \"payments\\t\"\n", entity("checkout", Some("payments"), None)),
        ("dd-service: 42\nteam: 007\n", entity("42", Some("007"), None)),
        ("dd-service: on\nteam: true\n", entity("on", Some("true"), None)),
        ("dd-service: a\nteam: ~\nextra: [1, {b: !x c}]\n", entity("a", None, None)),
        ("{\"dd-service\": \"a\", \"team\": \"b\"}", entity("a", Some("b"), None)),
        ("%YAML 1.2\n--- # ours\ndd-service: a\n...\n", entity("a", None, None)),
        ("\u{feff}dd-service: a\r\nteam: b\r\n", entity("a", Some("b"), None)),
        ("x-base: &t payments\ndd-service: a\nteam: *t\n", entity("a", Some("payments"), None)),
        ("apiVersion: v3\nkind: service\nmetadata:\n  name: 42\n  owner: 7\n", entity("42", Some("7"), None)),
        (
            "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: shop\n  annotations:\n    \
             pagerduty.com/service-id: PSVC001,PSVC002\n    other/list: [a]\nspec:\n  owner: group:default/x\n",
            entity("shop", Some("x"), Some("PSVC001,PSVC002")),
        ),
    ] {
        assert_eq!(entities(text), [expected], "{text}");
    }
}

#[test]
fn a_url_without_an_id_is_warned_about() {
    let text = "dd-service: a\n---\ndd-service: b\nintegrations:\n  pagerduty: https://acme.pagerduty.com/\n";
    let warnings = parse(text).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].0, Some(2));
    assert!(warnings[0].1.contains("\"b\"") && warnings[0].1.contains("https://acme.pagerduty.com/"));
}

#[test]
fn only_the_keys_of_a_documents_own_format_are_read() {
    let plain = entity("a", Some("b"), None);
    let component = "apiVersion: backstage.io/v1alpha1\nkind: Component\n";
    for text in [
        "dd-service: a\nteam: b\nmetadata: text\nspec: [x]\n".to_owned(),
        "dd-service: a\nteam: b\nintegrations: []\n".to_owned(),
        "dd-service: a\nteam: b\nkind: Component\nextensions: {x: 1, x: 2}\nsame: 1\nsame: 2\n".to_owned(),
        "dd-service: a\nteam: b\nlast: !!timestamp 2001-01-01\nother: *nowhere\n".to_owned(),
        format!("{component}team: [x]\nintegrations: [x]\nmetadata: {{name: a, owner: [x]}}\nspec: {{owner: b}}\n"),
        "apiVersion: v3\nkind: service\nteam: [x]\nmetadata: {name: a, owner: b, annotations: [x]}\nspec: [x]\n".to_owned(),
        "apiVersion: v3\nkind: system\nmetadata: {name: a, owner: b}\nspec: [x]\n".to_owned(),
    ] {
        assert_eq!(entities(&text), std::slice::from_ref(&plain), "{text}");
    }
}

#[test]
fn a_list_may_name_several_pagerduty_services() {
    for text in [
        "dd-service: a\nintegrations: {pagerduty: [PSVC001, PSVC002]}\n",
        "dd-service: a\nintegrations: {pagerduty: {service-url: [PSVC001, PSVC002]}}\n",
        "apiVersion: v3\nkind: service\nmetadata: {name: a}\nintegrations: {pagerduty: {serviceURL: [PSVC001, PSVC002]}}\n",
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: a, annotations: {pagerduty.com/service-id: \
         [PSVC001, PSVC002]}}\n",
    ] {
        let [found] = &entities(text)[..] else { panic!("{text}") };
        assert_eq!(found.pagerduty.as_ref().unwrap().ids(), ["PSVC001", "PSVC002"], "{text}");
    }
}

#[test]
fn a_json_array_may_have_many_descriptions() {
    let array = r#"[{"dd-service": "a", "team": "x"}, {"other": 1}, 3, {"dd-service": "b"}]"#;
    assert_eq!(entities(array), [entity("a", Some("x"), None), entity("b", None, None)]);
}

#[test]
fn names_are_made_to_fit() {
    let long = "x".repeat(800);
    let [found] = entities(&format!("dd-service: \"check\\tout\"\nteam: {long}\n")).try_into().unwrap();
    assert_eq!((found.service.as_str(), found.team.map(|team| team.len())), ("check out", Some(768)));
}
