"""Settings: what loads, where values come from, and one sentence for each mistake."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import time
from pathlib import Path

import pytest

from sellersync.connector.http import WireLimits
from sellersync.connector.registry import connector_class
from sellersync.domain.differences import DEFAULT_POLICIES, Difference, DifferencePolicy
from sellersync.domain.errors import ConfigError
from sellersync.settings import HttpSettings, Settings, load

VAULT_KEY = "5f" * 32

MODULE = """
from pydantic import Field, SecretStr, field_validator
from sellersync.connector.contract import Channel, ChannelCapabilities, ConnectorSettings, Courier, CourierCapabilities, SettleBy

class PasarSettings(ConnectorSettings):
    remote_shop_id: str = Field(description="the shop's number in the seller centre")
    partner_id: int = Field(ge=1, description="the application's number")
    partner_key: SecretStr = Field(description="the application's secret")
    webhook_key: SecretStr | None = Field(None, description="secret of the webhooks")
    base_url: str = Field("https://pasar.example", description="where the API is")

    @field_validator("base_url")
    @classmethod
    def _https(cls, url: str) -> str:
        if not url.startswith("http"):
            raise ValueError("an address beginning with https:// is expected")
        return url

class Pasar(Channel):
    provider = "pasar"
    title = "Pasar"
    Settings = PasarSettings
    capabilities = ChannelCapabilities(streams=frozenset(), locations=True)

class Toko(Channel):
    provider = "toko"
    title = "Toko"
    Settings = PasarSettings
    capabilities = ChannelCapabilities(streams=frozenset(), own_site=True)

class KurirSettings(ConnectorSettings):
    api_key: SecretStr = Field(description="the account's key")

class Kurir(Courier):
    provider = "kurir"
    title = "Kurir"
    Settings = KurirSettings
    capabilities = CourierCapabilities(settle_by=SettleBy.LOOKUP)
"""

GOOD = """
[shop]
name = "Toko Kopi Gayo"

[ledger]
url = "sqlite:///ledger.db"
state_dir = "state"

[warehouses.bandung]
name = "Gudang Bandung"

[warehouses.jakarta]

[channels.pasar-main]
provider = "pasar"
poll_s = 15
locations = { IDL1 = "jakarta" }
remote_shop_id = "7001"
partner_id = 12

[channels.site]
provider = "toko"
remote_shop_id = "https://kopi.example"
partner_id = 1

[couriers.kurir]
provider = "kurir"

[sender]
name = "Sari"
phone = "081234567890"
address = "Jalan Braga 1"
postal_code = "40111"
"""
SECRETS = {
    "vault_key": VAULT_KEY + "\n",
    "pasar-main.partner_key": "pasar-secret-1\n",
    "site.partner_key": "site-secret-22",
    "kurir.api_key": "kurir-secret-333",
}


@pytest.fixture(scope="module", autouse=True)
def installed_connectors(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Three connectors installed the way a stranger's package is: a module and its entry points."""
    home = tmp_path_factory.mktemp("site")
    (home / "sellersync_stranger.py").write_text(MODULE)
    info = home / "sellersync_stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sellersync-stranger\nVersion: 1.0\n")
    points = "".join(f"{name.lower()} = sellersync_stranger:{name}\n" for name in ("Pasar", "Toko", "Kurir"))
    (info / "entry_points.txt").write_text(
        "[sellersync.connectors]\n" + points + "broken = sellersync_stranger_missing:Nothing\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(home))
        yield connector_class("pasar")


class Place:
    """A configuration file and its credential files in a directory."""

    def __init__(self, home: Path) -> None:
        self.file = home / "sellersync.toml"
        self.credentials = home / "credentials"
        self.credentials.mkdir()
        for name, text in SECRETS.items():
            (self.credentials / name).write_text(text)

    def load(self, text: str = GOOD, environ: Mapping[str, str] | None = None, **options: Path | None) -> Settings:
        self.file.write_text(text)
        return load(self.file, environ=environ or {}, **{"credentials_dir": self.credentials, **options})

    def problems(self, text: str = GOOD, environ: Mapping[str, str] | None = None, **options: Path | None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(text, environ, **options)
        return [problem.replace(f"{self.file.parent}/", "") for problem in caught.value.problems]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


# ------------------------------------------------------------------------------------------------------------------------ what loads


def test_a_whole_configuration(place: Place) -> None:
    settings = place.load()
    channel = settings.channels["pasar-main"]
    assert (channel.provider, channel.poll_s, channel.push_s) == ("pasar", 15, settings.jobs.push_s)
    assert channel.locations == {"IDL1": "jakarta"}
    assert channel.warehouse == "bandung", "the first warehouse of the file"
    assert channel.connector.partner_key.get_secret_value() == "pasar-secret-1"  # type: ignore[attr-defined]
    assert list(settings.couriers) == ["kurir"]
    assert settings.sender is not None
    assert settings.sender.place().postal_code == "40111"
    assert settings.report.at == time(7, 0)
    assert settings.shop.zone.key == "Asia/Jakarta"
    assert settings.vault_key_bytes() == bytes.fromhex(VAULT_KEY)


def test_relative_paths_are_relative_to_the_file(place: Place) -> None:
    settings = place.load(changed('state_dir = "state"', 'state_dir = "state"\n[report]\ndir = "out"'))
    home = place.file.parent
    assert settings.ledger.url == f"sqlite:///{home}/ledger.db"
    assert settings.ledger.state_dir == home / "state"
    assert settings.report_dir == home / "out"
    assert place.load().report_dir == home / "state" / "reports"


def test_an_absolute_ledger_stays_where_it_is(place: Place) -> None:
    assert place.load(changed("sqlite:///ledger.db", "sqlite:////srv/l.db")).ledger.url == "sqlite:////srv/l.db"


def test_settings_are_frozen(place: Place) -> None:
    with pytest.raises(ValueError, match="frozen"):
        place.load().shop.name = "other"


def test_no_warehouse_means_one_called_main(place: Place) -> None:
    text = changed('[warehouses.bandung]\nname = "Gudang Bandung"\n\n[warehouses.jakarta]\n', "")
    text = text.replace('locations = { IDL1 = "jakarta" }\n', "")
    settings = place.load(text)
    assert list(settings.warehouses) == ["main"]
    assert settings.channels["site"].warehouse == "main"


def test_a_channel_may_sell_from_several_warehouses(place: Place) -> None:
    """Its orders are taken from the first of the list, which need not be the first of the file."""
    site = place.load(changed('provider = "toko"', 'provider = "toko"\nwarehouse = ["jakarta", "bandung"]')).channels[
        "site"
    ]
    assert (site.warehouse, site.more_warehouses) == ("jakarta", ("bandung",))
    one = place.load(changed('provider = "toko"', 'provider = "toko"\nwarehouse = ["jakarta"]')).channels["site"]
    assert (one.warehouse, one.more_warehouses) == ("jakarta", ())
    told = place.load(environ={"SELLERSYNC_CHANNELS__SITE__WAREHOUSE": '["bandung", "jakarta"]'}).channels["site"]
    assert (told.warehouse, told.more_warehouses) == ("bandung", ("jakarta",))


def test_http_bounds_are_those_of_the_wire() -> None:
    """`WireLimits(**settings.http.model_dump())` must work, and the defaults must be the same."""
    assert HttpSettings().model_dump() == dataclasses.asdict(WireLimits())


# ------------------------------------------------------------------------------------------------------------------- the environment


def test_the_environment_wins_over_the_file(place: Place) -> None:
    settings = place.load(
        environ={
            "SELLERSYNC_SHOP__LANGUAGE": "en",
            "SELLERSYNC_JOBS__BOOK_S": "7.5",
            "SELLERSYNC_CHANNELS__PASAR_MAIN__POLL_S": "2",
            "SELLERSYNC_CHANNELS__PASAR_MAIN__PARTNER_ID": "99",
            "SELLERSYNC_CHANNELS__SITE__REMOTE_SHOP_ID": "1234",
            "SELLERSYNC_BOOKING__COMPANIES": '["jne"]',
            "SELLERSYNC_DIE_AT": "nowhere",
            "HOME": "/root",
        }
    )
    assert settings.shop.language == "en"
    assert settings.jobs.book_s == 7.5
    assert settings.channels["pasar-main"].poll_s == 2
    assert settings.channels["pasar-main"].connector.partner_id == 99  # type: ignore[attr-defined]
    assert settings.channels["site"].connector.remote_shop_id == "1234"  # type: ignore[attr-defined]
    assert settings.booking.companies == ("jne",)


def test_a_wrong_variable_is_named(place: Place) -> None:
    problems = place.problems(
        environ={
            "SELLERSYNC_JOBS__BOOK_S": "often",
            "SELLERSYNC_SHPO__NAME": "x",
            "SELLERSYNC_STOCK": "{bad",
            "SELLERSYNC_HTTP__READ_TIMOUT_S": "1",
        }
    )
    assert problems == [
        "environment variable SELLERSYNC_STOCK: a table is expected",
        "environment variable SELLERSYNC_SHPO__NAME is unknown; did you mean shop?",
        "environment variable SELLERSYNC_JOBS__BOOK_S: a number is expected (seconds between two looks for parcels to book)",
        "environment variable SELLERSYNC_HTTP__READ_TIMOUT_S is unknown; did you mean read_timeout_s?",
    ]


# --------------------------------------------------------------------------------------------------------------------- the mistakes


def test_five_mistakes_five_sentences(place: Place) -> None:
    (place.credentials / "kurir.api_key").unlink()
    text = changed('name = "Toko Kopi Gayo"', 'name = "Toko Kopi Gayo"\ntimezone = "Asia/Jakrata"')
    text = text.replace("poll_s = 15", 'poll_s = "often"').replace("partner_id = 12", "partner_idd = 12")
    text = text.replace('IDL1 = "jakarta"', 'IDL1 = "surabaya"').replace('provider = "toko"', 'provider = "tokko"')
    problems = place.problems(text)
    for start in (
        "sellersync.toml: [shop] timezone: 'Asia/Jakrata' is not a time zone; Indonesia has Asia/Jakarta,",
        "sellersync.toml: [channels.pasar-main] poll_s: a number is expected (seconds between two pulls of orders)",
        "sellersync.toml: [channels.pasar-main] partner_id is missing: a whole number is expected (the application's number)",
        "sellersync.toml: [channels.pasar-main] partner_idd is unknown; did you mean partner_id?",
        "sellersync.toml: [channels.site] provider: no connector 'tokko' is installed; installed are: ",
        "credentials: the credential file kurir.api_key is missing: text is expected (the account's key)",
    ):
        assert [p for p in problems if p.startswith(start)], f"{start}\nnot among\n" + "\n".join(problems)
    assert len(problems) == 6


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'name = "Toko Kopi Gayo"',
            "",
            "[shop] name is missing: text in quotes is expected (the shop's name, as it stands on the report)",
        ),
        ('"Toko Kopi Gayo"', '"Toko"\nlanguage = "jv"', "[shop] language: 'id' or 'en' is expected (language of the"),
        ("poll_s = 15", "poll_s = 0", "[channels.pasar-main] poll_s: at least 0.2 is expected (seconds between"),
        (
            "poll_s = 15",
            'warehouse = "medan"',
            "[channels.pasar-main] warehouse: 'medan' is no warehouse; expected is one of",
        ),
        (
            'provider = "toko"',
            'provider = "toko"\nwarehouse = ["jakarta", "medan"]',
            "[channels.site] warehouse: 'medan' is no warehouse; expected is one of bandung, jakarta",
        ),
        (
            'provider = "toko"',
            'provider = "toko"\nwarehouse = ["jakarta", "jakarta"]',
            "[channels.site] warehouse: a warehouse stands there twice; expected is each code once",
        ),
        (
            'provider = "toko"',
            'provider = "toko"\nwarehouse = []',
            "[channels.site] warehouse: the list is empty; expected is at least one of bandung, jakarta",
        ),
        (
            'provider = "toko"',
            'provider = "toko"\nwarehouse = 3',
            "[channels.site] warehouse: a code in quotes, or a list of codes, is expected",
        ),
        (
            "poll_s = 15",
            'warehouse = ["jakarta", "bandung"]',
            "[channels.pasar-main] warehouse: 2 warehouses, and locations of their own besides; expected is a single code",
        ),
        (
            'IDL1 = "jakarta"',
            'IDL1 = "medan"',
            "[channels.pasar-main] locations.IDL1: 'medan' is no warehouse; expected",
        ),
        (
            'provider = "toko"',
            'provider = "toko"\nlocations = { A = "jakarta" }',
            "[channels.site] locations: Toko keeps one number a listing, no locations",
        ),
        ('provider = "toko"', 'provider = "kurir"', "[channels.site] provider: Kurir belongs under [couriers.site]"),
        (
            'provider = "toko"',
            'provider = "broken"',
            "[channels.site] provider: the connector 'broken' cannot be loaded",
        ),
        ('provider = "toko"\n', "", "[channels.site] provider is missing: text in quotes is expected (which connector"),
        (
            'provider = "toko"',
            'provider = "toko"\nbase_url = "ftp:"',
            "[channels.site] base_url: an address beginning with https:// is expected (where the API is)",
        ),
        (
            'provider = "toko"\nremote_shop_id = "https://kopi.example"',
            'provider = "pasar"\nremote_shop_id = "7001"',
            "[channels.site] remote_shop_id: [channels.pasar-main] is the same shop; expected is one table for each shop",
        ),
        ('remote_shop_id = "7001"', "remote_shop_id = 7001", "[channels.pasar-main] remote_shop_id: text in quotes is"),
        ("[couriers.kurir]", "[couriers.site]", "[couriers.site]: a channel has this name; expected is another one"),
        ("[warehouses.jakarta]", "[warehouses.Jakarta]", "[warehouses.Jakarta]: a name of lower-case letters, digits"),
        ('"40111"', '"4011"', "[sender] postal_code: text of another form is expected (the five-digit postal code in"),
        (
            '"sqlite:///ledger.db"',
            '"mysql://x"',
            "[ledger] url: a URL beginning with sqlite:/// or postgresql+psycopg://",
        ),
        ("[warehouses.jakarta]", "[warehouse.jakarta]", "warehouse is unknown; did you mean warehouses?"),
        ("[warehouses.jakarta]", '[report]\nat = "25:00"', '[report] at: a time of day such as "07:00" is expected'),
        ("[warehouses.jakarta]", '[report]\nat = "07:00Z"', "[report] at: a time without a zone is expected"),
        (
            "[warehouses.jakarta]",
            "[jobs]\ndrain_s = 100",
            "[jobs] drain_s: at most 80 is expected (seconds that a stopping",
        ),
        ("[warehouses.jakarta]", "[booking]\ncompanies = []", "[booking] companies: at least 1 entries are expected"),
        (
            "[warehouses.jakarta]",
            "[http]\nread_attempts_max = 2.5",
            "[http] read_attempts_max: a whole number is expected",
        ),
        ("[shop]", "jobs = 3\n[shop]", "jobs: a table is expected"),
        ("[shop]", "couriers.x = 3\n[shop]", "[couriers] x: a table is expected"),
    ],
)
def test_each_mistake_has_its_sentence(place: Place, old: str, new: str, sentence: str) -> None:
    problems = place.problems(changed(old, new))
    assert [p for p in problems if p.startswith(f"sellersync.toml: {sentence}")], "\n".join(problems)


def test_a_table_twice_is_named_with_its_line(place: Place) -> None:
    [problem] = place.problems(GOOD + '[channels.site]\nprovider = "toko"\n')
    assert problem.startswith("sellersync.toml: not valid TOML: Cannot declare ('channels', 'site') twice (at line ")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: the configuration file cannot be read \(No such file"):
        load(tmp_path / "nowhere.toml", environ={})


def test_an_own_site_with_a_courier_needs_a_sender(place: Place) -> None:
    [problem] = place.problems(GOOD.split("[sender]")[0])
    assert problem == (
        "sellersync.toml: [sender] is missing: couriers collect the parcels of site there; "
        "expected are name, phone, address, postal_code"
    )


def test_a_disabled_channel_is_left_alone(place: Place) -> None:
    """Half-written settings and early credential files of a channel that is switched off are nobody's problem."""
    text = changed('provider = "pasar"', 'provider = "pasar"\nenabled = false').replace(
        "partner_id = 12", "partner_idd = 12"
    )
    settings = place.load(text)
    assert list(settings.channels) == ["site"]
    assert settings.disabled == {"pasar-main"}


# ---------------------------------------------------------------------------------------------------------------------- credentials


def test_where_credential_files_are_looked_for(place: Place) -> None:
    """The argument first, then systemd's directory, then the file's own key."""
    elsewhere = place.file.parent / "elsewhere"
    elsewhere.mkdir()
    text = 'secrets_dir = "credentials"\n' + GOOD
    assert place.load(text, credentials_dir=None).channels
    systemd = {"CREDENTIALS_DIRECTORY": str(elsewhere)}
    assert place.problems(text, systemd, credentials_dir=None)
    assert place.load(text, systemd).channels
    problems = place.problems(GOOD, credentials_dir=None)
    assert problems[-1] == (
        "the credentials directory (--credentials DIR): the credential file kurir.api_key is missing: "
        "text is expected (the account's key)"
    )
    assert len(problems) == 4


def test_systemd_names_files_of_a_directory_with_a_prefix(place: Place) -> None:
    for path in list(place.credentials.iterdir()):
        path.rename(path.with_name(f"sellersync_{path.name}"))
    assert place.load().channels["site"].connector.partner_key.get_secret_value() == "site-secret-22"  # type: ignore[attr-defined]


def test_unknown_empty_nested_and_binary_credential_files_are_reported(place: Place) -> None:
    (place.credentials / "pasar-main.partner_kye").write_text("x")
    (place.credentials / "site.webhook_key").write_text("  \n")
    (place.credentials / "site").mkdir()
    (place.credentials / "kurir.api_key").write_bytes(b"\xff\xfe\x00")
    (place.credentials / ".hidden").write_text("ignored")
    assert place.problems() == [
        "credentials/kurir.api_key: the credential file is not UTF-8 text",
        "credentials/site: a directory; credential files stand side by side, named SLUG.FIELD",
        "credentials/site.webhook_key: the credential file is empty",
        "credentials: the credential file pasar-main.partner_kye is unknown; did you mean pasar-main.partner_key?",
    ]


@pytest.mark.parametrize("key", ["", "5f" * 31, "zz" * 32, "hunter2"])
def test_the_vault_key_is_32_bytes(place: Place, key: str) -> None:
    (place.credentials / "vault_key").write_text(key)
    [problem] = place.problems()
    assert problem.startswith("credentials")
    assert "vault_key" in problem
    assert not key or key not in problem


def test_the_vault_key_may_be_base64(place: Place) -> None:
    (place.credentials / "vault_key").write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    assert place.load().vault_key_bytes() == bytes(range(32))


def test_secrets_in_the_file_are_refused(place: Place) -> None:
    text = f'vault_key = "{VAULT_KEY}"\n' + changed("partner_id = 12", 'partner_id = 12\npartner_key = "in-the-open"')
    text = text.replace("sqlite:///ledger.db", "postgresql+psycopg://shop:pg-secret@db/ledger")
    (place.credentials / "vault_key").unlink()
    problems = place.problems(text)
    assert problems == [
        "sellersync.toml: [ledger] url is a secret and does not belong into this file: "
        "write it into the file ledger.url in credentials",
        "sellersync.toml: vault_key is a secret and does not belong into this file: "
        "write it into the file vault_key in credentials",
        "sellersync.toml: [channels.pasar-main] partner_key is a secret and does not belong into this file: "
        "write it into the file pasar-main.partner_key in credentials",
    ]


def test_secrets_in_the_file_can_be_allowed(place: Place) -> None:
    text = f'allow_inline_secrets = true\nvault_key = "{VAULT_KEY}"\n'
    text += changed("partner_id = 12", 'partner_id = 12\npartner_key = "in-the-open"')
    text = text.replace(
        '[couriers.kurir]\nprovider = "kurir"', '[couriers.kurir]\nprovider = "kurir"\napi_key = "open-too"'
    )
    text = text.replace("partner_id = 1\n", 'partner_id = 1\npartner_key = "open-three"\n')
    settings = place.load(text, credentials_dir=None)
    assert settings.channels["pasar-main"].connector.partner_key.get_secret_value() == "in-the-open"  # type: ignore[attr-defined]


def test_the_ledger_url_with_its_password_comes_from_a_credential_file(place: Place) -> None:
    url = "postgresql+psycopg://shop:pg-secret@db/ledger"
    (place.credentials / "ledger.url").write_text(url)
    settings = place.load()
    assert settings.ledger.url == url
    assert "pg-secret" in settings.secret_values()


def test_secrets_never_show(place: Place) -> None:
    (place.credentials / "ledger.url").write_text("postgresql+psycopg://shop:pg-secret@db/ledger")
    settings = place.load()
    shown = repr(settings) + str(settings) + repr(settings.channels)
    secrets = settings.secret_values()
    assert sorted(secrets) == sorted([VAULT_KEY, "pasar-secret-1", "site-secret-22", "kurir-secret-333", "pg-secret"])
    assert not [secret for secret in secrets if secret in shown]


def test_secrets_never_stand_in_a_sentence(place: Place) -> None:
    """Not even when a secret was pasted into the wrong key or the wrong file."""
    (place.credentials / "site.partner_id").write_text("site-secret-22")
    problems = place.problems(
        changed("partner_id = 12", 'partner_id = "pasar-secret-1"').replace("7001", "pasar-secret-1")
    )
    assert len(problems) == 2
    assert not [p for p in problems if "secret-" in p]


# ------------------------------------------------------------------------------------------------------------------- [compare]


def test_what_is_done_about_differences(place: Place) -> None:
    table = '\n[compare]\nevery_s = 600\nedited_by_hand = "adopt"\nunknown_target = "overwrite"\n'
    compare = place.load(GOOD + table).compare
    assert compare.every_s == 600
    assert compare.policies() == {
        Difference.EDITED_BY_HAND: DifferencePolicy.ADOPT,
        Difference.CAMPAIGN_RETURN: DifferencePolicy.OVERWRITE,
        Difference.PUSH_REFUSED: DifferencePolicy.REPORT,
        Difference.UNKNOWN_TARGET: DifferencePolicy.OVERWRITE,
    }
    assert place.load().compare.policies() == DEFAULT_POLICIES


def test_a_policy_that_makes_no_sense_is_a_sentence(place: Place) -> None:
    problems = place.problems(GOOD + '\n[compare]\nedited_by_hand = "ignore"\nunknown_target = "adopt"\n')
    assert len(problems) == 2
    assert "[compare] edited_by_hand" in problems[0]
    assert "'report', 'overwrite' or 'adopt'" in problems[0]
    assert "there is no number to adopt" in problems[1]


# --------------------------------------------------------------------------------------------------------------------------- [mail]

MAIL = '\n[mail]\nenabled = true\nhost = "smtp.example.com"\nfrom_address = "toko@example.com"\n'


def test_mail_is_off_until_it_is_switched_on(place: Place) -> None:
    mail = place.load().mail
    assert not mail.enabled
    assert not mail.buyers


def test_the_password_of_the_mail_server_is_a_credential_file(place: Place) -> None:
    (place.credentials / "mail.password").write_text("mail-secret-4444\n")
    settings = place.load(GOOD + MAIL + 'user = "toko"\n')
    assert settings.mail_password is not None
    assert settings.mail_password.get_secret_value() == "mail-secret-4444"
    assert "mail-secret-4444" in settings.secret_values()
    assert "mail-secret-4444" not in repr(settings)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('user = "toko"', "the credential file mail.password is missing: sellersync.toml: [mail] user needs it"),
        ('password = "open"', "[mail] password is a secret and does not belong into this file"),
        ('security = "none"', 'security = "none" is meant for a server on this machine'),
        ('from_name = "Toko\\nBcc: x@example.com"', "one line of text is expected"),
        ('reply_to = "a@example.com, b@example.com"', "a mail address is expected"),
        ('from_addres = "x"', "from_addres"),
    ],
)
def test_each_mistake_about_mail_has_its_sentence(place: Place, lines: str, sentence: str) -> None:
    (problem,) = place.problems(GOOD + MAIL + lines + "\n")
    assert sentence in problem


def test_mail_needs_a_server_and_a_sender(place: Place) -> None:
    (problem,) = place.problems(GOOD + "\n[mail]\nenabled = true\n")
    assert "host and from_address are needed" in problem


def test_a_server_on_this_machine_needs_no_protection(place: Place) -> None:
    assert place.load(GOOD + MAIL.replace("smtp.example.com", "localhost") + 'security = "none"\n').mail.enabled
    assert place.load(GOOD + MAIL + 'security = "none"\nallow_unprotected = true\n').mail.enabled
