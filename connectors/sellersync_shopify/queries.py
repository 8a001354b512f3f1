"""The GraphQL documents that are sent, each whole. Names and meanings of fields: Admin API reference 2026-07.

A selection costs points for every object that it may return, so connections inside an order are short; what does not fit is read on.
"""

from __future__ import annotations

LINES_FIRST = 10
FULFILMENTS_FIRST = 5
FULFILMENT_ORDERS_FIRST = 5
LEVELS_FIRST = 10
LOCATIONS_FIRST = 50

_MONEY = "{ shopMoney { amount currencyCode } }"
_LINES = f"""nodes {{
      id name sku quantity currentQuantity requiresShipping
      originalUnitPriceSet {_MONEY}
      variant {{ id inventoryItem {{ id }} }}
    }}
    pageInfo {{ hasNextPage endCursor }}"""
_FULFILMENT_LINES = """nodes { quantity lineItem { id } }
      pageInfo { hasNextPage endCursor }"""
_WORK_LINES = """nodes { totalQuantity lineItem { id } }
        pageInfo { hasNextPage endCursor }"""

ORDER_FIELDS = f"""
  id legacyResourceId name createdAt updatedAt cancelledAt cancelReason closedAt currencyCode note email phone
  displayFinancialStatus displayFulfillmentStatus paymentGatewayNames
  subtotalPriceSet {_MONEY}
  totalShippingPriceSet {_MONEY}
  totalDiscountsSet {_MONEY}
  totalPriceSet {_MONEY}
  totalOutstandingSet {_MONEY}
  transactions(first: 10) {{ kind status processedAt }}
  shippingAddress {{ name phone address1 address2 city province zip countryCodeV2 }}
  shippingLine {{ title }}
  lineItems(first: {LINES_FIRST}) {{
    {_LINES}
  }}
  fulfillments(first: {FULFILMENTS_FIRST}) {{
    id status displayStatus createdAt
    trackingInfo {{ number company }}
    fulfillmentLineItems(first: {LINES_FIRST}) {{
      {_FULFILMENT_LINES}
    }}
  }}
  fulfillmentOrders(first: {FULFILMENT_ORDERS_FIRST}) @include(if: $located) {{
    nodes {{
      id status
      assignedLocation {{ location {{ id }} }}
      lineItems(first: {LINES_FIRST}) {{
        {_WORK_LINES}
      }}
    }}
    pageInfo {{ hasNextPage }}
  }}
"""

SHOP = """query SellersyncShop {
  shop { name myshopifyDomain currencyCode }
  currentAppInstallation { accessScopes { handle } }
}"""

LOCATIONS = f"""query SellersyncLocations {{
  locations(first: {LOCATIONS_FIRST}) {{ nodes {{ id name isActive }} pageInfo {{ hasNextPage }} }}
}}"""

ORDERS = f"""query SellersyncOrders($first: Int!, $after: String, $query: String!, $located: Boolean!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{ {ORDER_FIELDS} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""

ORDERS_CREATED = """query SellersyncOrdersCreated($first: Int!, $after: String, $query: String!) {
  orders(first: $first, after: $after, query: $query, sortKey: CREATED_AT) {
    nodes { id legacyResourceId createdAt }
    pageInfo { hasNextPage endCursor }
  }
}"""

ORDERS_BY_ID = f"""query SellersyncOrdersById($ids: [ID!]!, $located: Boolean!) {{
  nodes(ids: $ids) {{ ... on Order {{ {ORDER_FIELDS} }} }}
}}"""

MORE_LINES = f"""query SellersyncMoreLines($id: ID!, $after: String!) {{
  order(id: $id) {{ lineItems(first: 100, after: $after) {{
    {_LINES}
  }} }}
}}"""

MORE_FULFILMENT_LINES = f"""query SellersyncMoreFulfilmentLines($id: ID!, $after: String!) {{
  fulfillment(id: $id) {{ fulfillmentLineItems(first: 100, after: $after) {{
    {_FULFILMENT_LINES}
  }} }}
}}"""

MORE_WORK_LINES = f"""query SellersyncMoreWorkLines($id: ID!, $after: String!) {{
  fulfillmentOrder(id: $id) {{ lineItems(first: 100, after: $after) {{
    {_WORK_LINES}
  }} }}
}}"""

SHIPPING = f"""query SellersyncShipping($id: ID!) {{
  order(id: $id) {{
    id cancelledAt
    fulfillments(first: 50) {{ id status trackingInfo {{ number company }} }}
    fulfillmentOrders(first: {FULFILMENT_ORDERS_FIRST}) {{
      nodes {{ id status assignedLocation {{ location {{ id }} }} }}
      pageInfo {{ hasNextPage }}
    }}
  }}
}}"""

VARIANTS = f"""query SellersyncVariants($first: Int!, $after: String) {{
  productVariants(first: $first, after: $after) {{
    nodes {{
      id sku title barcode price
      product {{ id title status }}
      inventoryItem {{
        id tracked
        measurement {{ weight {{ value unit }} }}
        inventoryLevels(first: {LEVELS_FIRST}) {{
          nodes {{ location {{ id }} quantities(names: ["available"]) {{ name quantity }} }}
          pageInfo {{ hasNextPage }}
        }}
      }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""

LEVELS = """query SellersyncLevels($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) { ... on InventoryItem {
    id tracked
    inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
  } }
}"""

SET_QUANTITIES = """mutation SellersyncSetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id changes { name delta item { id } location { id } } }
    userErrors { code field message }
  }
}"""

FULFIL = """mutation SellersyncFulfil($fulfillment: FulfillmentInput!, $message: String) {
  fulfillmentCreate(fulfillment: $fulfillment, message: $message) {
    fulfillment { id status trackingInfo { number company } }
    userErrors { field message }
  }
}"""
