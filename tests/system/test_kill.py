"""SIGKILL at named steps and with calls in flight: after a restart everything is in order, judged from outside.

Every test begins and ends with a settled shop and no daemon, so the trade adds up over a class, and with it what the judge checks.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import httpx
import pytest
from kill_place import Ambush, KillPlace
from premises import until

soak = pytest.mark.soak


@pytest.fixture(scope="class")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillPlace]:
    with KillPlace(tmp_path_factory.mktemp("kill")) as place:
        place.open_shop()
        settle(place)
        yield place


def settle(place: KillPlace) -> None:
    """Restart, wait until everything is in order, and end: by another SIGKILL, since there is no better moment than any."""
    place.begin()
    place.assert_settles()
    assert place.end(signal.SIGKILL) == -signal.SIGKILL


def die_at(place: KillPlace, step: str) -> None:
    """The daemon reaches the step, dies there, and its follower settles everything."""
    place.begin(die_at=step)
    assert place.death() == -signal.SIGKILL, "the step was never reached"
    settle(place)


class TestOrdersInAndLevelsOut:
    STEPS = (
        "daemon_begin:done",
        "pull_orders_start:done",
        "record_page:in",
        "record_page:done",
        pytest.param("pull_orders_end:in", marks=soak),
        pytest.param("push_stock_start:done", marks=soak),
        pytest.param("push_begin:in", marks=soak),
        "push_sent:in",
        "push_sent:done",
        "push_answered:in",
        pytest.param("push_answered:done", marks=soak),
        "record_shown:in",
        pytest.param("push_stock_end:in", marks=soak),
        pytest.param("seal:in", marks=soak),
        pytest.param("seal:done", marks=soak),
        "record_listings:in",
    )

    @pytest.mark.parametrize("step", STEPS)
    def test_killed_at(self, place: KillPlace, step: str) -> None:
        place.buyers()
        die_at(place, step)


class TestParcels:
    STEPS = (
        "make_parcels:in",
        pytest.param("make_parcels:done", marks=soak),
        "claim:in",
        "claim:done",
        pytest.param("claim_step:in", marks=soak),
        "claim_step:done",
        pytest.param("claim_advance:in", marks=soak),
        "claim_advance:done",
        pytest.param("claim_drafted:in", marks=soak),
        "claim_drafted:done",
        "claim_confirm:in",
        pytest.param("claim_confirm:done", marks=soak),
        "settle_booked:in",
        pytest.param("settle_booked:done", marks=soak),
        pytest.param("book_couriers_end:in", marks=soak),
        "tracked:in",
        pytest.param("tracked:done", marks=soak),
    )

    @pytest.mark.parametrize("step", STEPS)
    def test_killed_at(self, place: KillPlace, step: str) -> None:
        place.buyers()
        place.couriers_collect()
        die_at(place, step)


class TestTokens:
    STEPS = (
        pytest.param("token_lease:done", marks=soak),
        "token_refresh:in",
        "token_refresh:journaled",
        pytest.param("token_store:in", marks=soak),
        "token_store:done",
        pytest.param("token_release:in", marks=soak),
    )

    @pytest.mark.parametrize("step", STEPS)
    def test_killed_at(self, place: KillPlace, step: str) -> None:
        place.buyers()
        place.shops["shopee"].expire_tokens()  # type: ignore[attr-defined]
        die_at(place, step)

    def test_an_answer_lost_with_the_process_is_asked_for_again_where_the_provider_allows_it(
        self, place: KillPlace
    ) -> None:
        place.shops["shopee"].switches["old_refresh_token"] = "works_once"
        lose_the_new_token(place)
        settle(place)

    def test_else_the_seller_is_asked_to_authorise_again_and_nothing_is_lost(self, place: KillPlace) -> None:
        """The used refresh token is dead: no program can go on. The other channels do, and after the consent so does this one."""
        place.shops["shopee"].switches["old_refresh_token"] = "dead"
        lose_the_new_token(place)
        place.begin()
        until(lambda: place.state_of("shopee") == "needs_authorisation", what="the alarm")
        place.buyers()
        assert "auth login shopee" in place.run("status", expect=4)
        place.authorise("shopee")
        place.assert_settles()
        assert place.end(signal.SIGKILL) == -signal.SIGKILL


def lose_the_new_token(place: KillPlace) -> None:
    """Shopee renews the pair, and the daemon dies before it hears of it."""
    place.buyers()
    place.shops["shopee"].expire_tokens()  # type: ignore[attr-defined]
    ambushed(place, "shopee", "/auth/access_token/get", processed=True)


def ambushed(place: KillPlace, slug: str, path: str, *, processed: bool) -> None:
    """The daemon dies when its POST or PUT to `path` has reached the simulator: before or after the simulator acts on it."""
    simulator = {**place.shops, **place.couriers}[slug]

    def matches(request: httpx.Request) -> bool:
        return request.method in ("POST", "PUT") and path in request.url.path

    with Ambush(place, simulator, matches, processed) as ambush:
        place.begin()
        assert place.death() == -signal.SIGKILL
    assert ambush.struck == 1


class TestCallsInFlight:
    BOOKINGS = (
        ("shopee", "/logistics/ship_order"),
        ("tokopedia", "/packages/"),
        ("lazada", "/order/fulfill/pack"),
        ("lazada", "/order/package/rts"),
        ("biteship", "/v1/draft_orders"),
        ("biteship", "/confirm"),
    )
    LEVELS = (
        ("shopee", "/product/update_stock"),
        ("tokopedia", "/inventory/update"),
        ("lazada", "/product/stock/sellable/update"),
        ("toko", "/products/"),
    )
    BEFORE_IT_ACTS = (
        pytest.param(False, id="before it acts"),
        pytest.param(True, id="before it answers"),
    )

    @pytest.mark.parametrize("processed", BEFORE_IT_ACTS)
    @pytest.mark.parametrize(("slug", "path"), BOOKINGS)
    def test_killed_while_a_parcel_is_booked(self, place: KillPlace, slug: str, path: str, processed: bool) -> None:
        place.buyers()
        ambushed(place, slug, path, processed=processed)
        settle(place)

    @pytest.mark.parametrize("processed", [pytest.param(False, id="before it acts", marks=soak), BEFORE_IT_ACTS[1]])
    @pytest.mark.parametrize(("slug", "path"), LEVELS)
    def test_killed_while_a_level_is_sent(self, place: KillPlace, slug: str, path: str, processed: bool) -> None:
        place.buyers()
        ambushed(place, slug, path, processed=processed)
        settle(place)
