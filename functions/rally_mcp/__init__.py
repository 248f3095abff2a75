"""Rally through the Model Context Protocol, as the signed-in user.

The folders are the product's subjects, lowest layer last (the order is an import contract):

web                 HTTP of the three functions: parse, one use case, answer
tools               what a model sees: Rally's nouns as MCP tools
sign_in             use cases where this product is an OAuth client of Rally
identity_providers  the upstreams people sign in to, as declarations
rally               the WSAPI client; knows neither MCP nor OAuth
storage             five verbs over Firestore or SQLite
"""

__version__ = "0.1.0"
