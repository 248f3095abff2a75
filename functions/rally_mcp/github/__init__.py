"""GitHub's REST API as one caller: issues, pull requests and comments."""
