"""Credentials that a text would repeat."""

import pytest

from prunemark.setups.secrets import without_secrets


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("API request to https://me:pass@host:5000/api failed", "API request to https://host:5000/api failed"),
        ("https://me@host/x", "https://host/x"),
        ("postgresql://me:p@ss@host/db", "postgresql://host/db"),
        ("https://host/x?token=abcdef&y=1", "https://host/x?token=***&y=1"),
        ("https://host/x?y=1&db_password=a%20b'", "https://host/x?y=1&db_password=***'"),
        ("mail me@host, or see https://host/a@b", "mail me@host, or see https://host/a@b"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
    ],
)
def test_what_an_address_has_of_them_is_left_out(text, said):
    assert without_secrets(text) == said


def test_a_password_is_found_outside_of_its_address_too(monkeypatch):
    address = "https://me:a%2Fb%20c@host"
    assert without_secrets("user me, password 'a/b c' or a%2Fb%20c", address) == "user me, password '***' or ***"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:of-the-variable@host")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "the-password")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "the-token")
    assert without_secrets("of-the-variable the-password the-token") == "*** *** ***"


def test_letters_that_are_a_short_password_stay():
    assert without_secrets("a table", "http://me:a@host") == "a table"
