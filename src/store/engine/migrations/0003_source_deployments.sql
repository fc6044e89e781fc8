-- Deployments that other sources than the event API tell of: GitHub and GitLab.

-- Each deployment that a source told of, under the id that it has there: the facts of its events. What they make is in
-- stored_deployment, in one row or, if it was a deployment of several services, in one row for each of them.
CREATE TABLE source_deployment (
    id              INTEGER PRIMARY KEY,
    id_at_source    TEXT    NOT NULL UNIQUE,    -- such as github:github.com:deployment:4200001
    history         TEXT    NOT NULL            -- JSON: the facts of its events
) STRICT;

-- The events of each of them.
CREATE TABLE source_deployment_event (
    source_deployment INTEGER NOT NULL REFERENCES source_deployment,
    event           INTEGER NOT NULL REFERENCES event,
    PRIMARY KEY (source_deployment, event)
) STRICT, WITHOUT ROWID;

-- A deployment keeps its row when it does not count any more, because rows of the outbox refer to it: its revisions go
-- on where they ended if it counts again. Only deployments that count are in the view, which nearly all queries read.
ALTER TABLE deployment RENAME TO stored_deployment;
ALTER TABLE stored_deployment ADD COLUMN source TEXT NOT NULL DEFAULT 'api'; -- the source that told of it
ALTER TABLE stored_deployment ADD COLUMN source_deployment INTEGER REFERENCES source_deployment; -- NULL: sent to the event API
ALTER TABLE stored_deployment ADD COLUMN counts INTEGER NOT NULL DEFAULT 1;  -- 1 or 0
ALTER TABLE stored_deployment ADD COLUMN ignored_because TEXT; -- reason, if it does not count
-- The id of the deployment of another source that counts in its place. NULL: there is none.
ALTER TABLE stored_deployment ADD COLUMN duplicate_of TEXT;

CREATE VIEW deployment AS SELECT * FROM stored_deployment WHERE counts = 1;

CREATE INDEX deployment_by_source_deployment ON stored_deployment (source_deployment)
    WHERE source_deployment IS NOT NULL;
CREATE INDEX deployment_by_ignored_end ON stored_deployment (finished_at_ns, id, service, env, team) WHERE counts = 0;

-- The same indexes as before, for deployments that count: so figures and listings still read most of them alone.
DROP INDEX deployment_by_service;
CREATE INDEX deployment_by_service ON stored_deployment (service, env, started_at_ns, finished_at_ns)
    WHERE counts = 1;
DROP INDEX deployment_by_team;
CREATE INDEX deployment_by_team ON stored_deployment (team, env, started_at_ns, finished_at_ns)
    WHERE team IS NOT NULL AND counts = 1;
DROP INDEX deployment_by_end;
CREATE INDEX deployment_by_end ON stored_deployment (finished_at_ns, id, started_at_ns) WHERE counts = 1;
DROP INDEX deployment_by_start;
CREATE INDEX deployment_by_start ON stored_deployment
    (started_at_ns, deployment_id, finished_at_ns, service, team, env) WHERE counts = 1;
DROP INDEX deployment_by_version;
CREATE INDEX deployment_by_version ON stored_deployment (service, env, version, started_at_ns, deployment_id)
    WHERE version IS NOT NULL AND counts = 1;
DROP INDEX deployment_by_own_commit;
CREATE INDEX deployment_by_own_commit ON stored_deployment
    (service, env, commit_sha, started_at_ns, deployment_id)
    WHERE version IS NULL AND commit_sha IS NOT NULL AND counts = 1;
DROP INDEX deployment_by_version_key;
CREATE INDEX deployment_by_version_key ON stored_deployment (service, version_key)
    WHERE version_key IS NOT NULL AND counts = 1;
DROP INDEX deployment_by_teams_version_key;
CREATE INDEX deployment_by_teams_version_key ON stored_deployment (team, version_key)
    WHERE team IS NOT NULL AND version_key IS NOT NULL AND counts = 1;
DROP INDEX deployment_by_services_end;
CREATE INDEX deployment_by_services_end ON stored_deployment (service, finished_at_ns, id, env, team)
    WHERE counts = 1;
DROP INDEX deployment_by_teams_end;
CREATE INDEX deployment_by_teams_end ON stored_deployment (team, finished_at_ns, id, env)
    WHERE team IS NOT NULL AND counts = 1;
DROP INDEX deployment_by_envs_end;
CREATE INDEX deployment_by_envs_end ON stored_deployment (env, finished_at_ns, id) WHERE counts = 1;
DROP INDEX deployment_by_failed_end;
CREATE INDEX deployment_by_failed_end ON stored_deployment (finished_at_ns, id, service, env, team)
    WHERE failed = 1 AND counts = 1;

-- The same rows as before, by an expression that PostgreSQL has, too.
DROP INDEX deployment_by_name;
CREATE INDEX deployment_by_name ON stored_deployment (lower(deployment_id));

-- Rows that are due at the same time, as all are after `outbox retry --all`, are read in the order in which they are sent.
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (backend, lane, due_at_ns, id, created_at_ns) WHERE due_at_ns IS NOT NULL;

-- Also finds the deployments of other sources that may be the same one.
DROP INDEX deployment_by_commit;
CREATE INDEX deployment_by_commit ON stored_deployment (commit_sha, service, env, started_at_ns)
    WHERE commit_sha IS NOT NULL;
