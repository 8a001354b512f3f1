"""Pure values and rules: standard library only, no database, no HTTP, no clock reading."""
