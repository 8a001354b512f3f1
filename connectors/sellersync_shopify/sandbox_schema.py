"""The part of the Admin API's schema that the simulator serves (reference pages of 2026-07). What is not here is refused."""

from __future__ import annotations

from .sandbox_document import Schema

TEXT = """
type Query {
  shop: Shop!
  currentAppInstallation: AppInstallation!
  locations(first: Int, after: String): LocationConnection!
  orders(first: Int, after: String, query: String, sortKey: OrderSortKeys, reverse: Boolean): OrderConnection!
  order(id: ID!): Order
  fulfillment(id: ID!): Fulfillment
  fulfillmentOrder(id: ID!): FulfillmentOrder
  nodes(ids: [ID!]!): [Node]!
  productVariants(first: Int, after: String): ProductVariantConnection!
}
type Mutation {
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  fulfillmentCreate(fulfillment: FulfillmentInput!, message: String): FulfillmentCreatePayload
}
enum OrderSortKeys { UPDATED_AT CREATED_AT ID }
type Node { id: ID! }
type Shop { name: String! myshopifyDomain: String! currencyCode: String! }
type AppInstallation { accessScopes: [AccessScope!]! }
type AccessScope { handle: String! }
type Location { id: ID! name: String! isActive: Boolean! }
type MoneyBag { shopMoney: MoneyV2! }
type MoneyV2 { amount: Decimal! currencyCode: String! }
type Order {
  id: ID! legacyResourceId: String! name: String!
  createdAt: DateTime! updatedAt: DateTime! cancelledAt: DateTime cancelReason: String closedAt: DateTime
  currencyCode: String! note: String email: String phone: String
  displayFinancialStatus: String displayFulfillmentStatus: String! paymentGatewayNames: [String!]!
  subtotalPriceSet: MoneyBag totalShippingPriceSet: MoneyBag! totalDiscountsSet: MoneyBag totalPriceSet: MoneyBag!
  totalOutstandingSet: MoneyBag!
  transactions(first: Int): [OrderTransaction!]!
  shippingAddress: MailingAddress shippingLine: ShippingLine
  lineItems(first: Int, after: String): LineItemConnection!
  fulfillments(first: Int): [Fulfillment!]!
  fulfillmentOrders(first: Int, after: String): FulfillmentOrderConnection!
}
type OrderTransaction { kind: String! status: String! processedAt: DateTime }
type MailingAddress {
  name: String phone: String address1: String address2: String city: String province: String zip: String countryCodeV2: String
}
type ShippingLine { title: String! }
type LineItem {
  id: ID! name: String! sku: String quantity: Int! currentQuantity: Int! requiresShipping: Boolean!
  originalUnitPriceSet: MoneyBag! variant: ProductVariant
}
type Fulfillment {
  id: ID! status: String! displayStatus: String createdAt: DateTime!
  trackingInfo: [FulfillmentTrackingInfo!]!
  fulfillmentLineItems(first: Int, after: String): FulfillmentLineItemConnection!
}
type FulfillmentTrackingInfo { number: String company: String }
type FulfillmentLineItem { quantity: Int lineItem: LineItem! }
type FulfillmentOrder {
  id: ID! status: String! assignedLocation: FulfillmentOrderAssignedLocation!
  lineItems(first: Int, after: String): FulfillmentOrderLineItemConnection!
}
type FulfillmentOrderAssignedLocation { location: Location }
type FulfillmentOrderLineItem { id: ID! totalQuantity: Int! remainingQuantity: Int! lineItem: LineItem! }
type ProductVariant {
  id: ID! sku: String title: String! barcode: String price: Money! product: Product! inventoryItem: InventoryItem!
}
type Product { id: ID! title: String! status: String! }
type InventoryItem {
  id: ID! tracked: Boolean! measurement: InventoryItemMeasurement!
  inventoryLevel(locationId: ID!): InventoryLevel
  inventoryLevels(first: Int, after: String): InventoryLevelConnection!
}
type InventoryItemMeasurement { weight: Weight }
type Weight { value: Float! unit: String! }
type InventoryLevel { location: Location! quantities(names: [String!]!): [InventoryQuantity!]! }
type InventoryQuantity { name: String! quantity: Int! }
type InventorySetQuantitiesPayload {
  inventoryAdjustmentGroup: InventoryAdjustmentGroup userErrors: [InventorySetQuantitiesUserError!]!
}
type InventoryAdjustmentGroup { id: ID! changes: [InventoryChange!]! }
type InventoryChange { name: String! delta: Int! quantityAfterChange: Int item: InventoryItem location: Location }
type InventorySetQuantitiesUserError { code: String field: [String!] message: String! }
type FulfillmentCreatePayload { fulfillment: Fulfillment userErrors: [UserError!]! }
type UserError { field: [String!] message: String! }
input InventorySetQuantitiesInput { name: String! reason: String! referenceDocumentUri: String quantities: [InventoryQuantityInput!]! }
input InventoryQuantityInput { inventoryItemId: ID! locationId: ID! quantity: Int! changeFromQuantity: Int }
input FulfillmentInput {
  lineItemsByFulfillmentOrder: [FulfillmentOrderLineItemsInput!]! notifyCustomer: Boolean trackingInfo: FulfillmentTrackingInput
}
input FulfillmentOrderLineItemsInput {
  fulfillmentOrderId: ID! fulfillmentOrderLineItems: [FulfillmentOrderLineItemInput!]
}
input FulfillmentOrderLineItemInput { id: ID! quantity: Int! }
input FulfillmentTrackingInput { number: String company: String url: URL }
"""
SCHEMA = Schema.of(TEXT)
