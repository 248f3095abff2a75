"""Rally and its neighbours through the Model Context Protocol, as the signed-in user.

The folders are the product's subjects, lowest layer last (the order is an import contract):

local                 stdio: the same tools for one client on this machine
web                   HTTP of the three functions: parse, one use case, answer
bootstrap             the environment in, the parts of each function out
tools                 what a model sees: the upstreams' nouns as MCP tools
authorization_server  use cases where this product is an OAuth server for MCP clients
sign_in               use cases where this product is an OAuth client of an upstream
identity_providers    the upstreams, as declarations
rally, github, yata   their clients; they know neither MCP nor OAuth
storage               five verbs over Firestore or SQLite
"""

__version__ = "0.1.0"
