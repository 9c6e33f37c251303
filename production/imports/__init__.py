"""Reading other systems' files: a table is opened safely, a mapping says what it means, `orders` writes it down."""
