//! Names in deployments, as suggestions for filters.

use super::reader::Reader;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::params;

/// Largest number of names of a kind.
const MOST_NAMES: u32 = 200;

/// The first names of each kind, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployedNames {
    /// Services.
    pub services: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// Envs.
    pub envs: Vec<String>,
}

impl Reader {
    /// The names in deployments. Each name costs one look into an index.
    pub fn deployed_names(&self) -> Result<DeployedNames, ReadError> {
        let db = self.lock();
        let names = |column: &str| {
            let sql = format!(
                "WITH RECURSIVE name(value, number) AS (
                    SELECT min({column}), 1 FROM deployment WHERE {column} IS NOT NULL
                    UNION ALL
                    SELECT (SELECT min({column}) FROM deployment WHERE {column} > value), number + 1 FROM name
                    WHERE value IS NOT NULL AND number < {MOST_NAMES}
                ) SELECT value FROM name WHERE value IS NOT NULL"
            );
            db.all(&sql, params![], |row| row.get(0))
        };
        Ok(DeployedNames { services: names("service")?, teams: names("team")?, envs: names("env")? })
    }
}
