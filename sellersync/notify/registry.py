"""Notifiers by the name that `kind` has in the configuration: ours, and those that packages register as entry points."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from sellersync.domain.errors import ConfigError

from .notifier import Notifier

GROUP = "sellersync.notifiers"
OURS = {
    "mail": "sellersync.notify.by_mail:MailNotifier",
    "telegram": "sellersync.notify.telegram:TelegramNotifier",
    "webhook": "sellersync.notify.webhook:WebhookNotifier",
}


def kinds() -> list[str]:
    """Every kind of notifier that is there."""
    return sorted({*OURS, *(point.name for point in entry_points(group=GROUP))})


def notifier_class(kind: str) -> type[Notifier]:
    """The notifier of a kind. Raises `ConfigError` naming what is installed, or why it cannot be loaded."""
    places = [OURS[kind]] if kind in OURS else sorted({point.value for point in entry_points(group=GROUP, name=kind)})
    if not places:
        raise ConfigError([f"no notifier {kind!r} is installed; installed are: {', '.join(kinds())}"])
    if len(places) > 1:
        raise ConfigError([f"two installed packages claim the notifier {kind!r}: uninstall one of them"])
    module, _, name = places[0].partition(":")
    try:
        loaded = getattr(import_module(module), name)
    except (ImportError, AttributeError) as failure:
        raise ConfigError([f"the notifier {kind!r} cannot be loaded from {places[0]}: {failure}"]) from failure
    if not (isinstance(loaded, type) and issubclass(loaded, Notifier)):
        raise ConfigError([f"the notifier {kind!r} at {places[0]} is no Notifier"])
    return loaded
