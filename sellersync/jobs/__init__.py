"""The trips: one file each, each one `async def run(...)` that a person can read aloud. No HTTP, no SQL, no scheduler here."""
