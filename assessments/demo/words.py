"""What people write: findings, reasons and remarks, in the language of the trade."""

# Findings per category, the frequent ones first; `major` ones count.
MAJOR = {
    "apparel": [
        "open seam",
        "oil stain",
        "measurement out of tolerance",
        "broken stitch",
        "wrong size label",
        "zipper stuck",
    ],
    "home-textiles": ["open seam", "weaving fault", "colour shade off", "stain", "wrong dimensions"],
    "bags": ["broken stitch", "crooked panel", "zipper stuck", "print misplaced", "hole in lining"],
    "footwear": ["sole coming off", "pair mismatched", "glue marks", "wrinkled upper", "wrong size in box"],
    "toys": ["splinter", "loose eye", "paint rubs off", "missing piece", "open seam"],
    "kitchenware": ["chip on rim", "glaze pinholes", "handle loose", "sharp burr", "dent"],
    "small-electronics": ["does not charge", "button stuck", "flickers", "wrong reading", "scratched housing"],
    "furniture": ["wobbles", "crack in board", "screw holes off", "missing fitting", "veneer lifting"],
}
MINOR = {
    "apparel": ["loose threads", "uneven hem", "light crease"],
    "home-textiles": ["loose threads", "pulled loop", "crease"],
    "bags": ["loose threads", "chalk mark", "uneven edge paint"],
    "footwear": ["light glue mark", "lace length", "dust"],
    "toys": ["loose thread", "print off-centre", "light scratch"],
    "kitchenware": ["small speck", "uneven glaze", "light scratch"],
    "small-electronics": ["light scratch", "gap in housing", "manual folded wrong"],
    "furniture": ["light scratch", "glue residue", "colour varies slightly"],
}
CRITICAL = {
    "apparel": "needle tip found in a side seam",
    "home-textiles": "needle fragment found in a hem",
    "bags": "sharp staple left in the lining",
    "footwear": "nail point through the insole",
    "toys": "small part comes off below the pull force, choking hazard",
    "kitchenware": "handle weld broke under load",
    "small-electronics": "battery connector reversed, gets hot",
    "furniture": "back leg split under the seat load test",
}
BUYER_REVISIONS = [
    "We changed the carton print after the order",
    "Artwork for the hangtag approved late on our side",
    "Moved to the later vessel, warehouse is full that week",
    "Promotion shifted, goods not needed before",
    "Our fabric left the mill a week late",
]
FORCE_MAJEURE = [
    "Port closed by the typhoon, carrier's notice attached",
    "Flooding on the road to the port, forwarder confirmed",
    "Power rationing ordered by the city, notice on file",
]
FACTORY_REVISIONS = [
    "Dye house behind schedule",
    "Not enough sewers after the holiday",
    "Sub-supplier of the handles late",
    "Missed the closing time of the vessel",
    "Rework after the final inspection",
]
REFUSED_REVISIONS = ["Asks for two more weeks, no document sent", "Claims a power cut, no notice from the city"]
BUYER_CANCELLATIONS = ["Colour dropped from the range", "Forecast cut for the spring", "Too much stock of this size"]
FACTORY_CANCELLATIONS = ["Cannot get the yarn in this colour", "Mould broken, no date for the repair"]
GIVING_UP = ["Waited long enough, buying elsewhere", "Season is over, no longer useful"]
DAMAGES = [
    "Cartons wet, container leaked",
    "Two pallets crushed",
    "Wrong colour in part of the cartons",
    "Torn polybags",
]
MISCOUNTS = ["Dock counted one pallet twice", "Booked on the wrong line", "Count corrected after unpacking"]
DELIVERY_NOTES = [
    "Cartons unlabelled on one side, relabelled here",
    "Driver arrived without an appointment",
    "Mixed pallet, sorted before put-away",
    "Seal number differs from the packing list, photo taken",
    "Pallets not wrapped",
]
ORDER_NOTES = [
    "For the autumn campaign, please do not split.",
    "Repeat of the spring order, same lab dips.",
    "Shipping mark has changed, see the new file.",
    "First order with the recycled polybags.",
    "The first line has priority.",
    "Replaces the cancelled order of last month.",
    "Top up the container if there is room left.",
    "Carton weight must stay below 15 kg.",
    "Pre-production sample approved without comments.",
]
NEVER_NOTE = (
    "Goods were promised for three vessels and missed all of them. Ms Ratna says the soles are with customs. "
    "No packing list so far. Deposit not paid."
)
LATE_NOTE = "Called on Monday: half of the line stands still, new date not confirmed."
