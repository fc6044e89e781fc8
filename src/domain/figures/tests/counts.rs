//! Tests of the counts that follow from the rates of a row.

use super::super::{Row, RowHead, RowSums};
use crate::domain::timestamp::Timestamp;

fn row() -> Row {
    RowSums::default().row(&RowHead::whole(Timestamp::MIN, Timestamp::MIN))
}

#[test]
fn pending_deployments_that_failed_are_not_counted_twice() {
    let mut row = row();
    (row.deployments, row.failed_deployments) = (Some(23), Some(4));
    for (pending, settled_rate, expected) in
        [(0, Some(4.0 / 23.0), 0), (5, Some(3.0 / 18.0), 4), (23, None, 19), (2, Some(4.0 / 21.0), 2)]
    {
        (row.pending_deployments, row.change_fail_rate_settled) = (Some(pending), settled_rate);
        assert_eq!(row.pending_not_failed(), Some(expected), "{pending}");
    }
}

#[test]
fn fixes_are_counted_exactly() {
    let mut row = row();
    for (fixes, all) in [(0_u32, 7), (1, 3), (49, 97), (1_234_567, 7_654_321)] {
        row.deployments = usize::try_from(all).ok();
        row.deployment_rework_rate = Some(f64::from(fixes) / f64::from(all));
        assert_eq!(row.remediations(), usize::try_from(fixes).ok(), "{fixes} of {all}");
    }
    (row.deployments, row.deployment_rework_rate) = (Some(0), None);
    assert_eq!(row.remediations(), Some(0));
    row.deployments = None;
    assert_eq!((row.remediations(), row.pending_not_failed()), (None, None), "a severity has no deployments");
}
