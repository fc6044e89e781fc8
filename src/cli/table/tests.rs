use super::*;

const COLUMNS: [Column; 2] = [Column::text("title").cut_to(8), Column::number("n")];

fn rows() -> Vec<Vec<String>> {
    vec![
        vec!["checkout: error rate above 5 %".into(), "7".into()],
        vec!["\u{1b}[31mred\u{202e}".into(), "1234".into()],
    ]
}

#[test]
fn a_table_is_no_wider_than_it_needs_or_the_terminal_allows() {
    insta::assert_snapshot!(render(&COLUMNS, &rows(), WITHOUT_TERMINAL), @r"
    title                              n
    checkout: error rate above 5 %     7
    ·[31mred·                       1234
    ");
    insta::assert_snapshot!(render(&COLUMNS, &rows(), 24), @r"
    title                  n
    checkout: error r…     7
    ·[31mred·           1234
    ");
}

#[test]
fn columns_of_the_highest_worth_get_room_first_and_cells_are_wrapped() {
    let columns = [
        Column::text("id").wrapped_to(14),
        Column::text("team").droppable(2),
        Column::text("env").droppable(1),
        Column::text("because").wrapped_to(20),
    ];
    let because = "no reopen follows incident.status_update_published";
    let rows = [["Q0PLAIN0STORY1", "pay", "production", because].map(str::to_owned).to_vec()];
    insta::assert_snapshot!(render(&columns, &rows, 48), @r"
    id              team  because
    Q0PLAIN0STORY1  pay   no reopen follows
                          incident.status_update_
                          published
    ");
    insta::assert_snapshot!(render(&columns, &rows, 36), @r"
    id              because
    Q0PLAIN0STORY1  no reopen follows
                    incident.status_
                    update_published
    ");
}

#[test]
fn a_narrow_column_may_take_the_room_that_is_too_small_for_one_of_higher_worth() {
    let columns = [Column::text("id"), Column::text("title").droppable(2), Column::number("n").droppable(1)];
    let rows = [["Q0PLAIN0STORY1", "checkout: errors", "7"].map(str::to_owned).to_vec()];
    insta::assert_snapshot!(render(&columns, &rows, 34), @r"
    id              title
    Q0PLAIN0STORY1  checkout: errors
    ");
    insta::assert_snapshot!(render(&columns, &rows, 30), @r"
    id              n
    Q0PLAIN0STORY1  7
    ");
}

#[test]
fn one_long_title_does_not_pad_every_row() {
    let rows = [["x".repeat(10_000), "1".into()].to_vec(), ["y".into(), "2".into()].to_vec()];
    for line in render(&COLUMNS, &rows, WITHOUT_TERMINAL).lines() {
        assert_eq!(line.chars().count(), WIDEST + 3, "{line}");
    }
}

#[test]
fn ids_get_narrower_first_and_favoured_columns_last() {
    let columns = [
        Column::text("id").cut_in_middle_to(9),
        Column::text("team").cut_to(4),
        Column::text("title").cut_to(8).favoured(),
    ];
    let rows = [["01234567-89ab-cdef-0123", "payments", "checkout: errors"].map(str::to_owned).to_vec()];
    insta::assert_snapshot!(render(&columns, &rows, 40), @r"
    id            team      title
    012345…-0123  payments  checkout: errors
    ");
    insta::assert_snapshot!(render(&columns, &rows, 31), @r"
    id         team    title
    0123…0123  payme…  checkout: e…
    ");
}

#[test]
fn columns_after_wide_characters_are_aligned() {
    let rows = ["決済サービスで障害", "plain", "결제 서비스", "a 👩‍🚒 b", "می‌کند"];
    let rows: Vec<Vec<String>> = rows.iter().map(|title| vec![(*title).to_owned(), "7".to_owned()]).collect();
    for width in [12, 16, 40] {
        for line in render(&COLUMNS, &rows, width).lines().skip(1) {
            let before = line.strip_suffix("  7").unwrap();
            assert_eq!(
                display_width(before),
                display_width(render(&COLUMNS, &rows, width).lines().next().unwrap()) - 3
            );
        }
    }
}

#[test]
fn a_table_is_printed_at_any_width() {
    for width in 0..20 {
        assert!(render(&COLUMNS, &rows(), width).contains("1234"));
    }
}
