"""Flower's SuperLink, whose control interface obeys only those who have its token.

A program, ``guarded_superlink.py``, with the options of ``flower-superlink``. Whoever reaches the
control interface may submit code, which is executed as the user who started the SuperLink, and on
loopback that is anybody with an account on the machine. Flower asks only an OpenID Connect provider who
somebody is, by a plugin that is not part of it. `TokenRequired` takes that plugin's place. ``flwr``
finds the token where a login would have left it: in its ``FLWR_HOME``, which the user alone can read.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence

from flwr.common.constant import ACCESS_TOKEN_KEY, AuthnType
from flwr.supercore.auth.typing import AccountInfo
from flwr.superlink.auth_plugin import NoOpControlAuthnPlugin

TOKEN = "PAWBROFL_CONTROL_TOKEN"
"""The environment variable that holds it, which only processes of the same user can read."""

Metadata = Sequence[tuple[str, str | bytes]]


class TokenRequired(NoOpControlAuthnPlugin):
    """Lets in those who send the token."""

    def __init__(self) -> None:
        self._token = os.environ[TOKEN].encode()

    def validate_tokens_in_metadata(self, metadata: Metadata) -> tuple[bool, AccountInfo | None]:
        """Return whether the token is among what was sent, and then Flower's only account."""
        given = dict(metadata).get(ACCESS_TOKEN_KEY, "")
        sent = given if isinstance(given, bytes) else given.encode()
        if not hmac.compare_digest(sent, self._token):
            return False, None
        return super().validate_tokens_in_metadata(metadata)

    def refresh_tokens(self, metadata: Metadata) -> tuple[Metadata | None, AccountInfo | None]:
        """Return none: the token lasts as long as the SuperLink."""
        return (), None


def require_token() -> None:
    """Have the SuperLink of this process require the token; where it cannot, Flower ends the process."""
    from flwr.superlink import config_loader

    plugins = {AuthnType.OIDC: TokenRequired}
    config_loader.get_control_authn_ee_plugins = lambda: plugins  # type: ignore[attr-defined]
    os.environ["FLWR_OIDC_ENABLED"] = "1"


if __name__ == "__main__":
    from flwr.superlink.cli.flower_superlink import flower_superlink

    require_token()
    flower_superlink()
