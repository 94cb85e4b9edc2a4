"""The tables of the sandbox, as the steps that build them.

Append a step for every change; never edit one that was released: existing data folders have run it.
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);

CREATE TABLE users (
  id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT NOT NULL,
  password_hash TEXT, enabled INTEGER NOT NULL DEFAULT 1, created_at TEXT NOT NULL);

CREATE TABLE workspaces (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  archived INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, created_by TEXT NOT NULL);
CREATE TABLE workspace_users (
  workspace_id INTEGER NOT NULL REFERENCES workspaces (id), user_id TEXT NOT NULL,
  user_type TEXT NOT NULL, PRIMARY KEY (workspace_id, user_id));
CREATE INDEX workspace_users_by_user ON workspace_users (user_id);
CREATE TABLE user_default_workspaces (
  user_id TEXT PRIMARY KEY, workspace_id INTEGER NOT NULL REFERENCES workspaces (id));

CREATE TABLE connections (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL, details BLOB NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE connection_links (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
  workspace_id INTEGER NOT NULL REFERENCES workspaces (id), UNIQUE (connection_id, workspace_id));
CREATE INDEX connection_links_by_workspace ON connection_links (workspace_id);

CREATE TABLE models (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, owner_id TEXT NOT NULL,
  workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (workspace_id, name));
CREATE TABLE model_versions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, model_pk INTEGER NOT NULL REFERENCES models (id),
  version TEXT NOT NULL UNIQUE, sha TEXT NOT NULL, file_name TEXT, size_bytes INTEGER NOT NULL,
  status TEXT NOT NULL, error_summary TEXT, image_path TEXT, visibility TEXT NOT NULL,
  owner_id TEXT NOT NULL, framework TEXT NOT NULL, conversion TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX model_versions_by_model ON model_versions (model_pk);
CREATE TABLE model_configs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  model_version_id INTEGER NOT NULL REFERENCES model_versions (id), runtime TEXT NOT NULL,
  tensor_fields TEXT, filter_threshold REAL, input_schema TEXT, output_schema TEXT,
  batch_config TEXT, dynamic_batching_config TEXT, continuous_batching_config TEXT, openai TEXT,
  created_at TEXT NOT NULL);
CREATE INDEX model_configs_by_version ON model_configs (model_version_id);
CREATE TABLE upload_logs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, model_version_id INTEGER NOT NULL, line TEXT NOT NULL);
CREATE INDEX upload_logs_by_version ON upload_logs (model_version_id);

CREATE TABLE pipelines (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, owner_id TEXT NOT NULL,
  workspace_id INTEGER NOT NULL REFERENCES workspaces (id), visibility TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (workspace_id, name));
CREATE TABLE pipeline_versions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline_pk INTEGER NOT NULL REFERENCES pipelines (id),
  version TEXT NOT NULL UNIQUE, definition TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX pipeline_versions_by_pipeline ON pipeline_versions (pipeline_pk);
CREATE TABLE deployments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pipeline_pk INTEGER NOT NULL UNIQUE REFERENCES pipelines (id),
  deploy_id TEXT NOT NULL, deployed INTEGER NOT NULL, engine_config BLOB NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE deployment_versions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  deployment_id INTEGER NOT NULL REFERENCES deployments (id),
  pipeline_version_id INTEGER NOT NULL REFERENCES pipeline_versions (id),
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX deployment_versions_by_deployment ON deployment_versions (deployment_id);
CREATE INDEX deployment_versions_by_version ON deployment_versions (pipeline_version_id);
CREATE TABLE deployment_model_configs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  deployment_id INTEGER NOT NULL REFERENCES deployments (id),
  pipeline_version_id INTEGER NOT NULL REFERENCES pipeline_versions (id),
  model_config_id INTEGER NOT NULL REFERENCES model_configs (id));
CREATE INDEX deployment_model_configs_by_deployment ON deployment_model_configs (deployment_id);
CREATE INDEX deployment_model_configs_by_version ON deployment_model_configs (pipeline_version_id);

CREATE TABLE tags (id INTEGER PRIMARY KEY AUTOINCREMENT, tag TEXT NOT NULL);
CREATE TABLE model_tags (
  model_id INTEGER NOT NULL REFERENCES model_versions (id),
  tag_id INTEGER NOT NULL REFERENCES tags (id), PRIMARY KEY (model_id, tag_id));
CREATE TABLE pipeline_tags (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pipeline_pk_id INTEGER NOT NULL REFERENCES pipelines (id),
  tag_pk_id INTEGER NOT NULL REFERENCES tags (id), UNIQUE (pipeline_pk_id, tag_pk_id))
"""

_LOGINS = """
ALTER TABLE users ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN last_name TEXT NOT NULL DEFAULT '';
CREATE TABLE login_sessions (
  id TEXT PRIMARY KEY, user_id TEXT NOT NULL, client_id TEXT NOT NULL, scope TEXT NOT NULL,
  is_offline INTEGER NOT NULL, started_at REAL NOT NULL, rotated_at REAL NOT NULL,
  refresh_id TEXT NOT NULL, previous_id TEXT NOT NULL DEFAULT '',
  has_ended INTEGER NOT NULL DEFAULT 0)
"""

_ORCHESTRATIONS = """
CREATE TABLE orchestrations (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT,
  file_name TEXT NOT NULL, file_size INTEGER NOT NULL, sha TEXT NOT NULL, status TEXT NOT NULL,
  owner_id TEXT NOT NULL, workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
  task_id TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX orchestrations_by_workspace ON orchestrations (workspace_id);
CREATE TABLE tasks (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  orchestration_id TEXT NOT NULL, orchestration_sha TEXT NOT NULL, name TEXT, kind TEXT NOT NULL,
  schedule TEXT, arguments BLOB NOT NULL, timeout_s INTEGER, debug INTEGER NOT NULL,
  status TEXT NOT NULL, killed INTEGER NOT NULL, owner_id TEXT NOT NULL,
  workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX tasks_by_workspace ON tasks (workspace_id);
CREATE INDEX tasks_by_orchestration ON tasks (orchestration_id);
CREATE INDEX tasks_by_kind ON tasks (kind, status);
CREATE TABLE task_runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE, session_id TEXT,
  status TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX task_runs_by_task ON task_runs (task_id, number);
CREATE INDEX task_runs_under_way ON task_runs (number) WHERE status = 'running';
CREATE TABLE task_run_lines (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL REFERENCES task_runs (id) ON DELETE CASCADE, lines BLOB NOT NULL);
CREATE INDEX task_run_lines_by_run ON task_run_lines (run_id, number)
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _LOGINS, _ORCHESTRATIONS)

#: Emptied by a reset, children first. `users`, `login_sessions` and `meta` stay: people stay logged
#: in.
RESET_ORDER = (
    "task_run_lines",
    "task_runs",
    "tasks",
    "orchestrations",
    "pipeline_tags",
    "model_tags",
    "tags",
    "deployment_model_configs",
    "deployment_versions",
    "deployments",
    "pipeline_versions",
    "pipelines",
    "upload_logs",
    "model_configs",
    "model_versions",
    "models",
    "connection_links",
    "connections",
    "user_default_workspaces",
    "workspace_users",
    "workspaces",
)
