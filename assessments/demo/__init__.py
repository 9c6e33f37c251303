"""A company that does not exist, to look at: who it buys from, what it bought, what arrived and what was found.

Everything here is worked out from a day and a fixed seed, without a clock and without the database; only `load` and
`remove` touch rows. The order is people and places, then orders, deliveries, inspections, materials.
"""
