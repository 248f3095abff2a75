"""The WSAPI client: Rally's words, no MCP and no OAuth."""
