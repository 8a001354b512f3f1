"""Staff run the command of an open finding, and leave the others to people."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlmodel import Session, SQLModel

from sellersync.sandbox.house import House
from sellersync.sandbox.staff import AGAIN_S, Staff
from sellersync.store import tables as t


class Office:
    """A ledger with findings, and a house whose commands only say what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.path = folder / "ledger.db"
        self._engine = create_engine(f"sqlite:///{self.path}")
        python = folder / "python"
        python.write_text('#!/bin/sh\necho "$@"\n')
        python.chmod(0o700)
        self.staff = Staff(House(folder / "s.toml", python=str(python)), self.path, lambda: self.now)
        with Session(self._engine) as session:
            SQLModel.metadata.create_all(session.connection())
            for number, slug in enumerate(("toko", "biteship"), 1):
                session.add(
                    t.ChannelRow(
                        id=number, provider="tiny", remote_shop_id=slug, slug=slug, kind="channel", created_ms=1
                    )
                )
            session.commit()

    def find(self, kind: str, subject: str, *, closed_ms: int | None = None) -> None:
        with Session(self._engine) as session:
            session.add(
                t.Finding(
                    kind=kind, subject=subject, channel_id=1, since_ms=1, seen_ms=1, details="{}", closed_ms=closed_ms
                )
            )
            session.commit()

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.find("cancelled_but_booked", "41/1")
    office.find("cancelled_but_booked", "7/1", closed_ms=5)
    office.find("booking_ended", "52")
    office.find("booking_unsettled", "60")
    office.close()
    return office


def test_what_is_open_is_settled_by_its_command(office: Office) -> None:
    office.staff.look()
    assert [line.split(": ")[0] for line in office.staff.done] == [
        "sellersync parcels cancel 41/1 --yes",
        "sellersync parcels rebook 52 --yes",
    ]
    config = office.path.with_name("s.toml")
    assert office.staff.done[0].endswith(f": -m sellersync parcels cancel 41/1 --yes --config {config}")


def test_a_finding_that_stays_open_is_not_dealt_with_at_every_look(office: Office) -> None:
    office.staff.look()
    office.now += AGAIN_S / 2
    office.staff.look()
    assert len(office.staff.done) == 2
    office.now += AGAIN_S
    office.staff.look()
    assert len(office.staff.done) == 4


def test_no_ledger_yet(tmp_path: Path) -> None:
    staff = Staff(House(tmp_path / "s.toml"), tmp_path / "ledger.db", lambda: 0.0)
    staff.look()
    assert staff.done == []
