"""Streams know the provider's response id, from which keys are made; effects without a stream leave its index."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column and its index, and make the index of the effects' streams smaller."""
    op.add_column("streamgauge_stream", sa.Column("response_id", sa.Text(), nullable=True))
    op.create_index("streamgauge_stream_response", "streamgauge_stream", ["response_id"], unique=False)
    op.drop_index("streamgauge_effect_stream", "streamgauge_effect")
    op.create_index(
        "streamgauge_effect_stream",
        "streamgauge_effect",
        ["stream_ref"],
        unique=False,
        sqlite_where=sa.text("stream_ref IS NOT NULL"),
        postgresql_where=sa.text("stream_ref IS NOT NULL"),
    )
