"""`rally-mcp doctor`: is a deployment, or this machine's environment, set up right?

    command            the arguments, and the exit code
    examination        which checks there are, in the order of the report
    checks             what a check is, and how checks wait for one another
    settings_checks    this environment: settings, store, client secrets
    functions          each function: DNS, TLS, /health; versions and clocks
    network            the way to it
    proxy              what the environment says of a proxy on that way
    requests           what is sent, bounded in time and in size
    discovery          the documents that MCP clients discover (RFC 9728, RFC 8414)
    endpoint           what the MCP endpoint answers to strangers
    sign_in            a sign-in from its link to the upstream's door
    callback           its end: declined, as a person can
    store_check        a document written, read and deleted
    google_cloud       Firestore, its TTL policies, Secret Manager
    report             lines for people, JSON for programs
    console            where these go

Nothing is changed but a few documents that end by themselves within the hour. The sign-in that is
begun is declined at the end, so that its link leads nowhere.
"""
