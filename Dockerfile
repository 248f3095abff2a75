# The three functions as one image, for places other than Cloud Functions.
# FUNCTION_TARGET says which of them a container is; docs/containers.md says the rest.

FROM python:3.13-slim-trixie AS python
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1


FROM python AS build
COPY functions/requirements.txt /build/
# Wheels with a listed hash only: nothing that a registry serves is run here, or differs next time.
RUN python -m venv --without-pip /venv \
    && pip --python /venv install --no-cache-dir --no-compile --no-deps --only-binary :all: \
        --require-hashes --requirement /build/requirements.txt \
    && python -m compileall -q --invalidation-mode unchecked-hash /venv
COPY functions/ /app/
RUN python -m compileall -q --invalidation-mode unchecked-hash /app


FROM python AS functions
LABEL org.opencontainers.image.title="Rally MCP" \
    org.opencontainers.image.description="Rally through the Model Context Protocol, as the signed-in user" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-trixie"
# /data is empty; a volume that is mounted there for SQLite gets its owner.
RUN groupadd --gid 10001 rally-mcp \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin rally-mcp \
    && install --directory --owner=10001 --group=10001 --mode=700 /data
COPY --from=build /venv/ /venv/
COPY --from=build /app/ /app/
WORKDIR /app
# The server keeps a heartbeat and a control socket in files, and /dev/shm takes them also where the
# root file system is read-only.
ENV PATH=/venv/bin:$PATH \
    HOST=0.0.0.0 \
    PORT=8080 \
    TMPDIR=/dev/shm \
    XDG_RUNTIME_DIR=/dev/shm
EXPOSE 8080
# By number, so that a cluster can tell that it is not root.
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
# The functions framework knows no source by the target's name; exec leaves it as process 1, which
# the signals go to.
CMD ["python", "-c", "import os, sys; target = os.environ.get('FUNCTION_TARGET') or sys.exit('Set FUNCTION_TARGET to mcp_endpoint, auth_redirect or oauth_callback.'); os.execlp('functions-framework', 'functions-framework', '--source', target + '.py')"]


# For docker-compose.dev.yml: the same with the simulators, which have no /health.
FROM functions AS dev
COPY devtools/ /app/devtools/
HEALTHCHECK NONE


# Last, so that it is what a build makes that names no target.
FROM functions AS release
