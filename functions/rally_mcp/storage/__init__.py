"""Where state lives between requests: five verbs, two implementations."""
