-- Listings of failures and deployments that read few rows, whatever they are filtered by.

-- The values by which listings of failures filter. Many failures have the same values, so a filter first finds a few
-- kinds, and then reads the failures of each kind in the order of the listing. Kinds are never removed.
CREATE TABLE failure_kind (
    id              INTEGER PRIMARY KEY,
    traits          TEXT    NOT NULL UNIQUE,    -- JSON: state, services, team, env, severity
    state           TEXT    NOT NULL,
    team            TEXT,
    env             TEXT    NOT NULL,
    severity        TEXT
) STRICT;

-- The services of each kind.
CREATE TABLE failure_kind_service (
    service         TEXT    NOT NULL,
    kind            INTEGER NOT NULL REFERENCES failure_kind,
    PRIMARY KEY (service, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX failure_kind_by_team ON failure_kind (team, env, severity, state) WHERE team IS NOT NULL;
CREATE INDEX failure_kind_by_env ON failure_kind (env, severity, state);
CREATE INDEX failure_kind_by_severity ON failure_kind (severity, state) WHERE severity IS NOT NULL;
CREATE INDEX failure_kind_by_state ON failure_kind (state);

ALTER TABLE failure ADD COLUMN kind INTEGER REFERENCES failure_kind; -- NULL: never listed

-- The kinds of the failures of an earlier version. A text that is no JSON is damage: its failure has no services.
INSERT INTO failure_kind (traits, state, team, env, severity)
SELECT DISTINCT json_array(state, json_extract(json, '$.services'), json ->> 'team', json ->> 'env', json ->> 'severity'),
    state, json ->> 'team', coalesce(json ->> 'env', ''), json ->> 'severity'
FROM (SELECT state, iif(json_valid(evaluated), evaluated, '{}') AS json FROM failure WHERE state IS NOT NULL);

INSERT INTO failure_kind_service
SELECT DISTINCT value, failure_kind.id FROM failure_kind, json_each(traits, '$[1]') WHERE type = 'text';

UPDATE failure SET kind = (SELECT failure_kind.id FROM failure_kind WHERE traits = iif(json_valid(evaluated),
    json_array(failure.state, json_extract(evaluated, '$.services'), evaluated ->> 'team', evaluated ->> 'env',
        evaluated ->> 'severity'),
    json_array(failure.state, NULL, NULL, NULL, NULL)))
WHERE failure.state IS NOT NULL;

-- Two, because the failures that are open at a moment are few: an index page far from the others changes once for each
-- failure, when it ends, and not three times.
CREATE INDEX failure_by_kind ON failure (kind, started_at_ns) WHERE state <> 'open';
CREATE INDEX failure_open_by_kind ON failure (kind, started_at_ns) WHERE state = 'open';

-- Both cover a listing that reads many failures in its order, and skips those of other kinds.
DROP INDEX failure_by_start;
CREATE INDEX failure_by_start ON failure (started_at_ns, id, kind) WHERE state IS NOT NULL;
DROP INDEX failure_without_end;
CREATE INDEX failure_without_end ON failure (state, finished_at_ns, started_at_ns, id, kind)
    WHERE finished_at_ns IS NULL AND state IS NOT NULL;

-- Lists the rows of each state and backend. Rows of one state that a person looks for may be few among millions.
DROP INDEX outbox_dead;
CREATE INDEX outbox_by_state ON outbox (state, backend);

-- NULL: stored before this migration. Otherwise when its present values were first received.
ALTER TABLE deployment ADD COLUMN received_at_ns INTEGER;
-- 1: it caused at least one failure that counts (see failed_deployments.rs).
ALTER TABLE deployment ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;

UPDATE deployment SET failed = 1
    WHERE id IN (SELECT cause FROM failure WHERE cause IS NOT NULL AND state IN ('open', 'completed'));

-- Each index below has the deployments in the order of listings, and the columns by which a listing may be filtered
-- further. The id stands behind the end because the listing breaks ties by it.
DROP INDEX deployment_by_end;
CREATE INDEX deployment_by_end ON deployment (finished_at_ns, id, started_at_ns);
CREATE INDEX deployment_by_services_end ON deployment (service, finished_at_ns, id, env, team);
CREATE INDEX deployment_by_teams_end ON deployment (team, finished_at_ns, id, env) WHERE team IS NOT NULL;
CREATE INDEX deployment_by_envs_end ON deployment (env, finished_at_ns, id);
CREATE INDEX deployment_by_failed_end ON deployment (finished_at_ns, id, service, env, team) WHERE failed = 1;

-- Few failures name their cause. Reports count them.
CREATE INDEX failure_with_named_cause ON failure (id) WHERE cause_how IN ('id', 'commit', 'version');
