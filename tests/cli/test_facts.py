"""Facts that can rot: sentences for errors, the list of commands, the list of exit codes."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sellersync.cli.codes import MEANING, Code
from sellersync.cli.commands import app
from sellersync.cli.sentences import SENTENCES, sentence
from sellersync.domain import errors

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.SellersyncError) and cls.__module__ == errors.__name__
]
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
EXAMPLES: dict[str, errors.SellersyncError] = {
    "SellersyncError": errors.SellersyncError("odd"),
    "Temporary": errors.Temporary("Shopee is closed", retry_after_s=7),
    "RateLimited": errors.RateLimited("too many calls", until=NOON),
    "QuotaSpent": errors.QuotaSpent("9500 of 10000 calls are used", until=NOON),
    "AuthNeeded": errors.AuthNeeded("the token is dead", todo="Authorise it: sellersync auth login shopee"),
    "TokenDead": errors.TokenDead("401"),
    "Rejected": errors.Rejected("parcel 1", "no route", errors.RejectClass.NO_ROUTE, code="E9"),
    "Uncertain": errors.Uncertain("SS-1", "no answer"),
    "Unrecognised": errors.Unrecognised("order status", "MAYBE"),
    "CapExceeded": errors.CapExceeded("5,001 orders in a minute"),
    "NotSupported": errors.NotSupported("no labels"),
    "ConfigError": errors.ConfigError(["a.toml: one", "a.toml: two"]),
    "BadInput": errors.BadInput("no SKU 'X'"),
    "LeaseLost": errors.LeaseLost("the lease on pull was lost"),
    "Held": errors.Held("pull_orders:1", "host:1", NOON),
}
EXPECTED_CODES = {
    "Temporary": 3,
    "RateLimited": 3,
    "AuthNeeded": 4,
    "Rejected": 1,
    "ConfigError": 2,
    "BadInput": 2,
    "NotSupported": 2,
    "Held": 75,
    "LeaseLost": 75,
}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_has_a_sentence_of_its_own(cls: type[errors.SellersyncError]) -> None:
    assert cls in SENTENCES
    words, code = sentence(EXAMPLES[cls.__name__])
    assert words.strip()
    assert code != Code.OK
    assert "Traceback" not in words
    assert "<" not in words  # no repr of an object


@pytest.mark.parametrize(("name", "code"), EXPECTED_CODES.items())
def test_what_the_caller_must_do_decides_the_exit_code(name: str, code: int) -> None:
    assert sentence(EXAMPLES[name])[1] == code


def test_every_mistake_of_a_configuration_is_a_line() -> None:
    assert sentence(EXAMPLES["ConfigError"])[0].splitlines() == ["a.toml: one", "a.toml: two"]


def test_an_error_without_its_own_words_takes_its_parent_s() -> None:
    class Younger(errors.Temporary):
        pass

    assert sentence(Younger("closed"))[1] == Code.TROUBLE


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command with its words."""
    found = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found += commands(command, (*path, name))
        else:
            found.append(((*path, name), command))
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_docs_list_every_command_with_its_options(words: tuple[str, ...], command: Any) -> None:
    name = f"sellersync {' '.join(words)}"
    assert f"`{name}" in DOCS
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert option in DOCS, f"{name} {option}"
    assert command.help


def test_docs_list_no_command_that_is_gone() -> None:
    known = {words for words, _ in COMMANDS}
    groups = {words[:depth] for words in known for depth in range(1, len(words))}
    for told in re.findall(r"`sellersync ([a-z]+(?: [a-z-]+)*)", DOCS):
        words = tuple(told.split())
        depth = 1
        while depth < len(words) and words[:depth] in groups:
            depth += 1
        assert words[:depth] in known | groups, told


def test_docs_and_help_list_the_same_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    from sellersync.cli import main

    assert dict(re.findall(r"^\| (\d+) \| (.+) \|$", DOCS, re.MULTILINE)) == {
        str(code.value): meaning for code, meaning in MEANING.items()
    }
    assert set(MEANING) == set(Code)
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for code, meaning in MEANING.items():
        assert re.search(rf"^ +{code.value} +{re.escape(meaning)}$", out, re.MULTILINE)


def test_systemd_does_not_retry_a_bad_configuration() -> None:
    unit = (Path(__file__).parents[2] / "systemd" / "sellersync.service").read_text("utf-8")
    assert f"RestartPreventExitStatus={Code.INPUT.value}\n" in unit
