"""What the demo's shop sells: the same seller SKUs on every channel, and a bundle on some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .kit import MarketplaceSimulator
from .market import World


@dataclass(frozen=True, slots=True)
class Good:
    """A SKU: `price` in whole rupiah, `weight_g` in grams, `stock` units on the shelf when the demo begins.

    `weight` is its share of the ordinary sales; 0 leaves it to the scripted scenes.
    """

    sku: str
    title: str
    price: int
    weight_g: int
    stock: int
    weight: int = 4


@dataclass(frozen=True, slots=True)
class Bundle:
    """A listing made of several SKUs, sold by the channels in `providers`. No SKU carries its code, so it must be mapped by hand."""

    seller_sku: str
    title: str
    price: int
    weight_g: int
    parts: Mapping[str, int]
    providers: frozenset[str]
    weight: int = 3


@dataclass(frozen=True, slots=True)
class Catalogue:
    goods: tuple[Good, ...]
    bundles: tuple[Bundle, ...] = ()
    scarce: tuple[str, ...] = ()
    """SKUs of which a unit or three are left: the scripted races are about them."""
    campaign: str = ""
    """The SKU of the flash sale."""
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    """(channel slug, seller SKU) -> remote key, filled by `fill_shelves`."""

    def world(self) -> World:
        """What the judge needs to know."""
        return World(
            {good.sku: good.stock for good in self.goods}, {bundle.seller_sku: bundle.parts for bundle in self.bundles}
        )


def coffee_and_batik() -> Catalogue:
    """Twelve SKUs of a small shop in Bandung."""
    return Catalogue(
        goods=(
            Good("KOPI-GAYO-250", "Kopi Gayo Arabika 250 g", 85_000, 280, 90, 8),
            Good("KOPI-TORAJA-250", "Kopi Toraja Sapan 250 g", 92_000, 280, 60, 6),
            Good("KOPI-LUWAK-100", "Kopi Luwak Liar 100 g", 310_000, 130, 24),
            Good("KOPI-TUBRUK-500", "Kopi Tubruk Robusta 500 g", 64_000, 540, 120, 9),
            Good("DRIP-GAYO-10", "Kopi Drip Gayo isi 10", 78_000, 180, 70, 6),
            Good("CANGKIR-BLIRIK", "Cangkir Blirik Hijau", 27_500, 210, 80, 5),
            Good("TEKO-BLIRIK", "Teko Blirik 1 Liter", 115_000, 720, 18, 2),
            Good("BATIK-PARANG-L", "Kemeja Batik Parang L", 245_000, 320, 30),
            Good("BATIK-KAWUNG-M", "Kemeja Batik Kawung M", 235_000, 310, 3, 0),
            Good("BATIK-MEGA-L", "Kemeja Batik Mega Mendung L", 265_000, 320, 1, 0),
            Good("SARUNG-GOYOR", "Sarung Goyor Pemalang", 189_000, 450, 26),
            Good("GULA-AREN-500", "Gula Aren Semut 500 g", 38_000, 530, 150, 2),
        ),
        bundles=(
            Bundle(
                "PAKET-NGOPI",
                "Paket Ngopi: Kopi Gayo 250 g dan 2 Cangkir Blirik",
                135_000,
                720,
                {"KOPI-GAYO-250": 1, "CANGKIR-BLIRIK": 2},
                frozenset({"shopee", "tokopedia", "woocommerce"}),
            ),
        ),
        scarce=("BATIK-MEGA-L", "BATIK-KAWUNG-M"),
        campaign="GULA-AREN-500",
    )


def fill_shelves(catalogue: Catalogue, channels: Mapping[str, MarketplaceSimulator]) -> None:
    """List everything on all channels, each showing the whole stock."""
    stock = {good.sku: good.stock for good in catalogue.goods}
    for slug, simulator in channels.items():
        for good in catalogue.goods:
            product = simulator.add_product(
                good.sku, good.title, price=good.price, stock=good.stock, weight_g=good.weight_g
            )
            catalogue.keys[slug, good.sku] = product.remote_key
        for bundle in catalogue.bundles:
            if simulator.provider in bundle.providers:
                level = min(stock[sku] // quantity for sku, quantity in bundle.parts.items())
                product = simulator.add_product(
                    bundle.seller_sku, bundle.title, price=bundle.price, stock=level, weight_g=bundle.weight_g
                )
                catalogue.keys[slug, bundle.seller_sku] = product.remote_key
