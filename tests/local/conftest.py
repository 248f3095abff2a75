"""What these tests share: the parts of one process, which a user has at home."""

from tests.fixtures.local_process import local, secret

__all__ = ["local", "secret"]
