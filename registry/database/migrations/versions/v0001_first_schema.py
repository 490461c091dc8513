"""The first schema"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "answered",
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "idempotency_key", name=op.f("pk_answered")),
    )
    op.create_index("ix_answered_at", "answered", ["at"], unique=False)
    op.create_table(
        "keys",
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("namespaces", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
    )
    op.create_table(
        "log",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("namespace_id", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log")),
        sa.UniqueConstraint("digest", name=op.f("uq_log_digest")),
        sa.UniqueConstraint("previous", name=op.f("uq_log_previous")),
    )
    op.create_table(
        "log_head",
        sa.Column("only", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_log_head")),
    )
    op.create_table(
        "namespaces",
        sa.Column("namespace_id", sa.String(length=100), nullable=False),
        sa.Column("plugin_quota", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("namespace_id", name=op.f("pk_namespaces")),
    )
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.String(length=60), nullable=False),
        sa.Column("namespace_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("object_key", sa.String(length=400), nullable=False),
        sa.Column("expected_bytes", sa.BigInteger(), nullable=True),
        sa.Column("expected_sha256", sa.String(length=64), nullable=True),
        sa.Column("publisher", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("plugin_id", sa.String(length=120), nullable=True),
        sa.Column("claims", sa.JSON(), nullable=True),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.Column("cleared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_namespace", "uploads", ["namespace_id", "state"], unique=False)
    op.create_index("ix_uploads_cleared", "uploads", ["cleared", "expires_at"], unique=False)
    op.create_index("ix_uploads_state", "uploads", ["state", "confirmed_at"], unique=False)
    op.create_table(
        "browser_sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("form_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["keys.key_id"], name=op.f("fk_browser_sessions_key_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_browser_sessions")),
    )
    op.create_table(
        "releases",
        sa.Column("release_id", sa.String(length=60), nullable=False),
        sa.Column("namespace_id", sa.String(length=100), nullable=False),
        sa.Column("plugin_id", sa.String(length=120), nullable=False),
        sa.Column("identity", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("upload_id", sa.String(length=60), nullable=False),
        sa.Column("publisher", sa.String(length=40), nullable=False),
        sa.Column("archive_key", sa.String(length=400), nullable=False),
        sa.Column("archive_sha256", sa.String(length=64), nullable=False),
        sa.Column("archive_bytes", sa.BigInteger(), nullable=False),
        sa.Column("tar_sha256", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("review", sa.String(length=20), nullable=False),
        sa.Column("deployed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.upload_id"], name=op.f("fk_releases_upload_id")),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_releases")),
        sa.UniqueConstraint("namespace_id", "identity", name=op.f("uq_releases_namespace_id_identity")),
        sa.UniqueConstraint("upload_id", name=op.f("uq_releases_upload_id")),
    )
    op.create_index(
        "ix_releases_listing", "releases", ["namespace_id", "deleted_at", "created_at", "plugin_id"], unique=False
    )
    op.create_index(
        "ix_releases_review", "releases", ["review", "deleted_at", "created_at", "release_id"], unique=False
    )
    op.create_index("ix_releases_versions", "releases", ["namespace_id", "name", "created_at"], unique=False)
    op.create_table(
        "collections",
        sa.Column("collection_id", sa.String(length=60), nullable=False),
        sa.Column("namespace_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("release_id", sa.String(length=60), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_collections_release_id")),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_collections")),
        sa.UniqueConstraint("namespace_id", "name", name=op.f("uq_collections_namespace_id_name")),
    )
    op.create_index("ix_collections_status", "collections", ["status"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(length=60), nullable=False),
        sa.Column("release_id", sa.String(length=60), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_decisions_release_id")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_release", "decisions", ["release_id", "decided_at"], unique=False)
    op.create_table(
        "deployments",
        sa.Column("release_id", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_deployments_release_id")),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_deployments")),
    )
    op.create_index("ix_deployments_status", "deployments", ["status", "queued_at"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("release_id", sa.String(length=60), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("scan", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_evidence_release_id")),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_evidence")),
    )
    head = sa.table("log_head", sa.column("only"), sa.column("number"), sa.column("digest"))
    op.bulk_insert(head, [{"only": 1, "number": 0, "digest": "0" * 64}])
    _keep_for_good()


_KEPT = ("log", "decisions")


def _keep_for_good() -> None:
    """Rows of the log and the decisions are added, never changed or removed, whoever asks."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION kept_for_good() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'rows of % are kept for good', TG_TABLE_NAME; END $$"
        )
        for table in _KEPT:
            op.execute(
                f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION kept_for_good()"
            )
        return
    for table in _KEPT:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_kept_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are kept for good'); END"
            )
