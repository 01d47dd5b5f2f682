"""Streams know the provider's response id, from which keys are made."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("streamgauge_stream", sa.Column("response_id", sa.Text(), nullable=True))
    op.create_index("streamgauge_stream_response", "streamgauge_stream", ["response_id"], unique=False)
