"""${message}"""

import sqlalchemy as sa
from alembic import op

from controller.db import ${'append_only, base' if up_revision == '0001' else 'base'}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
% if up_revision == "0001":
    append_only.raise_guard(op.get_bind().dialect.name, op.execute)
% endif


def downgrade() -> None:
% if up_revision == "0001":
    append_only.lower_guard(op.get_bind().dialect.name, op.execute)
% endif
    ${downgrades if downgrades else "pass"}
