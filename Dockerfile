# syntax=docker/dockerfile:1
# The serving image: CPU by default, no training tools. On a GPU host build with --build-arg EXTRA='[gpu]'.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ARG EXTRA=""
RUN python -m venv /opt/promise
WORKDIR /src
COPY pyproject.toml README.md ./
COPY service service
COPY models models
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/promise/bin/pip install --disable-pip-version-check ".${EXTRA}"

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --no-create-home promise
COPY --from=build /opt/promise /opt/promise
COPY models/bundles /srv/bundles
WORKDIR /srv
ENV PATH=/opt/promise/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    PROMISE_HOST=0.0.0.0 \
    PROMISE_PORT=8000 \
    PROMISE_BUNDLE=/srv/bundles/beauty
USER promise
EXPOSE 8000
# slim images have no curl; urlopen raises, and so exits 1, on anything but a 2xx
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PROMISE_PORT'] + '/health/ready', timeout=2)"]
CMD ["python", "-m", "service"]
