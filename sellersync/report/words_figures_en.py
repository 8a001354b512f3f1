"""English: what every figure is called and what exactly it counts, by section and measure. The same keys stand in both languages."""

from __future__ import annotations

from .phrases import FigureWords

SECTIONS: dict[str, str] = {
    "needs": "Needs you",
    "health": "Health",
    "orders": "Orders",
    "parcels": "Parcels",
    "returns": "Returns",
    "stock": "Stock",
    "entered": "Entered by people",
    "money": "Money",
    "products": "Products",
    "scorecard": "Channel scorecard",
    "routine": "Routine",
    "differences": "Differences",
    "pushes": "Levels sent",
    "proof": "Proof",
}

FIGURES: dict[str, FigureWords] = {
    "needs.total": FigureWords("Open", "Findings that are open now."),
    "needs.opened": FigureWords("New", "Findings opened in the period."),
    "needs.closed": FigureWords("Settled", "Findings closed in the period."),
    "health.exposed_p50": FigureWords(
        "Known after (p50)",
        "From the placing of an order until another channel accepted a level that includes it; half were faster.",
    ),
    "health.exposed_p95": FigureWords(
        "Known after (p95)",
        "From the placing of an order until another channel accepted a level that includes it; 95 of 100 were faster.",
    ),
    "health.heard_p50": FigureWords(
        "Seen after (p50)", "From the placing of an order until it was seen here; half were faster."
    ),
    "health.heard_p95": FigureWords(
        "Seen after (p95)", "From the placing of an order until it was seen here; 95 of 100 were faster."
    ),
    "health.posted_p50": FigureWords(
        "Posted after (p50)", "From being seen until it stood in the ledger; half were faster."
    ),
    "health.posted_p95": FigureWords(
        "Posted after (p95)", "From being seen until it stood in the ledger; 95 of 100 were faster."
    ),
    "health.accepted_p50": FigureWords(
        "Accepted after (p50)",
        "From standing in the ledger until the other channel accepted it; half were faster.",
    ),
    "health.accepted_p95": FigureWords(
        "Accepted after (p95)",
        "From standing in the ledger until the other channel accepted it; 95 of 100 were faster.",
    ),
    "health.waiting": FigureWords("Waiting", "Sales that the other channel has not accepted yet."),
    "health.not_needed": FigureWords("Not needed", "Sales that did not change the other channel's number."),
    "health.requests": FigureWords("Calls", "Calls to the channel on the quota days (UTC) that begin in the period."),
    "orders.orders": FigureWords("Orders", "Orders placed in the period by the channel's clock."),
    "orders.units": FigureWords(
        "Units", "Units ordered; cancelled and unpaid orders and cancelled units are left out."
    ),
    "orders.revenue": FigureWords(
        "Value of goods", "Price of the goods without shipping; cancelled and unpaid orders are left out."
    ),
    "orders.revenue_unknown": FigureWords(
        "Without a price", "Orders whose price is not complete; they are not in the value of goods."
    ),
    "orders.cancelled": FigureWords("Cancelled", "Orders of the period that are cancelled now."),
    "orders.unpaid": FigureWords("Unpaid", "Orders of the period that are unpaid now."),
    "orders.cancelled_from_before": FigureWords(
        "Cancelled, placed before", "Orders placed before the period and cancelled in it."
    ),
    "orders.returned": FigureWords("Returned", "Units of which a return was opened in the period."),
    "parcels.booked": FigureWords("Booked", "Parcels booked in the period."),
    "parcels.handed_over": FigureWords("Handed over", "Parcels that a courier took in the period."),
    "parcels.handed_over_late": FigureWords("Handed over late", "Parcels that a courier took after their deadline."),
    "parcels.delivered": FigureWords("Delivered", "Parcels delivered in the period."),
    "parcels.waiting_waybill": FigureWords("Waiting for a waybill", "Booked parcels that have no waybill now."),
    "parcels.trouble": FigureWords(
        "Stopped or coming back", "Parcels that are stopped, coming back or unreadable now."
    ),
    "parcels.late": FigureWords("Late", "What lies on the shelf after its deadline, now."),
    "parcels.due_today": FigureWords("Due today", "What must leave today."),
    "parcels.stuck": FigureWords("Bookings not clear", "Bookings whose outcome nobody knows now."),
    "parcels.troubled": FigureWords("Trouble on the way", "Parcels on their way that need a person now."),
    "returns.opened": FigureWords("New", "Units of which a return was opened in the period."),
    "returns.received": FigureWords("Received", "Units of returns whose first parcel came in during the period."),
    "returns.sellable": FigureWords("Sellable", "Units graded sellable in the period."),
    "returns.damaged": FigureWords("Damaged", "Units graded damaged in the period."),
    "returns.lost": FigureWords("Lost", "Units given up as lost in the period."),
    "returns.awaited": FigureWords("Awaited", "Units that have not come in now."),
    "returns.ungraded": FigureWords("Not graded", "Units that are here and not graded now."),
    "returns.open": FigureWords("Not settled", "Returns not settled now."),
    "returns.ageing": FigureWords("Ageing", "Returns not settled that were opened long ago."),
    "stock.skus": FigureWords("SKUs counted", "SKUs that a person has counted."),
    "stock.short": FigureWords("SKUs short", "SKUs and warehouses below zero now."),
    "stock.short_units": FigureWords("Units short", "Units sold beyond the stock now."),
    "stock.sold_out": FigureWords("Sold out", "Counted SKUs on sale of which none is available now."),
    "stock.below_reorder": FigureWords("To buy again", "SKUs at or below their reorder point now."),
    "stock.overstock": FigureWords("Too much of it", "SKUs with more stock than will sell."),
    "stock.dead": FigureWords("Not selling", "SKUs that are there and have not sold for long."),
    "stock.value": FigureWords("Stock at cost", "Units available times their newest cost."),
    "stock.value_unknown": FigureWords("SKUs without a cost", "SKUs that are there and whose cost is unknown."),
    "stock.available": FigureWords("Available", "Units available now: the sum of all movements."),
    "stock.sold": FigureWords("Sold", "Units that orders of the period's last days took."),
    "entered.documents": FigureWords("Documents", "Documents that people entered in the period."),
    "entered.units_in": FigureWords("Units in", "Units that these documents put on the shelf."),
    "entered.units_out": FigureWords("Units out", "Units that these documents took off the shelf."),
    "money.settlements": FigureWords("Settlements", "Settlements by their time in the period."),
    "money.net": FigureWords("Paid out", "Net amount that the channel settled."),
    "money.sale": FigureWords("Sales", "Prices of the goods less your own discounts and vouchers."),
    "money.shipping": FigureWords(
        "Shipping difference", "Shipping paid by buyers and channel less what couriers took."
    ),
    "money.fees": FigureWords("Channel fees", "Commissions, services, taxes, insurance and ads that were kept."),
    "money.refunds": FigureWords("Refunds", "Money given back to buyers."),
    "money.other": FigureWords("Other", "Corrections, and parts whose name is not known yet."),
    "money.unexplained": FigureWords("Unexplained", "What the channel's own parts do not explain."),
    "money.cost": FigureWords(
        "Cost of goods",
        "Cost of the units taken, when the order was placed; counted with the order's first settlement, less what came back sellable.",
    ),
    "money.cost_unknown": FigureWords("Without a cost", "Settlements whose cost of goods is unknown."),
    "money.margin": FigureWords("Margin", "Paid out less cost of goods, of settlements whose cost is known."),
    "money.margin_unknown": FigureWords("Without a margin", "Settlements whose margin is unknown."),
    "money.units": FigureWords("Units", "Units whose cost counts with these settlements."),
    "money.courier_parcels": FigureWords(
        "Parcels", "Parcels booked with couriers of our own in the period and not cancelled."
    ),
    "money.courier_paid": FigureWords("Paid by buyers", "Shipping that buyers paid for these parcels, once an order."),
    "money.courier_paid_unknown": FigureWords("Shipping unknown", "Orders whose shipping fee is unknown."),
    "money.courier_charged": FigureWords("Charged by couriers", "What couriers charge, after weighing again."),
    "money.courier_charged_unknown": FigureWords("Charge unknown", "Parcels whose charge is unknown."),
    "products.sold": FigureWords("SKUs sold", "SKUs sold in the period."),
    "products.unpriced": FigureWords("Units without a price", "Units sold at an unknown price."),
    "products.units": FigureWords(
        "Units sold", "Units of this SKU in orders of the period; cancelled and unpaid ones are left out."
    ),
    "scorecard.margin": FigureWords("Margin of sales", "Margin divided by the sales that were settled."),
    "scorecard.fees": FigureWords("Fees of sales", "Channel fees divided by the sales that were settled."),
    "scorecard.cancelled": FigureWords("Orders cancelled", "Cancelled orders divided by orders placed."),
    "scorecard.returned": FigureWords("Units returned", "Units returned divided by units sold."),
    "routine.handed_over": FigureWords("Handed over", "Parcels that a courier took in the period."),
    "routine.handed_over_late": FigureWords("Handed over late", "Parcels that a courier took after their deadline."),
    "routine.late_now": FigureWords("Late now", "What lies on the shelf after its deadline, now."),
    "routine.counts": FigureWords("Counts", "Stock counts entered in the period."),
    "routine.adjustments": FigureWords("Adjustments", "Stock adjustments that people entered in the period."),
    "routine.adopted": FigureWords("Adopted", "Adjustments that took over a channel's number."),
    "routine.zero_agreed": FigureWords(
        "Sudden zeros settled", "Warnings of a sudden zero that were settled in the period."
    ),
    "routine.overwritten": FigureWords("Overwritten", "Numbers on channels that ours replaced."),
    "routine.ageing_returns": FigureWords("Ageing returns", "Returns not settled that were opened long ago."),
    "differences.compared": FigureWords("Compared", "Numbers on channels compared in the period."),
    "differences.not_comparable": FigureWords("Not comparable", "Numbers that could not be compared for certain."),
    "differences.found": FigureWords("Different", "Differences found in the period."),
    "differences.open": FigureWords("Still open", "Differences that are open now."),
    "pushes.sent": FigureWords("Sent", "Levels sent to channels in the period."),
    "pushes.applied": FigureWords("Accepted", "Levels that the channel accepted."),
    "pushes.refused": FigureWords("Refused", "Levels that the channel refused."),
    "pushes.unclear": FigureWords("Unclear", "Levels of which nobody knows whether they were accepted."),
    "pushes.open": FigureWords("Not answered", "Levels that the channel has not answered."),
    "proof.movements": FigureWords("Movements", "Movements in the ledger."),
    "proof.balances": FigureWords("Balances", "Balances in the ledger."),
    "proof.sealed": FigureWords("Sealed", "Movements that are sealed."),
    "proof.orders": FigureWords("Orders", "Orders in the ledger."),
    "proof.order_lines": FigureWords("Order lines", "Order lines in the ledger."),
    "proof.skus": FigureWords("SKUs", "SKUs in the ledger."),
    "proof.listings": FigureWords("Listings", "Listings that the ledger knows."),
    "proof.counts": FigureWords("Counts", "Counts ever entered."),
    "proof.on_channel": FigureWords("On the channel", "Orders of the period by a second listing of the channel."),
    "proof.in_ledger": FigureWords("In the ledger", "Those of them that were in the ledger when counted."),
    "proof.missing": FigureWords("Missing", "Orders on the channel that the ledger still does not have."),
    "proof.repaired": FigureWords("Repaired", "Orders that were added after the count."),
    "proof.oversold_units": FigureWords("Units sold twice", "Units that orders of the period took beyond the stock."),
}
