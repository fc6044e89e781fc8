use super::{Settings, Store};
use crate::domain::deployment::tests::{deployment, time};

/// A store with this many deployments, in rows from 1 on.
pub(in crate::store) async fn store_with(deployments: i64, folder: &tempfile::TempDir) -> Store {
    let store = Store::open(&folder.path().join("store.db"), Settings::default()).unwrap();
    for n in 1..=deployments {
        let made = deployment(&n.to_string(), "", "00:00", "00:10");
        store.record_deployment(made, time("01:00")).await.unwrap();
    }
    store
}
