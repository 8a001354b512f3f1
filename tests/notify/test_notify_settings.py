"""[notify.NAME], [alerts] and what names them: each mistake has its sentence, and no secret stands in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sellersync.domain.errors import ConfigError
from sellersync.settings import Settings, load

BASE = """
secrets_dir = "credentials"
[shop]
name = "Kopi"
[ledger]
url = "sqlite:///ledger.db"
state_dir = "state"
"""
STAFF = '[notify.staff]\nkind = "telegram"\nchat_id = -1009\n'
MAIL = '[mail]\nenabled = true\nhost = "localhost"\nfrom_address = "a@b.co"\n'
TOKEN = "123456:made-up-token"
Loading = Callable[..., Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Loading:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "vault_key").write_text("00" * 32)

    def load_it(tables: str, **credentials: str) -> Settings:
        for name, secret in credentials.items():
            (folder / name.replace("__", ".")).write_text(secret)
        (tmp_path / "sellersync.toml").write_text(BASE + tables)
        return load(tmp_path / "sellersync.toml", environ={})

    return load_it


def test_a_reader_is_ready_and_its_token_is_a_secret(loaded: Loading) -> None:
    settings = loaded(STAFF + '[alerts]\nto = ["staff"]\n[report]\nsend_to = ["staff"]', staff__token=TOKEN)
    assert settings.notify["staff"].attach == ("html",)
    assert TOKEN in settings.secret_values()
    assert TOKEN not in repr(settings)


def test_a_reader_that_is_switched_off_is_not_checked(loaded: Loading) -> None:
    assert loaded('[notify.staff]\nkind = "telegram"\nenabled = false\n').notify == {}


@pytest.mark.parametrize(
    ("tables", "credentials", "said"),
    [
        (STAFF, {}, "the credential file staff.token is missing"),
        (STAFF + f'token = "{TOKEN}"', {}, "[notify.staff] token is a secret and does not belong into this file"),
        (STAFF.replace("-1009", '"kopi"'), {"staff__token": TOKEN}, "the number of a chat, or @channelname, is expected"),
        (STAFF, {"staff__token": "a/../b"}, "a token of @BotFather is expected"),
        (STAFF + 'api_url = "http://elsewhere"', {"staff__token": TOKEN}, "beginning with https:// is expected"),
        (STAFF + 'atach = ["html"]', {"staff__token": TOKEN}, "did you mean attach?"),
        (STAFF + 'attach = ["pdf"]', {"staff__token": TOKEN}, "'html' or 'xlsx' is expected"),
        ('[notify.x]\nkind = "pigeon"', {}, "no notifier 'pigeon' is installed; installed are: mail, telegram, webhook"),
        ("[notify.x]\nenabled = true", {}, "[notify.x] kind is missing"),
        ('[notify.x]\nkind = "mail"\nto = "a@b.co"', {}, "expected is enabled = true there"),
        ('[notify.x]\nkind = "mail"\nto = "a"\n' + MAIL, {}, "one mail address is expected"),
        ('[notify.x]\nkind = "webhook"', {}, "the credential file x.url is missing"),
        ('[notify.x]\nkind = "webhook"', {"x__url": "http://elsewhere/hidden-part"}, "beginning with https:// is expected"),
        ('[notify.file]\nkind = "telegram"\nchat_id = 1', {"file__token": TOKEN}, "this name is taken"),
        ('[alerts]\nto = ["boss"]', {}, "there is no table [notify.boss]; there are: none"),
        (STAFF + "enabled = false\n" + '[report]\nsend_to = ["staff"]', {}, "[notify.staff] is switched off"),
        (STAFF + '[report]\nweekly_to = ["staff", "staff"]', {"staff__token": TOKEN}, "a name stands there twice"),
        ('[alerts]\nkinds = ["bugs"]', {}, "'bugs' is no kind of finding that can be told"),
        ('[alerts]\nkinds = ["message_not_sent"]', {}, "is no kind of finding that can be told"),
        ('[alerts]\nquiet_from = "22:00"', {}, "quiet_from and quiet_until belong together"),
        ('[alerts]\nquiet_from = "22:00+07:00"\nquiet_until = "06:00"', {}, "a time without a zone is expected"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_sentence(loaded: Loading, tables: str, credentials: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        loaded(tables, **credentials)
    assert any(said in problem for problem in wrong.value.problems), wrong.value.problems
    assert len(wrong.value.problems) == 1, wrong.value.problems
    for secret in (TOKEN, "hidden-part"):
        assert secret not in str(wrong.value)


def test_a_reader_and_a_channel_of_one_name_are_told_apart(loaded: Loading) -> None:
    channel = '[channels.staff]\nprovider = "shopee"\nremote_shop_id = "1"\npartner_id = 2\n'
    with pytest.raises(ConfigError, match="a channel or courier has this name"):
        loaded(STAFF + channel, staff__token=TOKEN, staff__partner_key="made-up-secret")
