"""The client of a YATA todo backend: its words, no MCP and no OAuth."""
